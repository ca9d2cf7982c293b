"""The forms with which an administrator says what work weighs and what counts in a plan."""

from __future__ import annotations

from typing import Any

from wtforms import HiddenField
from wtforms.fields import SelectChoice

from s2s_portal.blueprints.administration.intake_forms import MaybeNumber
from s2s_portal.blueprints.forms import DayField, Line, Needed, PickOne, S2SForm
from s2s_portal.models.terms import PlanRule
from s2s_portal.models.workload import WorkKind
from s2s_portal.services.weighing import (
    KIND_WORDS,
    MILES_WORDS,
    MOST_MILES,
    MOST_MINUTES,
    MOST_TIER,
)


class PreviewedForm(S2SForm):
    """A form whose effect is shown before anything is kept: `agreed` says for which answers."""

    agreed = HiddenField()

    def given(self) -> dict[str, Any]:
        """The answers, by the names that the service takes."""
        raise NotImplementedError

    def said(self) -> str:
        """The answers in one line, to tell whether they are those whose effect was shown."""
        return "|".join(str(value) for value in self.given().values())


class WeightForm(PreviewedForm):
    """Add a weight."""

    kind = PickOne(
        "What does it weigh?",
        "Choose what it weighs",
        choices=[SelectChoice(kind.value, words) for kind, words in KIND_WORDS.items()],
    )
    tier = MaybeNumber("Level of support (optional)", least=0, most=MOST_TIER)
    minutes = MaybeNumber("Minutes", [Needed("Enter how many minutes")], least=0, most=MOST_MINUTES)
    valid_from = DayField("First day", [Needed("Enter the first day on which this holds")])
    source = Line("Where this was decided", [Needed("Enter where this was decided")])

    def given(self) -> dict[str, Any]:
        """The answers, by the names that `weighing.new_weight` takes."""
        return {
            "kind": WorkKind(self.kind.data),
            "tier": self.tier.data,
            "minutes": self.minutes.data,
            "valid_from": self.valid_from.data,
            "source": self.source.data,
        }


def _miles(name: str) -> MaybeNumber:
    words = MILES_WORDS[name]
    needed = Needed(f"Enter how many miles “{words}” counts as")
    return MaybeNumber(words, [needed], least=0, most=MOST_MILES)


class PlanRuleForm(PreviewedForm):
    """Add a rule for plans."""

    need_miles = _miles("need_miles")
    phase_miles = _miles("phase_miles")
    contact_miles = _miles("contact_miles")
    full_miles = _miles("full_miles")
    unknown_miles = _miles("unknown_miles")
    valid_from = DayField("First day", [Needed("Enter the first day on which this holds")])
    source = Line("Where this was decided", [Needed("Enter where this was decided")])

    def begin_with(self, rule: PlanRule) -> None:
        """Fill in what holds now."""
        for name in MILES_WORDS:
            self[name].data = getattr(rule, name)

    def given(self) -> dict[str, Any]:
        """The answers, by the names that `weighing.new_rule` takes."""
        return {
            "valid_from": self.valid_from.data,
            "miles": {name: self[name].data for name in MILES_WORDS},
            "source": self.source.data,
        }
