"""A referral taken back, and agreement withdrawn: what happens at each stage, and what stops."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder, Refused, Stale
from s2s_portal.identity import acting_as
from s2s_portal.models.change import AgreementWithdrawal
from s2s_portal.models.codes import Kind, Status, Withdrawal
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit, VisitKind, VisitRecord
from s2s_portal.services import evaluation, records, referrals, visits, withdrawing
from s2s_portal.services.record_answers import answers_of
from s2s_portal.services.withdrawing import Stage
from tests import rows
from tests.client import Client, Page
from tests.world import ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"
SENCO, OFFICER, PRACTITIONER = ACTORS["senco"], ACTORS["officer"], ACTORS["practitioner"]
NEVER = "Nothing has been charged, and nothing will be."
STAYS = "It stays charged unless Finance waives it: withdrawing does not give it back."
FREE = "There is no fee for this referral, so nothing has been charged."


def sent(session: Session, status: Status, *, visit: timedelta | None = None) -> Referral:
    """A referral in one state, with a practitioner and a visit so long from now if it has one."""
    referral = rows.referral(session, REF, status=status)
    if status in {Status.ALLOCATED, Status.CLOSED, Status.WITHDRAWN}:
        made = rows.allocation(session, referral, "practitioner")
        if visit is not None:
            booked(session, referral, made, clock.now() + visit)
    session.commit()
    return referral


def booked(session: Session, referral: Referral, made: Allocation, at: datetime) -> None:
    session.add(
        Visit(
            referral_id=referral.id,
            number=1,
            allocation_id=made.id,
            practitioner_id=made.practitioner_id,
            kind=VisitKind.OBSERVATION,
            starts_at=at,
            ends_at=at + timedelta(hours=1),
            booked_by_id="practitioner",
            booked_by_name="Pat Practitioner",
        )
    )
    session.flush()


def fresh(session: Session) -> Referral:
    session.rollback()
    session.expire_all()
    return session.scalars(select(Referral).where(Referral.reference == REF)).one()


def mails(connection: Connection) -> list[dict[str, Any]]:
    return list(connection.scalars(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id")))


def withdraw(client: Client, *, status: int = 302, **form: Any) -> Page:
    page = client.sign_on("senco").get("referrals.withdraw", reference=REF)
    form = {"seen": page.value("seen"), "reason": "MOVED_SCHOOL"} | form
    return client.post("referrals.withdraw", form, reference=REF, status=status)


def no_longer_agreed(client: Client, key: str = "senco", *, status: int = 302, **form: Any) -> Page:
    endpoint = f"{'triage' if key == 'officer' else 'referrals'}.agreement_withdrawn"
    page = client.sign_on(key).get(endpoint, reference=REF)
    form = {
        "seen": page.value("seen"),
        "withdrawn_by": "A. Canary-Ólafsdóttir, mother",
        "told_to": "Hana Head",
        "told_on": ["13", "5", "2019"],
    } | form
    return client.post(endpoint, form, reference=REF, status=status)


# Status, when the visit begins from now, fee -> stage, what becomes of the fee, who is told.
BY_STAGE = {
    "to be decided": (Status.SUBMITTED, None, 10_000, Stage.UNDECIDED, NEVER, 0),
    "returned": (Status.RETURNED, None, 10_000, Stage.UNDECIDED, NEVER, 0),
    "accepted": (Status.ACCEPTED, None, 10_000, Stage.ACCEPTED, STAYS, 0),
    "accepted, free": (Status.ACCEPTED, None, 0, Stage.ACCEPTED, FREE, 0),
    "with a practitioner": (Status.ALLOCATED, None, 10_000, Stage.ALLOCATED, STAYS, 2),
    "visit booked": (Status.ALLOCATED, timedelta(1), 10_000, Stage.ALLOCATED, STAYS, 2),
    "visit begun": (Status.ALLOCATED, timedelta(0), 10_000, Stage.VISITED, STAYS, 2),
    "visited, free": (Status.ALLOCATED, timedelta(-1), 0, Stage.VISITED, FREE, 2),
}


@pytest.mark.parametrize("name", BY_STAGE)
def test_each_stage_says_what_becomes_of_the_fee_first_and_then_ends(
    client: Client, session: Session, connection: Connection, name: str
) -> None:
    status, visit, pence, stage, fee, providers = BY_STAGE[name]
    sent(session, status, visit=visit).fee_pence = pence
    session.commit()
    page = client.sign_on("senco").get("referrals.withdraw", reference=REF)
    assert fee in page.words
    assert page.words.index(fee) < page.words.index("Why are you withdrawing it?")
    for line in withdrawing.REST[stage]:
        assert line in page.words
    withdraw(client, message="They moved in April")
    referral = fresh(session)
    assert (referral.status, referral.withdrawal) == (Status.WITHDRAWN, Withdrawal.MOVED_SCHOOL)
    assert referral.due_on is None
    told = mails(connection)
    assert {mail["notice"] for mail in told} == {"referral_withdrawn"}
    assert [bool(m.get("practitioner_id") or m.get("provider_urn")) for m in told].count(
        True
    ) == providers
    assert "Canary" not in str(told)
    shown = client.get("referrals.show", reference=REF)
    assert "Withdrawn" in shown.all("//strong[contains(@class,'govuk-tag')]")
    assert "They moved in April" in shown.words
    assert fee in shown.words
    session.rollback()


@pytest.mark.parametrize("status", [Status.DECLINED, Status.CLOSED, Status.WITHDRAWN])
def test_what_has_ended_is_not_withdrawn(client: Client, session: Session, status: Status) -> None:
    sent(session, status)
    client.sign_on("senco").get("referrals.withdraw", reference=REF, status=409)
    client.get("referrals.agreement_withdrawn", reference=REF, status=409)
    form = {"reason": "MOVED_SCHOOL", "seen": "1"}
    client.post("referrals.withdraw", form, reference=REF, status=422)
    assert fresh(session).status is status


def test_a_reason_is_needed_and_another_reason_needs_words(
    client: Client, session: Session
) -> None:
    sent(session, Status.SUBMITTED)
    refused = withdraw(client, status=422, reason="", message="Sorry")
    assert refused.errors == ["Choose why you are withdrawing the referral"]
    assert refused.value("message") == "Sorry"
    refused = withdraw(client, status=422, reason="WITHDRAWN_SCHOOL")
    assert refused.errors == ["Enter why you are withdrawing the referral"]
    page = withdraw(client, reason="WITHDRAWN_PARENT")
    assert page.location.endswith("/agreement-withdrawn")
    assert fresh(session).status is Status.SUBMITTED


def test_a_page_from_before_the_acceptance_withdraws_nothing_yet(
    client: Client, session: Session
) -> None:
    """The effect on the fee must have been seen as it is."""
    referral = sent(session, Status.SUBMITTED)
    page = client.sign_on("senco").get("referrals.withdraw", reference=REF)
    referral.status = Status.ACCEPTED
    session.commit()
    form = {"seen": page.value("seen"), "reason": "MOVED_SCHOOL"}
    late = client.post("referrals.withdraw", form, reference=REF, status=422)
    assert late.errors[0].startswith("This referral has changed")
    assert STAYS in late.words
    client.post("referrals.withdraw", form | {"seen": late.value("seen")}, reference=REF)
    assert fresh(session).status is Status.WITHDRAWN


def test_a_button_pressed_twice_withdraws_once(
    client: Client, session: Session, connection: Connection
) -> None:
    sent(session, Status.SUBMITTED)
    page = client.sign_on("senco").get("referrals.withdraw", reference=REF)
    form = {"seen": page.value("seen"), "reason": "MOVED_SCHOOL"}
    client.post("referrals.withdraw", form, reference=REF)
    again = client.post("referrals.withdraw", form, reference=REF, status=422)
    assert "already been withdrawn" in again.errors[0]
    assert len(mails(connection)) == 1


def test_nobody_visits_or_begins_a_record_and_issued_ones_stay(
    client: Client, session: Session
) -> None:
    referral = rows.referral(session, REF, status=Status.ALLOCATED)
    made = rows.allocation(session, referral, "practitioner")
    rows.visit(session, referral, made, 1, issued=True)
    session.commit()
    with clock.frozen(date(2019, 6, 20)):
        withdraw(client)
        client.sign_on("practitioner").get("visits.book", reference=REF, status=409)
        page = client.get("visits.show", reference=REF)
        assert "This referral has been withdrawn" in page.words
        assert "Book a visit" not in page.words
        client.get("visits.outcomes", reference=REF, status=409)
        for key in ("practitioner", "lead", "senco", "officer"):
            client.sign_on(key).get("visits.read", reference=REF, number=1)
        with acting_as(PRACTITIONER), pytest.raises(OutOfOrder), unit_of_work() as work:
            visits.book(
                work,
                REF,
                kind=VisitKind.OBSERVATION,
                day=date(2019, 7, 1),
                starts=time(9),
                ends=time(10),
                by=PRACTITIONER,
            )


def test_the_database_books_no_visit_for_what_is_withdrawn(session: Session) -> None:
    referral = sent(session, Status.ALLOCATED)
    made = session.scalars(select(Allocation)).one()
    about = (referral.id, made.id, made.practitioner_id)
    visit = text(
        "INSERT INTO s2s.visit (referral_id, allocation_id, practitioner_id, number, kind,"
        " starts_at, ends_at, note, booked_at, booked_by_id, booked_by_name)"
        f" VALUES ({about[0]}, {about[1]}, {about[2]}, 7, 'OBS', now(), now() + interval '1 hour',"
        " '', now(), 'practitioner', 'Pat')"
    )
    session.rollback()
    with acting_as(PRACTITIONER):
        assert session.execute(visit).rowcount == 1
        session.rollback()
    fresh(session).status = Status.WITHDRAWN
    session.commit()
    with acting_as(PRACTITIONER), pytest.raises(DBAPIError, match="row-level security"):
        session.execute(visit)
    session.rollback()


@pytest.mark.parametrize(("agreement", "finished"), [(False, True), (True, False)])
def test_a_draft_may_be_finished_unless_the_agreement_is_gone(
    client: Client, session: Session, agreement: bool, finished: bool
) -> None:
    referral = rows.referral(session, REF, status=Status.ALLOCATED)
    made = rows.allocation(session, referral, "practitioner")
    record = rows.visit(session, referral, made, 1, issued=False)
    record.people_met, record.discussed, record.pupil_seen = "SENCo", "Mornings", True
    session.execute(text("UPDATE s2s.recommendation SET by_when = '2019-07-01'"))
    session.commit()
    with clock.frozen(date(2019, 6, 20)):
        (no_longer_agreed if agreement else withdraw)(client)
        page = client.sign_on("practitioner").get("visits.show", reference=REF)
        assert ("Finish the record" in page.words) is finished
        session.rollback()
        with acting_as(PRACTITIONER):
            try:
                with unit_of_work() as work:
                    visit = visits.get(REF, 1)
                    draft = records.of_visit(visit)
                    records.save(
                        work, visit, answers=answers_of(draft), seen=draft.version, by=PRACTITIONER
                    )
                    records.issue(work, visit, seen=draft.version, by=PRACTITIONER)
                issued = True
            except OutOfOrder:
                issued = False
            session.rollback()
        assert issued is finished
        session.expire_all()
        assert (session.scalars(select(VisitRecord)).one().issued_at is not None) is finished


def test_a_booked_visit_that_does_not_take_place_blocks_no_other(
    client: Client, session: Session
) -> None:
    sent(session, Status.ALLOCATED, visit=timedelta(days=1))
    other = rows.referral(session, "S2S-19-7K4Q", status=Status.ALLOCATED)
    rows.allocation(session, other, "practitioner")
    session.commit()
    withdraw(client)
    session.rollback()
    assert "this visit does not take place" in client.get("referrals.show", reference=REF).words
    with acting_as(PRACTITIONER), unit_of_work() as work:
        visits.book(
            work,
            "S2S-19-7K4Q",
            kind=VisitKind.OBSERVATION,
            day=date(2019, 5, 15),
            starts=time(12),
            ends=time(13),
            by=PRACTITIONER,
        )


@pytest.mark.parametrize("key", ["senco", "officer"])
def test_agreement_withdrawn_stops_it_tells_everybody_and_erases_nothing(
    client: Client,
    session: Session,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
) -> None:
    monkeypatch.setitem(client.app.config, "S2S_OFFICER_MAILBOX", "officers@council.example")
    sent(session, Status.ALLOCATED)
    page = no_longer_agreed(client, key, comment="By telephone")
    shown = client.follow(page)
    for words in ("A. Canary-Ólafsdóttir, mother told Hana Head on 13 May 2019", "By telephone"):
        assert words in shown.words
    told = mails(connection)
    assert {mail["notice"] for mail in told} == {"referral_agreement_withdrawn"}
    assert [mail.get("address") for mail in told[:2]] == [
        "senco@school.example",
        "officers@council.example",
    ]
    assert told[2]["practitioner_id"]
    assert told[3]["provider_urn"]
    assert "Canary" not in str(told)
    referral = fresh(session)
    assert (referral.status, referral.withdrawal) == (Status.WITHDRAWN, Withdrawal.AGREEMENT)
    written = session.scalars(select(AgreementWithdrawal)).one()
    assert (written.by_id, written.told_on) == (key, date(2019, 5, 13))
    whole = client.sign_on("senco").get("referrals.show", reference=REF)
    assert "Zosia" in whole.words, "nothing is erased"
    client.sign_on("practitioner").get("visits.book", reference=REF, status=409)


def test_agreement_withdrawn_wants_who_whom_and_when(client: Client, session: Session) -> None:
    sent(session, Status.SUBMITTED)
    refused = no_longer_agreed(
        client, status=422, withdrawn_by="", told_to="", told_on=["", "", ""]
    )
    assert refused.errors == [
        "Enter who no longer agrees",
        "Enter whom they told",
        "Enter the day they said so",
    ]
    refused = no_longer_agreed(client, status=422, told_on=["15", "5", "2019"])
    assert refused.errors == ["The day they said so must be today or in the past"]
    assert refused.value("told_to") == "Hana Head"


def test_a_group_has_no_one_agreement(client: Client, session: Session) -> None:
    sent(session, Status.SUBMITTED).kind = Kind.GROUP
    session.commit()
    client.sign_on("senco").get("referrals.agreement_withdrawn", reference=REF, status=422)
    assert "no longer agrees" not in client.get("referrals.show", reference=REF).words


def test_another_school_withdraws_nothing(session: Session) -> None:
    sent(session, Status.ALLOCATED)
    seen = fresh(session).version
    session.rollback()
    told = {"withdrawn_by": "x", "told_to": "x", "told_on": date(2019, 5, 1), "seen": seen}
    for key in ("other-senco", "finance"):
        actor = ACTORS[key]
        with acting_as(actor), pytest.raises(NotFound), unit_of_work() as work:
            withdrawing.withdraw(work, REF, reason=Withdrawal.MISTAKE, seen=seen, by=actor)
        with acting_as(actor), pytest.raises(NotFound), unit_of_work() as work:
            withdrawing.withdraw_agreement(work, REF, by=actor, **told)
    with acting_as(OFFICER), pytest.raises(NotFound), unit_of_work() as work:
        withdrawing.withdraw(work, REF, reason=Withdrawal.MISTAKE, seen=seen, by=OFFICER)
    with acting_as(SENCO), pytest.raises(Stale), unit_of_work() as work:
        withdrawing.withdraw(work, REF, reason=Withdrawal.MISTAKE, seen=99, by=SENCO)
    with acting_as(SENCO), pytest.raises(Refused), unit_of_work() as work:
        withdrawing.withdraw(work, REF, reason=Withdrawal.AGREEMENT, seen=seen, by=SENCO)
    with acting_as(PRACTITIONER), pytest.raises(NotFound), unit_of_work() as work:
        withdrawing.withdraw_agreement(work, REF, by=PRACTITIONER, **told)
    assert fresh(session).status is Status.ALLOCATED
    assert session.scalar(select(func.count()).select_from(AgreementWithdrawal)) == 0


def test_the_worklist_and_the_figures_count_it(client: Client, session: Session) -> None:
    sent(session, Status.SUBMITTED)
    withdraw(client)
    path = client.sign_on("officer").url("triage.index") + "?status=withdrawn"
    assert REF in client.fetch("GET", path).words
    session.rollback()
    figures = {figure.name: figure.value for figure in evaluation.of_year("2019/20").figures}
    assert (figures["Withdrawn"], figures["Accepted"], figures["Still waiting"]) == ("1", "0", "0")


def test_the_history_leads_to_the_stored_status(client: Client, session: Session) -> None:
    sent(session, Status.SUBMITTED)
    no_longer_agreed(client)
    session.rollback()
    whole = referrals.get(REF, whole=True)
    assert referrals.derived_status(whole.events) is Status.WITHDRAWN
    assert "officers" not in str(whole.events[-1].message)


@pytest.mark.parametrize("notice", ["withdrawn", "agreement_withdrawn", "amended"])
def test_the_mail_says_what_happens_next_and_nothing_of_a_child(
    client: Client, notice: str
) -> None:
    body = client.app.jinja_env.get_template(f"s2s/mail/referral_{notice}.txt").render(
        reference=REF, school="O'Brien & Łukasz School", link="https://portal.example/s2s/x"
    )
    for part in (REF, "O'Brien & Łukasz School", "https://portal.example/s2s/x", "happens next"):
        assert part in body
    assert not {"pupil", "child", "parent", "mother"} & set(body.lower().split())
