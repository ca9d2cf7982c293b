"""The service's one clock: instants in UTC, days as they fall in Norfolk (Europe/London).

Rules about days ("received on", fee terms, deadlines) go by the day in London, not in UTC: between
midnight and one o'clock in summer the two differ (`domain.md` 8.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")

_frozen: ContextVar[datetime | None] = ContextVar("s2s_frozen_clock", default=None)


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return _frozen.get() or datetime.now(UTC)


def today() -> date:
    """The present day in Norfolk."""
    return local(now()).date()


def local(instant: datetime) -> datetime:
    """`instant` as a clock on a wall in Norfolk shows it."""
    return instant.astimezone(LONDON)


def from_local(day: date, hour: int = 0, minute: int = 0) -> datetime:
    """The UTC instant at which a wall clock in Norfolk shows `hour:minute` on `day`."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=LONDON).astimezone(UTC)


def is_frozen() -> bool:
    """Whether `frozen` holds the clock still here."""
    return _frozen.get() is not None


@contextmanager
def frozen(at: datetime | date) -> Iterator[None]:
    """Stand still at `at` within this context: for tests and for demonstration rows in the past.

    A plain date means noon in Norfolk on that day.
    """
    instant = at if isinstance(at, datetime) else from_local(at, 12)
    token = _frozen.set(instant)
    try:
        yield
    finally:
        _frozen.reset(token)
