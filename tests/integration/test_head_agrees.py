"""A head agrees to a draft and its fee before it is sent, where the council asks for that."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from s2s_portal import Actor, Role, clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotAllowed
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.codes import Status
from s2s_portal.models.colleague import HeadAnswer, HeadDecision, HeadRemark
from s2s_portal.models.referral import Referral
from s2s_portal.services import drafts, heads
from tests import answers
from tests.client import Client, Page
from tests.integration.test_colleagues import NEEDS, TOKEN, ask, last
from tests.world import ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")

EMAIL = "head@school.example"


@pytest.fixture(autouse=True)
def must_agree(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The council asks for the head's agreement."""
    monkeypatch.setitem(app.config, "S2S_HEAD_AGREES", True)


@pytest.fixture
def reference(client: Client, session: Session) -> str:
    """A draft with every section complete; its SENCo is signed on."""
    return answers.complete(client.sign_on("senco"), "group")


def send(client: Client, reference: str, *, status: int = 302) -> Page:
    """Press the button with a good token, whether the page has the button or not."""
    form = {"token": "a-token-of-this-test-1"}
    return client.post("referrals.submit", form, reference=reference, status=status)


def asked(client: Client, reference: str) -> None:
    """The SENCo asks the head."""
    client.sign_on("senco").post("referrals.ask_head", {"email": EMAIL}, reference=reference)


def answer(client: Client, reference: str, *, status: int = 302, **form: str) -> Page:
    """The head reads the page and answers."""
    page = client.sign_on("head").get("referrals.agree", reference=reference)
    given = {"answer": "agree", "remark": "", "seen": page.value("seen")}
    return client.post(
        "referrals.agree",
        {**given, "pence": page.value("pence"), **form},
        reference=reference,
        status=status,
    )


def decisions(session: Session) -> list[HeadDecision]:
    session.commit()
    session.expire_all()
    return list(session.scalars(select(HeadDecision).order_by(HeadDecision.id)))


def told(connection: Connection) -> list[tuple[str, str]]:
    """Each mail about a head that waits: which, and to whom."""
    connection.execute(text("RESET ROLE"))
    query = text(
        "SELECT args->>'notice', args->>'address' FROM s2s.procrastinate_jobs"
        " WHERE args->>'notice' LIKE 'head%' ORDER BY id"
    )
    return [tuple(row) for row in connection.execute(query)]  # type: ignore[misc]


def status_of(session: Session, reference: str) -> Status:
    session.commit()
    session.expire_all()
    return session.scalars(select(Referral.status).where(Referral.reference == reference)).one()


def test_nothing_is_sent_before_the_head_agrees(
    client: Client, session: Session, reference: str
) -> None:
    page = client.get("referrals.check", reference=reference)
    assert "A head must agree to the referral and its fee" in page.words
    assert "Send the referral" not in page.words
    page = send(client, reference, status=422)
    assert "The head must agree before the referral can be sent" in page.errors[0]
    assert status_of(session, reference) is Status.DRAFT


def test_the_head_is_asked_agrees_and_it_is_sent(
    client: Client, session: Session, connection: Connection, reference: str
) -> None:
    asked(client, reference)
    assert (
        "asked the head on 14 May 2019" in client.get("referrals.show", reference=reference).words
    )
    client.sign_on("head")
    assert "1 Drafts waiting for your agreement" in client.get("home.index").words
    page = client.get("referrals.index")
    assert f"Read {reference} and say whether you agree" in page.words
    page = client.get("referrals.agree", reference=reference)
    for word in ("Year 2 phonics", "Joins in at carpet time", "£100", "MI Sheet 44/19"):
        assert word in page.words, word
    answer(client, reference)
    made = decisions(session)[-1]
    assert (made.answer, made.by_id, made.by_name) == (HeadAnswer.AGREED, "head", "Hana Head")
    assert made.statement.startswith("I agree that Little Snoring Invented Primary asks for this")
    assert "£100" in made.statement
    assert made.fee_pence == 10_000
    assert made.marks.keys() >= {"needs", "support", "files"}
    assert told(connection) == [("head_asked", EMAIL), ("head_agreed", "senco@school.example")]
    client.sign_on("head")
    assert "waiting for your agreement" not in client.get("home.index").words.lower().replace(
        "0 drafts waiting for your agreement", ""
    )
    client.sign_on("senco")
    page = client.get("referrals.check", reference=reference)
    assert "Hana Head agreed to this referral and its fee" in page.words
    send(client, reference)
    assert status_of(session, reference) is Status.SUBMITTED
    assert "I agree that" in client.get("referrals.show", reference=reference).words
    page = client.sign_on("officer").get("triage.show", reference=reference)
    assert "Agreed by the headHana Head, 14 May 2019 at midday" in page.words


