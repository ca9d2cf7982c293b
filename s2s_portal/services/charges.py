"""Where a charge stands, and what can happen to it that is no entry (F76).

What stands follows from the entries, the pulls and the events of a charge: here as one function,
in the database as one view, `s2s.charge_state`, which a test holds to it. A charge that is disputed
is not pulled until the dispute is settled. The words of an event are read by Finance and by the
school, so they must not be about a child.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from s2s_portal import audit, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotAllowed, NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.charges import (
    UNDONE_STATES,
    ChargeEvent,
    ChargeEventKind,
    ChargeState,
    EntryStanding,
    ReliefKind,
    Side,
)
from s2s_portal.models.ledger import EntryKind, LedgerEntry
from s2s_portal.services import ledger

LONGEST = 1_000  # characters of what is said about a charge

STATE_WORDS = {
    ChargeState.PROPOSED: "Not due yet",
    ChargeState.POSTED: "Due to be pulled",
    ChargeState.IN_PULL: "In a pull, not collected",
    ChargeState.COLLECTED: "Collected",
    ChargeState.REJECTED: "Rejected by Finance’s system",
    ChargeState.DISPUTED: "Disputed, collection paused",
    ChargeState.CREDITED: "Credited",
    ChargeState.WAIVED: "Waived",
    ChargeState.WRITTEN_OFF: "Written off",
    ChargeState.TAKEN_BACK: "Taken back with the decision",
}
COLOURS = {
    ChargeState.PROPOSED: "grey",
    ChargeState.POSTED: "yellow",
    ChargeState.IN_PULL: "blue",
    ChargeState.COLLECTED: "green",
    ChargeState.REJECTED: "red",
    ChargeState.DISPUTED: "orange",
    ChargeState.CREDITED: "grey",
    ChargeState.WAIVED: "grey",
    ChargeState.WRITTEN_OFF: "grey",
    ChargeState.TAKEN_BACK: "grey",
}
# In a pull, and not collected: Finance's own system can reject it.
REJECTABLE = frozenset({ChargeState.IN_PULL, ChargeState.REJECTED, ChargeState.DISPUTED})
UNDONE_BY = {
    "undone": ChargeState.TAKEN_BACK,
    ReliefKind.WAIVE.value: ChargeState.WAIVED,
    ReliefKind.WRITE_OFF.value: ChargeState.WRITTEN_OFF,
}


@dataclass(frozen=True)
class Facts:
    """What a charge's state follows from.

    `undone_by` is how the idempotency key of the entry that undid it begins, empty when none did;
    `pull` the number of its pull; `disputed` that the last dispute is not settled.
    """

    undone_by: str = ""
    disputed: bool = False
    collected: bool = False
    rejected: bool = False
    pull: int | None = None


def state_of(facts: Facts) -> ChargeState:
    """Where a charge with these facts stands: the first that holds."""
    if facts.undone_by:
        return UNDONE_BY.get(facts.undone_by, ChargeState.CREDITED)
    if facts.disputed:
        return ChargeState.DISPUTED
    if facts.collected:
        return ChargeState.COLLECTED
    if facts.rejected:
        return ChargeState.REJECTED
    return ChargeState.POSTED if facts.pull is None else ChargeState.IN_PULL


def standing(number: int) -> EntryStanding:
    """Where charge `number` stands now. Raises NotFound for what is no charge that one may see."""
    found = session().scalar(
        select(EntryStanding)
        .where(EntryStanding.number == number, EntryStanding.kind == EntryKind.CHARGE)
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("There is no charge with this number.")
    return found


def reject(work: UnitOfWork, number: int, reason: str, by: Actor) -> ChargeEvent:
    """Finance's own system has rejected a charge of a pull: it is not collected.

    It stays in its pull. Once it is collected all the same, that is what counts. Raises NotFound,
    Refused without a `reason`, OutOfOrder for one that is not in a pull, or no longer open.
    """
    ledger.lock_head(work)
    stands = standing(number)
    if stands.pull_number is None or stands.state not in REJECTABLE:
        raise _not_now(stands, "Only a charge in a pull that is not collected can be rejected")
    return _write(work, stands, ChargeEventKind.REJECTED, reason, Side.FINANCE, by)


def dispute(
    work: UnitOfWork, number: int, words: str, by: Actor, *, side: Side = Side.FINANCE
) -> ChargeEvent:
    """Somebody says that a fee is wrong: it is not pulled until Finance has settled that.

    A school disputes its own charges (`side` says who speaks); Finance may on a school's behalf.
    Raises NotFound, Refused without `words`, OutOfOrder when it is disputed already or undone.
    """
    stands = standing(number)
    if side is Side.SCHOOL and stands.urn not in by.establishments:
        raise NotFound()
    if stands.state is ChargeState.DISPUTED:
        raise OutOfOrder("This charge is disputed already. Finance will settle that first.")
    if stands.state in UNDONE_STATES:
        raise _not_now(stands, "There is nothing left to dispute")
    return _write(work, stands, ChargeEventKind.DISPUTED, words, side, by)


def settle_dispute(
    work: UnitOfWork, number: int, words: str, by: Actor, *, stands: bool = True
) -> ChargeEvent:
    """Finance settles a dispute: the charge `stands`, and is collected as any other.

    A charge that does not stand is credited by a second person (`relief.ask`), which settles the
    dispute with it. Raises NotFound, Refused without `words`, OutOfOrder when nothing is disputed.
    """
    if not by.has(Role.FINANCE, Role.FINANCE_APPROVER, Role.SYSTEM):
        raise NotAllowed("Only Finance settles a dispute.")
    row = standing(number)
    kind = ChargeEventKind.STANDS if stands else ChargeEventKind.CREDITED
    if row.state is not ChargeState.DISPUTED and stands:
        raise _not_now(row, "Nobody disputes this charge now")
    return _write(work, row, kind, words, Side.FINANCE, by)


def _write(
    work: UnitOfWork,
    stands: EntryStanding,
    kind: ChargeEventKind,
    words: str,
    side: Side,
    by: Actor,
) -> ChargeEvent:
    said = check_words(words)
    number = stands.number
    event = ChargeEvent(
        charge_number=number,
        urn=stands.urn,
        kind=kind,
        side=side,
        words=said,
        follows=stands.last_event,
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(event)
    audit.wrote(work, DONE[kind], "charge", number)
    signals.tell(
        work,
        signals.charge_questioned,
        by=by.id,
        entry=number,
        question=str(kind),
        urn=stands.urn,
    )
    return event


DONE = {
    ChargeEventKind.REJECTED: "rejected",
    ChargeEventKind.DISPUTED: "disputed",
    ChargeEventKind.STANDS: "settled",
    ChargeEventKind.CREDITED: "settled",
}


def check_words(words: str, field: str = "words") -> str:
    """What is said about a charge, tidied. Raises Refused when nothing is said, or too much."""
    said = words.strip()
    if not said:
        raise Refused("Enter why, without anything about a child", field)
    if len(said) > LONGEST:
        raise Refused(f"Use {LONGEST:,} characters or fewer", field)
    return said


def _not_now(stands: EntryStanding, sentence: str) -> OutOfOrder:
    state = STATE_WORDS[stands.state].lower()
    return OutOfOrder(f"{sentence}. Charge {stands.number} is: {state}. Nothing has been changed.")


def entry(number: int) -> LedgerEntry:
    """The entry of charge `number`. Raises NotFound."""
    found = session().get(LedgerEntry, number)
    if found is None or found.kind is not EntryKind.CHARGE:
        raise NotFound("There is no charge with this number.")
    return found
