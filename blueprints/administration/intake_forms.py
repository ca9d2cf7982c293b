"""The forms with which an administrator says when requests are taken, and how many."""

from __future__ import annotations

from typing import Any

from wtforms import Field
from wtforms.fields import SelectChoice

from s2s_portal.blueprints.forms import DayField, Line, Needed, Paragraphs, PickOne, S2SForm
from s2s_portal.blueprints.widgets import GovTextInput
from s2s_portal.models.establishment import SettingKind
from s2s_portal.services.intake import KIND_WORDS

MOST = 100_000


class MaybeNumber(Field):
    """A whole number from `least` to `most`, or nothing at all; what was typed comes back."""

    widget = GovTextInput()
    typed = ""

    def __init__(
        self, label: str, validators: Any = (), *, least: int = 1, most: int = MOST, **kwargs: Any
    ) -> None:
        super().__init__(label, validators, **kwargs)
        self.least, self.most = least, most

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the number; an empty box is None."""
        self.typed = (valuelist[0] if valuelist else "").strip()[:20]
        self.data = None
        if not self.typed:
            return
        plain = self.typed.replace(",", "")
        number = int(plain) if plain.isascii() and plain.isdecimal() else -1
        if not self.least <= number <= self.most:
            name, optional, _ = self.label.text.partition(" (optional)")
            bounds = f"from {self.least:,} to {self.most:,}{', or empty' if optional else ''}"
            raise ValueError(f"{name} must be a number {bounds}")
        self.data = number

    @property
    def raw_text(self) -> str:
        """What was typed: tells an empty box from a wrong number."""
        return self.typed

    def _value(self) -> str:
        if self.typed or self.data is None:
            return self.typed
        return str(self.data)


class WindowForm(S2SForm):
    """Add a window."""

    kind = PickOne(
        "Who can make requests?",
        "Choose who can make requests",
        choices=[
            SelectChoice(kind.value, words.capitalize()) for kind, words in KIND_WORDS.items()
        ],
    )
    opens = DayField("First day", [Needed("Enter the first day on which requests are taken")])
    closes = DayField("Last day (optional)")
    quota = MaybeNumber("Number of requests (optional)")
    source = Line("Where this was decided", [Needed("Enter where this was decided")])

    def given(self) -> dict[str, Any]:
        """The answers, by the names that `intake.open_window` takes."""
        return {
            "kind": SettingKind(self.kind.data),
            "opens": self.opens.data,
            "closes": self.closes.data,
            "quota": self.quota.data,
            "source": self.source.data,
        }


class CloseWindowForm(S2SForm):
    """Close a window early."""

    closes = DayField("Last day", [Needed("Enter the last day on which requests are taken")])
    reason = Paragraphs("Why it closes early", [Needed("Enter why it closes early")])

    def given(self) -> dict[str, Any]:
        """The answers, by the names that `intake.close_window` takes."""
        return {"closes": self.closes.data, "reason": self.reason.data}
