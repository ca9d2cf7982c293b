"""The forms with which an officer decides, closes and reopens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import starmap

from wtforms import Field, SelectField
from wtforms.fields import SelectChoice, SelectMultipleField

from s2s_portal.blueprints.forms import DecidingForm, Needed, Paragraphs, PickOne
from s2s_portal.blueprints.widgets import GovSelect
from s2s_portal.services.closing import closure_words


class ReturnForm(DecidingForm):
    """Send back to the school: which sections are opened, and what is needed in each.

    `return_form` makes one with a question for every section, named `question_` and the section,
    and a reason, named `code_` and the section.
    """

    sections = SelectMultipleField(
        "Which sections should the school change?",
        choices=[],
        validate_choice=False,
    )
    message = Paragraphs("Anything else the school should know? (optional)")
    opened_too: tuple[str, ...] = ()  # titles of what is opened with the agreement

    def offered(self) -> list[tuple[str, str]]:
        """The sections to tick: key and title."""
        return [(str(choice.value), str(choice.label)) for choice in self.sections.choices or ()]

    def questions(self) -> dict[str, str]:
        """What is needed, for each section that was ticked, in the order of the form."""
        ticked = set(self.sections.data or ())
        return {
            section: self[f"question_{section}"].data or ""
            for section, _title in self.offered()
            if section in ticked
        }

    def codes(self) -> dict[str, str]:
        """The code of the reason, for each section that was ticked and has one."""
        codes = {section: self[f"code_{section}"].data or "" for section in self.questions()}
        return {section: code for section, code in codes.items() if code}


def return_form(
    titles: Mapping[str, str], reasons: Mapping[str, str], opened_too: Iterable[str] = ()
) -> ReturnForm:
    """A form with a question and a reason (of `reasons`, words by code) for every section that can
    be asked about, by key its title.

    `opened_too` are the keys of those that are opened with the one about agreement.
    """
    fields: dict[str, Field] = {}
    for section, title in titles.items():
        fields[f"question_{section}"] = Paragraphs(f"What do you need in “{title}”?")
        fields[f"code_{section}"] = SelectField(
            f"Why do you ask about “{title}”?",
            choices=[SelectChoice("", "Choose a reason"), *starmap(SelectChoice, reasons.items())],
            widget=GovSelect(),
            validate_choice=False,
        )
    made: ReturnForm = type("ReturnForm", (ReturnForm,), fields)()
    made.opened_too = tuple(titles[key] for key in opened_too)
    made.sections.choices = [SelectChoice(key, title) for key, title in titles.items()]
    return made


class CloseForm(DecidingForm):
    """Close, with the reason and what the school is told."""

    closure = PickOne(
        "Why are you closing it?",
        "Choose why you are closing the referral",
        choices=lambda: [SelectChoice(why.value, text) for why, text in closure_words().items()],
    )
    message = Paragraphs(
        "What do you want to tell the school?", [Needed("Enter what you want to tell the school")]
    )


class ReopenForm(DecidingForm):
    """Open a closed referral again."""

    reason = Paragraphs(
        "Why is it being reopened?", [Needed("Enter why the referral is being reopened")]
    )
