"""Outcomes, closing and reopening: in order, with words for the school, never charged again."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.orm import Session

from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotAllowed, NotFound, OutOfOrder, Refused, Stale
from s2s_portal.identity import acting_as
from s2s_portal.models.answer import OutcomeWanted
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.codes import Achieved, Action, Closure, Status
from s2s_portal.models.ledger import LedgerEntry
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import closing
from tests import rows
from tests.client import Client, Page
from tests.deciding import YES
from tests.world import ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"
OFFICER, PRACTITIONER = ACTORS["officer"], ACTORS["practitioner"]
ALL_DONE = {1: (Achieved.YES, "Every morning")}


@pytest.fixture
def referral(session: Session) -> Referral:
    """A referral that is with Pat Practitioner."""
    row = rows.referral(session, REF, status=Status.ALLOCATED)
    rows.allocation(session, row, "practitioner")
    session.commit()
    return row


def fresh(session: Session) -> Referral:
    session.expire_all()
    return session.scalars(select(Referral).where(Referral.reference == REF)).one()


def mails(connection: Connection) -> list[dict[str, Any]]:
    return list(connection.scalars(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id")))


def last_message(session: Session, action: Action) -> str:
    query = select(ReferralEvent.message).where(ReferralEvent.action == action)
    return session.scalars(query.order_by(ReferralEvent.id.desc()).limit(1)).one()


def issued_record(session: Session, row: Referral) -> None:
    """A visit with an issued record: delivery has started."""
    made = session.scalars(select(Allocation).where(Allocation.referral_id == row.id)).one()
    rows.visit(session, row, made, 1, issued=True)
    session.commit()


def record(results: dict[int, tuple[Achieved, str]], key: str = "practitioner") -> None:
    actor = ACTORS[key]
    with acting_as(actor), unit_of_work() as work:
        closing.record_outcomes(work, REF, results=results, by=actor)


def closed(page: Page, **more: str) -> dict[str, str]:
    return {"seen": page.value("seen"), "closure": "OUTCOMES_MET", "message": "Well done"} | more


# Outcomes ---------------------------------------------------------------------------------------


def test_outcomes_are_recorded_and_can_be_corrected_until_it_is_closed(
    session: Session, connection: Connection, referral: Referral
) -> None:
    record(ALL_DONE)
    session.expire_all()
    (outcome,) = session.scalars(select(OutcomeWanted))
    assert (outcome.achieved, outcome.comment, outcome.recorded_by_id) == (
        Achieved.YES,
        "Every morning",
        "practitioner",
    )
    assert outcome.recorded_at is not None
    assert last_message(session, Action.OUTCOMES_RECORDED) == (
        "Achieved: 1, partly achieved: 0, not achieved: 0."
    )
    assert fresh(session).status is Status.ALLOCATED
    session.rollback()
    record({1: (Achieved.PARTLY, "Most mornings")})
    session.expire_all()
    assert session.scalars(select(OutcomeWanted.achieved)).one() is Achieved.PARTLY
    assert [mail["notice"] for mail in mails(connection)] == ["outcomes_recorded"] * 2
    assert (
        session.scalars(select(AuditEntry.action).where(AuditEntry.by_id == "practitioner")).all()
        == ["outcomes recorded"] * 2
    )


def test_the_same_outcomes_twice_are_recorded_once(session: Session, referral: Referral) -> None:
    record(ALL_DONE)
    record(ALL_DONE)
    happened = select(func.count()).where(ReferralEvent.action == Action.OUTCOMES_RECORDED)
    assert session.scalar(happened) == 1


@pytest.mark.parametrize("results", [{}, {2: (Achieved.NO, "")}, ALL_DONE | {2: (Achieved.NO, "")}])
def test_every_outcome_and_no_other_needs_a_result(
    referral: Referral, results: dict[int, tuple[Achieved, str]]
) -> None:
    with pytest.raises(Refused, match="every outcome"):
        record(results)


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("colleague", NotFound),
        ("other-practitioner", NotFound),
        ("lead", NotAllowed),
        ("officer", NotAllowed),
        ("senco", NotAllowed),
        ("finance", NotFound),
    ],
)
def test_nobody_but_the_practitioner_records_outcomes(
    session: Session, referral: Referral, key: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        record(ALL_DONE, key)
    session.expire_all()
    assert session.scalars(select(OutcomeWanted.achieved)).one() is None


def test_outcomes_of_a_closed_referral_stay_as_they_are(
    session: Session, referral: Referral
) -> None:
    referral.status = Status.CLOSED
    session.commit()
    with pytest.raises(OutOfOrder):
        record(ALL_DONE)


# Closing ----------------------------------------------------------------------------------------


def test_closing_tells_the_school_and_the_practitioner(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    issued_record(session, referral)
    record(ALL_DONE)
    before = len(mails(connection))
    page = client.sign_on("officer").get("triage.close", reference=REF)
    assert "Stays in class all morning" in page.words
    done = client.post("triage.close", closed(page), reference=REF)
    shown = client.follow(done)
    assert "The referral has been closed" in shown.words
    assert "Achieved" in shown.words
    row = fresh(session)
    assert (row.status, row.closure) == (Status.CLOSED, Closure.OUTCOMES_MET)
    assert last_message(session, Action.CLOSED) == "The outcomes were achieved.\nWell done"
    told = mails(connection)[before:]
    assert [mail["notice"] for mail in told] == ["referral_closed"] * 2
    assert told[0]["address"] == "senco@school.example"
    assert told[1]["practitioner_id"]
    assert told[1]["link"].endswith(f"/s2s/visits/{REF}/")


def test_once_a_record_is_issued_every_outcome_needs_its_result_first(
    client: Client, session: Session, referral: Referral
) -> None:
    issued_record(session, referral)
    page = client.sign_on("officer").get("triage.close", reference=REF)
    assert "1 outcome has no result yet" in page.words
    refused = client.post("triage.close", closed(page), status=422, reference=REF)
    assert refused.errors == [
        "1 outcome has no result yet. Visits have been made, so the practitioner must record what"
        " was achieved before you can close the referral."
    ]
    assert refused.value("message") == "Well done"
    assert refused.document.xpath("//input[@checked]/@value") == ["OUTCOMES_MET"]
    assert fresh(session).status is Status.ALLOCATED


def test_before_any_visit_it_can_be_closed_without_results(
    client: Client, session: Session, referral: Referral
) -> None:
    page = client.sign_on("officer").get("triage.close", reference=REF)
    client.post("triage.close", closed(page, closure="WITHDRAWN_SCHOOL"), reference=REF)
    assert fresh(session).closure is Closure.WITHDRAWN_SCHOOL


def test_who_left_the_area_left_that_of_the_council_that_runs_it(
    client: Client, session: Session, referral: Referral, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the form, in what the school is told, and when the school itself withdraws."""
    monkeypatch.setitem(client.app.config, "S2S_COUNCIL_NAME", "Westshire Council")
    left = "The pupil has left the area of Westshire Council"
    page = client.sign_on("senco").get("referrals.withdraw", reference=REF)
    assert left in page.words
    page = client.sign_on("officer").get("triage.close", reference=REF)
    assert left in page.words
    form = {"seen": page.value("seen"), "closure": "LEFT_COUNTY", "message": "Good luck"}
    client.post("triage.close", form, reference=REF)
    assert last_message(session, Action.CLOSED) == f"{left}.\nGood luck"


