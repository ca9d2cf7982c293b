"""Who has had a referral, from when to when, why it went, and what was handed over (F41)."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import OutOfOrder, Refused
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Status
from s2s_portal.models.note import InternalNote, NoteLabel
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.reallocation import AllocationEnding, HandOverNote
from s2s_portal.models.referral import Referral
from s2s_portal.services import notes, notices, referrals, standing, visits


@dataclass(frozen=True)
class Turn:
    """One practitioner's time with a referral: how it ended, what they wrote before they went."""

    allocation: Allocation
    ending: AllocationEnding | None
    notes: list[HandOverNote] = field(default_factory=list)


def of(referral: Referral) -> list[Turn]:
    """Everybody who has had `referral`, the last first: one statement, none if nobody had it.

    For officers, and whoever works on it now: nobody else reads why it went and the notes.
    """
    if not standing.was_given(referral):
        return []
    found: dict[int, Turn] = {}
    for row in session().execute(
        select(Allocation, AllocationEnding, HandOverNote)
        .outerjoin(AllocationEnding, AllocationEnding.allocation_id == Allocation.id)
        .outerjoin(HandOverNote, HandOverNote.allocation_id == Allocation.id)
        .where(Allocation.referral_id == referral.id)
        .options(joinedload(Allocation.practitioner))
        .order_by(Allocation.id.desc(), HandOverNote.id)
    ):
        turn = found.setdefault(row.Allocation.id, Turn(row.Allocation, row.AllocationEnding))
        if row.HandOverNote is not None:
            turn.notes.append(row.HandOverNote)
    return list(found.values())


def present(turns: list[Turn]) -> Allocation | None:
    """The allocation that is open now, of `turns`."""
    return next((one.allocation for one in turns if one.allocation.ended_at is None), None)


def ended_for(given: Allocation) -> Allocation | None:
    """The allocation that ended when `given` was made, if one did."""
    return (
        session()
        .scalars(
            select(Allocation)
            .join(AllocationEnding, AllocationEnding.allocation_id == Allocation.id)
            .where(AllocationEnding.next_id == given.id)
        )
        .one_or_none()
    )


def ask(work: UnitOfWork, reference: str, *, seen: int, by: Actor) -> str:
    """Ask whoever has a referral for a hand-over note; the name of who was asked.

    Asked twice, one mail goes out. Raises NotFound, OutOfOrder when it is with nobody, Stale when
    it changed since version `seen`: somebody else may have it.
    """
    referral = referrals.get(reference, lock=True)
    given = referrals.open_allocation(referral)
    if referral.status is not Status.ALLOCATED or given is None:
        raise OutOfOrder("Nobody has this referral, so nobody can be asked for a hand-over note.")
    referrals.check_seen(referral, seen)
    text = f"Asked {given.practitioner_name} for a hand-over note."
    asked = select(InternalNote.id).where(
        InternalNote.referral_id == referral.id,
        InternalNote.text == text,
        InternalNote.at >= given.at,
    )
    if work.session.scalars(asked).first() is None:
        notes.add(work, reference, label=NoteLabel.GENERAL, text=text, by=by)
        link = notices.link_to("s2s.visits.hand_over", reference=referral.reference)
        notices.tell_practitioner(work, "hand_over_asked", given.practitioner_id, referral, link)
    return given.practitioner_name


def write(work: UnitOfWork, reference: str, *, text: str, by: Actor) -> HandOverNote:
    """Write a hand-over note: for officers, and for whoever has the case next.

    The same words twice in a row are one note. Raises NotAllowed for anybody but the practitioner
    who leads the case, OutOfOrder when it is not open, Refused without words.
    """
    if not text.strip():
        raise Refused("Enter what whoever comes next should know", field="text")
    referral = referrals.get(reference, lock=True)
    given = visits.allocation_to(referral, by)
    visits.check_open(referral)
    last = (
        session()
        .scalars(
            select(HandOverNote)
            .where(HandOverNote.allocation_id == given.id)
            .order_by(HandOverNote.id.desc())
        )
        .first()
    )
    if last is not None and last.text == text:
        return last
    made = HandOverNote(
        referral_id=referral.id,
        allocation_id=given.id,
        text=text,
        at=clock.now(),
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(made)
    audit.wrote(work, "wrote a hand-over note on", "referral", referral.reference)
    notices.tell_officers(work, "hand_over_written", referral)
    return made
