"""Forms around an issued record: a dispute, its settlement, an addendum, a concern for officers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from wtforms import Field, RadioField, ValidationError
from wtforms.fields import SelectChoice, SelectMultipleField

from s2s_portal import clock
from s2s_portal.blueprints.forms import DayField, Needed, Paragraphs, S2SForm
from s2s_portal.blueprints.visits.forms import AddendumForm, ClockField
from s2s_portal.blueprints.widgets import GovCheckboxesInput, GovRadioInput
from s2s_portal.models.reply import PassedTo, RecordReply
from s2s_portal.services.concerns import PASSED_TO_WORDS
from s2s_portal.services.reply_reading import Disputable, part_of

WHICH = "Select which part is wrong"


class DisputeForm(S2SForm):
    """Which part of a record is wrong, and what is right, in the school's words."""

    part = RadioField(
        "Which part is wrong?",
        [Needed(WHICH)],
        choices=[],
        widget=GovRadioInput(),
        validate_choice=False,
    )
    text = Paragraphs(
        "What is wrong, and what is right?",
        [Needed("Enter what is wrong, and what is right")],
        description="The practitioner, their lead and the SEND officers read this, and it stays"
        " with the record.",
    )

    def offer(self, parts: Sequence[Disputable]) -> None:
        """Offer what is still in time, and what was chosen before it was too late."""
        self.part.choices = [
            SelectChoice(one.value, one.words)
            for one in parts
            if not one.is_over or one.value == self.part.data
        ]


class SettleForm(S2SForm):
    """How a dispute was settled."""

    words = Paragraphs("How was it settled?")


class AnsweringForm(AddendumForm):
    """An addendum, and which of the school's replies it answers, if it answers one."""

    answers = RadioField(
        "Does it answer what the school disputes?",
        choices=[],
        widget=GovRadioInput(),
        validate_choice=False,
    )

    def offer(self, replies: Sequence[RecordReply]) -> None:
        """Ask which of `replies` it answers; with none, ask nothing."""
        if not replies:
            del self.answers
            return
        self.answers.choices = [
            *(
                SelectChoice(str(one.number), f"Yes, reply {one.number}: {part_of(one)}")
                for one in replies
            ),
            SelectChoice("0", "No"),
        ]
        if self.answers.data is None:
            self.answers.data = "0"

    @property
    def answered(self) -> int:
        """The number of the reply that it answers; 0 for none."""
        chosen = str(self.answers.data or "") if "answers" in self else ""
        return int(chosen) if chosen.isdecimal() and len(chosen) < 5 else 0


class SafeguardingForm(S2SForm):
    """Whether there was a safeguarding concern, and that it has been passed on: no word of it."""

    concerned = RadioField(
        "Did you have a safeguarding concern at this visit?",
        [Needed("Select yes if you had a safeguarding concern and have passed it on")],
        choices=[
            SelectChoice("yes", "Yes, and I have passed it on"),
            SelectChoice("no", "No"),
        ],
        widget=GovRadioInput(),
        validate_choice=False,
    )
    passed_to = SelectMultipleField(
        "If yes, whom have you told?",
        choices=[SelectChoice(code.value, words) for code, words in PASSED_TO_WORDS.items()],
        widget=GovCheckboxesInput(),
        validate_choice=False,
        description="Select all that apply",
    )
    told_on = DayField("If yes, on what day?", description="For example, 27 3 2019")
    told_at = ClockField("If yes, at what time?", description="For example, 9:30am or 14:30")

    def validate_concerned(self, field: Field) -> None:
        """Only what is offered."""
        if field.data not in {"yes", "no"}:
            raise ValidationError("Select yes if you had a safeguarding concern")

    def validate_told_at(self, field: Field) -> None:
        """Asked with a yes alone, as a day and a time."""
        if self.concerned.data == "yes" and self.told_on.data and field.data is None:
            raise ValidationError("Enter at what time you told them")

    @property
    def whom(self) -> list[PassedTo]:
        """Whom they have told."""
        return [PassedTo(code) for code in self.passed_to.data or () if code in set(PassedTo)]

    @property
    def when(self) -> datetime | None:
        """The instant at which they told them; None while a part of it is missing."""
        day, at = self.told_on.data, self.told_at.data
        return clock.from_local(day, at.hour, at.minute) if day and at else None


class TellOfficerForm(S2SForm):
    """A concern about the work, for officers alone."""

    words = Paragraphs(
        "What should the SEND officer know?",
        [Needed("Enter what the SEND officer should know")],
        description="For example, that the school was not ready, or that nothing of what was agreed"
        " has been tried.",
    )


def typed_lines(form: Any) -> list[tuple[str, str]]:
    """What was typed into `form`, each with the question it answers, to be copied by hand."""
    found: list[tuple[str, str]] = []
    for field in form:
        if hasattr(field, "entries"):
            for number, entry in enumerate(field.entries, start=1):
                lines = typed_lines(entry.form)
                found += [(f"{words} ({number})", text) for words, text in lines]
        elif getattr(field.widget, "input_type", "") != "hidden":
            text = getattr(field, "raw_text", "") or field.data
            if isinstance(text, str) and text.strip():
                found.append((field.label.text, text))
    return found
