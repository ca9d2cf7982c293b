"""Waive, credit or write off a charge: asked for by one person, approved by another (F81).

Who may approve how much is a setting; that it is somebody else, the database holds too. What is
approved is an entry that undoes the whole charge, with its reason and a link to it. A request is
about the charge as it was: once that has changed it is overtaken, and somebody asks again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import exists, func, select
from sqlalchemy.orm import joinedload

from s2s_portal import audit, money
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import AlreadyDecided, NotAllowed, NotFound, Refused, Stale
from s2s_portal.identity import Actor, Role
from s2s_portal.models.charges import (
    UNDONE_STATES,
    ChargeState,
    EntryStanding,
    ReliefAnswer,
    ReliefKind,
    ReliefOutcome,
    ReliefReason,
    ReliefRequest,
)
from s2s_portal.models.ledger import LedgerEntry
from s2s_portal.services import charges, ledger, notices
from s2s_portal.state import setting

KIND_WORDS = {
    ReliefKind.WAIVE: "Waive",
    ReliefKind.CREDIT: "Credit",
    ReliefKind.WRITE_OFF: "Write off",
}
KIND_HINTS = {
    ReliefKind.WAIVE: "It is not asked for any more. For a charge that is not collected.",
    ReliefKind.CREDIT: "It is given back, or never collected, because it was wrong or we failed.",
    ReliefKind.WRITE_OFF: "It was asked for and cannot be got. For a charge in a pull.",
}
REASON_WORDS = {
    ReliefReason.PROMISE_BROKEN: "We did not keep what we promised",
    ReliefReason.CHARGED_IN_ERROR: "It was charged in error",
    ReliefReason.DISPUTE_UPHELD: "The school is right that it is wrong",
    ReliefReason.NO_VISIT: "There was no visit",
    ReliefReason.SCHOOL_CLOSED: "The school has closed",
    ReliefReason.CANNOT_BE_COLLECTED: "It cannot be collected",
    ReliefReason.OTHER: "Another reason",
}
OUTCOME_WORDS = {
    ReliefOutcome.APPROVED: "Approved",
    ReliefOutcome.REFUSED: "Refused",
    ReliefOutcome.WITHDRAWN: "Withdrawn",
    ReliefOutcome.OVERTAKEN: "Overtaken: the charge had changed",
}
# In which states a charge can be relieved, and how.
POSSIBLE = {
    ReliefKind.WAIVE: frozenset(
        {ChargeState.POSTED, ChargeState.IN_PULL, ChargeState.REJECTED, ChargeState.DISPUTED}
    ),
    ReliefKind.CREDIT: frozenset(set(ChargeState) - UNDONE_STATES - {ChargeState.PROPOSED}),
    ReliefKind.WRITE_OFF: frozenset(
        {ChargeState.IN_PULL, ChargeState.REJECTED, ChargeState.DISPUTED}
    ),
}
SHOWN = 200  # open requests on one page


@dataclass(frozen=True)
class Waiting:
    """One request that nobody has answered; `overtaken` when its charge has changed since."""

    request: ReliefRequest
    charge: LedgerEntry
    overtaken: bool

    @property
    def words(self) -> str:
        """What is asked for, in a line."""
        amount = money.pounds(self.request.amount_pence)
        return f"{KIND_WORDS[self.request.kind]} {amount}, charge {self.charge.number}"


def ask(
    work: UnitOfWork,
    number: int,
    *,
    kind: ReliefKind,
    reason: ReliefReason,
    words: str,
    by: Actor,
) -> ReliefRequest:
    """Ask a second person to relieve a school of charge `number`.

    An earlier request that has been overtaken is closed with it. Raises NotFound, Refused (naming
    the field), OutOfOrder when the charge is in no state for it, Stale when somebody has asked.
    """
    _check_finance(by)
    said = charges.check_words(words)
    ledger.lock_head(work)
    entry, standing = charges.entry(number), charges.standing(number)
    if standing.state not in POSSIBLE[kind]:
        state = charges.STATE_WORDS[standing.state].lower()
        raise Refused(f"This charge is {state}, so it cannot be done this way", "kind")
    last = _last(number)
    if last is not None and last.answer is None:
        if not _is_overtaken(last, standing):
            raise Stale("Somebody has asked for this charge already. Look at their request.")
        _answer(work, last, ReliefOutcome.OVERTAKEN, by=by)
    request = ReliefRequest(
        charge_number=number,
        kind=kind,
        reason=reason,
        words=said,
        amount_pence=entry.amount_pence,
        seen=_seen(standing),
        follows=last.id if last else 0,
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(request)
    audit.wrote(work, f"asked to {kind.value.replace('_', ' ')}", "charge", number)
    notices.tell_address(
        work,
        "relief_asked",
        setting("S2S_FINANCE_MAILBOX") or "",
        notices.Fee(entry.referral_reference, entry.establishment_name),
        notices.link_to("s2s.finance.relief_request", request_id=request.id),
    )
    return request


def approve(work: UnitOfWork, request_id: int, *, words: str = "", by: Actor) -> ReliefAnswer:
    """Approve a request: the entry that undoes the charge is posted, a dispute is settled with it.

    Raises NotFound; NotAllowed for whoever asked and above one's limit; AlreadyDecided when it has
    been answered; Stale when the charge has changed since it was asked for.
    """
    ledger.lock_head(work)
    request = _open(request_id)
    _check_second(request, by)
    check_limit(request.amount_pence, by)
    standing = charges.standing(request.charge_number)
    if _is_overtaken(request, standing):
        state = charges.STATE_WORDS[standing.state].lower()
        raise Stale(
            f"The charge has changed since this was asked for: it is now {state}. Nothing has been"
            " posted. Look at the charge, and ask again if it is still right."
        )
    entry = ledger.post_reversal(
        work,
        request.charge_number,
        reason=f"{REASON_WORDS[request.reason]}: {request.words}",
        by=by,
        key=f"{request.kind.value}:",
    )
    answer = _answer(work, request, ReliefOutcome.APPROVED, words=words, entry=entry.number, by=by)
    if standing.state is ChargeState.DISPUTED:
        said = f"{KIND_WORDS[request.kind]}: entry {entry.number} undoes the charge"
        charges.settle_dispute(work, request.charge_number, said, by, stands=False)
    return answer


def refuse(work: UnitOfWork, request_id: int, *, words: str, by: Actor) -> ReliefAnswer:
    """Refuse a request, with words for whoever asked; the charge stays as it is.

    Raises as `approve` does, and Refused without `words`.
    """
    request = _open(request_id)
    _check_second(request, by)
    return _answer(work, request, ReliefOutcome.REFUSED, words=charges.check_words(words), by=by)


def withdraw(work: UnitOfWork, request_id: int, *, by: Actor) -> ReliefAnswer:
    """Take one's own request back. Raises NotFound, NotAllowed, AlreadyDecided."""
    request = _open(request_id)
    if request.by_id != by.id:
        raise NotAllowed("Only whoever asked can take a request back.")
    return _answer(work, request, ReliefOutcome.WITHDRAWN, by=by)


