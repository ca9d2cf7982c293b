"""Invented rows for a test to look at: a referral with an issued record, its charge and its pull.

They are put in by the service itself within the test's transaction, and go with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from s2s_portal.database import UnitOfWork
from s2s_portal.identity import SYSTEM, Actor, Role
from s2s_portal.services import ledger, pulls, referrals
from s2s_portal.services.doctor import invented

ACCOUNTS = {
    Role.REFERRER: invented.SENDER,
    Role.PRACTITIONER: invented.VISITOR,
    Role.LEAD: invented.LEAD,
}


@dataclass(frozen=True)
class Sample:
    """What there is to look at. `pull` is 0 when the terms of the day charge nothing."""

    reference: str
    pull: int
    visit: int = 1
    school: int = invented.SCHOOL
    provider: int = invented.PROVIDER


def actor(role: Role) -> Actor:
    """Somebody invented with one role: the school's user is of the sample's school, the
    practitioner and the lead have its referral.
    """
    return Actor(
        id=ACCOUNTS.get(role, f"s2s-invented-{role}"),
        name=f"Invented {str(role).replace('_', ' ').title()}",
        email=f"{str(role).replace('_', '-')}@s2s.example",
        roles=frozenset({role}),
        establishments=(invented.SCHOOL,) if role in {Role.REFERRER, Role.HEAD} else (),
        provider=invented.PROVIDER if role in {Role.PRACTITIONER, Role.LEAD} else None,
    )


ACTORS: dict[Role, Actor] = {role: actor(role) for role in Role if role is not Role.SYSTEM}


def add(session: Session) -> Sample:
    """Add the rows; the session must act as the service itself."""
    made = invented.add(session)
    work = UnitOfWork(session)
    ledger.post_charge(work, referrals.get(made.reference, whole=True), by=SYSTEM)
    number = 0
    if pulls.due().count:  # by the terms of the day the fee may be nothing
        number = pulls.make(work, idempotency_key="s2s-testing", by=SYSTEM).number
    session.flush()
    return Sample(made.reference, number)