def test_not_yet_says_why_and_the_school_asks_again(
    client: Client, session: Session, connection: Connection, reference: str
) -> None:
    asked(client, reference)
    page = answer(client, reference, answer="not-yet", status=422)
    assert "Enter what must change before you agree" in page.errors[0]
    answer(client, reference, answer="not-yet", remark="Say more\nabout lunch")
    client.sign_on("senco")
    page = client.get("referrals.show", reference=reference)
    assert "Hana Head does not agree yet" in page.words
    assert "about lunch" in page.words
    assert "Ask the head again" in page.words
    assert told(connection)[-1] == ("head_not_yet", "senco@school.example")
    send(client, reference, status=422)
    asked(client, reference)
    answer(client, reference)
    send(client.sign_on("senco"), reference)
    assert [row.answer for row in decisions(session)] == ["asked", "not_yet", "asked", "agreed"]


@pytest.mark.parametrize(
    ("section", "change", "said"),
    [
        ("needs", {"primary": "MLD"}, "Needs"),
        ("declaration", {"declared_by": "Sam"}, "Declaration"),
    ],
)
def test_a_change_afterwards_asks_again_and_says_so(
    client: Client, session: Session, reference: str, section: str, change: Any, said: str
) -> None:
    answer(client, reference)
    client.sign_on("senco")
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        answers.save(client, reference, section, **change)
        page = client.get("referrals.check", reference=reference)
        assert f"Changed since Hana Head agreed: {said}." in page.words
        page = send(client, reference, status=422)
        assert f"Changed since Hana Head agreed: {said}." in page.errors[0]
        answer(client, reference)
        send(client.sign_on("senco"), reference)
    assert status_of(session, reference) is Status.SUBMITTED


def test_saving_the_same_again_is_no_change(
    client: Client, session: Session, reference: str
) -> None:
    answer(client, reference)
    client.sign_on("senco")
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        answers.save(client, reference, "needs")
        send(client, reference)


def test_a_head_who_sends_it_agrees_by_that(
    client: Client, session: Session, reference: str
) -> None:
    client.sign_on("head")
    page = client.get("referrals.check", reference=reference)
    assert "By sending it you also agree to it as the head." in page.words
    send(client, reference)
    (made,) = decisions(session)
    assert (made.answer, made.by_id) == (HeadAnswer.AGREED, "head")
    assert "£100" in made.statement


def test_a_change_while_the_head_reads_is_shown_first(
    client: Client, session: Session, reference: str
) -> None:
    client.sign_on("head")
    old = client.get("referrals.agree", reference=reference)
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        answers.save(client.sign_on("senco"), reference, "needs", primary="MLD")
    client.sign_on("head")
    form = {"answer": "not-yet", "remark": "My words", "seen": old.value("seen")}
    page = client.post(
        "referrals.agree",
        {**form, "pence": old.value("pence")},
        reference=reference,
        status=422,
    )
    assert "have changed since you opened this page" in page.errors[0]
    assert "Moderate learning" in page.words
    assert page.value("remark") == "My words"
    assert decisions(session) == []
    stale = {"answer": "agree", "seen": page.value("seen"), "pence": "2500"}
    client.post("referrals.agree", stale, reference=reference, status=422)
    form = {"answer": "agree", "seen": page.value("seen"), "pence": page.value("pence")}
    client.post("referrals.agree", form, reference=reference)


def test_a_draft_that_is_not_complete_is_not_agreed_to(client: Client, session: Session) -> None:
    reference = answers.start(client.sign_on("senco"), "group")
    client.get("referrals.ask_head", reference=reference, status=302)
    page = client.sign_on("head").get("referrals.agree", reference=reference)
    assert "You can agree when every section is complete" in page.words
    page = answer(client, reference, status=422)
    assert "Complete every section" in page.errors[0]
    answer(client, reference, answer="not-yet", remark="Finish it first")


