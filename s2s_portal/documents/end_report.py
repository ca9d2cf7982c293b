"""The end report of a referral as a PDF: PDF/UA-1 and PDF/A-2a, as the visit record is (F64)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from s2s_portal import clock
from s2s_portal.documents.fonts import FAMILIES
from s2s_portal.documents.plain_text import paragraphs, printable
from s2s_portal.documents.typesetting import typeset


@dataclass(frozen=True, slots=True)
class OutcomeLine:
    """One outcome: its words, how far it was achieved, what changed on the scale, the comment."""

    number: int
    text: str
    achieved: str
    change: str
    comment: str


@dataclass(frozen=True, slots=True)
class EndReportDocument:
    """All that the document says. `issued_at` must be aware; free text is never read as markup."""

    reference: str
    school_name: str
    about: str
    practitioner_name: str
    provider_name: str
    visits: int
    done: str
    changed: str
    goes_on: str
    next_steps: str
    outcomes: tuple[OutcomeLine, ...]
    issued_at: datetime
    issued_by: str

    @property
    def title(self) -> str:
        """The document's title and bookmark; it names no child."""
        return f"End report {self.reference}"


def render(report: EndReportDocument) -> bytes:
    """`report` as PDF. The same report gives the same bytes, on any machine with these fonts.

    Raises RuntimeError as `typeset` does.
    """
    return typeset("end_report", _sheet(report), at=report.issued_at)


def _sheet(report: EndReportDocument) -> dict[str, object]:
    issued = clock.local(report.issued_at)
    facts = (
        ("School", report.school_name),
        ("About", report.about),
        ("Practitioner", f"{report.practitioner_name}, {report.provider_name}"),
        ("Visits that happened", str(report.visits)),
    )
    return {
        "fonts": FAMILIES,
        "title": printable(report.title),
        "reference": printable(report.reference),
        "issued": f"{issued.day} {issued:%B %Y} by {printable(report.issued_by)}",
        "facts": [[fact, paragraphs(value)] for fact, value in facts],
        "parts": [
            [title, paragraphs(text)]
            for title, text in (
                ("What was done", report.done),
                ("What changed", report.changed),
                ("What the school goes on with", report.goes_on),
                ("Advice for the next steps", report.next_steps),
            )
        ],
        "outcomes": [
            {
                "number": str(line.number),
                "text": paragraphs(line.text),
                "result": paragraphs("\n".join(p for p in (line.achieved, line.change) if p)),
                "comment": paragraphs(line.comment),
            }
            for line in report.outcomes
        ],
    }
