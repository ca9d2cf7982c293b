"""A referral as a PDF for the school's own file and the officer's: PDF/UA-1 and PDF/A-2a (F16)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from s2s_portal import clock
from s2s_portal.documents.fonts import FAMILIES
from s2s_portal.documents.plain_text import paragraphs, printable
from s2s_portal.documents.typesetting import typeset

Lines = tuple[tuple[str, str], ...]  # label, text


@dataclass(frozen=True, slots=True)
class ChangedLine:
    """One answer that changed: what it said before and says now; empty for nothing."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ChangedPart:
    """One section that changed after sending: a title with who and when, why, and the answers."""

    title: str
    reason: str
    lines: tuple[ChangedLine, ...]


@dataclass(frozen=True, slots=True)
class ReferralDocument:
    """All that the document says. `parts` are titled sections; `made_at` must be aware."""

    reference: str
    stands: str
    facts: Lines
    parts: tuple[tuple[str, Lines], ...]
    changes: tuple[ChangedPart, ...]
    made_at: datetime

    @property
    def title(self) -> str:
        """The document's title and bookmark; it names no child."""
        return f"Referral {self.reference}"


def render(referral: ReferralDocument) -> bytes:
    """`referral` as PDF. The same referral at the same instant gives the same bytes.

    Raises RuntimeError as `typeset` does.
    """
    return typeset("referral", _sheet(referral), at=referral.made_at)


def _sheet(referral: ReferralDocument) -> dict[str, object]:
    made = clock.local(referral.made_at)
    return {
        "fonts": FAMILIES,
        "title": printable(referral.title),
        "reference": printable(referral.reference),
        "stands": printable(referral.stands),
        "made": f"{made.day} {made:%B %Y}",
        "facts": _lines(referral.facts),
        "parts": [
            {"title": printable(title), "lines": _lines(lines)} for title, lines in referral.parts
        ],
        "changes": [_change(change) for change in referral.changes],
    }


def _lines(lines: Lines) -> list[list[object]]:
    return [[paragraphs(label), paragraphs(text)] for label, text in lines]


def _change(change: ChangedPart) -> dict[str, object]:
    return {
        "title": printable(change.title),
        "reason": paragraphs(change.reason),
        "lines": [
            {
                "label": paragraphs(line.label),
                "before": paragraphs(line.before),
                "after": paragraphs(line.after),
            }
            for line in change.lines
        ],
    }
