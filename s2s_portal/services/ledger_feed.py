"""The ledger as other systems read it: entries by cursor, oldest first (F82).

An entry's number is handed out under a lock that is held to the end of the transaction, so a reader
who remembers the last number it has seen never misses one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.models.ledger import LedgerEntry, PullLine

MOST = 500  # entries at a time


@dataclass(frozen=True)
class Fed:
    """One entry, and in which pull it is, if it is in one."""

    entry: LedgerEntry
    pull: int | None


@dataclass(frozen=True)
class Page:
    """Some entries, and the cursor of the next ones; `next` is None when there are no more yet."""

    entries: Sequence[Fed]
    next: int | None


def after(number: int, limit: int) -> Page:
    """At most `limit` entries after entry `number`."""
    rows = (
        session()
        .execute(
            select(LedgerEntry, PullLine.pull_number)
            .outerjoin(PullLine, PullLine.entry_number == LedgerEntry.number)
            .where(LedgerEntry.number > number)
            .order_by(LedgerEntry.number)
            .limit(limit + 1)
        )
        .all()
    )
    found = [Fed(entry, pull) for entry, pull in rows[:limit]]
    return Page(found, found[-1].entry.number if len(rows) > limit else None)


def cutoff(day: date | None) -> datetime:
    """The instant up to which a pull takes entries: the end of `day` in Norfolk; now at the latest,
    and when no day is given."""
    if day is None or day >= clock.today():
        return clock.now()
    return clock.from_local(day + timedelta(days=1)) - timedelta(microseconds=1)
