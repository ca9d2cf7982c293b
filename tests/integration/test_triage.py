"""An officer's decisions: who decides, once, on what was seen, with one charge."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from s2s_portal.database import unit_of_work
from s2s_portal.errors import AlreadyDecided, Refused, Stale
from s2s_portal.identity import acting_as
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.codes import UNDECIDED, UNSENT, Action, Status, Way
from s2s_portal.models.decision import Decision, DecisionReason
from s2s_portal.models.ledger import LedgerEntry
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import notices, triage
from s2s_portal.state import state
from tests import rows, world
from tests.client import Client, Page
from tests.conftest import migrated_database
from tests.deciding import EVERY_POINT, LEVEL, NO, YES
from tests.host import make_host
from tests.world import ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"
OFFICER = ACTORS["officer"]
STEP_ONE = {"step": "preview", "choice": "1", "checks": EVERY_POINT}
DECLINE: dict[str, Any] = {"way": Way.DECLINE, "code": "DECLINE_CRITERIA", "by": OFFICER}


@pytest.fixture
def referral(session: Session) -> Referral:
    """A referral that waits for a decision."""
    row = rows.referral(session, REF)
    session.commit()
    return row


def mails(connection: Connection) -> list[dict[str, Any]]:
    """What will be mailed: the arguments of each mail job, oldest first."""
    return list(connection.scalars(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id")))


def fresh(session: Session, reference: str = REF) -> Referral:
    """The referral as the database has it now."""
    session.expire_all()
    return session.scalars(select(Referral).where(Referral.reference == reference)).one()


def last_event(session: Session, row: Referral) -> ReferralEvent:
    query = select(ReferralEvent).where(ReferralEvent.referral_id == row.id)
    return session.scalars(query.order_by(ReferralEvent.id.desc()).limit(1)).one()


def charges(session: Session) -> list[LedgerEntry]:
    return list(session.scalars(select(LedgerEntry)))


def decision_of(session: Session, row: Referral) -> Decision:
    """The decision that the last event of `row` is."""
    return session.get_one(Decision, last_event(session, row).id)


def settled(page: Page) -> dict[str, str]:
    """What the page that shows the text sends on, unchanged."""
    return {name: page.value(name) for name in ("seen", "choice", "words", "message", "standard")}


def seen(page: Page) -> dict[str, str]:
    """The hidden field of a page that tells which version it was drawn from."""
    return {"seen": page.value("seen")}


# The referral -----------------------------------------------------------------------------------


def test_referral_shows_all_of_it_and_the_look_is_audited(
    client: Client, session: Session, referral: Referral
) -> None:
    page = client.sign_on("officer").get("triage.show", reference=REF)
    for words in (
        "£100: mainstream school",
        "Not charged",
        "Now and next board",
        "Referral started",
    ):
        assert words in page.words
    assert "=1+1 is <b>hard</b>" in page.words
    looked = session.scalars(
        select(AuditEntry).where(AuditEntry.action == "looked at", AuditEntry.entity_key == REF)
    ).one()
    assert (looked.by_id, looked.outcome) == ("officer", 200)


def test_referral_shows_notes_to_officers_only(
    client: Client, session: Session, referral: Referral
) -> None:
    client.sign_on("officer").post(
        "triage.accept", {**YES, "note": "Rang the head", "seen": "1"}, reference=REF
    )
    assert "Rang the head" in client.get("triage.show", reference=REF).words
    assert (
        "Charged to Little Snoring Invented Primary"
        in client.get("triage.show", reference=REF).words
    )


@pytest.mark.parametrize("endpoint", ["show", "accept", "decline", "return_for_information"])
@pytest.mark.parametrize("key", ["senco", "practitioner", "lead", "finance", "manager", "auditor"])
def test_nobody_but_an_officer_gets_in(
    client: Client, referral: Referral, endpoint: str, key: str
) -> None:
    client.sign_on(key).get(f"triage.{endpoint}", status=403, reference=REF)


@pytest.mark.parametrize("reference", ["S2S-19-XXXX", "nonsense", "S2S-19-7K4Q"])
def test_an_absent_referral_and_a_draft_look_the_same(
    client: Client, session: Session, reference: str
) -> None:
    rows.referral(session, "S2S-19-7K4Q", status=Status.DRAFT)
    session.commit()
    for endpoint in ("show", "accept", "close"):
        page = client.sign_on("officer").get(f"triage.{endpoint}", status=404, reference=reference)
        assert page.h1 == "Page not found"


# Accepting --------------------------------------------------------------------------------------


def test_accepting_shows_the_fee_first_then_charges_and_tells_the_school(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    page = client.sign_on("officer").get("triage.accept", reference=REF)
    assert (
        "£100 will be charged to Little Snoring Invented Primary as soon as you accept."
        " Why: £100: mainstream school, received 14 May 2019, MI Sheet 44/19." in page.words
    )
    done = client.post("triage.accept", {**YES, **seen(page), "note": "Clear need"}, reference=REF)
    assert "the school has been told" in client.follow(done).words
    row = fresh(session)
    assert row.status is Status.ACCEPTED
    happened = last_event(session, row)
    assert (happened.action, happened.by_id, happened.note) == (
        Action.ACCEPTED,
        "officer",
        "Clear need",
    )
    assert "Clear need" not in happened.message
    (charge,) = charges(session)
    assert (charge.amount_pence, charge.referral_reference, charge.recorded_by_id) == (
        10_000,
        REF,
        "officer",
    )
    assert charge.verdict == row.fee_verdict
    assert charge.terms_id == row.terms_id
    (mail,) = mails(connection)
    assert (mail["notice"], mail["address"]) == ("referral_accepted", "senco@school.example")
    assert mail["link"].endswith(f"/s2s/referrals/{REF}/")


def test_at_nothing_to_pay_nothing_is_posted_and_the_reason_is_said(
    client: Client, session: Session, referral: Referral
) -> None:
    referral.fee_pence = 0
    referral.fee_verdict = "£0: early years setting, received 14 May 2019, MI Sheet 44/19"
    session.commit()
    page = client.sign_on("officer").get("triage.accept", reference=REF)
    assert "Nothing will be charged. £0: early years setting" in page.words
    shown = client.post("triage.accept", {**seen(page), **STEP_ONE}, reference=REF, status=200)
    client.post("triage.accept", {**YES, **settled(shown)}, reference=REF)
    assert charges(session) == []
    assert "£0: early years setting" in last_event(session, fresh(session)).message


def test_a_button_pressed_twice_charges_once_and_says_so(
    client: Client, session: Session, referral: Referral
) -> None:
    form = {**YES, **seen(client.sign_on("officer").get("triage.accept", reference=REF))}
    client.post("triage.accept", form, reference=REF)
    again = client.post("triage.accept", form, status=422, reference=REF)
    assert again.errors == [
        "You accepted this referral on 14 May 2019 at midday. Nothing has been changed now."
    ]
    assert len(charges(session)) == 1
    assert (
        session.scalar(
            select(func.count())
            .select_from(ReferralEvent)
            .where(ReferralEvent.action == Action.ACCEPTED)
        )
        == 1
    )


def test_two_officers_the_second_is_told_who_decided_and_keeps_what_was_typed(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    form = seen(client.sign_on("officer").get("triage.decline", reference=REF))
    other = Client(client.app).sign_on("other-officer")
    other.post("triage.accept", {**YES, **form, "message": "Yes, gladly"}, reference=REF)
    told = len(mails(connection))
    late = client.post("triage.decline", {**NO, **form}, status=422, reference=REF)
    assert late.errors == [
        "Ravi Officer accepted this referral on 14 May 2019 at midday."
        " Nothing has been changed now."
    ]
    assert late.value("message") == NO["message"]
    assert late.value("words") == NO["words"]
    assert late.document.xpath("//input[@name='choice'][@value='DECLINE_CAPACITY']")
    assert "Yes, gladly" in late.words, "both versions are on the page"
    row = fresh(session)
    assert row.status is Status.ACCEPTED
    assert decision_of(session, row).reason_id is None
    assert len(mails(connection)) == told


def test_a_page_drawn_before_the_school_sent_again_decides_nothing_yet(
    client: Client, session: Session, referral: Referral
) -> None:
    form = seen(client.sign_on("officer").get("triage.accept", reference=REF))
    referral.visit_notes = "Changed and sent again"
    session.commit()
    late = client.post("triage.accept", {**YES, **form, "note": "Fine"}, status=422, reference=REF)
    assert "has changed since you opened this page" in late.errors[0]
    assert late.value("note") == "Fine"
    assert charges(session) == []
    client.post("triage.accept", {**YES, **seen(late), "note": late.value("note")}, reference=REF)
    assert fresh(session).status is Status.ACCEPTED


def test_officers_at_the_same_instant_one_decides_and_one_is_told(server_url: str) -> None:
    """Real transactions, in threads, in a database of their own: nothing here is rolled back."""
    url = migrated_database(server_url, f"s2s_test_{os.getpid()}_race")
    engine = create_engine(url)
    references = ["S2S-19-7K43", "S2S-19-7K44", "S2S-19-7K46", "S2S-19-7K47"]
    with Session(engine) as session, session.begin():
        session.add_all(world.establishments())
        session.flush()
        for reference in references:
            rows.referral(session, reference)
    app = make_host(url, dict(ACTORS))
    people = [Client(app).sign_on(key) for key in ("officer", "other-officer", "officer")]
    try:
        for reference in references:
            start = threading.Barrier(len(people))
            with ThreadPoolExecutor(len(people)) as pool:
                answers = [pool.submit(_race, who, reference, start) for who in people]
            assert sorted(answer.result() for answer in answers) == [302, 422, 422]
        with Session(engine) as session:
            assert len(charges(session)) == len(references)
            assert set(session.scalars(select(Referral.status))) == {Status.ACCEPTED}
    finally:
        with app.app_context():
            state().engine.dispose()
        engine.dispose()
        server = create_engine(server_url, isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            name = make_url(url).database
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        server.dispose()


def _race(who: Client, reference: str, start: threading.Barrier) -> int:
    path = who.url("triage.accept", reference=reference)
    start.wait(timeout=20)
    return who.open(
        path, method="POST", data={"csrf_token": who.token, "seen": "1", **YES}
    ).status_code


@pytest.mark.parametrize("nonsense", ["", "x", "-1", "٣", "9" * 50])
def test_a_version_that_is_none_decides_nothing(
    client: Client, session: Session, referral: Referral, nonsense: str
) -> None:
    client.sign_on("officer").post(
        "triage.accept", {**YES, "seen": nonsense}, status=422, reference=REF
    )
    assert fresh(session).status is Status.SUBMITTED


def test_a_charge_that_fails_leaves_the_referral_undecided(
    session: Session,
    connection: Connection,
    referral: Referral,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise Refused("The lines of a ledger entry must sum to nothing.")

    monkeypatch.setattr(triage.referrals, "record", fail)
    with acting_as(OFFICER), pytest.raises(Refused), unit_of_work() as work:
        triage.accept(work, REF, seen=referral.version, **LEVEL, by=OFFICER)
    assert fresh(session).status is Status.SUBMITTED
    assert charges(session) == []
    assert mails(connection) == []


@pytest.mark.parametrize("status", [s for s in Status if s not in UNSENT | UNDECIDED])
def test_only_what_waits_can_be_decided(client: Client, session: Session, status: Status) -> None:
    row = rows.referral(session, REF, status=status)
    session.commit()
    client.sign_on("officer")
    for endpoint in ("accept", "decline", "advise", "redirect", "wait", "return_for_information"):
        page = client.get(f"triage.{endpoint}", status=409, reference=REF)
        assert page.h1 == "This can no longer be done"
    session.rollback()
    with acting_as(OFFICER), pytest.raises(AlreadyDecided), unit_of_work() as work:
        triage.accept(work, REF, seen=row.version, **LEVEL, by=OFFICER)


# Declining and returning ------------------------------------------------------------------------


def test_declining_needs_a_reason_and_words_for_the_school(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    page = client.sign_on("officer").get("triage.decline", reference=REF)
    refused = client.post(
        "triage.decline", {**seen(page), "note": "kept"}, status=422, reference=REF
    )
    assert refused.errors == [
        "Choose why you are declining the referral",
        "Enter what you want to tell the school",
    ]
    assert refused.value("note") == "kept"
    form = {**NO, **seen(page), "note": "n"}
    refused = client.post("triage.decline", {**form, "choice": "X"}, status=422, reference=REF)
    assert refused.errors == ["Choose why you are declining the referral"]
    client.post("triage.decline", form, reference=REF)
    row = fresh(session)
    assert row.status is Status.DECLINED
    reason = session.get_one(DecisionReason, decision_of(session, row).reason_id)
    assert (reason.way, reason.code) == (Way.DECLINE, "DECLINE_CAPACITY")
    happened = last_event(session, row)
    assert happened.message == NO["message"]
    assert happened.note == "n"
    assert charges(session) == []
    assert [mail["notice"] for mail in mails(connection)] == ["referral_declined"]
    assert "We are full until June" in client.get("triage.show", reference=REF).words


def test_returning_gives_it_back_to_the_school_with_what_is_asked(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    page = client.sign_on("officer").get("triage.return_for_information", reference=REF)
    refused = client.post(
        "triage.return_for_information",
        {**seen(page), "message": "Do look"},
        status=422,
        reference=REF,
    )
    assert refused.errors == ["Choose at least one section that the school is to change"]
    form = {**seen(page), "sections": ["needs", "tried"], "question_tried": "The plan"}
    refused = client.post("triage.return_for_information", form, status=422, reference=REF)
    assert refused.errors == ["Enter what you need in “Needs”"]
    assert refused.value("question_tried") == "The plan"
    form |= {"question_needs": "Which is the first?", "message": "Two things"}
    client.post("triage.return_for_information", form, reference=REF)
    row = fresh(session)
    assert row.status is Status.RETURNED
    assert row.due_on is None, "while it is with the school the clock stands still"
    assert last_event(session, row).message == "Two things"
    shown = client.get("triage.show", reference=REF).words
    assert "Needs: Which is the first?" in shown
    assert "What you have tried: The plan" in shown
    assert charges(session) == []
    assert [mail["notice"] for mail in mails(connection)] == ["referral_returned"]
    late = client.post("triage.accept", {**YES, **seen(page)}, status=422, reference=REF)
    assert late.errors[0].startswith("You sent this referral back to the school")


def test_a_service_refuses_without_words_for_the_school(
    session: Session, referral: Referral
) -> None:
    with (
        acting_as(OFFICER),
        pytest.raises(Refused, match="tell the school"),
        unit_of_work() as work,
    ):
        triage.decide(work, REF, seen=referral.version, message=" ", **DECLINE)
    with acting_as(OFFICER), pytest.raises(Stale), unit_of_work() as work:
        triage.decide(work, REF, seen=99, message="No", **DECLINE)


@pytest.mark.parametrize(
    "notice", [key for key in notices.SUBJECTS if key.startswith(("referral_", "answer_"))]
)
def test_mail_has_the_reference_and_a_link_and_nothing_of_a_child(
    client: Client, notice: str
) -> None:
    body = client.app.jinja_env.get_template(f"s2s/mail/{notice}.txt").render(
        reference=REF, school="Little Snoring & Co", link="https://portal.example/s2s/x"
    )
    assert REF in body
    assert "Little Snoring & Co" in body
    assert "https://portal.example/s2s/x" in body
    assert not {"pupil", "child", "need:"} & set(body.lower().split())
