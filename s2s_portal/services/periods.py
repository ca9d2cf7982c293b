"""Months, terms and financial years, by which a Complex Needs School is paid (features.md 3.10)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from s2s_portal import money
from s2s_portal.models.calendar import DateKind
from s2s_portal.models.reimbursement import Period
from s2s_portal.services.calendar import Calendar, year_words

MONTHS, YEARS = 12, 2  # how many are offered, the latest first
CODE = re.compile(r"(month|term|year)\.(\d{4}-\d{2}-\d{2})")
ONE = timedelta(days=1)


@dataclass(frozen=True)
class Span:
    """One period: its kind, its words, its first and its last day."""

    kind: Period
    words: str
    starts: date
    ends: date

    @property
    def code(self) -> str:
        """How an address names it: `month.2019-05-01`."""
        return f"{self.kind.value}.{self.starts}"

    def is_over(self, today: date) -> bool:
        """Whether its last day has gone by."""
        return self.ends < today


def month_of(day: date) -> Span:
    """The calendar month of `day`."""
    first = day.replace(day=1)
    last = (first + timedelta(days=31)).replace(day=1) - ONE
    return Span(Period.MONTH, f"{first:%B %Y}", first, last)


def year_of(day: date) -> Span:
    """The council's financial year of `day`, 1 April to 31 March."""
    first = date(day.year if day.month >= 4 else day.year - 1, 4, 1)
    last = date(first.year + 1, 3, 31)
    return Span(Period.YEAR, f"Financial year {money.financial_year(first)}", first, last)


def terms(dates: Calendar) -> list[Span]:
    """The county's terms that are known, the latest first."""
    rows = [row for row in dates.dates if row.kind is DateKind.TERM and row.urn is None]
    return [
        Span(
            Period.TERM,
            f"{_term_name(row.starts)} {year_words(row.academic_year)}",
            row.starts,
            row.ends,
        )
        for row in sorted(rows, key=lambda row: row.starts, reverse=True)
    ]


def _term_name(starts: date) -> str:
    if starts.month >= 8:
        return "Autumn term"
    return "Spring term" if starts.month < 4 else "Summer term"


def offered(today: date, dates: Calendar) -> list[Span]:
    """What somebody can choose from: months, terms and years that have begun, the latest first."""
    found, day = [], today
    for _ in range(MONTHS):
        span = month_of(day)
        found.append(span)
        day = span.starts - ONE
    found += [span for span in terms(dates) if span.starts <= today][:6]
    found += [year_of(today), *(year_of(year_of(today).starts - ONE) for _ in range(YEARS - 1))]
    return found


def find(code: str, today: date, dates: Calendar) -> Span | None:
    """The period that an address names, if it has begun; None for nonsense."""
    found = CODE.fullmatch(code) if code.isascii() else None
    if found is None:
        return None
    try:
        first = date.fromisoformat(found[2])
    except ValueError:
        return None
    if not date(2000, 1, 1) <= first <= today:
        return None
    made = {
        "month": lambda: month_of(first),
        "year": lambda: year_of(first),
        "term": lambda: next((span for span in terms(dates) if span.starts == first), None),
    }[found[1]]()
    return made if made is not None and made.starts == first else None
