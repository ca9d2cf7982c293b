"""Forms of the practitioner's journey: booking, the record, an addendum, the outcomes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, time
from typing import Any

from wtforms import Field, Form, FormField, RadioField, SelectField, ValidationError
from wtforms.fields import SelectChoice

from s2s_portal import clock
from s2s_portal.blueprints.forms import (
    DayField,
    Line,
    Needed,
    Paragraphs,
    Rows,
    S2SForm,
    Seen,
    tidy,
)
from s2s_portal.blueprints.widgets import GovRadioInput, GovSelect, GovTextInput
from s2s_portal.models.answer import OutcomeWanted
from s2s_portal.models.codes import Achieved
from s2s_portal.models.visit import Visit, VisitKind, VisitRecord
from s2s_portal.services.closing import ACHIEVED_WORDS, seen_mark
from s2s_portal.services.record_answers import (
    MOST_RECOMMENDATIONS,
    Advice,
    Answers,
    Problem,
    answers_of,
)
from s2s_portal.services.visits import KIND_NAMES

TIME = re.compile(r"(\d{1,2})(?:[:. ]?(\d{2}))?\s*([ap])?\.?(?:m\.?)?", re.ASCII)
KINDS = [SelectChoice(kind.value, name) for kind, name in KIND_NAMES.items()]
PUPIL_SEEN: dict[str, bool | None] = {"yes": True, "no": False, "none": None}
SEEN_CHOICES = [
    SelectChoice("yes", "Yes"),
    SelectChoice("no", "No"),
    SelectChoice("none", "It was not part of this visit"),
]
ACHIEVED = [SelectChoice(value.value, words) for value, words in ACHIEVED_WORDS.items()]


def read_time(text: str) -> time:
    """A time of day as people type it: `9:30`, `9.30am`, `0930`, `2pm`, `midday`.

    Raises ValueError for what is none, and for 1 to 6 o'clock without am or pm: nobody means the
    middle of the night, but nothing is guessed.
    """
    tidy_text = text.strip().lower()
    if tidy_text in {"midday", "noon", "12 noon"}:
        return time(12)
    found = TIME.fullmatch(tidy_text)
    if found is None:
        raise ValueError("must be a time, for example 9:30am or 14:30")
    hour, minute, half = int(found[1]), int(found[2] or 0), found[3]
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("must be a time, for example 9:30am or 14:30")
        hour = hour % 12 + (12 if half == "p" else 0)
    elif 1 <= hour <= 6 and not found[1].startswith("0"):
        raise ValueError("must say am or pm, for example 2:30pm")
    if hour > 23 or minute > 59:
        raise ValueError("must be a time, for example 9:30am or 14:30")
    return time(hour, minute)


class ClockField(Field):
    """A time of day in one box; `data` is a `time` or None, and what was typed comes back."""

    widget = GovTextInput()
    raw_text = ""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the one value; an empty box is None."""
        self.raw_text = tidy(valuelist[0])[:20] if valuelist else ""
        self.data = None
        if self.raw_text:
            try:
                self.data = read_time(self.raw_text)
            except ValueError as error:
                raise ValueError(f"{self.label.text} {error}") from error

    def _value(self) -> str:
        if self.raw_text or self.data is None:
            return self.raw_text
        return f"{self.data.hour % 12 or 12}:{self.data:%M}{'am' if self.data.hour < 12 else 'pm'}"


class BookForm(S2SForm):
    """When the practitioner comes, and for what."""

    kind = RadioField(
        "What kind of visit is it?",
        [Needed("Select what kind of visit it is")],
        choices=KINDS,
        widget=GovRadioInput(),
        validate_choice=False,
    )
    day = DayField(
        "Date of the visit",
        [Needed("Enter the date of the visit")],
        description="For example, 27 3 2019. A date in the past is fine if you have been already.",
    )
    starts = ClockField(
        "Start time",
        [Needed("Enter the start time")],
        description="For example, 9:30am or 14:30",
    )
    ends = ClockField("End time", [Needed("Enter the end time")])
    note = Paragraphs(
        "Message to the school (optional)",
        description="For example, whom you would like to meet. Do not name a child here.",
    )

    def when(self) -> tuple[date, time, time]:
        """The day, the start and the end; only after the form has been validated."""
        day, starts, ends = self.day.data, self.starts.data, self.ends.data
        if day is None or starts is None or ends is None:
            raise ValueError("the form has not been validated")
        return day, starts, ends

    def validate_kind(self, field: Field) -> None:
        """Only what is offered."""
        if field.data not in set(VisitKind):
            raise ValidationError("Select what kind of visit it is")


class AdviceForm(Form):
    """One recommendation: a row of the record's form."""

    strategy = Line("What should be done", longest=2000)
    owner = Line("Who does it", description="A role is enough, for example class teacher")
    by_when = DayField("By when", description="For example, 27 6 2019")

    @property
    def is_blank(self) -> bool:
        """Whether nothing at all was typed: then the row is left out."""
        return not (self.strategy.data or self.owner.data or self.by_when.raw_text)


