"""The forms with which an administrator sets service levels and closures of the council."""

from __future__ import annotations

from typing import Any

from wtforms import HiddenField
from wtforms.fields import SelectChoice

from s2s_portal.blueprints.administration.intake_forms import MaybeNumber
from s2s_portal.blueprints.forms import DayField, Line, Needed, Paragraphs, PickOne, S2SForm
from s2s_portal.models.terms import Step, Unit
from s2s_portal.services.service_levels import STEP_WORDS, UNIT_WORDS


class LevelForm(S2SForm):
    """Add a service level. `agreed` says for which answers its effect has been shown."""

    step = PickOne(
        "What is promised?",
        "Choose what is promised",
        choices=[SelectChoice(step.value, words) for step, words in STEP_WORDS.items()],
    )
    length = MaybeNumber("Within how many", [Needed("Enter within how many days or weeks")])
    unit = PickOne(
        "Counted in what?",
        "Choose what it is counted in",
        choices=[
            SelectChoice(unit.value, words.capitalize())
            for unit, (_one, words) in UNIT_WORDS.items()
        ],
    )
    warning = MaybeNumber("Due soon, so many working days before (optional)")
    valid_from = DayField("First day", [Needed("Enter the first day on which this holds")])
    source = Line("Where this was decided", [Needed("Enter where this was decided")])
    agreed = HiddenField()

    def given(self) -> dict[str, Any]:
        """The answers, by the names that `clock_rules.new_level` takes."""
        return {
            "step": Step(self.step.data),
            "length": self.length.data,
            "unit": Unit(self.unit.data),
            "warning": min(self.warning.data or 0, 30),
            "valid_from": self.valid_from.data,
            "source": self.source.data,
        }

    def said(self) -> str:
        """The answers in one line, to tell whether they are those whose effect was shown."""
        return "|".join(str(value) for value in self.given().values())


class ClosureForm(S2SForm):
    """Add days on which the council is closed."""

    starts = DayField("First day", [Needed("Enter the first day on which the council is closed")])
    ends = DayField("Last day (optional)")
    reason = Line("Why", [Needed("Enter why the council is closed")])

    def given(self) -> dict[str, Any]:
        """The answers, by the names that `clock_rules.close` takes."""
        return {"starts": self.starts.data, "ends": self.ends.data, "reason": self.reason.data}


class NewDatesForm(S2SForm):
    """Work every promise out anew."""

    reason = Paragraphs(
        "Why are the dates worked out anew?", [Needed("Enter why the dates are worked out anew")]
    )
