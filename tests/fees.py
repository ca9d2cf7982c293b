"""Charges in the ledger, for tests of the ledger, of pulls and of Finance's pages."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from s2s_portal.database import UnitOfWork
from s2s_portal.identity import SYSTEM
from s2s_portal.models.codes import Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.ledger import LedgerEntry
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import ServiceTerms
from s2s_portal.references import ALPHABET
from s2s_portal.services import ledger, pulls, referrals
from tests import rows
from tests.world import SCHOOL

VERDICT = "£100: mainstream school, received 14 May 2019, MI Sheet 44/19"


def reference(position: int) -> str:
    """The reference numbered `position`: the same number gives the same reference."""
    letters = ""
    for _ in range(4):
        position, digit = divmod(position, len(ALPHABET))
        letters = ALPHABET[digit] + letters
    return f"S2S-19-{letters}"


def charged(session: Session, position: int, *, urn: int = SCHOOL) -> LedgerEntry:
    """The charge of a whole accepted referral about an invented pupil."""
    rows.referral(session, reference(position), urn=urn, status=Status.ACCEPTED)
    work = UnitOfWork(session)
    entry = ledger.post_charge(work, referrals.get(reference(position), whole=True), by=SYSTEM)
    assert entry is not None
    return entry


def charge_alone(work: UnitOfWork, position: int, *, urn: int = SCHOOL) -> LedgerEntry:
    """The charge of a referral that is not stored itself: quick, for tests with many."""
    session = work.session
    terms = session.scalars(
        select(ServiceTerms).where(ServiceTerms.during.contains(rows.RECEIVED))
    ).first()
    establishment = session.get(Establishment, urn)
    assert terms is not None
    assert establishment is not None
    referral = Referral(
        reference=reference(position),
        urn=urn,
        establishment=establishment,
        terms=terms,
        school_name=establishment.name,
        purchase_order="",
        fee_pence=10_000,
        fee_verdict=VERDICT,
    )
    entry = ledger.post_charge(work, referral, by=SYSTEM)
    assert entry is not None
    return entry


def pulled(session: Session, key: str = "a pull") -> int:
    """Make a pull of what is due, and return its number."""
    return pulls.make(UnitOfWork(session), idempotency_key=key, by=SYSTEM).number
