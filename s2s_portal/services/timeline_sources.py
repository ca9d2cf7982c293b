"""Where the list of all that happened to a referral comes from: one function for each table.

Each source below reads one table with the reader's own eyes: row-level security says which rows
there are, and `SOURCES` once more who is shown any. Each is one statement, however long the history
is. To add a source: a function that gives entries, and a line in `SOURCES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from s2s_portal import money
from s2s_portal.database import session
from s2s_portal.identity import Role
from s2s_portal.models.attachment import Attachment
from s2s_portal.models.case_study import CaseStudyConsent
from s2s_portal.models.clocks import ClockBreach, ClockChange, ClockKind
from s2s_portal.models.codes import INSIDE, Action
from s2s_portal.models.conversation import Message, Side
from s2s_portal.models.impact import ConfidenceAnswer, MailNote, MailTo, OutcomeScore, ScoreKind
from s2s_portal.models.ledger import EntryKind, LedgerEntry
from s2s_portal.models.note import Flag, InternalNote
from s2s_portal.models.panel import PanelComment, PanelItem
from s2s_portal.models.reallocation import HandOverNote
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.visit import Visit
from s2s_portal.services import (
    attachments,
    case_studies,
    confidence,
    notes,
    notices,
    outcome_scores,
    panel_comments,
    school_asks,
    service_levels,
    standing,
    visits,
)
from s2s_portal.services.terms import written


class Kind(StrEnum):
    """What an entry is about: the list can be narrowed to one."""

    STEPS = "steps"
    PEOPLE = "people"
    VISITS = "visits"
    OUTCOMES = "outcomes"
    MESSAGES = "messages"
    FILES = "files"
    PROMISES = "promises"
    FEES = "fees"
    NOTES = "notes"


KIND_WORDS = {
    Kind.STEPS: "Decisions and steps",
    Kind.PEOPLE: "Who works on it",
    Kind.VISITS: "Visits and records",
    Kind.OUTCOMES: "Outcomes and what the school says",
    Kind.MESSAGES: "Messages and emails",
    Kind.FILES: "Files",
    Kind.PROMISES: "Promises",
    Kind.FEES: "Fees",
    Kind.NOTES: "For officers only",
}
# What an event is about, where it is no decision or step.
ABOUT: dict[Action, Kind] = {
    **dict.fromkeys(
        (
            Action.ALLOCATED,
            Action.REALLOCATED,
            Action.TAKEN_BACK,
            Action.SUPPORT_ADDED,
            Action.SUPPORT_ENDED,
            Action.ASSIGNED,
            *INSIDE,
        ),
        Kind.PEOPLE,
    ),
    **dict.fromkeys(
        (
            Action.VISIT_BOOKED,
            Action.RECORD_ISSUED,
            Action.RECORD_ACKNOWLEDGED,
            Action.ADDENDUM_WRITTEN,
        ),
        Kind.VISITS,
    ),
    **dict.fromkeys(
        (
            Action.OUTCOMES_RECORDED,
            Action.BASELINE_SET,
            Action.SCORES_GIVEN,
            Action.END_REPORT_ISSUED,
            Action.SCHOOL_EVALUATED,
        ),
        Kind.OUTCOMES,
    ),
}
# What is in a table of its own that says more.
ELSEWHERE = frozenset({Action.CONFIDENCE_GIVEN})
TO_WORDS = {
    MailTo.SCHOOL: "the school",
    MailTo.COUNCIL: "the SEND officers",
    MailTo.PRACTITIONER: "a practitioner",
    MailTo.LEAD: "the lead of a Complex Needs School",
}
SIDE_WORDS = {
    Side.SCHOOL: "the school",
    Side.COUNCIL: "the council",
    Side.PRACTITIONER: "the practitioner",
    Side.LEAD: "the lead",
}


@dataclass(frozen=True)
class Entry:
    """One thing that happened: when, what, by whom, and more in lines. `note` is for officers."""

    at: datetime
    kind: Kind
    words: str
    by: str = ""
    lines: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Reader:
    """Who reads: an officer is shown what is inside the service, a school what is its own."""

    officer: bool
    school: bool


Find = Callable[[Referral, Reader], Iterable[Entry]]


def events(referral: Referral, reader: Reader) -> Iterable[Entry]:
    """What was decided and done. How a practitioner was found, and notes, are for officers."""
    for row in _rows(ReferralEvent, referral):
        if row.action in ELSEWHERE or (row.action in INSIDE and not reader.officer):
            continue
        yield Entry(
            row.at,
            ABOUT.get(row.action, Kind.STEPS),
            standing.HAPPENED[row.action],
            row.by_name,
            _lines(row.message),
            row.note if reader.officer else "",
        )


def visited(referral: Referral, _reader: Reader) -> Iterable[Entry]:
    """Visits that have begun, and those that were cancelled: that one was booked is an event."""
    for row in _rows(Visit, referral):
        if row.cancelled_at is not None:
            words = f"Visit {row.number} cancelled: {visits.booked(row)}"
            yield Entry(row.cancelled_at, Kind.VISITS, words, row.cancelled_by_name)
        elif visits.has_begun(row):
            yield Entry(row.starts_at, Kind.VISITS, f"Visit {row.number}: {visits.booked(row)}")


def scores(referral: Referral, _reader: Reader) -> Iterable[Entry]:
    """Every score that was given: those of one moment together."""
    together: dict[tuple[datetime, str, str], list[OutcomeScore]] = {}
    for row in _rows(OutcomeScore, referral):
        if row.score is not None:
            together.setdefault((row.at, row.kind.value, row.by_name), []).append(row)
    for (at, kind, by), rows in together.items():
        lines = tuple(f"Outcome {row.position}: {row.score} of 10" for row in rows)
        yield Entry(
            at,
            Kind.OUTCOMES,
            f"Outcomes scored, {outcome_scores.KIND_WORDS[ScoreKind(kind)]}",
            by,
            lines,
        )


def answers(referral: Referral, _reader: Reader) -> Iterable[Entry]:
    """How sure staff feel, each answer and each change of one."""
    for row in _rows(ConfidenceAnswer, referral):
        changed = ", changed" if row.revision > 1 else ""
        words = f"How sure staff feel, {school_asks.stage_words(row.stage).lower()}{changed}"
        yield Entry(
            row.at,
            Kind.OUTCOMES,
            words,
            row.by_name,
            (confidence.CONFIDENCE_WORDS[row.confidence],),
        )


def messages(referral: Referral, _reader: Reader) -> Iterable[Entry]:
    """That somebody wrote to somebody; what they wrote is with the messages."""
    for row in _rows(Message, referral):
        words = f"Message from {SIDE_WORDS[row.side]} to {SIDE_WORDS[row.to_side]}"
        yield Entry(row.at, Kind.MESSAGES, words, row.by_name)


def mails(referral: Referral, _reader: Reader) -> Iterable[Entry]:
    """Mails that were sent: the subject, and to whom by role; to oneself, if not an officer."""
    for row in _rows(MailNote, referral):
        subject = notices.SUBJECTS.get(row.notice, "").format(reference=referral.reference)
        yield Entry(row.at, Kind.MESSAGES, f"Email to {TO_WORDS[row.recipient]}: {subject}")


def files(referral: Referral, _reader: Reader) -> Iterable[Entry]:
    """Files that were added and removed, by their type: a label may name a child."""
    for row in _rows(Attachment, referral):
        kind = attachments.TYPES[row.type]
        yield Entry(row.added_at, Kind.FILES, f"File added: {kind}", row.added_by_name)
        if row.gone_at is not None:
            yield Entry(row.gone_at, Kind.FILES, f"File removed: {kind}", row.gone_by_name)


def pauses(referral: Referral, _reader: Reader) -> Iterable[Entry]:
    """Clocks that stood still and went on: all those of one moment are one entry."""
    told = {
        ClockKind.PAUSED: "The promised dates stand still",
        ClockKind.RESUMED: "The promised dates count again",
    }
    seen = set()
    for row in _rows(ClockChange, referral):
        if row.kind in told and (row.at, row.kind) not in seen:
            seen.add((row.at, row.kind))
            yield Entry(row.at, Kind.PROMISES, told[row.kind], row.by_name)


def breaches(referral: Referral, _reader: Reader) -> Iterable[Entry]:
    """Promises that were not kept."""
    query = select(ClockBreach).where(ClockBreach.referral_id == referral.id)
    for row in session().scalars(query.order_by(ClockBreach.clock_id)):
        step = service_levels.STEP_WORDS[row.step]
        words = f"Not done in time: {step}, due by {written(row.due_on)}"
        yield Entry(row.noted_at, Kind.PROMISES, words)


def fees(referral: Referral, _reader: Reader) -> Iterable[Entry]:
    """What was charged, given back and collected: for its school and officers."""
    told = {
        EntryKind.CHARGE: "Fee charged",
        EntryKind.REVERSAL: "Fee given back",
        EntryKind.COLLECTION: "Fee collected by Finance",
    }
    query = select(LedgerEntry).where(LedgerEntry.referral_reference == referral.reference)
    for row in session().scalars(query.order_by(LedgerEntry.number)):
        amount = money.pounds(abs(row.amount_pence))
        words = f"{told[row.kind]}: {amount}, ledger entry {row.number}"
        yield Entry(row.recorded_at, Kind.FEES, words, row.recorded_by_name)


def hand_overs(referral: Referral, reader: Reader) -> Iterable[Entry]:
    """That somebody wrote for whoever has the referral next: never shown to its school."""
    if reader.school:
        return
    for row in _rows(HandOverNote, referral):
        yield Entry(row.at, Kind.PEOPLE, "Hand-over note written", row.by_name)


def consents(referral: Referral, _reader: Reader) -> Iterable[Entry]:
    """Who agreed to a case study: between the school and officers."""
    for row in _rows(CaseStudyConsent, referral):
        who = case_studies.PARTY_WORDS[row.party]
        words = "agrees to a case study" if row.given else "no longer agrees to a case study"
        yield Entry(row.at, Kind.OUTCOMES, f"{who} {words}", row.by_name)


def inside(referral: Referral, _reader: Reader) -> Iterable[Entry]:
    """Notes of officers."""
    for row in _rows(InternalNote, referral):
        label = notes.LABEL_WORDS[row.label]
        yield Entry(row.at, Kind.NOTES, f"Note: {label}", row.by_name, _lines(row.text))


def flags(referral: Referral, _reader: Reader) -> Iterable[Entry]:
    """Flags of officers, and what became of each."""
    query = select(Flag).where(Flag.referral_id == referral.id)
    for row in session().scalars(query.options(joinedload(Flag.resolution)).order_by(Flag.id)):
        words = f"Flag for {row.to_name}, by {written(row.due_on)}"
        yield Entry(row.at, Kind.NOTES, words, row.by_name, _lines(row.message))
        if row.resolution is not None:
            done = row.resolution
            yield Entry(done.at, Kind.NOTES, "Flag resolved", done.by_name, _lines(done.comment))


def panel(referral: Referral, _reader: Reader) -> Iterable[Entry]:
    """What reviewers of a panel wrote, as far as the reader may see it by now."""
    query = (
        select(PanelComment)
        .join(PanelItem, PanelItem.id == PanelComment.item_id)
        .where(PanelItem.referral_id == referral.id)
    )
    for row in session().scalars(query.order_by(PanelComment.id)):
        words = f"Comment for the panel: {panel_comments.RECOMMENDS_WORDS[row.recommends]}"
        yield Entry(row.at, Kind.NOTES, words, row.by_name, _lines(row.text))


ALL = frozenset({Role.OFFICER, Role.REFERRER, Role.PRACTITIONER, Role.LEAD})
INSIDE_ONLY = frozenset({Role.OFFICER})
NOT_PRACTITIONERS = frozenset({Role.OFFICER, Role.REFERRER})
NOT_SCHOOLS = ALL - {Role.REFERRER}
SOURCES: tuple[tuple[Find, frozenset[Role]], ...] = (
    (events, ALL),
    (visited, ALL),
    (scores, ALL),
    (answers, ALL),
    (messages, ALL),
    (mails, ALL),
    (files, ALL),
    (pauses, ALL),
    (breaches, ALL),
    (fees, NOT_PRACTITIONERS),
    (hand_overs, NOT_SCHOOLS),
    (consents, NOT_PRACTITIONERS),
    (inside, INSIDE_ONLY),
    (flags, INSIDE_ONLY),
    (panel, INSIDE_ONLY),
)


def _rows(kind: Any, referral: Referral) -> list[Any]:
    """The rows of a table that hang on `referral`, in the order in which they were written."""
    query = select(kind).where(kind.referral_id == referral.id).order_by(kind.id)
    return list(session().scalars(query))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line for line in text.split("\n") if line.strip())
