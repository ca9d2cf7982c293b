"""The formal record of a visit as a PDF that everybody can read and no later year can change.

PDF/UA-1 (accessible) and PDF/A-2a (for keeping). Typst refuses to compile a document that breaks
either. Sources of what a record holds: MI Sheet 44/19; F53 (locked when issued, addenda only).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, time

from s2s_portal import clock
from s2s_portal.documents.fonts import FAMILIES
from s2s_portal.documents.plain_text import paragraphs, printable
from s2s_portal.documents.typesetting import typeset


@dataclass(frozen=True, slots=True)
class RecommendationLine:
    """One strategy: what, who does it, by when (None: no date was set)."""

    number: int
    strategy: str
    owner: str
    by_when: date | None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the record: its heading and words, or recommendations (None: it is not those)."""

    heading: str
    words: str = ""
    otherwise: str = "Nothing recorded."
    recommendations: tuple[RecommendationLine, ...] | None = None


@dataclass(frozen=True, slots=True)
class AddendumLine:
    """A correction or addition made after issue. `written_at` must be aware."""

    number: int
    text: str
    written_by: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class VisitRecordDocument:
    """All that the document says; nothing else is read while it is made.

    `facts` are more to know in few words, each with its name; `parts` come in reading order.
    `about` is the pupil's known-as name and year group, or the group's or subject's name.
    Instants must be aware; they are printed as a clock in Norfolk shows them. Free text keeps its
    line breaks and paragraphs and is never read as markup.
    """

    reference: str
    number: int
    school_name: str
    practitioner_name: str
    provider_name: str
    kind: str
    visited_on: date
    started_at: time | None
    finished_at: time | None
    facts: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    issued_at: datetime
    issued_by: str
    about: str
    addenda: tuple[AddendumLine, ...] = ()
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None

    @property
    def title(self) -> str:
        """The document's title and bookmark; it names no child."""
        return f"Visit record {self.reference} number {self.number}"


def render(record: VisitRecordDocument) -> bytes:
    """`record` as PDF. The same record gives the same bytes, on any machine with these fonts.

    Safe to call from several threads. Raises ValueError when an instant is naive, and RuntimeError
    as `typeset` does.
    """
    return typeset("visit_record", _sheet(record), at=_aware(record.issued_at))


def _sheet(record: VisitRecordDocument) -> dict[str, object]:
    """The record as the template reads it: words ready to print, lists of paragraphs of lines."""
    return {
        "fonts": FAMILIES,
        "title": printable(record.title),
        "reference": printable(record.reference),
        "number": str(record.number),
        "issued": f"{_moment(record.issued_at)} by {printable(record.issued_by)}",
        "facts": [[printable(fact), paragraphs(value)] for fact, value in _facts(record)],
        "parts": [_part(part) for part in record.parts],
        "addenda": [_addendum(line) for line in record.addenda],
        "acknowledged": _acknowledged(record),
    }


def _facts(record: VisitRecordDocument) -> list[tuple[str, str]]:
    """The key facts in reading order; no time of day where none belongs to it."""
    timed = record.started_at or record.finished_at
    return [
        ("School", record.school_name),
        ("About", record.about),
        ("Date of visit", _day(record.visited_on)),
        *([("Time", _hours(record.started_at, record.finished_at))] if timed else []),
        ("Kind of activity", record.kind),
        ("Practitioner", f"{record.practitioner_name}, {record.provider_name}"),
        *record.facts,
    ]


def _part(part: Part) -> dict[str, object]:
    return {
        "heading": printable(part.heading),
        "words": paragraphs(part.words),
        "otherwise": printable(part.otherwise),
        "recommendations": None
        if part.recommendations is None
        else [_recommendation(line) for line in part.recommendations],
    }


def _recommendation(line: RecommendationLine) -> dict[str, object]:
    return asdict(line) | {
        "number": str(line.number),
        "strategy": paragraphs(line.strategy),
        "owner": paragraphs(line.owner),
        "by_when": _day(line.by_when) if line.by_when else "No date set",
    }


def _addendum(line: AddendumLine) -> dict[str, object]:
    return {
        "number": str(line.number),
        "text": paragraphs(line.text),
        "written": f"Written by {printable(line.written_by)} on {_moment(line.written_at)}",
    }


def _acknowledged(record: VisitRecordDocument) -> str:
    """A copy can only say what was so when it was made."""
    if record.acknowledged_by is None:
        return "The school had not acknowledged this record when this copy was made."
    said = f"Acknowledged for the school by {printable(record.acknowledged_by)}"
    return said + (f" on {_moment(record.acknowledged_at)}." if record.acknowledged_at else ".")


def _hours(start: time | None, finish: time | None) -> str:
    if start and finish:
        return f"{_clock(start)} to {_clock(finish)}"
    if start:
        return f"From {_clock(start)}"
    return f"Until {_clock(finish)}" if finish else ""


def _day(day: date) -> str:
    """`14 May 2019`, as GOV.UK writes dates."""
    return f"{day.day} {day:%B %Y}"


def _clock(at: time) -> str:
    """`9:30am`, `midday`, `midnight`, as GOV.UK writes times."""
    if at.minute == 0 and at.hour in (0, 12):
        return "midday" if at.hour else "midnight"
    minutes = f":{at.minute:02d}" if at.minute else ""
    return f"{at.hour % 12 or 12}{minutes}{'pm' if at.hour >= 12 else 'am'}"


def _moment(instant: datetime) -> str:
    """`14 May 2019 at 3:20pm`, in Norfolk."""
    local = clock.local(_aware(instant))
    return f"{_day(local)} at {_clock(local.time())}"


def _aware(instant: datetime) -> datetime:
    if instant.utcoffset() is None:
        raise ValueError("The instants of a visit record must say their time zone.")
    return instant
