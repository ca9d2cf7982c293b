"""What Finance does in the demonstration: pulls, a collection, a dispute, requests for approval."""

from __future__ import annotations

from sqlalchemy import select

from s2s_portal import Actor, clock
from s2s_portal.database import UnitOfWork
from s2s_portal.models.charges import ChargeState, EntryStanding, ReliefKind, ReliefReason
from s2s_portal.models.ledger import EntryKind
from s2s_portal.services import charges, ledger, pulls, relief


def collect_first(work: UnitOfWork, by: Actor) -> None:
    """Mark the first pull as collected."""
    pulls.collect(work, 1, finance_reference="JNL-DEMO-0001", collected_on=clock.today(), by=by)


def ask_waiver(work: UnitOfWork, reference: str, by: Actor) -> None:
    """Ask for the fee of a referral to be waived; a second person approves it below."""
    charge = ledger.charge_for(reference)
    relief.ask(
        work,
        charge.number if charge else 0,  # which is no entry's, so it is refused
        kind=ReliefKind.WAIVE,
        reason=ReliefReason.NO_VISIT,
        words="No practitioner could visit before the school withdrew.",
        by=by,
    )


def approve_waiver(work: UnitOfWork, reference: str, by: Actor) -> None:
    """Approve what was asked for about a referral's fee."""
    charge = ledger.charge_for(reference)
    for request in relief.of_charge(charge.number if charge else 0):
        relief.approve(work, request.id, by=by)


def question(work: UnitOfWork, by: Actor) -> None:
    """One charge is disputed, one that its system rejected waits to be written off."""
    pulled = _charges(work, ChargeState.IN_PULL)
    if len(pulled) < 2:
        return
    words = "The school says that it withdrew before the referral was accepted."
    charges.dispute(work, pulled[0], words, by)
    charges.reject(work, pulled[1], "Cost centre closed", by)
    relief.ask(
        work,
        pulled[1],
        kind=ReliefKind.WRITE_OFF,
        reason=ReliefReason.CANNOT_BE_COLLECTED,
        words="The cost centre is closed and there is no other.",
        by=by,
    )


def _charges(work: UnitOfWork, state: ChargeState) -> list[int]:
    return list(
        work.session.scalars(
            select(EntryStanding.number)
            .where(EntryStanding.state == state, EntryStanding.kind == EntryKind.CHARGE)
            .order_by(EntryStanding.number)
            .limit(2)
        )
    )
