"""When a fee falls due, and what is frozen with it (F71; domain.md 6.2).

The rule of the day of receipt says when: on acceptance unless it says otherwise. On acceptance the
officer posts the charge with the decision. A school that sends a referral and a practitioner who
issues a record may not write to the ledger, so there the service posts it, by a job that stands or
falls with their own change.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from s2s_portal import audit, clock, jobs
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.identity import SYSTEM, Actor
from s2s_portal.models.fees import DueEvent, FeeRule
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Attendance, Visit, VisitRecord
from s2s_portal.services import ledger


def due_event(referral: Referral) -> DueEvent:
    """When the fee of a referral that was sent falls due; older ones on acceptance."""
    if referral.fee_rule_id is None:
        return DueEvent.ACCEPTANCE
    return session().get_one(FeeRule, referral.fee_rule_id).due


def fall_due(
    work: UnitOfWork,
    referral: Referral,
    happened: DueEvent,
    *,
    day: date | None = None,
    by: Actor | None = None,
) -> None:
    """Post the fee of `referral` if it falls due by what `happened` on `day` (today, unless told).

    `by` posts it now, with all that is loaded; without, the service posts it once this transaction
    stands. At £0 nothing is posted. However often it happens, there is one charge.
    """
    if not referral.fee_pence or due_event(referral) is not happened:
        return
    if by is not None:
        ledger.post_charge(work, referral, by=by)
        return
    jobs.defer(
        work.session,
        jobs.POST_FEE,
        "fees",
        reference=referral.reference,
        day=(day or clock.today()).isoformat(),
    )


def visited(work: UnitOfWork, referral: Referral, visit: Visit, record: VisitRecord) -> None:
    """A visit's record has been issued: the fee falls due on its day, if it goes by the first visit
    and this one happened."""
    if record.attendance is Attendance.HAPPENED:
        fall_due(work, referral, DueEvent.FIRST_VISIT, day=clock.local(visit.starts_at).date())


def post(reference: str, day: str) -> None:
    """Post the fee of a referral that fell due on `day` (ISO): what the worker runs."""
    with unit_of_work() as work:
        referral = work.session.scalars(
            select(Referral)
            .where(Referral.reference == reference)
            .options(joinedload(Referral.establishment), joinedload(Referral.terms))
        ).one()
        # Another visit's record, or another try: the first one was posted.
        if ledger.charge_for(reference) is None:
            ledger.post_charge(work, referral, by=SYSTEM, day=date.fromisoformat(day))
            audit.wrote(work, "charged", "referral", reference)
