"""The national curriculum year that a birth leads to (domain.md 3.4)."""

from __future__ import annotations

from datetime import date

FIRST_DAY = (9, 1)  # of a school year


def school_year(day: date) -> int:
    """The calendar year in which the school year of `day` began."""
    return day.year if (day.month, day.day) >= FIRST_DAY else day.year - 1


def age_on(day: date, born: date) -> int:
    """Whole years of age on `day`."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def expected(born: date, day: date) -> str:
    """The census code of the year group for somebody born then, in the school year of `day`.

    The age on 31 August before the school year, less four: 0 is Reception. Empty when that is
    younger or older than any year group.
    """
    year = age_on(date(school_year(day), 8, 31), born) - 4
    early = {-2: "N1", -1: "N2", 0: "R"}
    return early.get(year, str(year) if 1 <= year <= 14 else "")


def fits(born: date, year_group: str, day: date) -> bool:
    """Whether `year_group` (a census code) is the one for the age; `X` follows no curriculum."""
    return year_group in {"X", expected(born, day)}
