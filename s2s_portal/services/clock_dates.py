"""By when: a length in days of a kind, counted by one calendar, without the days that stand still.

Nothing here reads the database or the time. Day 0 is not counted; neither is any day on which the
clock stood still, the first and the last of a pause among them (domain.md 8.3; decision 24).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from s2s_portal import working_days
from s2s_portal.models.terms import Unit
from s2s_portal.services.calendar import Calendar

DAYS_OF_A_SCHOOL_WEEK = 5  # school days: a week in which school is shut is none
LONGEST = 3_660  # days: what lies further ahead is a mistake in a rule or a calendar

_ONE = timedelta(days=1)


@dataclass(frozen=True)
class Pause:
    """Days on which a clock stood still, both ends included."""

    since: date
    until: date


def due(
    day_zero: date, length: int, unit: Unit, calendar: Calendar, pauses: Sequence[Pause] = ()
) -> date:
    """The last day of a promise of `length` `unit` that counts from `day_zero`.

    Raises ValueError for a length below 1, or one that ten years would not hold.
    """
    if length < 1:
        raise ValueError("a deadline lies ahead")
    left = length * DAYS_OF_A_SCHOOL_WEEK if unit is Unit.SCHOOL_WEEKS else length
    counts = calendar.is_working_day if unit is Unit.WORKING_DAYS else calendar.is_school_day
    day = day_zero
    for _ in range(LONGEST):
        day += _ONE
        if counts(day) and not any(pause.since <= day <= pause.until for pause in pauses):
            left -= 1
            if not left:
                return day
    raise ValueError(f"no day within ten years of {day_zero} is {length} {unit.value} later")


def warned_on(due_on: date, warning: int, calendar: Calendar) -> date:
    """From when a step is due soon: `warning` working days before its last day."""
    day = due_on
    while warning:
        day -= _ONE
        warning -= calendar.is_working_day(day)
    return day


def days_late(due_on: date, today: date, calendar: Calendar) -> int:
    """How many working days have gone by since the last day of a promise; 0 until then."""
    return working_days.between(due_on, today, calendar.closed)
