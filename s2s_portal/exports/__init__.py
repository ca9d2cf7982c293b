"""Files that people take away: CSV and XLSX, in which no text ever runs as a formula."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

from s2s_portal import clock

# What a row may hold. Money is Decimal pounds, never float; `datetime` is a `date` and must be
# aware; None is an empty cell.
Cell = str | int | bool | Decimal | date | time | None


def wall_clock(instant: datetime) -> datetime:
    """`instant` as a clock in Norfolk shows it. Raises ValueError when it has no time zone."""
    if instant.utcoffset() is None:
        raise ValueError("An instant must say its time zone.")
    return clock.local(instant)
