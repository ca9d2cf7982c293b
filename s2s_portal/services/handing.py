"""Why a referral goes from one practitioner to another, and what goes with it (F41)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from s2s_portal.errors import Stale
from s2s_portal.models.reallocation import Why
from s2s_portal.models.visit import Visit

WHY_WORDS = {
    Why.LEFT: "They have left",
    Why.ABSENT: "They are away",
    Why.WORKLOAD: "They have too much work",
    Why.CONFLICT: "There is a conflict of interest",
    Why.SCHOOL_ASKED: "The school asked for somebody else",
    Why.PRACTITIONER_ASKED: "The practitioner asked",
    Why.SPECIALISM: "Another specialism is needed",
    Why.MOVED: "The pupil or the practitioner has moved",
    Why.OTHER: "Another reason",
}


class Fate(StrEnum):
    """What becomes of a planned visit."""

    HAND = "hand"
    CANCEL = "cancel"


@dataclass(frozen=True)
class Handing:
    """Why a referral goes, and what goes with it.

    `visits` says what becomes of each planned visit, by its number; `others` of those not named
    there (None: each must be named). `records_stay`: whoever made a visit writes its record, and
    sees the case until it is issued. `hand_over` is for whoever has the case next alone.
    """

    why: Why
    words: str = ""
    hand_over: str = ""
    visits: Mapping[int, Fate] = field(default_factory=dict)
    others: Fate | None = None
    records_stay: bool = True

    def fate(self, visit: Visit) -> Fate:
        """What becomes of a planned visit. Raises Stale for one that nobody has decided about."""
        found = self.visits.get(visit.number, self.others)
        if found is None:
            raise Stale(
                f"Visit {visit.number} has been booked since you opened this page: say below what"
                " becomes of it. What you typed is there still, and nothing has been done yet."
            )
        return found

    @property
    def told(self) -> str:
        """Why, in a line for officers."""
        return ": ".join(part for part in (WHY_WORDS[self.why], self.words.strip()) if part)
