"""Forms that book, move and cancel a visit, propose a plan of visits and answer it."""

from __future__ import annotations

from datetime import date
from typing import Any

from wtforms import Field, Form, FormField, RadioField, SelectField, ValidationError
from wtforms.fields import SelectChoice

from s2s_portal import clock
from s2s_portal.blueprints.forms import (
    DayField,
    Line,
    Needed,
    Paragraphs,
    PickOne,
    Rows,
    S2SForm,
    Seen,
    tidy,
)
from s2s_portal.blueprints.visits.forms import KINDS, ClockField
from s2s_portal.blueprints.widgets import GovRadioInput, GovSelect
from s2s_portal.models.visit import AskedBy, Visit, VisitKind, WhyMoved
from s2s_portal.models.visit_plan import PlanSays, VisitPlan
from s2s_portal.services.contact_attempts import HOW_WORDS
from s2s_portal.services.rescheduling import WHY_WORDS, Asked
from s2s_portal.services.visit_plans import (
    MONTHS_AHEAD,
    MONTHS_BACK,
    MOST_ROWS,
    MOST_VISITS,
    PlanRow,
)

LONGEST_SENTENCE = 500
READ_BY_SCHOOL = "The school and the officers read this. Do not name a child here."
ASKED_BY = (
    SelectChoice(AskedBy.PRACTITIONER.value, "I did"),
    SelectChoice(AskedBy.SCHOOL.value, "The school"),
    SelectChoice(AskedBy.SERVICE.value, "The council"),
)


