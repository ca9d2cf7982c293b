"""Sending a referral: once, complete, with the day's terms frozen; and what the school sees."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import date, datetime

import pytest
from flask import Flask, render_template
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from s2s_portal import clock, jobs
from s2s_portal.database import unit_of_work
from s2s_portal.errors import ConsentMissing, Incomplete, NotFound, Refused
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.answer import Agreement
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import referrals, submission
from s2s_portal.state import state
from tests import answers, rows, world
from tests.client import Client
from tests.conftest import migrated_database
from tests.host import make_host

pytestmark = pytest.mark.usefixtures("may_2019")
WORDS = "£100: mainstream school, received 14 May 2019, MI Sheet 44/19"


@pytest.fixture
def senco(client: Client, session: Session) -> Client:
    return client.sign_on("senco")


def row(session: Session, reference: str) -> Referral:
    session.commit()
    session.expire_all()
    return session.scalars(select(Referral).where(Referral.reference == reference)).one()


def actions(session: Session, reference: str) -> list[Action]:
    referral = row(session, reference)
    return list(
        session.scalars(
            select(ReferralEvent.action)
            .where(ReferralEvent.referral_id == referral.id)
            .order_by(ReferralEvent.id)
        )
    )


def send_back(session: Session, reference: str, question: str) -> None:
    """The officer returns the referral."""
    row(session, reference)
    with unit_of_work() as work:
        referral = referrals.get(reference, lock=True)
        referrals.record(work, referral, Action.RETURNED, by=SYSTEM, message=question, note="n")


def mails(session: Session) -> list[dict[str, object]]:
    return list(
        session.scalars(
            text("SELECT args FROM s2s.procrastinate_jobs WHERE task_name = :name ORDER BY id"),
            {"name": jobs.SEND_MAIL},
        )
    )


def test_the_whole_way_to_a_confirmation(senco: Client, session: Session) -> None:
    reference = answers.complete(senco)
    check = senco.get("referrals.check", reference=reference)
    assert WORDS in check.words
    assert "Still to be completed" not in check.words
    page = senco.post("referrals.submit", {"token": check.value("token")}, reference=reference)
    confirmation = senco.follow(page)
    assert confirmation.h1 == "Referral sent"
    assert reference in confirmation.words
    assert WORDS in confirmation.words
    assert "Canary" not in confirmation.text
    again = senco.get("referrals.submitted", reference=reference)
    assert again.h1 == "Referral sent"
    sent = row(session, reference)
    assert sent.status is Status.SUBMITTED
    assert sent.received_on == date(2019, 5, 14)
    assert sent.fee_pence == 10_000
    assert sent.fee_verdict == WORDS
    assert sent.school_name == "Little Snoring Invented Primary"
    assert sent.declared_by == "Hana Head"
    assert WORDS in sent.declaration
    assert actions(session, reference) == [Action.STARTED, Action.SUBMITTED]


def test_the_mail_goes_to_the_contact_and_says_nothing_about_a_child(
    senco: Client, session: Session
) -> None:
    reference = answers.submitted(senco)
    (mail,) = mails(session)
    assert mail["notice"] == "referral_submitted"
    assert mail["address"] == "senco@school.example"
    assert mail["link"].endswith(f"/s2s/referrals/{reference}/")
    assert "Canary" not in str(mail)
    assert "Zosia" not in str(mail)


@pytest.mark.parametrize("notice", ["referral_submitted", "referral_resubmitted"])
def test_the_words_of_the_mail(app: object, notice: str) -> None:
    body = render_template(
        f"s2s/mail/{notice}.txt",
        reference="S2S-19-7K4P",
        school="O'Brien & Łukasz School",
        link="https://portal.example/s2s/referrals/S2S-19-7K4P/",
    )
    assert "S2S-19-7K4P" in body
    assert "O'Brien & Łukasz School" in body
    assert "https://portal.example/s2s/referrals/S2S-19-7K4P/" in body
    assert "What happens next" in body


def test_double_click_back_and_two_tabs_make_one_submission(
    senco: Client, session: Session
) -> None:
    reference = answers.complete(senco)
    first, second = answers.token(senco, reference), answers.token(senco, reference)
    assert first != second
    places = [
        senco.post("referrals.submit", {"token": token}, reference=reference).location
        for token in (first, first, second)
    ]
    assert len(set(places)) == 1
    assert actions(session, reference).count(Action.SUBMITTED) == 1
    assert len(mails(session)) == 1


def test_a_press_after_the_decision_shows_the_confirmation(senco: Client, session: Session) -> None:
    reference = answers.complete(senco)
    token = answers.token(senco, reference)
    senco.post("referrals.submit", {"token": token}, reference=reference)
    row(session, reference)
    with unit_of_work() as work:
        referrals.record(work, referrals.get(reference), Action.ACCEPTED, by=SYSTEM)
    page = senco.follow(senco.post("referrals.submit", {"token": token}, reference=reference))
    assert page.h1 == "Referral sent"
    assert actions(session, reference).count(Action.SUBMITTED) == 1


@pytest.fixture
def lively_host(server_url: str) -> Iterator[Flask]:
    """A host on a database of its own, where several transactions really run at once."""
    url = migrated_database(server_url, f"s2s_submission_{os.getpid()}")
    engine = create_engine(url)
    with Session(engine) as rows_session, rows_session.begin():
        rows_session.add_all(world.establishments())
    host = make_host(url, dict(world.ACTORS))
    yield host
    with host.app_context():
        state().engine.dispose()
    with create_engine(server_url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f'DROP DATABASE "{engine.url.database}" WITH (FORCE)'))
    engine.dispose()


def test_presses_at_the_same_moment_make_one_submission(lively_host: Flask) -> None:
    """The second transaction waits for the first one's lock, then finds the referral sent."""
    reference = "S2S-19-RCYC"
    senco = world.ACTORS["senco"]
    with lively_host.app_context(), acting_as(SYSTEM):
        made = rows.referral(state().session(), reference, status=Status.DRAFT)
        made.answered = {key: {"at": "x", "by": "Sam", "pence": 10_000} for key in answers.SECTIONS}
        state().session().commit()
    results: list[object] = []
    ready = threading.Barrier(4)

    def press(token: str) -> None:
        noon = datetime.fromisoformat("2019-05-14T12:00:00+01:00")
        with lively_host.test_request_context(), clock.frozen(noon), acting_as(senco):
            ready.wait()
            try:
                with unit_of_work() as work:
                    submission.submit(work, reference, token=token * 20, by=senco)
                results.append("sent")
            except Exception as error:  # shown by the assertion below
                results.append(error)

    threads = [threading.Thread(target=press, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["sent"] * 4
    with lively_host.app_context(), acting_as(SYSTEM):
        assert actions(state().session(), reference) == [Action.STARTED, Action.SUBMITTED]
        assert len(mails(state().session())) == 1


def test_an_incomplete_referral_is_not_sent(senco: Client, session: Session) -> None:
    reference = answers.start(senco, None)
    page = senco.get("referrals.check", reference=reference)
    assert "Still to be completed" in page.words
    assert not page.all("//button[contains(., 'Send the referral')]")
    page = senco.post("referrals.submit", {"token": "t" * 30}, reference=reference, status=422)
    assert page.errors == ["Complete every section before you send the referral."]
    assert row(session, reference).status is Status.DRAFT


def test_missing_names_the_sections(senco: Client, session: Session) -> None:
    reference = answers.complete(senco)
    row(session, reference)
    referral = referrals.get(reference, whole=True)
    assert submission.missing(referral) == []
    referral.answered = {k: v for k, v in referral.answered.items() if k != "tried"}
    assert submission.missing(referral) == ["tried"]
    session.commit()


def test_a_named_pupil_without_agreement_is_not_sent(senco: Client, session: Session) -> None:
    reference = answers.complete(senco)
    answers.save(senco, reference, "consent", agreed="no")
    page = senco.post("referrals.submit", {"token": "t" * 30}, reference=reference, status=422)
    assert "needs the agreement of a parent or carer" in page.errors[0]
    assert row(session, reference).status is Status.DRAFT
    with pytest.raises(ConsentMissing), unit_of_work() as work:
        submission.submit(work, reference, token="t" * 30, by=world.ACTORS["senco"])


def test_agreement_is_asked_for_even_when_the_section_claims_to_be_done(
    senco: Client, session: Session
) -> None:
    reference = answers.complete(senco)
    referral = row(session, reference)
    agreement = session.get(Agreement, referral.id)
    assert agreement.privacy_notice == "2019-04"
    session.delete(agreement)
    session.commit()
    with pytest.raises(ConsentMissing), unit_of_work() as work:
        submission.submit(work, reference, token="t" * 30, by=world.ACTORS["senco"])


def test_a_school_that_closed_since_may_not_send(senco: Client, session: Session) -> None:
    reference = answers.complete(senco)
    row(session, reference)
    session.get(Establishment, world.SCHOOL).status_code = 2
    session.commit()
    page = senco.post("referrals.submit", {"token": "t" * 30}, reference=reference, status=422)
    assert "has closed" in page.errors[0]
    assert row(session, reference).status is Status.DRAFT


@pytest.mark.parametrize("token", ["", "short", "x" * 65, "x" * 20 + "\x00", "<script>" * 3])
def test_a_token_that_is_none_is_refused(senco: Client, session: Session, token: str) -> None:
    reference = answers.complete(senco)
    senco.post("referrals.submit", {"token": token}, reference=reference, status=422)
    assert row(session, reference).status is Status.DRAFT


def test_a_token_used_for_another_referral_is_refused(senco: Client, session: Session) -> None:
    first = answers.complete(senco)
    token = answers.token(senco, first)
    senco.post("referrals.submit", {"token": token}, reference=first)
    second = answers.complete(senco)
    page = senco.post("referrals.submit", {"token": token}, reference=second, status=422)
    assert page.errors == ["This referral has already been sent."]
    assert row(session, second).status is Status.DRAFT


def test_another_school_and_nobody_at_all_look_the_same(client: Client, session: Session) -> None:
    reference = answers.complete(client.sign_on("senco"))
    client.sign_on("other-senco")
    pages = []
    for wanted in (reference, "S2S-19-XXXX", "nonsense", "S2S-19-XX%00"):
        for endpoint in ("referrals.show", "referrals.check", "referrals.submitted"):
            pages.append(client.get(endpoint, reference=wanted, status=404))
        for section in answers.SECTIONS:
            where = {"reference": wanted, "section": section}
            pages.append(client.get("referrals.section", status=404, **where))
            pages.append(
                client.post("referrals.section", answers.SECTIONS[section], status=404, **where)
            )
        pages.append(
            client.post("referrals.submit", {"token": "t" * 30}, reference=wanted, status=404)
        )
    assert len({page.words for page in pages}) == 1
    assert row(session, reference).status is Status.DRAFT


def test_the_service_itself_minds_whose_referral_it_is(senco: Client, session: Session) -> None:
    reference = answers.complete(senco)
    row(session, reference)
    with pytest.raises(NotFound), unit_of_work() as work:
        submission.submit(work, reference, token="t" * 30, by=world.ACTORS["other-senco"])


@pytest.mark.parametrize("who", ["officer", "practitioner", "lead", "finance", "auditor"])
def test_who_is_no_school_has_no_business_here(client: Client, session: Session, who: str) -> None:
    reference = answers.submitted(client.sign_on("senco"))
    client.sign_on(who)
    client.get("referrals.show", reference=reference, status=403)
    client.post("referrals.submit", {"token": "t" * 30}, reference=reference, status=403)


def test_returned_changed_and_sent_again_keeps_the_first_fee(
    client: Client, session: Session
) -> None:
    senco = client.sign_on("senco")
    reference = answers.complete(senco)
    old = answers.token(senco, reference)
    senco.post("referrals.submit", {"token": old}, reference=reference)
    send_back(session, reference, "Which strategies\nwere used at lunch?")
    with clock.frozen(date(2019, 9, 20)):
        page = senco.get("referrals.show", reference=reference)
        assert "Which strategies" in page.words
        assert "were used at lunch?" in page.words
        stale = senco.post("referrals.submit", {"token": old}, reference=reference, status=422)
        assert "before the council asked for more information" in stale.errors[0]
        page = answers.save(senco, reference, "support", reason="Lunch, above all")
        assert page.location.endswith("/check")
        check = senco.get("referrals.check", reference=reference)
        assert WORDS in check.words
        senco.post("referrals.submit", {"token": check.value("token")}, reference=reference)
    sent = row(session, reference)
    assert (sent.status, sent.received_on, sent.fee_pence, sent.fee_verdict) == (
        Status.SUBMITTED,
        date(2019, 5, 14),
        10_000,
        WORDS,
    )
    assert sent.reason == "Lunch, above all"
    assert actions(session, reference)[-1] is Action.RESUBMITTED
    assert [mail["notice"] for mail in mails(session)] == [
        "referral_submitted",
        "referral_resubmitted",
    ]


def test_a_fee_nobody_agreed_to_is_not_charged(client: Client, session: Session) -> None:
    """Declared while hours were bought beforehand (£0), sent on the day the £100 began."""
    senco = client.sign_on("senco")
    with clock.frozen(date(2019, 3, 29)):
        early = {"leader_agreed_on": ["1", "3", "2019"]}
        consent = {"obtained_on": ["1", "3", "2019"]}
        reference = answers.complete(senco, "first", school=early, consent=consent)
        assert "£0: paid for by hours" in senco.get("referrals.check", reference=reference).words
    with clock.frozen(date(2019, 4, 1)):
        page = senco.get("referrals.show", reference=reference)
        assert "Check again" in page.words
        page = senco.post("referrals.submit", {"token": "t" * 30}, reference=reference, status=422)
        assert page.errors == ["Complete every section before you send the referral."]
        answers.save(senco, reference, "declaration")
        senco.post(
            "referrals.submit", {"token": answers.token(senco, reference)}, reference=reference
        )
    assert row(session, reference).fee_pence == 10_000


def test_a_nursery_pays_nothing(client: Client, session: Session) -> None:
    reference = answers.submitted(client.sign_on("nursery-senco"))
    sent = row(session, reference)
    assert sent.fee_pence == 0
    # And it is in the queue of the team for early years, by a rule that stays known.
    assert sent.body == "early_years"
    assert sent.body_rule_id is not None
    page = client.get("referrals.show", reference=reference)
    assert "There is nothing to pay." in page.words


def test_what_the_school_sees_after_sending(client: Client, session: Session) -> None:
    reference = answers.submitted(client.sign_on("senco"))
    page = client.get("referrals.show", reference=reference)
    assert page.h1 == f"Referral {reference}"
    assert "With the council: decision by 21 May" in page.words
    assert WORDS in page.words
    assert "Referral sent to the council" in page.words
    assert "<b>hard</b>" in page.words, "what was typed is shown as text"
    assert "H801200001001" in page.words
    where = {"reference": reference, "section": "needs"}
    assert client.get("referrals.section", status=302, **where).location.endswith(f"{reference}/")


def test_history_has_messages_and_never_notes(client: Client, session: Session) -> None:
    reference = answers.submitted(client.sign_on("senco"))
    referral = row(session, reference)
    practitioner = session.scalars(
        select(Practitioner).where(Practitioner.account_id == "practitioner")
    ).one()
    with unit_of_work() as work:
        referrals.record(
            work, referral, Action.ACCEPTED, by=SYSTEM, message="Welcome", note="Between us"
        )
        work.session.add(
            Allocation(
                referral_id=referral.id,
                practitioner_id=practitioner.id,
                practitioner_name="Pat Practitioner",
                provider_urn=world.PROVIDER,
                provider_name="Fen View Complex Needs School",
                reason="Near",
                by_id="officer",
                by_name="Ola Officer",
            )
        )
        referrals.record(work, referral, Action.ALLOCATED, by=SYSTEM)
    page = client.get("referrals.show", reference=reference)
    assert "Pat Practitioner, Fen View Complex Needs School" in page.words
    assert "Welcome" in page.words
    assert "Between us" not in page.words
    assert "With the practitioner" in page.words


def test_the_list_of_the_school(client: Client, session: Session) -> None:
    client.sign_on("senco")
    assert "There are no referrals here" in client.get("referrals.index").words
    reference = answers.submitted(client)
    page = client.sign_on("head").get("referrals.index")
    assert reference in page.words
    assert "Zo Canary-Ólafsdóttir" in page.words
    assert "With the council: decision by 21 May" in page.words
    assert reference not in client.sign_on("other-senco").get("referrals.index").words
    session.commit()
    looked = session.scalars(
        select(AuditEntry.entity_key).where(
            AuditEntry.by_id == "head", AuditEntry.action == "looked at"
        )
    ).all()
    assert list(looked) == [reference]


def test_pages_of_the_list_hold_each_referral_once(
    client: Client, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client.app.config, "S2S_PAGE_SIZE", 2)
    client.sign_on("senco")
    started = [answers.start(client) for _ in range(5)]
    found: list[str] = []
    page = client.get("referrals.index")
    while True:
        found += page.all("//tbody//th")
        following = page.document.xpath("//a[@rel='next']/@href")
        if not following:
            break
        page = client.fetch("GET", following[0])
    assert found == started[::-1], "all were begun in the same second"
    client.get("referrals.index", after="S2S-19-XXXX", status=404)


def test_domain_errors_are_refusals() -> None:
    assert issubclass(Incomplete, Refused)


def test_visits_and_records_to_read(client: Client, session: Session) -> None:
    client.sign_on("senco")
    referral = rows.referral(session, "S2S-19-VRCT", status=Status.ALLOCATED)
    allocation = rows.allocation(session, referral, "practitioner")
    rows.visit(session, referral, allocation, number=1, issued=False)
    rows.visit(session, referral, allocation, number=2, issued=True)
    rows.visit(session, referral, allocation, number=3, issued=False).issued_at = clock.now()
    session.commit()
    page = client.get("referrals.show", reference="S2S-19-VRCT")
    records = page.all("//a[contains(., 'record of visit')]")
    assert records == [
        "Read the record of visit 2",
        "Read and acknowledge the record of visit 3",
    ], "a draft is not the school's to read"
    links = [client.url("visits.read", reference="S2S-19-VRCT", number=n) for n in (2, 3)]
    assert page.document.xpath("//a[contains(., 'record of visit')]/@href") == links
