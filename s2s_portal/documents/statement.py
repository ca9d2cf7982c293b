"""A school's statement of fees for one financial year as a PDF: PDF/UA-1 and PDF/A-2a (F83)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from s2s_portal import clock
from s2s_portal.documents.fonts import FAMILIES
from s2s_portal.documents.plain_text import paragraphs, printable
from s2s_portal.documents.typesetting import typeset


@dataclass(frozen=True, slots=True)
class Row:
    """One entry, each part as it is printed."""

    day: str
    kind: str
    reference: str
    why: str
    state: str
    amount: str
    balance: str


@dataclass(frozen=True, slots=True)
class StatementDocument:
    """All that the document says; it names no child. `made_at` must be aware."""

    school: str
    dfe_number: str
    urn: str
    year: str
    span: str
    opening: str
    closing: str
    closed: bool
    rows: tuple[Row, ...]
    contact: str
    council: str
    made_at: datetime

    @property
    def title(self) -> str:
        """The document's title and bookmark."""
        return f"Statement of fees {self.year}"


def render(statement: StatementDocument) -> bytes:
    """`statement` as PDF. The same statement at the same instant gives the same bytes.

    Raises RuntimeError as `typeset` does.
    """
    return typeset("statement", _sheet(statement), at=statement.made_at)


def _sheet(statement: StatementDocument) -> dict[str, object]:
    made = clock.local(statement.made_at)
    plain = ("school", "dfe_number", "urn", "year", "span", "opening", "closing")
    return {
        "fonts": FAMILIES,
        "title": printable(statement.title),
        "reference": printable(statement.year),
        "made": f"{made.day} {made:%B %Y}",
        "closed": statement.closed,
        "contact": printable(statement.contact),
        "council": printable(statement.council),
        **{name: printable(getattr(statement, name)) for name in plain},
        "rows": [
            {
                "day": printable(row.day),
                "kind": paragraphs(f"{row.kind}\n{row.reference}"),
                "why": paragraphs(f"{row.why}\n{row.state}"),
                "amount": printable(row.amount),
                "balance": printable(row.balance),
            }
            for row in statement.rows
        ],
    }
