"""Everything that happened to one charge, in words and in order: for Finance's page about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from s2s_portal import money
from s2s_portal.database import session
from s2s_portal.models.charges import ChargeEvent, ChargeEventKind, EntryStanding, ReliefRequest
from s2s_portal.models.ledger import EntryKind, LedgerEntry, Pull, PullLine
from s2s_portal.services import charges, relief
from s2s_portal.services.terms import written

EVENT_WORDS = {
    ChargeEventKind.REJECTED: "Finance’s own system rejected it",
    ChargeEventKind.DISPUTED: "It was disputed: collection is paused",
    ChargeEventKind.STANDS: "The dispute was settled: the charge stands",
    ChargeEventKind.CREDITED: "The dispute was settled: the charge does not stand",
}


@dataclass(frozen=True)
class Happened:
    """One thing that happened: when, what, the words that were said, and who did it."""

    at: datetime
    what: str
    words: str
    by_name: str


@dataclass(frozen=True)
class Story:
    """A charge as it is now, and its history, oldest first. `waiting` is the open request."""

    entry: LedgerEntry
    standing: EntryStanding
    history: list[Happened]
    waiting: relief.Waiting | None

    @property
    def state_words(self) -> str:
        """Where it stands."""
        return charges.STATE_WORDS[self.standing.state]

    @property
    def colour(self) -> str:
        """The colour of the tag that says so."""
        return charges.COLOURS[self.standing.state]

    @property
    def kinds(self) -> list[str]:
        """How it can be taken off now, by the codes of `ReliefKind`."""
        return [kind for kind, states in relief.POSSIBLE.items() if self.standing.state in states]


def of(number: int) -> Story:
    """The charge `number` with all that happened to it; five statements. Raises NotFound."""
    entry, standing = charges.entry(number), charges.standing(number)
    requests = relief.of_charge(number)
    found = [
        _posted(entry),
        *_entries(entry),
        *_pulled(number),
        *events(number),
        *(one for request in requests for one in _request(request)),
    ]
    unanswered = [request for request in requests if request.answer is None]
    waiting = relief.waiting_of(unanswered[0], entry, standing) if unanswered else None
    return Story(entry, standing, sorted(found, key=lambda one: one.at), waiting)


def _posted(entry: LedgerEntry) -> Happened:
    when = f"It fell due on {written(entry.event_date)} and was posted"
    return Happened(entry.recorded_at, when, entry.verdict, entry.recorded_by_name)


def _entries(entry: LedgerEntry) -> Iterator[Happened]:
    """What was posted about it since; a reversal is given back, a charge collected."""
    reversal = select(LedgerEntry.number).where(LedgerEntry.reverses_number == entry.number)
    later = session().scalars(
        select(LedgerEntry)
        .where(
            or_(
                LedgerEntry.reverses_number == entry.number,
                LedgerEntry.settles_number == entry.number,
                LedgerEntry.settles_number == reversal.scalar_subquery(),
            )
        )
        .order_by(LedgerEntry.number)
    )
    for one in later:
        amount = money.pounds(abs(one.amount_pence))
        if one.kind is EntryKind.REVERSAL:
            what, words = f"Entry {one.number} undid it", one.reason
        elif one.amount_pence > 0:
            what, words = f"Entry {one.number}: {amount} was given back", one.verdict
        else:
            what = f"Entry {one.number}: {amount} was collected"
            words = f"{one.verdict}, reference {one.finance_reference}"
        yield Happened(one.recorded_at, what, words, one.recorded_by_name)


def _pulled(number: int) -> Iterator[Happened]:
    pulls = session().scalars(
        select(Pull)
        .join(PullLine, PullLine.pull_number == Pull.number)
        .where(PullLine.entry_number == number)
    )
    for pull in pulls:
        yield Happened(pull.at, f"Finance took it in pull {pull.number}", "", pull.by_name)


def events(number: int) -> Iterator[Happened]:
    """What happened to it that is no entry: its school reads this too."""
    rows = session().scalars(
        select(ChargeEvent).where(ChargeEvent.charge_number == number).order_by(ChargeEvent.id)
    )
    for row in rows:
        yield Happened(row.at, EVENT_WORDS[row.kind], row.words, row.by_name)


def _request(request: ReliefRequest) -> Iterator[Happened]:
    asked = f"{relief.KIND_WORDS[request.kind]}: a second person was asked"
    words = f"{relief.REASON_WORDS[request.reason]}: {request.words}"
    yield Happened(request.at, asked, words, request.by_name)
    answer = request.answer
    if answer is not None:
        outcome = relief.OUTCOME_WORDS[answer.outcome]
        yield Happened(answer.at, f"{outcome}, the request", answer.words, answer.by_name)
