"""Invented rows for a test to look at: a school, a Complex Needs School, a referral between them.

They are put in by the service itself within the test's transaction, and go with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from s2s_portal import clock, references
from s2s_portal.database import UnitOfWork
from s2s_portal.identity import SYSTEM, Actor, Role
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.referral import (
    Action,
    Agreement,
    Kind,
    Need,
    OutcomeWanted,
    Referral,
    Status,
    Subject,
)
from s2s_portal.models.visit import Visit, VisitKind, VisitRecord
from s2s_portal.services import ledger, pulls, referrals, terms
from s2s_portal.state import setting

# No number of the national register is as high.
SCHOOL, PROVIDER = 999_901, 999_902


@dataclass(frozen=True)
class Sample:
    """What there is to look at: a referral with an issued record, its pull, and two schools."""

    reference: str
    pull: int
    visit: int = 1
    school: int = SCHOOL
    provider: int = PROVIDER


def actor(role: Role) -> Actor:
    """Somebody invented with one role; a school's user is of `SCHOOL`, a practitioner has the
    referral."""
    return Actor(
        id=f"s2s-testing-{role}",
        name=f"Test {str(role).replace('_', ' ').title()}",
        email=f"{str(role).replace('_', '-')}@s2s-testing.example",
        roles=frozenset({role}),
        establishments=(SCHOOL,) if role is Role.REFERRER else (),
        provider=PROVIDER if role in {Role.PRACTITIONER, Role.LEAD} else None,
    )


ACTORS: dict[Role, Actor] = {role: actor(role) for role in Role if role is not Role.SYSTEM}


def add(session: Session) -> Sample:
    """Add the rows; the session must act as the service itself."""
    session.merge(_establishment(SCHOOL, "Sample Invented Primary", 1))
    session.merge(_establishment(PROVIDER, "Sample Complex Needs School", 7))
    session.flush()
    practitioner = _practitioner(session, Role.PRACTITIONER, is_lead=False)
    _practitioner(session, Role.LEAD, is_lead=True)
    referral = _referral(session)
    work = UnitOfWork(session)
    loaded = referrals.get(referral.reference, whole=True)
    ledger.post_charge(work, loaded, by=SYSTEM)
    for action in (Action.SUBMITTED, Action.ACCEPTED, Action.ALLOCATED):
        referrals.record(work, loaded, action, by=SYSTEM)
    _visit(session, referral, practitioner)
    number = 0
    if pulls.due().count:  # by the terms of the day the fee may be nothing
        number = pulls.make(work, idempotency_key="s2s-testing", by=SYSTEM).number
    return Sample(referral.reference, number)


def _establishment(urn: int, name: str, type_code: int) -> Establishment:
    return Establishment(
        urn=urn,
        name=name,
        type_code=type_code,
        phase_code=2 if urn == SCHOOL else 0,
        phase_name="Primary" if urn == SCHOOL else "Not applicable",
        local_authority=setting("S2S_LOCAL_AUTHORITY"),
        establishment_number=urn % 10_000,
        status_code=1,
        low_age=4,
        high_age=11,
        town="Inventon",
        postcode="NR0 0AA",
    )


def _practitioner(session: Session, role: Role, *, is_lead: bool) -> Practitioner:
    who = ACTORS[role]
    row = Practitioner(
        name=who.name,
        email=who.email,
        account_id=who.id,
        provider_urn=PROVIDER,
        phases=["2"],
        needs=["SEMH"],
        capacity=5,
        is_lead=is_lead,
    )
    session.add(row)
    session.flush()
    return row


def _referral(session: Session) -> Referral:
    today = clock.today()
    establishment = session.get_one(Establishment, SCHOOL)
    verdict = terms.verdict(establishment, today)
    by = ACTORS[Role.REFERRER]
    reference = references.new(today)
    row = Referral(
        reference=reference,
        urn=SCHOOL,
        establishment=establishment,
        status=Status.ALLOCATED,
        kind=Kind.PUPIL,
        created_by_id=by.id,
        created_by_name=by.name,
        contact_name=by.name,
        contact_role="SENCO",
        contact_email=by.email,
        reason="An invented reason",
        support=["ADV"],
        school_name=establishment.name,
        submitted_at=clock.now(),
        submit_token=reference,
        received_on=today,
        terms_id=verdict.terms.id,
        fee_pence=verdict.amount_pence,
        fee_verdict=verdict.words,
    )
    session.add(row)
    session.flush()
    session.add_all(
        [
            Subject(
                referral_id=row.id,
                surname="Invented",
                forenames="Pupil",
                date_of_birth=today.replace(day=1) - timedelta(days=8 * 366),
                year_group="4",
                sen_provision="K",
            ),
            Agreement(referral_id=row.id, agreed=True, given_by="A Parent", how="SIGNED"),
            Need(referral_id=row.id, code="SEMH", rank=1),
            OutcomeWanted(referral_id=row.id, position=1, text="Joins in"),
        ]
    )
    session.flush()
    return row


def _visit(session: Session, referral: Referral, practitioner: Practitioner) -> None:
    officer, by = ACTORS[Role.OFFICER], ACTORS[Role.PRACTITIONER]
    made = Allocation(
        referral_id=referral.id,
        practitioner_id=practitioner.id,
        practitioner_name=practitioner.name,
        provider_urn=PROVIDER,
        provider_name="Sample Complex Needs School",
        reason="Nearest",
        by_id=officer.id,
        by_name=officer.name,
    )
    session.add(made)
    session.flush()
    ends = clock.now()
    starts = ends - timedelta(hours=1)
    visit = Visit(
        referral_id=referral.id,
        number=1,
        allocation_id=made.id,
        practitioner_id=practitioner.id,
        kind=VisitKind.VISIT,
        starts_at=starts,
        ends_at=ends,
        booked_by_id=by.id,
        booked_by_name=by.name,
    )
    session.add(visit)
    session.flush()
    record = VisitRecord(
        referral_id=referral.id,
        visit_id=visit.id,
        kind=VisitKind.VISIT,
        visited_on=clock.today(),
        started_at=clock.local(starts).time(),
        finished_at=clock.local(ends).time(),
        observed="Calm",
        author_id=by.id,
        author_name=by.name,
    )
    session.add(record)
    session.flush()
    record.issued_at = ends
    session.flush()
