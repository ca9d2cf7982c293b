"""Messages on a referral: who writes to whom, whose turn it is, what is new, who is mailed."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.orm import Session

from s2s_portal import Actor, Role, clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import acting_as
from s2s_portal.models.codes import Status
from s2s_portal.models.conversation import LONGEST, Conversation, Message, Side
from s2s_portal.models.referral import Referral
from s2s_portal.services import messages, referrals, waiting_messages
from s2s_portal.services.threads import SHOWN
from tests import rows
from tests.client import Client, Page
from tests.world import ACTORS, OTHER_SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"
SHOW = {
    "senco": "referrals.show",
    "head": "referrals.show",
    "officer": "triage.show",
    "other-officer": "triage.show",
    "practitioner": "visits.show",
    "lead": "visits.show",
}
HOSTILE = (
    'It\'s "quoted" <b>bold</b> <script>alert(1)</script> {{ 7*7 }} %s ${x}',
    "'); DROP TABLE s2s.message; --",
    "=cmd|' /C calc'!A0",
    "Ŵyth o'r gloch, Llanfairpwllgwyngyll; żółć, Łukasz; 🧩👩🏽‍🏫; \u202eevil",
    "line one\n\n   line two\r\nline three",
)


@pytest.fixture
def referral(session: Session) -> Referral:
    """A referral that waits for a decision."""
    made = rows.referral(session, REF)
    session.commit()
    return made


@pytest.fixture
def given(session: Session) -> Referral:
    """A referral that is with a practitioner."""
    made = rows.referral(session, REF, status=Status.ALLOCATED)
    rows.allocation(session, made, "practitioner")
    session.commit()
    return made


def write(
    client: Client,
    key: str,
    words: str,
    *,
    status: int = 302,
    page: Page | None = None,
    **form: Any,
) -> Page:
    """Somebody opens their page of the referral, types and sends."""
    if page is None:
        page = client.sign_on(key).get(SHOW[key], reference=REF)
    # The officer's page has other forms too, which have seen other things.
    (box,) = page.document.xpath("//form[.//textarea[@name='text']]")
    told = {name: box.xpath(f".//input[@name='{name}']/@value")[0] for name in ("token", "seen")}
    told |= {"text": words} | form
    return client.post("messages.show", told, reference=REF, status=status)


def shown(client: Client, key: str) -> Page:
    return client.sign_on(key).get(SHOW[key], reference=REF)


def turn(page: Page) -> str:
    return page.all("//section[@id='messages']/p/strong")[0]


def texts(page: Page) -> list[str]:
    return page.all("//*[contains(@class,'s2s-message__text')]")


def mails(connection: Connection) -> list[dict[str, Any]]:
    found = connection.scalars(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id"))
    return [args for args in found if args["notice"] == "message_waiting"]


def stored(session: Session) -> list[Message]:
    session.rollback()
    session.expire_all()
    found = list(session.scalars(select(Message).order_by(Message.id)))
    session.expunge_all()
    session.rollback()  # what a browser does next is no part of this transaction
    return found


def test_a_school_asks_and_an_officer_answers(
    client: Client, session: Session, referral: Referral
) -> None:
    page = shown(client, "senco")
    assert "Nobody has written yet" in page.words
    assert "nobody reads this at once" in page.words, "the reminder about safety is by the box"
    client.follow(write(client, "senco", "Which mornings would you come?"))
    page = shown(client, "senco")
    assert turn(page) == "Waiting for the council since 14 May 2019"
    assert "You, for the school to the council, 14 May 2019" in page.words
    page = shown(client, "head")
    assert "Sam O'Brien-Łukasz, for the school to the council" in page.words
    page = shown(client, "officer")
    assert turn(page) == "Waiting for the council since 14 May 2019"
    assert texts(page) == ["Which mornings would you come?"]
    with clock.frozen(date(2019, 5, 16)):
        write(client, "officer", "Tuesdays. Does that suit?")
        assert turn(shown(client, "officer")) == "Waiting for the school since 16 May 2019"
        page = shown(client, "senco")
    assert turn(page) == "Waiting for your school since 16 May 2019"
    assert texts(page) == ["Which mornings would you come?", "Tuesdays. Does that suit?"]


def test_the_turn_is_since_the_first_message_that_waits(
    client: Client, session: Session, referral: Referral
) -> None:
    write(client, "senco", "First")
    with clock.frozen(date(2019, 5, 17)):
        write(client, "senco", "And another thing")
        page = shown(client, "officer")
    assert turn(page) == "Waiting for the council since 14 May 2019"


def test_what_needs_no_answer_leaves_no_turn_but_the_one_there_was(
    client: Client, session: Session, referral: Referral
) -> None:
    write(client, "officer", "For your information", no_answer="y")
    assert turn(shown(client, "senco")) == "No answer is awaited"
    write(client, "officer", "When did it begin?")
    write(client, "officer", "I mean the new timetable", no_answer="y")
    assert turn(shown(client, "senco")).startswith("Waiting for your school")
    write(client, "senco", "In April. Thank you", no_answer="y")
    assert turn(shown(client, "senco")) == "No answer is awaited"


def test_the_side_whose_turn_it_is_says_that_no_answer_is_needed(
    client: Client, session: Session, referral: Referral
) -> None:
    write(client, "senco", "Thank you for the letter")
    page = shown(client, "senco")
    assert "No answer is needed" not in page.all("//button"), "it is not their turn"
    page = shown(client, "officer")
    form = {"seen": page.document.xpath("//form[.//textarea]//input[@name='seen']/@value")[0]}
    client.post("messages.settle", form, reference=REF)
    client.post("messages.settle", form, reference=REF)
    assert [m.text for m in stored(session)] == ["Thank you for the letter", ""]
    page = shown(client, "head")
    assert turn(page) == "No answer is awaited"
    assert "Said that no answer is needed." in page.words
    client.sign_on("senco").post("messages.settle", form, reference=REF, status=409)


def test_no_answer_needed_does_not_hide_a_message_that_has_just_come(
    client: Client, session: Session, referral: Referral
) -> None:
    write(client, "senco", "Thanks")
    old = shown(client, "officer").value("seen")
    write(client, "head", "Wait: which day?")
    client.sign_on("officer").post("messages.settle", {"seen": old}, reference=REF, status=409)
    assert turn(shown(client, "officer")).startswith("Waiting for the council")


def test_new_messages_are_marked_for_each_person_until_they_have_seen_them(
    client: Client, session: Session, referral: Referral
) -> None:
    write(client, "senco", "One")
    assert shown(client, "officer").words.count("New") == 1
    assert "New" not in shown(client, "officer").all("//strong")
    assert "New" in shown(client, "other-officer").all("//strong"), "a colleague has not seen it"
    assert "New" in shown(client, "head").all("//strong")
    assert "New" not in shown(client, "senco").all("//strong"), "one's own is not new"


def test_a_page_about_more_shows_the_newest_and_all_that_is_new(
    client: Client, session: Session, referral: Referral
) -> None:
    for number in range(SHOWN + 3):
        write(client, "senco", f"Message {number}")
    page = shown(client, "officer")
    assert len(texts(page)) == SHOWN + 3, "all are new"
    page = shown(client, "officer")
    assert texts(page) == ["Message 3", "Message 4", "Message 5"]
    assert "Read the earlier messages too (6 in all)" in page.words
    whole = client.get("messages.show", reference=REF)
    assert len(texts(whole)) == SHOWN + 3


def test_one_mail_for_a_side_until_it_has_read(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    client.app.config["S2S_OFFICER_MAILBOX"] = "send@council.example"
    try:
        write(client, "senco", "Canary one")
        write(client, "senco", "Canary two")
        write(client, "head", "Canary three")
        assert [mail["address"] for mail in mails(connection)] == ["send@council.example"]
        session.rollback()
        shown(client, "other-officer")
        write(client, "senco", "Canary four")
        told = mails(connection)
        session.rollback()
    finally:
        client.app.config["S2S_OFFICER_MAILBOX"] = None
    assert len(told) == 2
    assert {mail["reference"] for mail in told} == {REF}
    assert {mail["link"] for mail in told} == {f"http://portal.example/s2s/messages/{REF}/"}
    assert "Canary" not in str(told)
    write(client, "officer", "Yes")
    write(client, "officer", "And no")
    assert [mail["address"] for mail in mails(connection)[2:]] == ["senco@school.example"]


def test_thanks_from_a_school_is_not_mailed_and_news_for_it_is(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    client.app.config["S2S_OFFICER_MAILBOX"] = "send@council.example"
    try:
        write(client, "senco", "Thanks", no_answer="y")
        assert mails(connection) == []
        session.rollback()
        write(client, "officer", "We are closed on Friday", no_answer="y")
        assert [mail["address"] for mail in mails(connection)] == ["senco@school.example"]
    finally:
        client.app.config["S2S_OFFICER_MAILBOX"] = None


def test_with_a_practitioner_they_and_their_lead_join(
    client: Client, session: Session, connection: Connection, given: Referral
) -> None:
    page = write(client, "senco", "May we move Friday?", to="nobody", status=422)
    assert page.errors == ["Choose whom the message is for"]
    assert page.value("text") == "May we move Friday?"
    write(client, "senco", "May we move Friday?", to="practitioner")
    assert [bool(mail.get("practitioner_id")) for mail in mails(connection)] == [True]
    session.rollback()
    page = shown(client, "practitioner")
    assert turn(page) == "Waiting for you since 14 May 2019"
    write(client, "practitioner", "To Monday at nine", to="school")
    assert turn(shown(client, "senco")) == "Waiting for your school since 14 May 2019"
    write(client, "lead", "I come along", to="school")
    page = shown(client, "officer")
    assert texts(page) == ["May we move Friday?", "To Monday at nine", "I come along"]
    assert "Lena Lead, the practitioner’s lead to the school" in page.words
    write(client, "officer", "Please send the record", to="practitioner")
    assert turn(shown(client, "practitioner")) == "Waiting for you since 14 May 2019"
    assert turn(shown(client, "lead")) == "Waiting for the practitioner since 14 May 2019"
    assert "No answer is needed" not in shown(client, "lead").all("//button")


def test_a_lead_who_reads_leaves_the_practitioner_their_mail(
    client: Client, session: Session, connection: Connection, given: Referral
) -> None:
    write(client, "senco", "One", to="practitioner")
    shown(client, "lead")
    write(client, "senco", "Two", to="practitioner")
    assert len(mails(connection)) == 1, "there is one that the practitioner has not read"
    session.rollback()
    shown(client, "practitioner")
    write(client, "senco", "Three", to="practitioner")
    assert len(mails(connection)) == 2


@pytest.mark.parametrize("words", HOSTILE)
def test_what_is_written_is_shown_as_it_was_written(
    client: Client, session: Session, referral: Referral, words: str
) -> None:
    write(client, "senco", words)
    assert [m.text for m in stored(session)] == [words.replace("\r\n", "\n").strip()]
    for key in ("senco", "officer"):
        page = shown(client, key)
        lines = [" ".join(line.split()) for line in words.splitlines() if line.strip()]
        assert texts(page) == lines
        assert not page.document.xpath("//section[@id='messages']//script | //section//b")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("  \r\n ", "Enter your message"),
        ("x" * (LONGEST + 1), "Your message must be 4,000 characters or fewer"),
    ],
)
def test_nothing_and_too_much_are_refused_in_words(
    client: Client, session: Session, referral: Referral, words: str, problem: str
) -> None:
    page = write(client, "senco", words, status=422)
    assert page.errors == [problem]
    assert page.title.startswith("Error: ")
    assert page.value("text") == words.strip()
    assert stored(session) == []
    with (
        acting_as(ACTORS["senco"]),
        pytest.raises(Refused, match=problem),
        unit_of_work() as work,
    ):
        messages.send(work, referrals.get(REF), text=words, by=ACTORS["senco"])
    write(client, "senco", "x" * LONGEST)


def test_pressed_twice_or_sent_again_after_back_it_is_one_message(
    client: Client, session: Session, referral: Referral
) -> None:
    page = shown(client, "senco")
    for _ in range(3):
        write(client, "senco", "Once", page=page)
    assert [m.text for m in stored(session)] == ["Once"]
    late = write(client, "senco", "Another text", page=page, status=422)
    assert late.errors[0].startswith("You have already sent a message from this page")
    assert late.value("text") == "Another text"
    assert [m.text for m in stored(session)] == ["Once"]
    write(client, "senco", late.value("text"), page=late)
    assert [m.text for m in stored(session)] == ["Once", "Another text"]


def test_a_message_that_came_meanwhile_is_read_before_one_s_own_is_sent(
    client: Client, session: Session, referral: Referral
) -> None:
    page = shown(client, "senco")
    write(client, "officer", "It is settled: no need to write")
    client.sign_on("senco")
    late = write(client, "senco", "Is it settled?", page=page, status=422)
    assert late.errors[0].startswith("A message has been written since you opened this page")
    assert "It is settled: no need to write" in late.words
    assert late.value("text") == "Is it settled?"
    assert len(stored(session)) == 1
    write(client, "senco", "Thank you", page=late)
    assert len(stored(session)) == 2


@pytest.mark.parametrize("status", [Status.CLOSED, Status.DECLINED, Status.WITHDRAWN])
def test_after_the_end_school_and_council_still_write_and_are_told_so(
    client: Client, session: Session, given: Referral, status: Status
) -> None:
    write(client, "senco", "For the practitioner", to="practitioner")
    given = session.scalars(select(Referral)).one()
    given.status = status
    session.commit()
    page = shown(client, "senco")
    assert f"This referral has been {status.value}. The school and the council can still" in (
        page.words
    )
    assert turn(page) == "No answer is awaited", "the practitioner is not asked any more"
    assert "Whom is it for?" not in page.words
    write(client, "senco", "One thing more")
    assert turn(shown(client, "officer")).startswith("Waiting for the council")
    if status is not Status.DECLINED:
        page = shown(client, "practitioner")
        assert "For the practitioner" in page.words
        assert "you cannot write here" in page.words
        form = {"text": "Hello", "to": "school"}
        late = client.post("messages.show", form, reference=REF, status=422)
        assert late.errors == [
            "This referral is no longer with a practitioner, so you cannot write here."
        ]
    assert len(stored(session)) == 2


def test_a_draft_has_no_messages(client: Client, session: Session) -> None:
    rows.referral(session, REF, status=Status.DRAFT)
    session.commit()
    page = client.sign_on("senco").get("referrals.show", reference=REF)
    assert not page.document.xpath("//*[@id='messages']")
    page = client.post("messages.show", {"text": "Hello"}, reference=REF, status=422)
    assert page.errors == ["Messages can be written once the referral has been sent."]
    client.sign_on("officer").get("messages.show", reference=REF, status=404)
    assert stored(session) == []


def test_lists_say_what_waits_for_whom(client: Client, session: Session, given: Referral) -> None:
    other = rows.referral(session, "S2S-19-3336", urn=OTHER_SCHOOL)
    session.add(
        Message(
            referral_id=other.id,
            side=Side.SCHOOL,
            to_side=Side.COUNCIL,
            needs_answer=True,
            text="Theirs",
            token="theirs",
            at=clock.now() - timedelta(days=3),
            by_id="other-senco",
            by_name="Olu Other",
        )
    )
    session.commit()
    write(client, "senco", "For the council", to="council")
    page = client.sign_on("officer").get("messages.index")
    assert page.all("//tbody//th") == ["S2S-19-3336", REF], "longest first"
    assert "Canary" not in page.text
    assert "2 messages wait for your answer" in client.get("triage.index").words
    assert "2 Messages that wait for your answer" in client.get("home.index").words
    page = client.sign_on("senco").get("messages.index")
    assert page.all("//tbody//th") == []
    page = client.fetch("GET", client.url("messages.index") + "?show=others")
    assert page.all("//tbody//th") == [REF]
    assert "Waiting for the council since 14 May 2019" in client.get("referrals.index").words
    write(client, "officer", "For the practitioner", to="practitioner")
    page = client.sign_on("practitioner").get("messages.index")
    assert page.all("//tbody//th") == [REF]
    assert "1 message waits for your answer" in client.get("visits.index").words
    assert client.sign_on("colleague").get("messages.index").all("//tbody//th") == []
    assert client.sign_on("other-senco").get("messages.index").all("//tbody//th") == []
    given = session.scalars(select(Referral).where(Referral.reference == REF)).one()
    given.status = Status.CLOSED
    session.commit()
    assert client.sign_on("practitioner").get("messages.index").all("//tbody//th") == []


def test_a_list_turns_pages(client: Client, session: Session) -> None:
    client.app.config["S2S_PAGE_SIZE"] = 2
    try:
        wanted = ["S2S-19-3333", "S2S-19-3334", "S2S-19-3336", "S2S-19-3337", "S2S-19-3339"]
        for days, reference in enumerate(wanted):
            made = rows.referral(session, reference)
            rows.message(session, made, at=clock.now() - timedelta(days=20 - days // 2))
        session.commit()
        page = client.sign_on("officer").get("messages.index")
        found = page.all("//tbody//th")
        while page.document.xpath("//a[@rel='next']"):
            page = client.fetch("GET", page.document.xpath("//a[@rel='next']/@href")[0])
            found += page.all("//tbody//th")
        assert found == wanted
    finally:
        client.app.config["S2S_PAGE_SIZE"] = 50


def test_who_has_two_roles_is_asked_only_what_is_theirs(session: Session, given: Referral) -> None:
    """An officer who is a school's too sees all turns, and is asked to take two kinds of them."""
    both = Actor(
        id="both",
        name="Bo Both",
        roles=frozenset({Role.OFFICER, Role.REFERRER, Role.PRACTITIONER}),
        establishments=(OTHER_SCHOOL,),
    )
    rows.message(session, given, side=Side.COUNCIL, to_side=Side.SCHOOL)
    other = rows.referral(session, "S2S-19-3336", urn=OTHER_SCHOOL)
    rows.message(session, other, side=Side.COUNCIL, to_side=Side.SCHOOL)
    third = rows.referral(session, "S2S-19-3337", status=Status.ALLOCATED)
    rows.allocation(session, third, "practitioner")
    rows.message(session, third, to_side=Side.PRACTITIONER)
    session.commit()
    with acting_as(both):
        assert [line.reference for line in waiting_messages.listed(by=both).lines] == [
            "S2S-19-3336"
        ]
        assert waiting_messages.count(by=both) == 1
        session.rollback()


