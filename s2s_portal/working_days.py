"""Working days in England: Monday to Friday, and no bank holiday (domain.md 8.3).

The bank holidays are those of the `holidays` library, moved days and the one-off ones of 2020, 2022
and 2023 with them. Days, not instants: a deadline is a date.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import date, datetime, time, timedelta
from functools import cache

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