class RecordForm(S2SForm):
    """The whole record, complete or not."""

    seen = Seen()
    kind = SelectField("Kind of visit", choices=KINDS, widget=GovSelect())
    visited_on = DayField("Date of the visit", [Needed("Enter the date of the visit")])
    started_at = ClockField("Time the visit started", description="For example, 9:30am or 14:30")
    finished_at = ClockField("Time the visit finished")
    people_met = Paragraphs("Who did you meet?", description="Names and roles of staff")
    pupil_seen = RadioField(
        "Did you see the pupil or group?",
        choices=SEEN_CHOICES,
        widget=GovRadioInput(),
        validate_choice=False,
    )
    observed = Paragraphs("What did you observe?")
    discussed = Paragraphs("What did you discuss?")
    recommendations = Rows(FormField(AdviceForm), min_entries=1, max_entries=MOST_RECOMMENDATIONS)
    resources_given = Paragraphs("Resources you gave (optional)")
    next_visit = Paragraphs(
        "What happens next (optional)", description="For example, when you will come again and why"
    )

    def answers(self) -> Answers:
        """What was typed; only after the form has been validated."""
        if self.visited_on.data is None:
            raise ValueError("the form has not been validated")
        return Answers(
            kind=VisitKind(self.kind.data),
            visited_on=self.visited_on.data,
            started_at=self.started_at.data,
            finished_at=self.finished_at.data,
            people_met=self.people_met.data or "",
            pupil_seen=PUPIL_SEEN.get(self.pupil_seen.data or "none"),
            observed=self.observed.data or "",
            discussed=self.discussed.data or "",
            resources_given=self.resources_given.data or "",
            next_visit=self.next_visit.data or "",
            recommendations=tuple(
                Advice(row.strategy.data or "", row.owner.data or "", row.by_when.data)
                for row in self.written_rows()
            ),
        )

    def written_rows(self) -> list[AdviceForm]:
        """The recommendations that hold anything, in order."""
        return [entry.form for entry in self.recommendations if not entry.form.is_blank]

    @property
    def seen_version(self) -> int:
        """The version of the record that the page was drawn from; 0 when there was none."""
        return self.seen.version

    def show(self, problems: Sequence[Problem]) -> None:
        """Put what is missing onto the fields it is missing from."""
        rows = self.written_rows()
        for problem in problems:
            part = self if problem.row is None else rows[problem.row]
            field = part[problem.field]
            field.errors = [*field.errors, problem.text]
        self.recommendations.errors = [
            entry.errors for entry in self.recommendations if entry.errors
        ]

    def change_rows(self, wanted: str) -> None:
        """Do what a row button asks: `add`, or `remove-<row>` counted from 0."""
        verb, _, row = wanted.partition("-")
        entries = self.recommendations.entries
        if verb == "remove" and row in [str(index) for index in range(len(entries))]:
            self.recommendations.pop_entry(int(row))
        if not entries or (verb == "add" and len(entries) < MOST_RECOMMENDATIONS):
            self.recommendations.append_entry()


def record_form(visit: Visit, record: VisitRecord | None) -> RecordForm:
    """The form as sent, else filled from the draft, else from the booking."""
    if record is None:
        starts, ends = clock.local(visit.starts_at), clock.local(visit.ends_at)
        answers = Answers(visit.kind, starts.date(), starts.time(), ends.time())
    else:
        answers = answers_of(record)
    return RecordForm(
        data={
            **{name: getattr(answers, name) for name in Answers.plain_fields()},
            "kind": answers.kind.value,
            "pupil_seen": _seen_as_chosen(answers.pupil_seen, record),
            "recommendations": [vars(advice) for advice in answers.recommendations],
            "seen": str(record.version if record else 0),
        }
    )


def _seen_as_chosen(seen: bool | None, record: VisitRecord | None) -> str | None:
    if record is None:
        return None
    return {True: "yes", False: "no", None: "none"}[seen]


class IssueForm(S2SForm):
    """The button that issues the record, and the version that was checked."""

    seen = Seen()


class AddendumForm(S2SForm):
    """What is added to an issued record."""

    text = Paragraphs("What do you want to add?", [Needed("Enter what you want to add")])


class HandOverForm(S2SForm):
    """What a practitioner writes for whoever has the referral next."""

    text = Paragraphs(
        "What should whoever comes next know?",
        [Needed("Enter what whoever comes next should know")],
    )


def outcomes_form(outcomes: Sequence[OutcomeWanted]) -> Any:
    """A form with one question and one comment for each outcome the school wanted."""

    class OutcomesForm(S2SForm):
        """How far each outcome was reached, and what was recorded when the page was drawn."""

        seen = Seen()

        def results(self) -> dict[int, tuple[Achieved, str]]:
            """What was answered, by the outcome's position."""
            return {
                outcome.position: (
                    Achieved(self[f"achieved_{outcome.position}"].data),
                    self[f"comment_{outcome.position}"].data or "",
                )
                for outcome in outcomes
            }

    for outcome in outcomes:
        _ask_about(OutcomesForm, outcome)
    already = {f"achieved_{o.position}": o.achieved.value for o in outcomes if o.achieved}
    comments = {f"comment_{o.position}": o.comment for o in outcomes}
    return OutcomesForm(data={**already, **comments, "seen": seen_mark(outcomes)})


def _ask_about(form: type[S2SForm], outcome: OutcomeWanted) -> None:
    needed = f"Select how far outcome {outcome.position} was achieved"
    asked = RadioField(
        f"How far was outcome {outcome.position} achieved?",
        [Needed(needed), _one_of(needed)],
        choices=ACHIEVED,
        widget=GovRadioInput(),
        validate_choice=False,
    )
    setattr(form, f"achieved_{outcome.position}", asked)
    comment = Paragraphs(f"Comment on outcome {outcome.position} (optional)")
    setattr(form, f"comment_{outcome.position}", comment)


def _one_of(message: str) -> Any:
    def check(_form: Any, field: Field) -> None:
        if field.data not in set(Achieved):
            raise ValidationError(message)

    return check
