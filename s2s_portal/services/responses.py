"""What Finance sends back about a pull: judged whole, previewed, applied once (F79).

Collected entries are settled in the ledger. What is rejected stays open, what is asked about is
disputed until somebody settles it (`charges`); the rows are kept in Finance's own words. Nothing of
a file is applied unless all of it is good, and the same file again changes nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from s2s_portal import audit, clock, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotAllowed
from s2s_portal.identity import Actor, Role
from s2s_portal.models.charges import ChargeState
from s2s_portal.models.finance_files import Outcome, ResponseFile, ResponseLine
from s2s_portal.models.ledger import EntryKind, LedgerEntry, Pull, PullLine
from s2s_portal.services import charges, ledger, pull_progress, pulls, response_reading
from s2s_portal.services.response_reading import Answer, Known
from s2s_portal.services.terms import written

OUTCOME_WORDS = {
    Outcome.COLLECTED: "Collected",
    Outcome.REJECTED: "Rejected",
    Outcome.QUERY: "Query",
}


@dataclass(frozen=True)
class Counts:
    """What a file says, in entries and pence; `already` names when and by whom it was applied
    before, empty when it was not."""

    collected: int
    collected_pence: int
    rejected: int
    queried: int
    already: str = ""

    @property
    def words(self) -> str:
        """The counts in one line."""
        queries = "1 query" if self.queried == 1 else f"{self.queried} queries"
        return f"{self.collected} collected, {self.rejected} rejected, {queries}"


@dataclass(frozen=True)
class Applied:
    """One file that was applied to a pull."""

    at: datetime
    by_name: str
    counts: Counts


def preview(number: int, text: str, *, by: Actor) -> tuple[Counts, list[Answer]]:
    """What applying a file to a pull would do. Raises as `apply` does; changes nothing."""
    _check_may(by)
    before = _applied(text)
    if before is not None:
        return _counts_before(before), []
    answers = response_reading.read(text, _known(number))
    return _counts(answers), answers


def apply(work: UnitOfWork, number: int, text: str, *, by: Actor) -> Counts:
    """Apply a response file to pull `number`: all of it, once.

    The same file again is told as `already` applied, and changes nothing. Raises NotFound,
    NotAllowed, Refused for what is no response file, WrongRows with a sentence for each bad row.
    """
    _check_may(by)
    ledger.lock_head(work)
    before = _applied(text)
    if before is not None:
        return _counts_before(before)
    known = _known(number)
    answers = response_reading.read(text, known)
    pull = pulls.get(number)
    file = ResponseFile(
        pull_number=number,
        sha256=response_reading.digest(text),
        at=clock.now(),
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(file)
    work.flush()
    for answer in answers:
        _apply(work, pull, file, answer, by)
    audit.wrote(work, "applied", "response file", number)
    counts = _counts(answers)
    signals.tell(
        work,
        signals.response_applied,
        pull=number,
        by=by.id,
        collected=counts.collected,
        rejected=counts.rejected,
        queried=counts.queried,
    )
    return counts


def _apply(work: UnitOfWork, pull: Pull, file: ResponseFile, answer: Answer, by: Actor) -> None:
    work.session.add(
        ResponseLine(
            response_id=file.id,
            line=answer.line,
            entry_number=answer.entry.number,
            outcome=answer.outcome,
            finance_reference=answer.finance_reference,
            day=answer.day,
            amount_pence=answer.amount_pence,
            reason=answer.reason,
        )
    )
    if answer.outcome is Outcome.COLLECTED:
        pulls.settle(work, pull, answer.entry, answer.finance_reference, answer.day, by)
    elif answer.entry.kind is EntryKind.CHARGE:
        _question(work, answer, by)


def _question(work: UnitOfWork, answer: Answer, by: Actor) -> None:
    """What Finance rejects or asks about says so of the charge itself, unless it is undone or that
    has been said: then the row that is kept is all there is to add."""
    number = answer.entry.number
    state = charges.standing(number).state
    if answer.outcome is Outcome.REJECTED and state in charges.REJECTABLE:
        charges.reject(work, number, answer.reason, by)
    elif answer.outcome is Outcome.QUERY and state in charges.REJECTABLE - {ChargeState.DISPUTED}:
        charges.dispute(work, number, answer.reason, by)


def applied(number: int) -> list[Applied]:
    """The files applied to a pull, the last first."""
    files = (
        session()
        .scalars(
            select(ResponseFile)
            .where(ResponseFile.pull_number == number)
            .options(joinedload(ResponseFile.lines))
            .order_by(ResponseFile.id.desc())
        )
        .unique()
    )
    return [Applied(file.at, file.by_name, _counts(file.lines)) for file in files]


def _check_may(by: Actor) -> None:
    if not by.has(Role.FINANCE, Role.FINANCE_APPROVER, Role.SYSTEM):
        raise NotAllowed("Only Finance says what became of a pull.")


def _applied(text: str) -> ResponseFile | None:
    return (
        session()
        .scalars(
            select(ResponseFile)
            .where(ResponseFile.sha256 == response_reading.digest(text))
            .options(joinedload(ResponseFile.lines))
        )
        .unique()
        .one_or_none()
    )


def _known(number: int) -> Known:
    pull = pulls.get(number, whole=True)
    return Known(
        number=number,
        made_on=clock.local(pull.at).date(),
        entries={line.entry_number: line.entry for line in pull.lines},
        settled=pull_progress.settled(number),
        elsewhere=lambda entry: _elsewhere(entry, number),
    )


def _elsewhere(entry: int, number: int) -> str:
    """Where an entry is that is not in pull `number`."""
    row = (
        session()
        .execute(
            select(LedgerEntry.number, PullLine.pull_number)
            .outerjoin(PullLine, PullLine.entry_number == LedgerEntry.number)
            .where(LedgerEntry.number == entry)
        )
        .one_or_none()
    )
    if row is None:
        return f"there is no entry {entry}"
    if row.pull_number is None:
        return f"entry {entry} is in no pull"
    return f"entry {entry} is in pull {row.pull_number}, not in pull {number}"


def _counts(answers: list[Answer] | list[ResponseLine], already: str = "") -> Counts:
    count = Counter(answer.outcome for answer in answers)
    return Counts(
        collected=count[Outcome.COLLECTED],
        collected_pence=sum(
            answer.amount_pence for answer in answers if answer.outcome is Outcome.COLLECTED
        ),
        rejected=count[Outcome.REJECTED],
        queried=count[Outcome.QUERY],
        already=already,
    )


def _counts_before(file: ResponseFile) -> Counts:
    day = written(clock.local(file.at).date())
    return _counts(file.lines, f"to pull {file.pull_number} on {day}, by {file.by_name}")
