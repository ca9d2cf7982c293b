"""Working days in England: Monday to Friday, and no bank holiday (domain.md 8.3).

The bank holidays are those of the `holidays` library, moved days and the one-off ones of 2020, 2022
and 2023 with them. Days, not instants: a deadline is a date.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache

import holidays

DAY_ENDS = time(17)  # what comes in later counts as received on the next working day
_ONE = timedelta(days=1)


@cache
def _bank_holidays() -> holidays.HolidayBase:
    """The bank holidays of England; the library works out a year when it is first asked for one."""
    return holidays.country_holidays("GB", subdiv="ENG")


def is_working_day(day: date, closed: Container[date] = ()) -> bool:
    """Whether the council works on `day`; `closed` are days on which it does not, besides."""
    return day.weekday() < 5 and day not in closed and day not in _bank_holidays()


def bank_holiday(day: date) -> str:
    """What the bank holiday of `day` is called; empty when it is none."""
    return str(_bank_holidays().get(day) or "")


def day_received(moment: datetime, closed: Container[date] = ()) -> date:
    """The day on which something that came at `moment` counts as received: day 0 of a deadline.

    `moment` is wall-clock time in Norfolk. After 5pm, or on a day off, it is the next working day.
    """
    day = moment.date()
    if moment.time() > DAY_ENDS:
        day += _ONE
    while not is_working_day(day, closed):
        day += _ONE
    return day


def after(day: date, number: int) -> date:
    """The working day `number` working days after `day`, which itself is not counted.

    Raises ValueError for a negative number.
    """
    if number < 0:
        raise ValueError("a deadline lies ahead")
    while number:
        day += _ONE
        number -= is_working_day(day)
    return day


@lru_cache(4_096)  # the rows of a list began on few days, and end on one
def between(first: date, last: date, closed: frozenset[date] = frozenset()) -> int:
    """How many working days there are after `first`, up to `last`; 0 when that is not later.

    Counted by whole weeks, so that a list can say how long each of its rows has waited.
    """
    if last <= first:
        return 0
    weeks, rest = divmod((last - first).days, 7)
    days = weeks * 5 + sum((first + _ONE * n).weekday() < 5 for n in range(1, rest + 1))
    off = {day for year in range(first.year, last.year + 1) for day in _holidays_of(year)}
    return days - sum(first < day <= last and day.weekday() < 5 for day in off.union(closed))


@cache
def _holidays_of(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("GB", subdiv="ENG", years=year))
