"""Did it last? What was reached at the end, held against twelve school weeks later (3.5, F69).

| at the end | later | |
| --- | --- | --- |
| not scored | any | cannot say |
| scored | no answer | cannot say |
| scored | the same, or higher | kept |
| scored | lower | slipped |

Of several outcomes: slipped if one has; else cannot say if that is so of one; else kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Lasted(StrEnum):
    """Whether what was reached is still there."""

    KEPT = "kept"
    SLIPPED = "slipped"
    CANNOT_SAY = "cannot_say"


WORDS = {
    Lasted.KEPT: "Kept",
    Lasted.SLIPPED: "Slipped",
    Lasted.CANNOT_SAY: "Cannot say",
}


def of(end: int | None, later: int | None) -> Lasted:
    """Whether an outcome that stood at `end`, 0 to 10, has lasted until it stood at `later`."""
    if end is None or later is None:
        return Lasted.CANNOT_SAY
    return Lasted.KEPT if later >= end else Lasted.SLIPPED


def altogether(each: Iterable[Lasted]) -> Lasted:
    """The same of a whole referral, from that of each of its outcomes."""
    found = set(each)
    for worse in (Lasted.SLIPPED, Lasted.CANNOT_SAY):
        if worse in found:
            return worse
    return Lasted.KEPT if found else Lasted.CANNOT_SAY