def test_nobody_but_a_head_answers(client: Client, session: Session, reference: str) -> None:
    client.sign_on("senco").get("referrals.agree", reference=reference, status=403)
    client.post("referrals.agree", {"answer": "agree"}, reference=reference, status=403)
    with acting_as(ACTORS["senco"]):
        session.commit()
        with pytest.raises(NotAllowed), unit_of_work() as work:
            heads.decide(work, reference, agrees=True, by=ACTORS["senco"])
    assert decisions(session) == []


def test_a_head_is_of_the_school_and_may_do_what_its_staff_may() -> None:
    head = Actor(id="x", name="X", roles=frozenset({Role.HEAD}), establishments=(1,))
    assert head.roles == {Role.HEAD, Role.REFERRER}
    assert not ACTORS["senco"].has(Role.HEAD)


def test_a_head_of_another_school_finds_nothing(
    client: Client, session: Session, reference: str, monkeypatch: pytest.MonkeyPatch, app: Flask
) -> None:
    from s2s_portal.state import state

    asked(client, reference)
    other = Actor(
        id="other-senco", name="Olu", roles=frozenset({Role.HEAD}), establishments=(900102,)
    )
    monkeypatch.setitem(state().identity.actors, "other-senco", other)  # type: ignore[attr-defined]
    client.sign_on("other-senco").get("referrals.agree", reference=reference, status=404)
    assert reference not in client.get("referrals.index").words


def test_sent_again_after_a_return_needs_no_second_agreement(
    client: Client, session: Session, reference: str
) -> None:
    answer(client, reference)
    send(client.sign_on("senco"), reference)
    client.sign_on("officer")
    page = client.get("triage.return_for_information", reference=reference)
    form = {"seen": page.value("seen"), "sections": ["needs"], "question_needs": "Which first?"}
    names = {name for name in page.document.xpath("//form//@name")}
    form |= {name: "Which first?" for name in names if name == "question_needs"}
    client.post("triage.return_for_information", form, reference=reference)
    client.sign_on("senco")
    answers.save(client, reference, "needs", primary="MLD")
    page = client.get("referrals.check", reference=reference)
    form = {"token": page.value("token")}
    client.post("referrals.submit", form, reference=reference)
    assert status_of(session, reference) is Status.SUBMITTED


def test_without_the_setting_nothing_is_asked(
    client: Client, session: Session, app: Flask, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    monkeypatch.setitem(app.config, "S2S_HEAD_AGREES", False)
    page = client.get("referrals.check", reference=reference)
    assert "head must agree" not in page.words
    client.get("referrals.ask_head", reference=reference, status=302)
    client.sign_on("head").get("referrals.agree", reference=reference, status=302)
    send(client.sign_on("senco"), reference)
    assert decisions(session) == []


def test_an_expired_draft_keeps_no_word_of_the_head(
    client: Client, session: Session, reference: str
) -> None:
    answer(client, reference, answer="not-yet", remark="Zosia needs more than this")
    for days in (115, 125):  # school days after the summer
        with clock.frozen(clock.now() + timedelta(days=days)), acting_as(SYSTEM):
            session.commit()
            drafts.upkeep()
            session.commit()
    assert session.scalars(select(HeadRemark)).all() == []
    assert [row.answer for row in decisions(session)] == [HeadAnswer.NOT_YET]


def test_a_group_from_the_teacher_s_section_to_the_head_and_the_council(
    client: Client, session: Session
) -> None:
    """The class teacher fills in a section, the SENCo checks it, the head agrees, it is sent."""
    reference = answers.start(client.sign_on("senco"), "group")
    for section, form in answers.KINDS["group"].items():
        if section != "needs":
            answers.save(client, reference, section, form)
    ask(client, session, reference, "needs")
    client.sign_on("teacher").post("contributions.link", token=TOKEN)
    number = last(session).id
    page = client.get("contributions.show", number=number)
    assert "for Year 2 phonics" in page.words
    client.post("contributions.show", {**NEEDS, "seen": page.value("seen")}, number=number)
    client.sign_on("senco")
    where = {"reference": reference, "section": "needs", "filled": number}
    mark = client.get("referrals.section", **where).value("seen")
    client.post("referrals.section", {**NEEDS, "seen": mark}, **where)
    asked(client, reference)
    answer(client, reference)
    send(client.sign_on("senco"), reference)
    page = client.sign_on("officer").get("triage.show", reference=reference)
    assert "Year 2 phonics" in page.words
    assert "Agreed by the headHana Head" in page.words
