"""What an officer sends to decide, from the page that shows what the school reads."""

from __future__ import annotations

from typing import Any

EVERY_POINT = ["eligibility", "agreement", "evidence", "duplicates"]
# Accept at the first level, with every point of the checklist seen to.
YES: dict[str, Any] = {"step": "send", "choice": "1", "message": "Yes", "checks": EVERY_POINT}
NO: dict[str, Any] = {
    "step": "send",
    "choice": "DECLINE_CAPACITY",
    "words": "We are full until June",
    "message": "No room. We are full until June",
}
# The same for the services themselves.
LEVEL: dict[str, Any] = {"level": "1", "ticked": EVERY_POINT}
