"""Requests for advice: free, answered in a thread, and at most one referral of each."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import MayNotRefer, NotFound, Refused
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.codes import Status
from s2s_portal.models.conversation import (
    AdviceEvent,
    AdviceOutcome,
    AdviceRequest,
    AdviceStatus,
    Message,
)
from s2s_portal.models.establishment import SettingKind
from s2s_portal.models.intake import IntakeWindow
from s2s_portal.models.ledger import LedgerEntry
from s2s_portal.models.referral import Referral
from s2s_portal.services import advice, evaluation, intake
from tests import rows
from tests.answers import complete, token
from tests.client import Client, Page
from tests.world import ACTORS, SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
QUESTION = "Mornings in Year 2 begin with tears. We tried a quiet corner. What else?"
HOSTILE = "'); DROP TABLE s2s.message; -- <b>Ŵyth</b> żółć 🧩 =cmd|' /C calc'!A0 {{ 7*7 }}"


def ask(client: Client, key: str = "senco", *, status: int = 302, **form: Any) -> Page:
    page = client.sign_on(key).get("advice.ask")
    given = {
        "topic": "Calm starts",
        "question": QUESTION,
        "contact_name": page.value("contact_name"),
        "contact_email": page.value("contact_email"),
        "token": page.value("token"),
        "urn": page.value("urn"),
    } | form
    return client.post("advice.ask", given, status=status)


def asked(client: Client, **form: Any) -> str:
    """The reference of a new request."""
    return ask(client, **form).location.rstrip("/").rsplit("/", 1)[1]


def write(client: Client, key: str, reference: str, words: str, **form: Any) -> Page:
    page = client.sign_on(key).get("advice.show", reference=reference)
    told = {"token": page.value("token"), "seen": page.value("seen"), "text": words} | form
    return client.post("messages.show", told, reference=reference)


def close(
    client: Client, reference: str, outcome: str = "ANSWERED", *, status: int = 302, **form: Any
) -> Page:
    page = client.sign_on("officer").get("advice.close", reference=reference)
    told = {
        "token": page.value("token"),
        "seen": page.value("seen"),
        "outcome": outcome,
        "text": "A picture timetable at the door.",
    } | form
    return client.post("advice.close", told, reference=reference, status=status)


def count(session: Session, model: type[Any]) -> int:
    session.rollback()
    found = session.scalar(select(func.count()).select_from(model)) or 0
    session.rollback()
    return found


def mails(connection: Connection) -> list[tuple[str, str]]:
    found = connection.scalars(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id")).all()
    assert "Mornings" not in str(found)
    return [(args["notice"], args["address"]) for args in found]


def mainstream_window() -> IntakeWindow:
    kind = SettingKind.MAINSTREAM
    return next(line.window for line in intake.windows() if line.window.setting_kind is kind)


def texts(page: Page) -> list[str]:
    return page.all("//p[contains(@class,'s2s-message__text')][not(contains(@class,'body-l'))]")


def test_a_school_asks_and_reads_that_it_is_free(
    client: Client, session: Session, connection: Connection
) -> None:
    client.app.config["S2S_OFFICER_MAILBOX"] = "send@council.example"
    try:
        page = client.sign_on("senco").get("advice.ask")
        assert "It is free: there is no fee" in page.words
        assert "a pupil whom you do not name" in page.words
        assert (page.value("contact_name"), page.value("contact_email")) == (
            "Sam O'Brien-Łukasz",
            "senco@school.example",
        )
        reference = asked(client, need_code="SEMH", may_become_referral="y")
    finally:
        client.app.config["S2S_OFFICER_MAILBOX"] = None
    assert reference.startswith("ADV-19-")
    assert mails(connection) == [("message_waiting", "send@council.example")]
    page = client.get("advice.show", reference=reference)
    assert "Answer due by 21 May 2019" in page.words, "five working days by the service level"
    assert "Social, emotional and mental health" in page.words
    assert "Waiting for the council since 14 May 2019" in page.words
    assert texts(page) == [QUESTION]
    page = client.sign_on("head").get("referrals.index")
    assert page.all("//tbody//th") == [reference], "on the school's own list"
    assert count(session, LedgerEntry) == 0


def test_officers_see_whose_turn_it_is_and_close_with_an_outcome(
    client: Client, session: Session, connection: Connection
) -> None:
    reference = asked(client)
    page = client.sign_on("officer").get("advice.index")
    assert page.all("//tbody/tr/*")[:2] == [reference, "Little Snoring Invented Primary"]
    assert "Waiting for the council since 14 May 2019" in page.words
    assert client.get("messages.index").all("//tbody//th") == [reference]
    write(client, "officer", reference, "How many children are there?")
    write(client, "senco", reference, "Twenty-eight")
    refused = close(client, reference, "", status=422)
    assert refused.errors == ["Choose what came of it"]
    refused = close(client, reference, status=422, text=" ")
    assert refused.errors == ["Enter your answer"]
    refused = close(client, reference, "BECAME_REFERRAL", status=422)
    assert refused.errors == ["Choose what came of it"]
    close(client, reference, "TRY_THIS")
    assert mails(connection)[-1] == ("advice_answered", "senco@school.example")
    session.rollback()
    page = client.sign_on("senco").get("advice.show", reference=reference)
    assert "Answered: try this first" in page.words
    assert texts(page)[-1] == "A picture timetable at the door."
    assert client.sign_on("officer").get("messages.index").all("//tbody//th") == []
    client.get("advice.close", reference=reference, status=409)


def test_an_answer_is_not_given_over_a_message_that_came_meanwhile(
    client: Client, session: Session
) -> None:
    reference = asked(client)
    page = client.sign_on("officer").get("advice.close", reference=reference)
    write(client, "senco", reference, "It has got worse")
    form = {
        "token": page.value("token"),
        "seen": page.value("seen"),
        "outcome": "ANSWERED",
        "text": "Wait and see",
    }
    late = client.sign_on("officer").post("advice.close", form, reference=reference, status=422)
    assert late.errors[0].startswith("A message has been written since you opened this page")
    assert "It has got worse" in late.words
    assert (late.value("text"), count(session, AdviceEvent)) == ("Wait and see", 1)


def test_the_school_says_whether_it_helped_and_writing_opens_it_again(
    client: Client, session: Session
) -> None:
    reference = asked(client)
    client.post("advice.helped", {"helped": "yes"}, reference=reference, status=409)
    close(client, reference)
    client.sign_on("senco")
    for _ in range(2):
        client.post("advice.helped", {"helped": "no"}, reference=reference)
    page = client.sign_on("officer").get("advice.show", reference=reference)
    assert "It did not help" in page.words
    page = client.sign_on("senco").get("advice.show", reference=reference)
    assert "If you write, it is opened again" in page.words
    write(client, "senco", reference, "What next?")
    page = client.sign_on("officer").get("advice.show", reference=reference)
    assert "Waiting for the council since 14 May 2019" in page.words
    assert "Opened again" in page.words
    with acting_as(SYSTEM):
        row = session.scalars(select(AdviceRequest)).one()
        happened = advice.events(row)
        assert [event.action.value for event in happened] == [
            "asked",
            "closed",
            "not_helped",
            "reopened",
        ]
        assert (row.status, row.outcome, row.helped) == (AdviceStatus.OPEN, None, None)
        for number in range(1, len(happened) + 1):
            status = advice.derived_status(happened[:number])
            assert status == (AdviceStatus.CLOSED if number in {2, 3} else AdviceStatus.OPEN)


def test_it_becomes_one_referral_however_often_the_button_is_pressed(
    client: Client, session: Session, connection: Connection
) -> None:
    reference = asked(client, contact_email="other@school.example")
    write(client, "officer", reference, "Please make a referral")
    client.sign_on("senco")
    places = {client.post("advice.convert", reference=reference).location for _ in range(3)}
    places.add(client.sign_on("head").post("advice.convert", reference=reference).location)
    assert len(places) == 1
    assert count(session, Referral) == 1
    page = client.get("advice.show", reference=reference)
    assert "This became your referral" in page.words
    assert "It has not been sent yet." in page.words
    draft = page.document.xpath("//a[starts-with(text(),'S2S-')]/text()")[0]
    page = client.get("referrals.show", reference=draft)
    assert texts(page) == [QUESTION, "Please make a referral"], "the thread is kept"
    assert reference in page.all("//a"), "and leads back"
    assert client.get("referrals.section", reference=draft, section="school").value(
        "contact_email"
    ) == ("other@school.example")
    page = client.sign_on("officer").get("advice.show", reference=reference)
    assert "The school has begun a referral out of this. You see it once it is sent." in page.words
    assert draft not in page.text, "a draft is the school's alone"
    form = {"text": "Hello"}
    late = client.post("messages.show", form, reference=reference, status=422)
    assert "has become a referral" in late.errors[0]


def test_the_officer_reads_the_thread_at_the_referral_once_it_is_sent(
    client: Client, session: Session
) -> None:
    reference = asked(client)
    client.sign_on("senco").post("advice.convert", reference=reference)
    with acting_as(SYSTEM):
        sent = session.scalars(select(Referral)).one()
        like = rows.referral(session, "S2S-19-3334")
        draft, sent.status = sent.reference, Status.SUBMITTED
        sent.intake_window_id = mainstream_window().id
        for name in ("submitted_at", "received_on", "terms_id", "fee_pence", "school_name"):
            setattr(sent, name, getattr(like, name))
        session.commit()
    page = client.sign_on("officer").get("triage.show", reference=draft)
    assert texts(page) == [QUESTION]
    assert reference in page.all("//a")
    assert draft in client.get("advice.show", reference=reference).all("//a")
    form = {"token": page.value("token"), "seen": page.value("seen"), "text": "Go on here"}
    client.post("messages.show", form, reference=draft)
    page = client.sign_on("senco").get("referrals.show", reference=draft)
    assert texts(page) == [QUESTION, "Go on here"]
    with acting_as(SYSTEM):
        sent = session.scalars(select(Referral).where(Referral.reference == draft)).one()
        sent.status = Status.ALLOCATED
        rows.allocation(session, sent, "practitioner")
        session.commit()
    page = client.sign_on("practitioner").get("visits.show", reference=draft)
    assert texts(page) == [QUESTION, "Go on here"]
    client.get("advice.show", reference=reference, status=403)


def test_asking_is_possible_while_no_request_is_taken_and_then_waits_as_it_is(
    client: Client, session: Session
) -> None:
    with acting_as(SYSTEM), unit_of_work() as work:
        window = mainstream_window()
        intake.close_window(work, window.id, closes=date(2019, 5, 14), reason="Enough", by=SYSTEM)
    with clock.frozen(date(2019, 5, 15)):
        page = client.sign_on("senco").get("referrals.start")
        assert "It is free, counts towards no limit, and is possible now." in page.words
        reference = asked(client)
        page = client.post("advice.convert", reference=reference, status=422)
        assert page.title.startswith("Error: ")
        assert page.errors
        assert count(session, Referral) == 0
        assert "Waiting for the council" in client.get("advice.show", reference=reference).words


def test_asking_counts_in_no_figure_and_no_limit(client: Client, session: Session) -> None:
    reference = complete(client.sign_on("senco"))
    client.post("referrals.submit", {"token": token(client, reference)}, reference=reference)

    def figures() -> tuple[Any, ...]:
        session.rollback()
        with acting_as(SYSTEM):
            standing = intake.standing(SettingKind.MAINSTREAM, clock.today())
            found = (standing, repr(evaluation.of_year("2019/20")))
            session.rollback()
        return found

    before = figures()
    write_reference = asked(client)
    close(client, write_reference)
    assert figures() == before


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("special-senco", "is a special school"),
        ("closed-senco", "has closed"),
        ("suffolk-senco", "is not in this council's area"),
    ],
)
def test_who_may_not_refer_may_not_ask(
    client: Client, session: Session, key: str, words: str
) -> None:
    page = client.sign_on(key).get("advice.ask")
    assert page.h1 == "This school cannot ask for advice here"
    assert words in page.words
    actor = ACTORS[key]
    with acting_as(actor), pytest.raises(MayNotRefer), unit_of_work() as work:
        advice.ask(
            *(work, actor.establishments[0]),
            topic="a",
            question="b",
            contact_name="c",
            contact_email="d@e.example",
            token="once",
            by=actor,
        )
    assert count(session, AdviceRequest) == 0


def test_nobody_asks_for_another_school(client: Client, session: Session) -> None:
    client.sign_on("other-senco").get("advice.ask", urn=SCHOOL, status=404)
    ask(client, "other-senco", urn=str(SCHOOL), status=404)
    with acting_as(ACTORS["other-senco"]), pytest.raises(NotFound), unit_of_work() as work:
        advice.ask(
            *(work, SCHOOL),
            topic="a",
            question="b",
            contact_name="c",
            contact_email="d@e.example",
            token="once",
            by=ACTORS["other-senco"],
        )


@pytest.mark.parametrize("field", ["topic", "question"])
def test_a_pupil_s_number_is_refused(client: Client, session: Session, field: str) -> None:
    page = ask(client, status=422, **{field: "About A123456789012, please"})
    assert "Take the unique pupil number (UPN) out" in page.errors[0]
    assert page.value(field) == "About A123456789012, please"
    assert count(session, AdviceRequest) == 0


def test_an_incomplete_form_comes_back_as_it_was_typed(client: Client, session: Session) -> None:
    page = ask(client, status=422, topic="", question="", contact_email="nobody", contact_name="")
    assert page.errors == [
        "Enter what it is about",
        "Enter your question",
        "Enter the name of the contact",
        "Enter an email address, like name@school.org.uk",
    ]
    assert page.value("contact_email") == "nobody"
    page = ask(client, status=422, need_code="NONSENSE")
    assert page.errors == ["Choose a type of need from the list"]
    assert page.value("question") == QUESTION


def test_sent_twice_it_is_one_request(client: Client, session: Session) -> None:
    page = client.sign_on("senco").get("advice.ask")
    form = {name: page.value(name) for name in ("contact_name", "contact_email", "token", "urn")}
    form |= {"topic": "Calm starts", "question": QUESTION}
    places = {client.post("advice.ask", form).location for _ in range(3)}
    assert len(places) == 1
    assert (count(session, AdviceRequest), count(session, Message)) == (1, 1)


def test_hostile_text_is_shown_as_it_was_written(client: Client, session: Session) -> None:
    reference = asked(client, topic=HOSTILE[:100], question=HOSTILE, contact_name=HOSTILE)
    for key in ("senco", "officer"):
        page = client.sign_on(key).get("advice.show", reference=reference)
        assert texts(page) == [HOSTILE]
        assert HOSTILE[:100] in page.words
        assert not page.document.xpath("//b")
        assert HOSTILE[:100] in client.get("advice.index").words


# The request is the SENCo's of SCHOOL. Who reads it, and whom it does not exist for.
@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("senco", 200),
        ("head", 200),
        ("officer", 200),
        ("other-officer", 200),
        ("other-senco", 404),
        ("academy-senco", 404),
        ("practitioner", 403),
        ("lead", 403),
        ("finance", 403),
        ("finance-approver", 403),
        ("manager", 403),
        ("auditor", 403),
        ("administrator", 403),
        ("trust-viewer", 403),
        ("outsider", 403),
    ],
)
def test_a_request_is_for_its_school_and_the_officers(
    client: Client, session: Session, key: str, status: int
) -> None:
    reference = asked(client)
    client.sign_on(key).get("advice.show", reference=reference, status=status)
    form = {"text": "Mine too"}
    if status != 200:
        expected = 404 if key in {"practitioner", "lead"} else status
        client.post("messages.show", form, reference=reference, status=expected)
        client.post("messages.settle", {"seen": "1"}, reference=reference, status=expected)
        client.post("advice.convert", reference=reference, status=status)
        client.post("advice.helped", {"helped": "yes"}, reference=reference, status=status)
        assert count(session, Message) == 1
    if status == 404:
        assert client.get("advice.index").all("//tbody//th") == []


def test_an_officer_neither_converts_nor_a_school_closes(client: Client, session: Session) -> None:
    reference = asked(client)
    client.get("advice.close", reference=reference, status=403)
    client.sign_on("officer").post("advice.convert", reference=reference, status=403)
    with (
        acting_as(ACTORS["officer"]),
        pytest.raises(NotFound),
        unit_of_work() as work,
    ):
        advice.convert(work, reference, by=ACTORS["officer"])
    with (
        acting_as(ACTORS["officer"]),
        pytest.raises(Refused, match="Choose what came of it"),
        unit_of_work() as work,
    ):
        advice.close(
            *(work, reference),
            outcome=AdviceOutcome.BECAME_REFERRAL,
            text="x",
            token="t",
            seen=1,
            by=ACTORS["officer"],
        )


def test_a_list_turns_pages_and_is_by_status(client: Client, session: Session) -> None:
    client.app.config["S2S_PAGE_SIZE"] = 2
    try:
        wanted = [f"ADV-19-333{letter}" for letter in "34679"]
        for reference in wanted:
            rows.message(session, rows.advice(session, reference))
        session.commit()
        page = client.sign_on("officer").get("advice.index", status=200)
        found = page.all("//tbody//th")
        while page.document.xpath("//a[@rel='next']"):
            page = client.fetch("GET", page.document.xpath("//a[@rel='next']/@href")[0])
            found += page.all("//tbody//th")
        assert found == wanted[::-1]
    finally:
        client.app.config["S2S_PAGE_SIZE"] = 50
    page = client.fetch("GET", client.url("advice.index") + "?status=closed")
    assert "There is no request here" in page.words


def test_a_read_and_what_is_done_leave_a_trace(
    client: Client, session: Session, connection: Connection
) -> None:
    reference = asked(client)
    client.sign_on("officer").get("advice.show", reference=reference)
    connection.execute(text("RESET ROLE"))
    found = connection.execute(
        text("SELECT by_id, action, entity, entity_key FROM s2s.audit_entry ORDER BY id")
    ).all()
    assert ("senco", "asked", "advice request", reference) in found
    assert ("officer", "looked at", "advice request", reference) in found
