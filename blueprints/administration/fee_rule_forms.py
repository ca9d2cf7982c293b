"""The form with which an administrator says what a referral costs from a day on."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from wtforms import Field
from wtforms.fields import SelectChoice

from s2s_portal import clock
from s2s_portal.blueprints.administration.weight_forms import PreviewedForm
from s2s_portal.blueprints.forms import DayField, Line, Needed, PickOne
from s2s_portal.blueprints.widgets import GovTextInput
from s2s_portal.models.codes import Kind
from s2s_portal.models.fees import DueEvent, FeeSetting
from s2s_portal.services import fee_rules
from s2s_portal.services.fee_rules import (
    DUE_WORDS,
    KIND_WORDS,
    LONGEST_REASON,
    MAINSTREAM,
    SETTING_WORDS,
)

POUNDS = re.compile(r"£?\s*(\d{1,7})(?:\.(\d{2}))?")
ALL = "all"
GROUPS = {
    "mainstream": ("All but early years settings", MAINSTREAM),
    ALL: ("Every setting", tuple(FeeSetting)),
    **{one.value: (words, (one,)) for one, words in SETTING_WORDS.items()},
}


class Pounds(Field):
    """An amount in pounds, `100` or `12.50`; `data` is whole pence. What was typed comes back."""

    widget = GovTextInput()
    raw_text = ""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the amount; an empty box is None."""
        self.raw_text = (valuelist[0] if valuelist else "").strip()[:20]
        self.data = None
        if not self.raw_text:
            return
        found = POUNDS.fullmatch(self.raw_text.replace(",", ""))
        if found is None or (not self.raw_text.isascii() and "£" not in self.raw_text):
            raise ValueError(f"{self.label.text} must be pounds, for example 100 or 12.50")
        self.data = int(found[1]) * 100 + int(found[2] or 0)

    def _value(self) -> str:
        if self.raw_text or self.data is None:
            return self.raw_text
        whole, part = divmod(self.data, 100)
        return f"{whole}.{part:02d}" if part else str(whole)


class FeeRuleForm(PreviewedForm):
    """Add a fee rule."""

    settings = PickOne(
        "Which settings?",
        "Choose which settings",
        choices=[SelectChoice(key, words) for key, (words, _) in GROUPS.items()],
    )
    kind = PickOne(
        "Which referrals?",
        "Choose which referrals",
        choices=[
            SelectChoice(ALL, "Every kind"),
            *(SelectChoice(kind.value, words) for kind, words in KIND_WORDS.items()),
        ],
    )
    amount = Pounds("Fee in pounds", [Needed("Enter the fee in pounds, 0 for none")])
    due = PickOne(
        "When does it fall due?",
        "Choose when it falls due",
        choices=[SelectChoice(due.value, words) for due, words in DUE_WORDS.items()],
    )
    valid_from = DayField("First day", [Needed("Enter the first day on which it holds")])
    reason = Line(
        "Why, in a few words for the school",
        [Needed("Enter why, in a few words for the school")],
        longest=LONGEST_REASON,
    )
    source = Line("Where this was decided", [Needed("Enter where this was decided")])

    def begin_with_example(self) -> None:
        """Fill in what Norfolk did in September 2024, from tomorrow on where that has passed."""
        example = fee_rules.EXAMPLE
        self.settings.data, self.kind.data = "mainstream", ALL
        self.amount.data, self.due.data = example.amount_pence, example.due.value
        day = max(example.valid_from, clock.today() + timedelta(days=1))
        self.valid_from.raw_data = [str(day.day), str(day.month), str(day.year)]
        self.reason.data, self.source.data = example.reason, example.source

    def given(self) -> dict[str, Any]:
        """The answers, by the names that `fee_rules.propose` takes."""
        kinds = tuple(Kind) if self.kind.data == ALL else (Kind(self.kind.data),)
        return {
            "settings": GROUPS[self.settings.data][1],
            "kinds": kinds,
            "valid_from": self.valid_from.data,
            "amount_pence": self.amount.data,
            "due": DueEvent(self.due.data),
            "reason": self.reason.data,
            "source": self.source.data,
        }
