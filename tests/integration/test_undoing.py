"""A decision taken back: in the history, in the ledger by an entry of its own, and not too late."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.errors import NotAllowed, OutOfOrder
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.codes import Action, Status, Way
from s2s_portal.models.ledger import EntryKind, LedgerEntry
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import (
    allocation,
    holding,
    ledger,
    pulls,
    standing,
    triage,
    undoing,
    verification,
)
from tests import rows
from tests.client import Client
from tests.deciding import LEVEL
from tests.world import ACTORS, SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"
OFFICER = ACTORS["officer"]


@pytest.fixture
def referral(session: Session) -> Referral:
    """A referral that waits for a decision."""
    row = rows.referral(session, REF)
    session.commit()
    return row


def fresh(session: Session) -> Referral:
    session.expire_all()
    return session.scalars(select(Referral).where(Referral.reference == REF)).one()


def act(session: Session, what: Callable[[UnitOfWork, int], object], key: str = "officer") -> None:
    version = fresh(session).version
    session.commit()
    actor = SYSTEM if key == "system" else ACTORS[key]
    with acting_as(actor), unit_of_work() as work:
        what(work, version)


def accept(work: UnitOfWork, seen: int) -> None:
    triage.accept(work, REF, seen=seen, **LEVEL, by=OFFICER)


def undo(work: UnitOfWork, seen: int) -> None:
    undoing.undo(work, REF, message="Too soon", note="My slip", seen=seen, by=OFFICER)


def entries(session: Session) -> list[tuple[EntryKind, int]]:
    session.expire_all()
    found = session.scalars(select(LedgerEntry).order_by(LedgerEntry.number))
    return [(entry.kind, entry.amount_pence) for entry in found]


CHARGE, REVERSAL = (EntryKind.CHARGE, 10_000), (EntryKind.REVERSAL, -10_000)


def test_an_acceptance_is_taken_back_and_its_charge_reversed_never_edited(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    act(session, accept)
    page = client.sign_on("officer").get("triage.undo", reference=REF)
    assert "Ledger entry 1 of £100 is reversed by an entry of its own." in page.words
    empty = client.post(
        "triage.undo", {"seen": page.value("seen"), "note": "n"}, status=422, reference=REF
    )
    assert empty.errors == ["Enter what you want to tell the school"]
    assert empty.value("note") == "n"
    form = {"seen": page.value("seen"), "message": "Read it again", "note": "My slip"}
    client.post("triage.undo", form, reference=REF)
    row = fresh(session)
    assert (row.status, row.due_on) == (Status.SUBMITTED, date(2019, 5, 21))
    assert entries(session) == [CHARGE, REVERSAL]
    reasons = session.scalars(select(LedgerEntry.reason).order_by(LedgerEntry.number)).all()
    assert not any("Read it again" in reason for reason in reasons), "Finance reads no message"
    assert ledger.balance(SCHOOL) == 0
    assert verification.verify().problems == ()
    school = client.sign_on("senco").get("referrals.show", reference=REF).words
    assert "Decision taken back" in school
    assert "Read it again" in school
    assert "My slip" not in school
    assert "The fee is charged if the council accepts the referral." in school
    mails = connection.scalars(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id")).all()
    assert [mail["notice"] for mail in mails] == ["referral_accepted", "referral_decision_undone"]


def test_accepted_again_it_is_charged_again_once(session: Session, referral: Referral) -> None:
    for _ in range(2):
        act(session, accept)
        act(session, undo)
    act(session, accept)
    assert entries(session) == [CHARGE, REVERSAL, CHARGE, REVERSAL, CHARGE]
    assert ledger.balance(SCHOOL) == 10_000
    assert verification.verify().problems == ()
    session.commit()
    whole = triage.referrals.get(REF, whole=True)
    assert "has been charged" in standing.charge_words(whole)
    again = ledger.post_charge(UnitOfWork(session), whole, by=SYSTEM)
    assert again is not None
    assert again.number == 5, "the charge that stands, not a sixth entry"


def test_what_finance_waived_stays_waived(session: Session, referral: Referral) -> None:
    act(session, accept)
    act(
        session,
        lambda work, _seen: ledger.reverse(work, 1, reason="Waived", by=ACTORS["finance-approver"]),
        "finance-approver",
    )
    act(session, undo)
    act(session, accept)
    assert entries(session) == [CHARGE, REVERSAL]


def test_not_once_finance_has_pulled_the_charge(
    client: Client, session: Session, referral: Referral
) -> None:
    act(session, accept)
    act(
        session,
        lambda work, _seen: pulls.make(work, idempotency_key="k", by=ACTORS["finance"]),
        "finance",
    )
    assert "Take the decision back" not in (
        client.sign_on("officer").get("triage.show", reference=REF).words
    )
    page = client.get("triage.undo", status=409, reference=REF)
    assert "Finance has pulled the charge" in page.words
    session.rollback()
    with pytest.raises(OutOfOrder, match="Finance has pulled"):
        act(session, undo)
    assert entries(session) == [CHARGE]


def test_not_once_somebody_has_it_or_it_is_on_hold(session: Session, referral: Referral) -> None:
    act(session, accept)

    def hold(work: UnitOfWork, seen: int) -> None:
        until = date(2019, 6, 3)
        holding.hold(work, REF, code="HOLD_SCHOOL", until=until, seen=seen, by=OFFICER)

    def release(work: UnitOfWork, seen: int) -> None:
        holding.release(work, REF, comment="Open again", seen=seen, by=OFFICER)

    def allocate(work: UnitOfWork, seen: int) -> None:
        query = select(Practitioner.id).where(Practitioner.account_id == "practitioner")
        chosen = work.session.scalars(query).one()
        allocation.allocate(work, REF, practitioner_id=chosen, reason="Near", seen=seen, by=OFFICER)

    act(session, hold)
    for what in (undo, allocate):
        with pytest.raises(OutOfOrder, match="on hold"):
            act(session, what)
    act(session, release)
    act(session, allocate)
    with pytest.raises(OutOfOrder, match="nothing depends on"):
        act(session, undo)
    assert entries(session) == [CHARGE]


def test_an_officer_reverses_nothing_else(session: Session, referral: Referral) -> None:
    """Neither a charge of a referral that has gone on, nor by the service that is Finance's."""
    act(session, accept)
    session.execute(text("UPDATE s2s.referral SET status = 'allocated'"))
    session.commit()
    for what in (
        lambda work: ledger.reverse(work, 1, reason="x", by=OFFICER),
        lambda work: ledger.post_reversal(work, 1, reason="x", by=OFFICER),
    ):
        with (
            acting_as(OFFICER),
            pytest.raises((NotAllowed, DBAPIError), match=r"Only somebody|row-level"),
            unit_of_work() as work,
        ):
            what(work)
        session.rollback()
    assert entries(session) == [CHARGE]