def test_the_other_school_takes_over_with_the_referral(
    client: Client, session: Session, referral: Referral
) -> None:
    """Who reads the messages goes by who sees the referral now, not by who wrote them."""
    write(client, "senco", "Ours")
    session.execute(text("UPDATE s2s.referral SET urn = :urn"), {"urn": OTHER_SCHOOL})
    session.commit()
    client.sign_on("senco").get("messages.show", reference=REF, status=404)
    assert "Ours" in client.sign_on("other-senco").get("messages.show", reference=REF).words


def test_a_read_and_a_message_leave_a_trace(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    write(client, "senco", "Hello")
    client.sign_on("officer").get("messages.show", reference=REF)
    connection.execute(text("RESET ROLE"))
    found = connection.execute(
        text("SELECT by_id, action, entity_key FROM s2s.audit_entry ORDER BY id")
    ).all()
    assert ("senco", "wrote a message about", REF) in found
    assert ("officer", "looked at", REF) in found


def test_nobody_writes_on_another_side(session: Session, given: Referral) -> None:
    for key in ("finance", "trust-viewer", "manager", "auditor", "other-senco", "colleague"):
        with acting_as(ACTORS[key]):
            session.rollback()
            assert session.scalars(select(func.count()).select_from(Message)).one() == 0
            with pytest.raises(NotFound), unit_of_work() as work:
                messages.send(
                    work, messages.about(REF), text="Hello", to=Side.COUNCIL, by=ACTORS[key]
                )
    session.rollback()
    assert session.scalars(select(func.count()).select_from(Message)).one() == 0


def test_the_stored_turn_is_what_the_messages_say(
    client: Client, session: Session, given: Referral
) -> None:
    """Rebuilt from the messages alone, after every kind of step."""
    for key, more in (
        ("senco", {"to": "practitioner"}),
        ("officer", {"to": "school", "no_answer": "y"}),
        ("practitioner", {"to": "council"}),
        ("officer", {"to": "school"}),
        ("senco", {"to": "council", "no_answer": "y"}),
    ):
        write(client, key, "Step", **more)
        waits_for: Side | None = None
        since: datetime | None = None
        for message in stored(session):
            own = Side.PRACTITIONER if message.side is Side.LEAD else message.side
            if message.needs_answer:
                since = since if waits_for is message.to_side else message.at
                waits_for = message.to_side
            elif waits_for is own:
                waits_for = since = None
        row = session.execute(select(Conversation.waits_for, Conversation.waits_since)).one()
        session.rollback()
        assert tuple(row) == (waits_for, since)


def test_settling_without_a_turn_is_refused(session: Session, referral: Referral) -> None:
    with (
        acting_as(ACTORS["officer"]),
        pytest.raises(OutOfOrder, match="no message that waits"),
        unit_of_work() as work,
    ):
        messages.settle(work, referrals.get(REF), seen=0, by=ACTORS["officer"])