class SaidYes(Field):
    """A box to tick below a sentence: `data` is the sentence that somebody said yes to.

    It is drawn, by `tick` of `s2s/visits/booking_parts.html`, once there is something to ask.
    """

    question = ""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the one value, the sentence."""
        self.data = tidy(valuelist[0])[:LONGEST_SENTENCE] if valuelist else ""

    def ask(self, question: str) -> str:
        """Ask for a yes to `question`: what the summary of errors says."""
        self.question = question
        return f"{question} Tick the box if {self.description}."

    @property
    def asked(self) -> str:
        """The sentence to say yes to; empty when nothing is asked."""
        return self.question or self.data or ""


class WhenForm(S2SForm):
    """A day and two times, and what has to be said yes to first."""

    day = DayField("Date of the visit", [Needed("Enter the date of the visit")])
    starts = ClockField(
        "Start time",
        [Needed("Enter the start time")],
        description="For example, 9:30am or 14:30",
    )
    ends = ClockField("End time", [Needed("Enter the end time")])
    agreed_day = SaidYes(
        "I have agreed this day with the school", description="the school has agreed to it"
    )
    enough_time = SaidYes("I have time enough: go on", description="that is time enough")
    note = Paragraphs(
        "Message to the school (optional)",
        description="For example, whom you would like to meet. Do not name a child here.",
    )

    def when(self) -> dict[str, Any]:
        """What was typed, as the services take it; only after the form has been validated."""
        day, starts, ends = self.day.data, self.starts.data, self.ends.data
        if day is None or starts is None or ends is None:
            raise ValueError("the form has not been validated")
        return {
            "day": day,
            "starts": starts,
            "ends": ends,
            "note": self.note.data or "",
            "agreed_day": self.agreed_day.data or "",
            "enough_time": self.enough_time.data or "",
        }


class BookForm(WhenForm):
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

    def validate_kind(self, field: Field) -> None:
        """Only what is offered."""
        if field.data not in set(VisitKind):
            raise ValidationError("Select what kind of visit it is")


class WhyFields:
    """Who asked that a visit be moved or cancelled, and why."""

    asked_by = PickOne("Who asked for it?", "Select who asked for it", choices=ASKED_BY)
    why = PickOne(
        "Why?",
        "Select why",
        choices=[SelectChoice(why.value, words) for why, words in WHY_WORDS.items()],
    )
    words = Paragraphs("In your own words (optional)", description=READ_BY_SCHOOL)

    def asked(self) -> Asked:
        """What was answered; only after the form has been validated."""
        return Asked(AskedBy(self.asked_by.data), WhyMoved(self.why.data), self.words.data or "")


class CancelForm(WhyFields, S2SForm):
    """Why a visit does not take place."""


class MoveForm(WhyFields, WhenForm):
    """When a visit takes place instead, and why not as it was booked."""


def move_form(visit: Visit) -> MoveForm:
    """The form as sent; first with the times of day as they are."""
    return MoveForm(
        data={
            "starts": clock.local(visit.starts_at).time(),
            "ends": clock.local(visit.ends_at).time(),
        }
    )


class PlanRowForm(Form):
    """So many visits of a kind, and roughly when."""

    kind = SelectField("Kind of visit", choices=KINDS, widget=GovSelect())
    number = Line("How many", longest=4)
    month = SelectField("Roughly when", widget=GovSelect(), validate_choice=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.month.choices = months()
        if self.month.data is None:
            self.month.data = clock.today().replace(day=1).isoformat()

    @property
    def is_blank(self) -> bool:
        """Whether nothing was typed: then the row is left out."""
        return not (self.number.data or "").strip()


def months() -> list[SelectChoice]:
    """The months that a plan can name: also some gone by, whose visits have been made."""
    now = clock.today()
    return [
        SelectChoice(day.isoformat(), f"{day:%B %Y}")
        for day in (
            date(year, month + 1, 1)
            for year, month in (
                divmod(now.year * 12 + now.month - 1 + ahead, 12)
                for ahead in range(-MONTHS_BACK, MONTHS_AHEAD)
            )
        )
    ]


class PlanForm(S2SForm):
    """The rows of a plan; and why it has fewer visits than before, if it has."""

    seen = Seen()
    rows = Rows(FormField(PlanRowForm), min_entries=1, max_entries=MOST_ROWS)
    why = Paragraphs(
        "Why does the plan change? (needed if there are fewer visits)",
        description=READ_BY_SCHOOL,
    )

    def written(self) -> list[PlanRow]:
        """The rows that hold anything; only after the form has been validated."""
        return [
            PlanRow(
                VisitKind(row.form.kind.data),
                int(row.form.number.data),
                date.fromisoformat(row.form.month.data),
            )
            for row in self.rows
            if not row.form.is_blank
        ]

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Each row has a number and one of the months; there is a row."""
        rows = [entry.form for entry in self.rows if not entry.form.is_blank]
        fine: bool = super().validate(*args, **kwargs)
        if not rows:
            self.rows.entries[0].form.number.errors = ["Enter how many visits there are to be"]
        for row in rows:
            text = row.number.data.strip()
            if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_VISITS):
                row.number.errors = [f"How many must be a number from 1 to {MOST_VISITS}"]
            if row.month.data not in {choice.value for choice in row.month.choices}:
                row.month.errors = ["Select a month of the list"]
        self.rows.errors = [entry.errors for entry in self.rows if entry.errors]
        return fine and not self.rows.errors

    def change_rows(self, wanted: str) -> None:
        """Do what a row button asks: `add`, or `remove-<row>` counted from 0."""
        verb, _, row = wanted.partition("-")
        entries = self.rows.entries
        if verb == "remove" and row in [str(index) for index in range(len(entries))]:
            self.rows.pop_entry(int(row))
        if not entries or (verb == "add" and len(entries) < MOST_ROWS):
            self.rows.append_entry()


def plan_form(latest: VisitPlan | None) -> PlanForm:
    """The form as sent, else filled from the latest version."""
    rows = latest.rows if latest else []
    return PlanForm(
        data={
            "rows": [
                {"kind": row.kind.value, "number": str(row.number), "month": row.month.isoformat()}
                for row in rows
            ],
            "seen": str(latest.version if latest else 0),
        }
    )


class PlanAnswerForm(S2SForm):
    """What the school says of the plan, and of which version."""

    seen = Seen()
    says = PickOne(
        "Do you agree to this plan?",
        "Select whether you agree to this plan",
        choices=(
            SelectChoice(PlanSays.AGREED.value, "Yes, we agree"),
            SelectChoice(PlanSays.CHANGE.value, "No, we ask for a change"),
        ),
    )
    words = Paragraphs(
        "What should change?",
        description="The practitioner reads this. Needed if you ask for a change.",
    )


class AttemptForm(S2SForm):
    """One attempt to reach a school that did not answer."""

    tried_on = DayField("When did you try?", [Needed("Enter the day on which you tried")])
    how = PickOne(
        "How did you try?",
        "Select how you tried",
        choices=[SelectChoice(how.value, words) for how, words in HOW_WORDS.items()],
    )
    note = Paragraphs(
        "What happened? (optional)",
        description="Officers and practitioners read this. The school does not.",
    )
