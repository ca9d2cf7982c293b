"""What a school has tried: rows that can be added and removed with plain buttons."""

from __future__ import annotations

from typing import Any

from flask import request
from wtforms import Form, FormField

from s2s_portal.blueprints.forms import DayField, Line, Needed, Paragraphs, Rows
from s2s_portal.blueprints.referrals.fields import NotFuture, SectionForm
from s2s_portal.services.draft_rules import MOST_STRATEGIES, Strategy

ASKED_FOR = 2  # rows to begin with: two rounds of assess, plan, do, review; one is enough


class RowForm(Form):
    """One thing the school has tried. A row left empty is no row."""

    what = Line("What you tried", [Needed("Enter what you tried")])
    started_on = DayField(
        "When it started",
        [
            Needed("Enter when it started"),
            NotFuture("The date it started must be today or in the past"),
        ],
        description="For example, 27 3 2019",
    )
    ended_on = DayField(
        "When it ended (optional)",
        [NotFuture("The date it ended must be today or in the past")],
        description="Leave empty if you are still doing it",
    )
    result = Paragraphs("What came of it", [Needed("Enter what came of it")])

    def blank(self) -> bool:
        """Whether nothing at all has been typed."""
        days = (self.started_on, self.ended_on)
        return not (self.what.data or self.result.data or any(day.raw_text for day in days))

    def validate(self, extra_validators: Any = None) -> bool:
        """As the fields say; a blank row passes."""
        if self.blank():
            return True
        good: bool = super().validate(extra_validators)
        started, ended = self.started_on.data, self.ended_on.data
        if started and ended and ended < started:
            self.ended_on.errors = ["The date it ended must be after the date it started"]
            return False
        return good

    def strategy(self) -> Strategy:
        """The row as the service takes it."""
        started = self.started_on.data
        assert started is not None, "read a row only after it has passed"
        return Strategy(self.what.data, started, self.ended_on.data, self.result.data)


class TriedForm(SectionForm):
    """The rows."""

    rows = Rows(FormField(RowForm), min_entries=ASKED_FOR, max_entries=MOST_STRATEGIES)

    def adjust(self) -> bool:
        """Add an empty row, or take one away, when the button for that was pressed."""
        if "add" in request.form:
            if len(self.rows) < MOST_STRATEGIES:
                self.rows.append_entry()
            return True
        number = request.form.get("remove")
        if number is None:
            return False
        if number in [str(index) for index in range(len(self.rows))]:
            self.rows.pop_entry(int(number))
        return True

    def validate(self, extra_validators: Any = None) -> bool:
        """As the rows say, and one must be filled in."""
        good: bool = super().validate(extra_validators)
        if all(row.form.blank() for row in self.rows):
            message = "Enter at least one thing you have tried"
            self.rows[0].form.what.errors = [message]
            self.rows.errors = [{"what": [message]}]
            return False
        return good

    def given(self) -> dict[str, Any]:
        """The rows that are not blank."""
        return {"rows": [row.form.strategy() for row in self.rows if not row.form.blank()]}