def check_limit(pence: int, by: Actor) -> None:
    """Raise NotAllowed when `by` may not approve so much."""
    if too_much(pence, by):
        limit = money.pounds(setting("S2S_FINANCE_APPROVES_UP_TO_PENCE"))
        raise NotAllowed(f"You can approve up to {limit}. Ask somebody who approves for Finance.")


def too_much(pence: int, by: Actor) -> bool:
    """Whether it takes somebody with more rights than `by` to approve so much."""
    limit = setting("S2S_FINANCE_APPROVES_UP_TO_PENCE")
    return pence > limit and not by.has(Role.FINANCE_APPROVER, Role.SYSTEM)


def get(request_id: int) -> Waiting:
    """One request, answered or not. Raises NotFound."""
    request = session().scalar(
        select(ReliefRequest)
        .where(ReliefRequest.id == request_id)
        .options(joinedload(ReliefRequest.charge), joinedload(ReliefRequest.answer))
    )
    if request is None:
        raise NotFound("There is no such request.")
    standing = charges.standing(request.charge_number)
    late = request.answer is None and _is_overtaken(request, standing)
    return Waiting(request, request.charge, late)


def waiting_of(request: ReliefRequest, charge: LedgerEntry, standing: EntryStanding) -> Waiting:
    """An unanswered request about a charge that is at hand."""
    return Waiting(request, charge, _is_overtaken(request, standing))


