"""Invented rows in every table that holds something of a pupil, to try the guards with.

Nobody sees them: whoever adds them rolls the transaction back. Only numbers that rows get by
themselves go up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from s2s_portal import clock, references
from s2s_portal.models.answer import Agreement, Need, OutcomeWanted, StrategyTried, Subject
from s2s_portal.models.codes import Action, Kind, Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.visit import Visit, VisitKind, VisitRecord
from s2s_portal.services import terms
from s2s_portal.state import setting

# No number of the national register is as high.
SCHOOL, PROVIDER = 999_901, 999_902
SENDER, VISITOR, LEAD = "s2s-invented-senco", "s2s-invented-practitioner", "s2s-invented-lead"


@dataclass(frozen=True)
class Invented:
    """The referral that was added: its number in the tables, and its reference."""

    referral_id: int
    reference: str


def add(session: Session) -> Invented:
    """Add a school, a Complex Needs School with a practitioner and a lead, and a referral between
    them with an issued record. The session must act as the service itself.

    Raises NoTerms when no service terms cover today.
    """
    session.merge(_establishment(SCHOOL, "Sample Invented Primary", 1))
    session.merge(_establishment(PROVIDER, "Sample Complex Needs School", 7))
    session.flush()
    practitioner = _practitioner(session, VISITOR, is_lead=False)
    _practitioner(session, LEAD, is_lead=True)
    referral = _referral(session)
    _about(session, referral.id)
    _visit(session, referral.id, practitioner.id)
    return Invented(referral.id, referral.reference)


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


def _practitioner(session: Session, account: str, *, is_lead: bool) -> Practitioner:
    row = Practitioner(
        name="Invented Practitioner",
        email=f"{account}@s2s.example",
        account_id=account,
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
    reference = references.new(today)
    row = Referral(
        reference=reference,
        urn=SCHOOL,
        establishment=establishment,
        status=Status.ALLOCATED,
        kind=Kind.PUPIL,
        created_by_id=SENDER,
        created_by_name="Invented SENCo",
        contact_name="Invented SENCo",
        contact_role="SENCO",
        contact_email="senco@s2s.example",
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
    return row


def _about(session: Session, referral_id: int) -> None:
    session.add_all(
        [
            Subject(
                referral_id=referral_id,
                surname="Invented",
                forenames="Pupil",
                date_of_birth=clock.today() - timedelta(days=8 * 365),
                year_group="4",
                sen_provision="K",
            ),
            Agreement(referral_id=referral_id, agreed=True, given_by="A Parent", how="SIGNED"),
            Need(referral_id=referral_id, code="SEMH", rank=1),
            StrategyTried(
                referral_id=referral_id,
                position=1,
                what="A calm corner",
                started_on=clock.today() - timedelta(days=60),
                ended_on=clock.today() - timedelta(days=30),
                result="Some help",
            ),
            OutcomeWanted(referral_id=referral_id, position=1, text="Joins in"),
            *(
                ReferralEvent(
                    referral_id=referral_id, action=action, by_id=SENDER, by_name="Invented SENCo"
                )
                for action in (Action.STARTED, Action.SUBMITTED, Action.ACCEPTED, Action.ALLOCATED)
            ),
        ]
    )
    session.flush()


def _visit(session: Session, referral_id: int, practitioner_id: int) -> None:
    made = Allocation(
        referral_id=referral_id,
        practitioner_id=practitioner_id,
        practitioner_name="Invented Practitioner",
        provider_urn=PROVIDER,
        provider_name="Sample Complex Needs School",
        reason="Nearest",
        by_id="s2s-invented-officer",
        by_name="Invented Officer",
    )
    session.add(made)
    session.flush()
    ends = clock.now()
    visit = Visit(
        referral_id=referral_id,
        number=1,
        allocation_id=made.id,
        practitioner_id=practitioner_id,
        kind=VisitKind.VISIT,
        starts_at=ends - timedelta(hours=1),
        ends_at=ends,
        booked_by_id=VISITOR,
        booked_by_name="Invented Practitioner",
    )
    session.add(visit)
    session.flush()
    record = VisitRecord(
        referral_id=referral_id,
        visit_id=visit.id,
        kind=VisitKind.VISIT,
        visited_on=clock.today(),
        observed="Calm",
        author_id=VISITOR,
        author_name="Invented Practitioner",
        issued_at=ends,
    )
    session.add(record)
    session.flush()