def test_a_refusal_is_taken_back_unless_a_corrected_copy_was_sent(
    session: Session, referral: Referral
) -> None:
    def decline(work: UnitOfWork, seen: int) -> None:
        triage.decide(work, REF, way=Way.DECLINE, code="NO_PLAN", seen=seen, by=OFFICER)

    act(session, decline)
    act(session, undo)
    assert fresh(session).status is Status.SUBMITTED
    act(session, decline)
    copy = rows.referral(session, "S2S-19-7K4Q")
    copy.copied_from_id = referral.id
    session.commit()
    with pytest.raises(OutOfOrder, match="corrected copy"):
        act(session, undo)
    events = session.scalars(select(ReferralEvent.action).order_by(ReferralEvent.id)).all()
    assert events.count(Action.DECISION_UNDONE) == 1


def test_the_page_on_hold_says_so_to_school_and_officer(
    client: Client, session: Session, referral: Referral
) -> None:
    page = client.sign_on("officer").get("triage.hold", reference=REF)
    form: dict[str, Any] = {"seen": page.value("seen"), "message": "They will ring"}
    refused = client.post("triage.hold", form, status=422, reference=REF)
    assert refused.errors == ["Choose why it is on hold", "Enter when you expect to go on"]
    form |= {"reason": "HOLD_PARENT", "until": ["14", "5", "2019"]}
    refused = client.post("triage.hold", form, status=422, reference=REF)
    assert refused.errors == ["The day must be in the future"]
    assert refused.value("message") == "They will ring"
    client.post("triage.hold", form | {"until": ["3", "6", "2019"]}, reference=REF)
    assert "On hold until about 3 June 2019" in client.get("triage.show", reference=REF).words
    school = client.sign_on("senco").get("referrals.show", reference=REF).words
    assert "With the council: on hold until about 3 June" in school
    assert "We are waiting to hear from a parent or carer." in school
    assert "They will ring" in school
    page = client.sign_on("officer").get("triage.release", reference=REF)
    form = {"seen": page.value("seen")}
    empty = client.post("triage.release", form, status=422, reference=REF)
    assert empty.errors == ["Enter why we go on"]
    client.post("triage.release", form | {"comment": "They agree"}, reference=REF)
    assert fresh(session).held_until is None
    assert "They agree" in client.sign_on("senco").get("referrals.show", reference=REF).words
