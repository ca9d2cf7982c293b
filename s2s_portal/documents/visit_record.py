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

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_SEEN = {True: "Yes", False: "No", None: "Not part of this visit"}


@dataclass(frozen=True, slots=True)
class RecommendationLine:
    """One strategy: what, who does it, by when (None: no date was set)."""

    number: int
    strategy: str
    owner: str
    by_when: date | None


@dataclass(frozen=True, slots=True)
class AddendumLine:
    """A correction or addition made after issue. `written_at` must be aware.

    `answers` is the number of the school's reply that it answers, None for none.
    """

    number: int
    text: str
    written_by: str
    written_at: datetime
    answers: int | None = None


@dataclass(frozen=True, slots=True)
class ReplyLine:
    """What the school disputes: which part in words, what it says, and how that was settled.

    `settled_by` says who and for whom, or is None while it is open. Instants must be aware.
    """

    number: int
    part: str
    text: str
    written_by: str
    written_at: datetime
    settled_by: str | None = None
    settled_at: datetime | None = None
    settled_words: str = ""


@dataclass(frozen=True, slots=True)
class VisitRecordDocument:
    """All that the document says; nothing else is read while it is made.

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
    people_met: str
    pupil_seen: bool | None
    observed: str
    discussed: str
    recommendations: tuple[RecommendationLine, ...]
    resources_given: str
    next_visit: str
    issued_at: datetime
    issued_by: str
    about: str
    addenda: tuple[AddendumLine, ...] = ()
    replies: tuple[ReplyLine, ...] = ()
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
        "facts": [[fact, paragraphs(value)] for fact, value in _facts(record)],
        "observed": paragraphs(record.observed),
        "discussed": paragraphs(record.discussed),
        "recommendations": [_recommendation(line) for line in record.recommendations],
        "resources_given": paragraphs(record.resources_given),
        "next_visit": paragraphs(record.next_visit),
        "addenda": [_addendum(line) for line in record.addenda],
        "replies": [_reply(line) for line in record.replies],
        "acknowledged": _acknowledged(record),
    }


def _facts(record: VisitRecordDocument) -> list[tuple[str, str]]:
    """The key facts in reading order."""
    return [
        ("School", record.school_name),
        ("About", record.about),
        ("Date of visit", _day(record.visited_on)),
        ("Time", _hours(record.started_at, record.finished_at)),
        ("Kind of visit", record.kind),
        ("Practitioner", f"{record.practitioner_name}, {record.provider_name}"),
        ("People met", record.people_met),
        ("Pupil seen", _SEEN[record.pupil_seen]),
    ]


def _recommendation(line: RecommendationLine) -> dict[str, object]:
    return asdict(line) | {
        "number": str(line.number),
        "strategy": paragraphs(line.strategy),
        "owner": paragraphs(line.owner),
        "by_when": _day(line.by_when) if line.by_when else "No date set",
    }


def _addendum(line: AddendumLine) -> dict[str, object]:
    written = f"Written by {printable(line.written_by)} on {_moment(line.written_at)}"
    if line.answers is not None:
        written += f", in answer to reply {line.answers} of the school"
    return {
        "number": str(line.number),
        "text": paragraphs(line.text),
        "written": written,
    }


def _reply(line: ReplyLine) -> dict[str, object]:
    settled = "Not settled when this copy was made."
    if line.settled_by is not None and line.settled_at is not None:
        settled = f"Settled: {printable(line.settled_by)} on {_moment(line.settled_at)}."
    return {
        "number": str(line.number),
        "part": printable(line.part),
        "text": paragraphs(line.text),
        "written": f"Written for the school by {printable(line.written_by)}"
        f" on {_moment(line.written_at)}",
        "settled": settled,
        "settled_words": paragraphs(line.settled_words),
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
    """`14 May 2019`, as GOV.UK writes dates; in English whatever locale the host has set, as the
    same record is the same bytes everywhere."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


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
