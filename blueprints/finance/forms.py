"""The forms with which Finance makes a pull and marks it as collected."""

from __future__ import annotations

import re
import secrets
from datetime import date
from typing import Any

from wtforms import HiddenField

from s2s_portal.blueprints.forms import DayField, Line, Needed, S2SForm
from s2s_portal.services.pulls import LONGEST_REFERENCE

TOKEN = re.compile(r"[0-9a-f]{32}")


class PullForm(S2SForm):
    """Make a pull. The token is used once: a second press gets the pull that the first one made."""

    token = HiddenField(default=lambda: secrets.token_hex(16))

    def validate(self, extra_validators: Any = None) -> bool:
        """Refuse a token that no page of ours has handed out, and hand out a fresh one."""
        good = super().validate(extra_validators)
        if TOKEN.fullmatch(self.token.data or ""):
            return bool(good)
        self.form_errors = ["The page had expired and nothing was pulled. Try again."]
        self.token.data = secrets.token_hex(16)
        return False


class CollectForm(S2SForm):
    """Mark a pull as collected."""

    finance_reference = Line(
        "Finance’s reference",
        [Needed("Enter Finance’s reference for the collection")],
        longest=LONGEST_REFERENCE,
    )
    collected_on = DayField("Day of collection", [Needed("Enter the day of collection")])

    @property
    def day(self) -> date:
        """The day of collection, once the form has been found good."""
        assert self.collected_on.data is not None
        return self.collected_on.data
