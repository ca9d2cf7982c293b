"""Rows that can be added and removed with plain buttons: cycles, services, what was tried."""

from __future__ import annotations

from typing import Any

from flask import request
from wtforms import Form, FormField

from s2s_portal.blueprints.forms import DayField, Line, Needed, Paragraphs, Rows
from s2s_portal.blueprints.referrals.fields import (
    NotFuture,
    OneOfList,
    SectionForm,
    Tick,
    choices,
)
from s2s_portal.services import labels
from s2s_portal.services.draft_rules import (
    ENOUGH_CYCLES,
    MOST_SERVICES,
    MOST_STRATEGIES,
    Cycle,
    Involved,
    Strategy,
)

EXAMPLE = "For example, 27 3 2019"


class RowForm(Form):
    """One row. A row left empty is no row; a box that is only ticked leaves it empty."""

    def blank(self) -> bool:
        """Whether nothing at all has been typed."""
        return not any(
            getattr(field, "raw_text", "") or (field.data and not isinstance(field, Tick))
            for field in self
        )

    def validate(self, extra_validators: Any = None) -> bool:
        """As the fields say; a blank row passes."""
        if self.blank():
            for field in self:
                field.errors = []
            return True
        return bool(super().validate(extra_validators))

    def dates_in_order(self, message: str) -> bool:
        """Whether it does not end before it starts; else the end says so."""
        started, ended = self["started_on"].data, self["ended_on"].data
        if started and ended and ended < started:
            self["ended_on"].errors = [message]
            return False
        return True


class RowsForm(SectionForm):
    """A form with rows."""

    def adjust(self) -> bool:
        """Add an empty row, or take one away, when the button for that was pressed."""
        rows = self["rows"]
        if "add" in request.form:
            if len(rows) < rows.max_entries:
                rows.append_entry()
            return True
        number = request.form.get("remove")
        if number is None:
            return False
        if number in [str(index) for index in range(len(rows))]:
            rows.pop_entry(int(number))
        return True

    def filled(self) -> list[Any]:
        """The forms of the rows that are not blank."""
        return [row.form for row in self["rows"] if not row.form.blank()]


class CycleForm(RowForm):
    """One cycle of assess, plan, do, review."""

    assessed = Paragraphs(
        "Assess: what you found",
        [Needed("Enter what you found")],
        description="What was difficult, and how you know.",
    )
    what = Paragraphs("Plan: what you planned", [Needed("Enter what you planned")])
    delivered = Line(
        "Do: who did it, and how often",
        [Needed("Enter who did it and how often")],
        description="For example, teaching assistant, 20 minutes each morning. Name no child.",
    )
    started_on = DayField(
        "When it started",
        [
            Needed("Enter when it started"),
            NotFuture("The date it started must be today or in the past"),
        ],
        description=EXAMPLE,
    )
    ended_on = DayField(
        "When it was reviewed",
        [
            Needed("Enter when it was reviewed"),
            NotFuture("The date it was reviewed must be today or in the past"),
        ],
        description=EXAMPLE,
    )
    result = Paragraphs("Review: what came of it", [Needed("Enter what came of it")])

    def validate(self, extra_validators: Any = None) -> bool:
        """As the fields say, and reviewed after it started."""
        good = super().validate(extra_validators)
        return self.dates_in_order("The review must be after it started") and good

    def cycle(self) -> Cycle:
        """The row as the service takes it."""
        return Cycle(**{field.short_name: field.data for field in self})


class CyclesForm(RowsForm):
    """Two cycles or more; fewer with a reason."""

    rows = Rows(FormField(CycleForm), min_entries=ENOUGH_CYCLES, max_entries=MOST_STRATEGIES)
    fewer_cycles = Paragraphs(
        f"If there are fewer than {ENOUGH_CYCLES} cycles, why?",
        description="The SEND officer reads this. For example, the pupil joined the school this"
        " half term.",
    )

    def validate(self, extra_validators: Any = None) -> bool:
        """As the rows say, and enough of them, or a reason."""
        good = super().validate(extra_validators)
        if len(self.filled()) >= ENOUGH_CYCLES or self.fewer_cycles.data:
            return good
        message = f"Enter {ENOUGH_CYCLES} cycles, or say why there are fewer"
        self.fewer_cycles.errors = [message]
        return False

    def given(self) -> dict[str, Any]:
        """The rows that are not blank, and the reason."""
        rows = [row.cycle() for row in self.filled()]
        return {"rows": rows, "fewer_cycles": self.fewer_cycles.data}


class ServiceForm(RowForm):
    """One service that is or was involved."""

    code = OneOfList("Service", message="Choose the service", choices=choices(labels.SERVICES))
    name = Line("Name of the person (optional)")
    since = DayField(
        "When they began (optional)",
        [NotFuture("The date they began must be today or in the past")],
        description=EXAMPLE,
    )
    current = Tick("They are involved now")

    def involved(self) -> Involved:
        """The row as the service takes it."""
        return Involved(self.code.data, self.name.data, self.since.data, self.current.data)


class ServicesForm(RowsForm):
    """Services already involved, none or more."""

    rows = Rows(FormField(ServiceForm), min_entries=1, max_entries=MOST_SERVICES)

    def given(self) -> dict[str, Any]:
        """The rows that are not blank."""
        return {"rows": [row.involved() for row in self.filled()]}


class StrategyForm(RowForm):
    """The first form's row: one thing the school has tried."""

    what = Line("What you tried", [Needed("Enter what you tried")])
    started_on = DayField(
        "When it started",
        [
            Needed("Enter when it started"),
            NotFuture("The date it started must be today or in the past"),
        ],
        description=EXAMPLE,
    )
    ended_on = DayField(
        "When it ended (optional)",
        [NotFuture("The date it ended must be today or in the past")],
        description="Leave empty if you are still doing it",
    )
    result = Paragraphs("What came of it", [Needed("Enter what came of it")])

    def validate(self, extra_validators: Any = None) -> bool:
        """As the fields say, and in order."""
        good = super().validate(extra_validators)
        in_order = self.dates_in_order("The date it ended must be after the date it started")
        return in_order and good

    def strategy(self) -> Strategy:
        """The row as the service takes it."""
        started = self.started_on.data
        assert started is not None, "read a row only after it has passed"
        return Strategy(self.what.data, started, self.ended_on.data, self.result.data)


class FirstTriedForm(RowsForm):
    """The first form's rows: at least one."""

    rows = Rows(FormField(StrategyForm), min_entries=2, max_entries=MOST_STRATEGIES)

    def validate(self, extra_validators: Any = None) -> bool:
        """As the rows say, and one must be filled in."""
        good = super().validate(extra_validators)
        if self.filled():
            return good
        message = "Enter at least one thing you have tried"
        self.rows[0].form.what.errors = [message]
        self.rows.errors = [{"what": [message]}]
        return False

    def given(self) -> dict[str, Any]:
        """The rows that are not blank."""
        return {"rows": [row.strategy() for row in self.filled()]}
