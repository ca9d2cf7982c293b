"""School days: working days inside a school's own terms (domain.md 8.1, 8.3).

The council's dates hold for every school; a school's own dates of a kind, for a school year, take
the place of the council's of that kind. For a school year of which no terms are known at all, every
working day counts as a school day: nothing may stand still because a file was not read in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from hashlib import sha256

from sqlalchemy import or_, select

from s2s_portal import working_days
from s2s_portal.database import session
from s2s_portal.models.calendar import DateKind, TermDate
from s2s_portal.models.clocks import CouncilClosure

YEAR_TURNS = 8  # the month in which a school year ends: from August on it is the next one
LONGEST_SEARCH = 400  # days: longer than any holiday
KIND_WORDS = {
    DateKind.TERM: "Term",
    DateKind.HALF_TERM: "Half-term holiday",
    DateKind.INSET: "Staff training day",
}

_ONE = timedelta(days=1)


def academic_year(day: date) -> int:
    """The year in whose autumn the school year of `day` began: 2019 for May 2020."""
    return day.year if day.month >= YEAR_TURNS else day.year - 1


def year_words(year: int) -> str:
    """A school year as people write it: 2019/20."""
    return f"{year}/{(year + 1) % 100:02d}"


@dataclass(frozen=True)
class Calendar:
    """The term dates that a school (`urn`) goes by, or the county alone (None)."""

    urn: int | None
    dates: tuple[TermDate, ...]
    closed: frozenset[date] = frozenset()

    @cached_property
    def version(self) -> str:
        """A short name of these dates: another calendar has another one."""
        rows = sorted(
            f"{row.academic_year} {row.kind} {row.urn or ''} {row.starts} {row.ends}"
            for row in self.dates
        )
        days = (day.isoformat() for day in sorted(self.closed))
        return sha256("\n".join((*rows, *days)).encode()).hexdigest()[:16]

    def is_working_day(self, day: date) -> bool:
        """Whether the council works on `day`: no weekend, bank holiday or closure."""
        return working_days.is_working_day(day, self.closed)

    def day_received(self, moment: datetime) -> date:
        """The working day on which something that came at `moment` counts as received.

        `moment` is wall-clock time in Norfolk.
        """
        return working_days.day_received(moment, self.closed)

    @cached_property
    def _rows(self) -> dict[tuple[int, DateKind, int | None], list[TermDate]]:
        found: dict[tuple[int, DateKind, int | None], list[TermDate]] = {}
        for row in self.dates:
            found.setdefault((row.academic_year, row.kind, row.urn), []).append(row)
        return found

    def dates_of(self, year: int, kind: DateKind) -> list[TermDate]:
        """The dates of a kind that hold in a school year: the school's own, else the county's."""
        own = self._rows.get((year, kind, self.urn))
        return own or self._rows.get((year, kind, None), [])

    def knows(self, day: date) -> bool:
        """Whether the terms of the school year of `day` are known."""
        return bool(self.dates_of(academic_year(day), DateKind.TERM))

    def is_school_day(self, day: date) -> bool:
        """Whether pupils are in school on `day`."""
        if not self.is_working_day(day):
            return False
        if not self.knows(day):
            return True
        year = academic_year(day)
        away = (DateKind.HALF_TERM, DateKind.INSET)
        return _within(day, self.dates_of(year, DateKind.TERM)) and not any(
            _within(day, self.dates_of(year, kind)) for kind in away
        )

    def school_day_from(self, day: date) -> date:
        """`day` itself if it is a school day, else the next one."""
        for _ in range(LONGEST_SEARCH):
            if self.is_school_day(day):
                return day
            day += _ONE
        raise RuntimeError(f"There is no school day in the {LONGEST_SEARCH} days before {day}.")

    def add_school_days(self, day: date, number: int) -> date:
        """The school day `number` school days after `day`, which itself is not counted.

        Raises ValueError for a negative number.
        """
        if number < 0:
            raise ValueError("a deadline lies ahead")
        for _ in range(number):
            day = self.school_day_from(day + _ONE)
        return day


def _within(day: date, rows: Iterable[TermDate]) -> bool:
    return any(row.starts <= day <= row.ends for row in rows)


def of(urn: int | None = None) -> Calendar:
    """The calendar of the school `urn`, or the county's: two statements."""
    rule = (
        TermDate.urn.is_(None) if urn is None else or_(TermDate.urn.is_(None), TermDate.urn == urn)
    )
    found = session().scalars(select(TermDate).where(rule).order_by(TermDate.starts))
    return Calendar(urn, tuple(found), closures())


def closures() -> frozenset[date]:
    """Every day on which the council is closed, besides weekends and bank holidays."""
    rows = session().execute(select(CouncilClosure.starts, CouncilClosure.ends))
    return days_of((row.starts, row.ends) for row in rows)


def days_of(spans: Iterable[tuple[date, date]]) -> frozenset[date]:
    """Every day of `spans`, each from its first day to its last."""
    return frozenset(
        first + timedelta(days=number)
        for first, last in spans
        for number in range((last - first).days + 1)
    )


def of_several(urns: Iterable[int]) -> dict[int, Calendar]:
    """The calendars of several schools, by URN: two statements."""
    wanted = set(urns)
    rows = session().scalars(
        select(TermDate)
        .where(or_(TermDate.urn.is_(None), TermDate.urn.in_(wanted)))
        .order_by(TermDate.starts)
    )
    dates, closed = list(rows), closures()
    return {
        urn: Calendar(urn, tuple(row for row in dates if row.urn in {None, urn}), closed)
        for urn in wanted
    }


def is_school_day(day: date, urn: int | None = None) -> bool:
    """Whether pupils of the school `urn` are in school on `day`; the county's terms without one."""
    return of(urn).is_school_day(day)


def add_school_days(day: date, number: int, urn: int | None = None) -> date:
    """The school day `number` school days after `day`, which itself is not counted."""
    return of(urn).add_school_days(day, number)
