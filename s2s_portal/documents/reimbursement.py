"""A statement for reimbursing a Complex Needs School as PDF/UA-1 and PDF/A-2a: no child."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from s2s_portal import clock, money
from s2s_portal.documents.fonts import FAMILIES
from s2s_portal.documents.plain_text import paragraphs, printable
from s2s_portal.documents.typesetting import typeset


@dataclass(frozen=True, slots=True)
class Line:
    """One activity. `pence` is for time and miles together; of a correction all may be negative."""

    visited_on: date
    reference: str
    school_name: str
    practitioner_name: str
    kind: str
    minutes: int
    miles: Decimal
    pence: int
    correction: bool


@dataclass(frozen=True, slots=True)
class ReimbursementDocument:
    """All that the document says. Amounts in pence; `issued_at` must be aware."""

    number: int
    provider_name: str
    provider_urn: int
    period: str
    starts: date
    ends: date
    minutes: int
    day_minutes: int
    miles: Decimal
    time_pence: int
    mile_pence: int
    total_pence: int
    issued_by: str
    issued_at: datetime
    digest: str
    lines: tuple[Line, ...]

    @property
    def title(self) -> str:
        """The document's title and bookmark."""
        return f"Statement {self.number} for reimbursement"


def render(statement: ReimbursementDocument) -> bytes:
    """`statement` as PDF. The same statement gives the same bytes.

    Raises RuntimeError as `typeset` does.
    """
    return typeset("reimbursement", _sheet(statement), at=statement.issued_at)


def _sheet(made: ReimbursementDocument) -> dict[str, object]:
    facts = (
        ("Complex Needs School", f"{made.provider_name}, URN {made.provider_urn}"),
        ("Period", f"{made.period}: {_day(made.starts)} to {_day(made.ends)}"),
        ("Time", f"{hours(made.minutes)}, {days(made.minutes, made.day_minutes)}"),
        ("Miles", f"{made.miles:,.1f}"),
        ("For the time", money.pounds(made.time_pence)),
        ("For the miles", money.pounds(made.mile_pence)),
        ("Total", money.pounds(made.total_pence)),
        ("Issued", f"{_day(clock.local(made.issued_at).date())} by {made.issued_by}"),
        ("Digest", made.digest),
    )
    return {
        "fonts": FAMILIES,
        "title": printable(made.title),
        "reference": f"Statement {made.number}",
        "facts": [[paragraphs(label), paragraphs(text)] for label, text in facts],
        "lines": [_line(line) for line in made.lines],
    }


def _line(line: Line) -> list[object]:
    kind = f"{line.kind}, correction" if line.correction else line.kind
    return [
        paragraphs(text)
        for text in (
            _day(line.visited_on),
            line.reference,
            f"{line.school_name}\n{kind}\n{line.practitioner_name}",
            str(line.minutes),
            f"{line.miles:.1f}",
            money.pounds(line.pence),
        )
    ]


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def hours(minutes: int) -> str:
    """Minutes as people write them: `6 h 30 min`."""
    sign = "−" if minutes < 0 else ""
    whole, rest = divmod(abs(minutes), 60)
    return f"{sign}{whole} h {rest} min" if whole else f"{sign}{rest} min"


def days(minutes: int, day_minutes: int) -> str:
    """Minutes in days of so many minutes: `1.5 days`."""
    number = f"{Decimal(minutes) / day_minutes:.1f}".removesuffix(".0")
    return f"{number} day" if number == "1" else f"{number} days"