def test_closing_needs_a_reason_and_words(
    client: Client, session: Session, referral: Referral
) -> None:
    page = client.sign_on("officer").get("triage.close", reference=REF)
    form = closed(page, closure="WHATEVER", message="")
    refused = client.post("triage.close", form, status=422, reference=REF)
    assert refused.errors == [
        "Choose why you are closing the referral",
        "Enter what you want to tell the school",
    ]


def test_closing_twice_is_one_closing(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    page = client.sign_on("officer").get("triage.close", reference=REF)
    client.post("triage.close", closed(page), reference=REF)
    told = len(mails(connection))
    again = client.post("triage.close", closed(page), status=422, reference=REF)
    assert again.errors == ["This referral has already been closed. Nothing has been changed now."]
    assert len(mails(connection)) == told
    client.get("triage.close", status=409, reference=REF)


@pytest.mark.parametrize(
    "status", [Status.SUBMITTED, Status.RETURNED, Status.DECLINED, Status.ACCEPTED]
)
def test_only_what_is_with_a_practitioner_can_be_closed(
    client: Client, session: Session, status: Status
) -> None:
    row = rows.referral(session, REF, status=status)
    session.commit()
    client.sign_on("officer").get("triage.close", status=409, reference=REF)
    with acting_as(OFFICER), pytest.raises(OutOfOrder), unit_of_work() as work:
        closing.close(
            work,
            REF,
            closure=Closure.NOT_MET,
            message="x",
            seen=row.version,
            by=OFFICER,
        )


# Reopening --------------------------------------------------------------------------------------


def test_a_reopened_referral_is_with_its_practitioner_and_not_charged_again(
    client: Client, session: Session, connection: Connection
) -> None:
    rows.referral(session, REF)
    session.commit()
    officer = client.sign_on("officer")
    officer.post("triage.accept", {**YES, "seen": "1"}, reference=REF)
    page = officer.get("allocation.allocate", reference=REF)
    first = page.document.xpath("//input[@name='practitioner']/@value")[0]
    form = {"seen": page.value("seen"), "practitioner": first, "reason": "Near"}
    officer.post("allocation.allocate", form, reference=REF)
    page = officer.get("triage.close", reference=REF)
    officer.post("triage.close", closed(page), reference=REF)
    told = len(mails(connection))

    page = officer.get("triage.reopen", reference=REF)
    assert "There is no charge for reopening" in page.words
    empty = officer.post("triage.reopen", {"seen": page.value("seen")}, status=422, reference=REF)
    assert empty.errors == ["Enter why the referral is being reopened"]
    form = {"seen": page.value("seen"), "reason": "It has come back"}
    officer.post("triage.reopen", form, reference=REF)

    row = fresh(session)
    assert (row.status, row.closure) == (Status.ALLOCATED, None)
    assert session.scalars(select(Allocation.ended_at)).all() == [None]
    assert len(session.scalars(select(LedgerEntry)).all()) == 1
    assert last_message(session, Action.REOPENED) == (
        "It has come back\nThere is no new fee: reopening a referral is not charged."
    )
    assert [mail["notice"] for mail in mails(connection)[told:]] == ["referral_reopened"] * 2
    again = officer.post("triage.reopen", form, status=422, reference=REF)
    assert again.errors == ["Only a closed referral can be reopened. Nothing has been changed now."]


def test_reopening_from_an_old_page_changes_nothing(session: Session, referral: Referral) -> None:
    referral.status = Status.CLOSED
    session.commit()
    seen = referral.version - 1
    session.rollback()
    with acting_as(OFFICER), pytest.raises(Stale), unit_of_work() as work:
        closing.reopen(work, REF, reason="x", seen=seen, by=OFFICER)


@pytest.mark.parametrize("endpoint", ["close", "reopen"])
@pytest.mark.parametrize("key", ["senco", "practitioner", "lead", "finance", "manager", "auditor"])
def test_nobody_but_an_officer_closes_or_reopens(
    client: Client, referral: Referral, endpoint: str, key: str
) -> None:
    client.sign_on(key).get(f"triage.{endpoint}", status=403, reference=REF)


@pytest.mark.parametrize("notice", ["referral_closed", "referral_reopened"])
def test_mail_has_the_reference_and_a_link(client: Client, notice: str) -> None:
    body = client.app.jinja_env.get_template(f"s2s/mail/{notice}.txt").render(
        reference=REF, school="Little Snoring", link="https://portal.example/s2s/x"
    )
    assert REF in body
    assert "https://portal.example/s2s/x" in body