def waiting() -> list[Waiting]:
    """The requests that nobody has answered, oldest first, the first 200; one statement."""
    rows = session().execute(
        select(ReliefRequest, EntryStanding)
        .join(EntryStanding, EntryStanding.number == ReliefRequest.charge_number)
        .where(~exists().where(ReliefAnswer.request_id == ReliefRequest.id))
        .options(joinedload(ReliefRequest.charge))
        .order_by(ReliefRequest.id)
        .limit(SHOWN)
    )
    return [Waiting(one, one.charge, _is_overtaken(one, standing)) for one, standing in rows]


def of_charge(number: int) -> Sequence[ReliefRequest]:
    """Every request about charge `number` with its answer, oldest first."""
    return (
        session()
        .scalars(
            select(ReliefRequest)
            .where(ReliefRequest.charge_number == number)
            .options(joinedload(ReliefRequest.answer))
            .order_by(ReliefRequest.id)
            .execution_options(populate_existing=True)
        )
        .all()
    )


def _last(number: int) -> ReliefRequest | None:
    found = of_charge(number)
    return found[-1] if found else None


def _open(request_id: int) -> ReliefRequest:
    request = session().scalar(
        select(ReliefRequest)
        .where(ReliefRequest.id == request_id)
        .options(joinedload(ReliefRequest.answer))
        .execution_options(populate_existing=True)
    )
    if request is None:
        raise NotFound("There is no such request.")
    if request.answer is not None:
        outcome = OUTCOME_WORDS[request.answer.outcome].lower()
        raise AlreadyDecided(
            f"This request has been answered by {request.answer.by_name}: {outcome}."
            " Nothing has been changed now."
        )
    return request


def _check_finance(by: Actor) -> None:
    if not by.has(Role.FINANCE, Role.FINANCE_APPROVER, Role.SYSTEM):
        raise NotAllowed("Only Finance can ask for a charge to be taken off.")


def _check_second(request: ReliefRequest, by: Actor) -> None:
    _check_finance(by)
    if request.by_id == by.id:
        raise NotAllowed("You asked for this yourself, so somebody else has to answer.")


def _answer(
    work: UnitOfWork,
    request: ReliefRequest,
    outcome: ReliefOutcome,
    *,
    by: Actor,
    words: str = "",
    entry: int | None = None,
) -> ReliefAnswer:
    answer = ReliefAnswer(
        request_id=request.id,
        outcome=outcome,
        words=words.strip(),
        entry_number=entry,
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(answer)
    audit.wrote(work, f"{outcome.value} relief", "charge", request.charge_number)
    return answer


def _seen(standing: EntryStanding) -> str:
    """What a charge is like, as far as a request goes by it: a pull made meanwhile changes nothing
    of what is right."""
    paid = "collected" if standing.open_pence == 0 else "open"
    undone = "undone" if standing.state in UNDONE_STATES else "stands"
    return f"{paid}, {undone}, event {standing.last_event}"


def _is_overtaken(request: ReliefRequest, standing: EntryStanding) -> bool:
    return request.seen != _seen(standing)


def count_waiting() -> int:
    """How many requests nobody has answered."""
    query = select(func.count()).select_from(ReliefRequest)
    return (
        session().scalar(query.where(~exists().where(ReliefAnswer.request_id == ReliefRequest.id)))
        or 0
    )
