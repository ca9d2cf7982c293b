"""A school that does not answer: each attempt is written down, after three an officer knows (F61).

They count from the allocation to whoever tries: another practitioner begins anew, and a visit that
is booked says that the school has answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, select

from s2s_portal import clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import Refused
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Action
from s2s_portal.models.contact import ContactAttempt, HowTried
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit
from s2s_portal.services import notices, referrals, visits
from s2s_portal.services.terms import written

ENOUGH = 3
HOW_WORDS = {
    HowTried.PHONE: "By phone",
    HowTried.EMAIL: "By email",
    HowTried.MESSAGE: "By a message in this service",
    HowTried.CALLED: "In person, at the school",
}


def of(referral: Referral) -> Sequence[ContactAttempt]:
    """Every attempt that the acting person may read, the first one first."""
    return (
        session()
        .scalars(
            select(ContactAttempt)
            .where(ContactAttempt.referral_id == referral.id)
            .order_by(ContactAttempt.number)
        )
        .all()
    )


def since_answered(referral: Referral, allocation: Allocation) -> Sequence[ContactAttempt]:
    """The attempts under `allocation` since a visit was booked last."""
    booked = session().scalar(
        select(func.max(Visit.booked_at)).where(Visit.referral_id == referral.id)
    )
    return [
        one
        for one in of(referral)
        if one.allocation_id == allocation.id and (booked is None or one.at > booked)
    ]


def note(
    work: UnitOfWork, reference: str, *, tried_on: date, how: HowTried, words: str, by: Actor
) -> ContactAttempt:
    """Write down one attempt that had no answer; with the third the officers are told, once.

    Sent twice it is one attempt. Raises NotAllowed for whoever does not work on the case, Refused
    for a day on which nobody can have tried.
    """
    referral = referrals.get(reference, lock=True)
    place = visits.place_to_book(referral, by)
    visits.check_open(referral)
    first = clock.local(place.allocation.at).date()
    if not first <= tried_on <= clock.today():
        raise Refused(
            f"The day must be from {written(first)}, when the referral was allocated, to today.",
            field="tried_on",
        )
    earlier = of(referral)
    made = ContactAttempt(
        referral_id=referral.id,
        allocation_id=place.allocation.id,
        number=len(earlier) + 1,
        tried_on=tried_on,
        how=how,
        note=words.strip(),
        by_id=by.id,
        by_name=by.name,
    )
    if earlier and _same(earlier[-1], made):
        return earlier[-1]
    work.session.add(made)
    work.flush()
    referrals.record(
        work,
        referral,
        Action.CONTACT_TRIED,
        by=by,
        note=f"{HOW_WORDS[how]}, {written(tried_on)}. {made.note}".strip(),
    )
    if len(since_answered(referral, place.allocation)) == ENOUGH:
        referrals.record(
            work, referral, Action.NOT_REACHED, by=by, note=f"{ENOUGH} attempts without an answer."
        )
        notices.tell_officers(work, "school_not_reached", referral)
    return made


def _same(one: ContactAttempt, other: ContactAttempt) -> bool:
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("allocation_id", "tried_on", "how", "note", "by_id")
    )
