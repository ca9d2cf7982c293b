"""The forms with which an officer decides, closes and reopens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wtforms.fields import SelectChoice, SelectMultipleField

from s2s_portal.blueprints.forms import DecidingForm, Needed, Paragraphs, PickOne
from s2s_portal.services.closing import closure_words
from s2s_portal.services.triage import DECLINE_WORDS


class AcceptForm(DecidingForm):
    """Accept, with a note that stays inside the service."""

    note = Paragraphs("Note for officers (optional)")


class DeclineForm(DecidingForm):
    """Decline, with the reason and what the school is told."""

    reason = PickOne(
        "Why are you declining it?",
        "Choose why you are declining the referral",
        choices=[SelectChoice(reason.value, words) for reason, words in DECLINE_WORDS.items()],
    )
    message = Paragraphs(
        "What do you want to tell the school?", [Needed("Enter what you want to tell the school")]
    )
    note = Paragraphs("Note for officers (optional)")


class ReturnForm(DecidingForm):
    """Send back to the school: which sections are opened, and what is needed in each.

    `return_form` makes one with a question for every section, named `question_` and the section.
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


def return_form(titles: Mapping[str, str], opened_too: Iterable[str] = ()) -> ReturnForm:
    """A form with a question for every section that can be asked about, by key its title.

    `opened_too` are the keys of those that are opened with the one about agreement.
    """
    fields = {
        f"question_{section}": Paragraphs(f"What do you need in “{title}”?")
        for section, title in titles.items()
    }
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
