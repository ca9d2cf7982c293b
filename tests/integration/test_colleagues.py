"""A colleague without a part in the service fills in one section of a draft, and sees no more."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from s2s_portal import Actor, Role, clock
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.colleague import Contribution, Ending
from s2s_portal.models.referral import Referral
from s2s_portal.services import colleagues, drafts, notices
from s2s_portal.services.invitations import digest
from s2s_portal.state import state
from tests import answers
from tests.client import Client, Page
from tests.integration.test_hostile import attempt, bodies, fields
from tests.world import ACTORS, OTHER_SCHOOL, PROVIDER, SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")

TOKEN = "a-token-of-this-test"
WHOM = {"name": "Tess Teacher", "email": "tess@school.example", "message": "By Friday, please"}
NEEDS = {"primary": "SLCN", "secondary": ["ASD"], "then": "hand-back"}


def asked(client: Client, session: Session, section: str = "needs", **more: Any) -> str:
    """A draft of a pupil, of which a colleague was asked for a section; its reference."""
    client.sign_on("senco")
    reference = answers.start(client)
    answers.save(client, reference, "subject")
    ask(client, session, reference, section, **more)
    return reference


def ask(client: Client, session: Session, reference: str, section: str, **more: Any) -> None:
    """Ask, and let the mail go out with TOKEN."""
    where = {"reference": reference, "section": section}
    client.post("referrals.colleague", {**WHOM, **more}, **where)
    posted(session, section)


def posted(session: Session, section: str, token: str = TOKEN) -> None:
    """As when the worker has sent the mail: it keeps the digest of the token."""
    with acting_as(SYSTEM):
        row = last(session)
        assert row.section == section
        row.digest = digest(token)
        session.commit()


def last(session: Session) -> Contribution:
    """What was asked for last."""
    session.commit()
    session.expire_all()
    return session.scalars(select(Contribution).order_by(Contribution.id.desc())).first()  # type: ignore[return-value]


def opened(client: Client, session: Session, key: str = "teacher") -> int:
    """Open the link as the colleague; the number of what they were asked for."""
    client.sign_on(key)
    assert "Fill in one section" in client.get("contributions.link", token=TOKEN).words
    client.post("contributions.link", token=TOKEN)
    return last(session).id


def written(client: Client, number: int, form: dict[str, Any], *, status: int = 302) -> Page:
    """Fill in the colleague's page as it is drawn now, and send it."""
    seen = client.get("contributions.show", number=number).value("seen")
    return client.post("contributions.show", {"seen": seen, **form}, number=number, status=status)


def handed_back(client: Client, session: Session, reference: str) -> int:
    """The colleague fills in the needs and hands them back; the SENCo is signed on again."""
    number = opened(client, session)
    written(client, number, NEEDS)
    client.sign_on("senco")
    return number


def jobs(connection: Connection, task: str) -> list[dict[str, Any]]:
    """What waits for the worker."""
    connection.execute(text("RESET ROLE"))
    query = text("SELECT args FROM s2s.procrastinate_jobs WHERE task_name = :task ORDER BY id")
    return list(connection.scalars(query, {"task": task}))


def run_daily(session: Session) -> None:
    """What the worker does once a day."""
    with acting_as(SYSTEM):
        session.commit()
        colleagues.end_expired()
        session.commit()


def draft(session: Session, reference: str) -> Referral:
    session.commit()
    session.expire_all()
    return session.scalars(select(Referral).where(Referral.reference == reference)).one()


# Asking -----------------------------------------------------------------------------------------


def test_a_section_is_asked_for_from_the_task_list(
    client: Client, session: Session, connection: Connection
) -> None:
    reference = asked(client, session)
    page = client.get("referrals.show", reference=reference)
    assert "Tess Teacher was asked on 14 May 2019" in page.words
    (job,) = jobs(connection, "s2s.send_contribution")
    assert job["link"].endswith("/s2s/contributions/link/TOKEN"), "no token lies in the queue"
    assert "Zo" not in json.dumps(job)


def test_only_what_a_class_teacher_can_know_is_offered(client: Client, session: Session) -> None:
    reference = answers.start(client.sign_on("senco"))
    answers.save(client, reference, "subject")
    page = client.get("referrals.show", reference=reference)
    offered = [
        href.split("/")[-2]
        for href in page.document.xpath("//a[contains(@href, '/colleague')]/@href")
    ]
    assert sorted(offered) == sorted(colleagues.OFFERED)
    for section in ("school", "subject", "schooling", "services", "consent", "declaration"):
        path = f"/s2s/referrals/{reference}/{section}/colleague"
        assert client.open(path, method="GET").status_code == 404, section


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"name": ""}, "Enter the name of your colleague"),
        ({"email": "tess"}, "Enter an email address, like name@school.org.uk"),
        ({"message": "x" * 10_001}, "A word to them must be 10,000 characters or fewer"),
    ],
)
def test_what_is_missing_is_said_and_what_was_typed_stays(
    client: Client, session: Session, form: dict[str, str], error: str
) -> None:
    reference = answers.start(client.sign_on("senco"))
    where = {"reference": reference, "section": "needs"}
    page = client.post("referrals.colleague", {**WHOM, **form}, status=422, **where)
    assert error in page.errors[0]
    assert page.value("name") == {**WHOM, **form}["name"]
    assert session.scalars(select(Contribution)).all() == []


def test_one_colleague_at_a_time(client: Client, session: Session) -> None:
    reference = asked(client, session)
    page = client.get("referrals.colleague", reference=reference, section="needs")
    assert page.h1 == "With a colleague: Needs"
    where = {"reference": reference, "section": "needs"}
    client.post("referrals.colleague", WHOM, status=200, **where)  # the page of the first
    assert len(session.scalars(select(Contribution)).all()) == 1


def test_another_school_asks_for_nothing(client: Client, session: Session) -> None:
    reference = asked(client, session)
    client.sign_on("other-senco")
    where = {"reference": reference, "section": "needs"}
    client.get("referrals.colleague", status=404, **where)
    for endpoint in ("colleague", "ask_again", "ask_no_longer"):
        client.post(f"referrals.{endpoint}", WHOM, status=404, **where)


# The colleague ----------------------------------------------------------------------------------


def test_the_colleague_sees_the_section_and_nothing_else(
    client: Client, session: Session, connection: Connection
) -> None:
    reference = asked(client, session)
    number = opened(client, session)
    page = client.get("contributions.show", number=number)
    assert page.h1 == "Needs"
    assert "for Zo. You see no other part of it." in page.words
    assert "By Friday, please" in page.words
    for word in ("Canary", "2010", "S2S_", "Back to"):
        assert word not in page.words, word
    assert not page.document.xpath(f"//main//a[contains(@href, '{reference}')]")
    for endpoint, status in (("home.index", 403), ("referrals.index", 403)):
        client.get(endpoint, status=status)
    client.get("referrals.section", reference=reference, section="needs", status=403)
    connection.execute(text("RESET ROLE"))
    read = text("SELECT entity_key FROM s2s.audit_entry WHERE by_id = 'teacher' AND action = :a")
    assert set(connection.scalars(read, {"a": "looked at"})) == {reference}


def test_what_needs_no_child_names_none(client: Client, session: Session) -> None:
    asked(client, session, "practicalities")
    assert last(session).about == ""
    page = client.get("contributions.show", number=opened(client, session))
    assert "Zo" not in page.words.replace("Zone", "")
    assert "Purchase order" not in page.words


def test_the_link_is_for_the_first_account_alone(client: Client, session: Session) -> None:
    asked(client, session)
    number = opened(client, session)
    client.sign_on("outsider")
    page = client.get("contributions.link", token=TOKEN, status=409)
    assert "already been used with another account" in page.words
    client.post("contributions.link", token=TOKEN, status=409)
    client.get("contributions.show", number=number, status=404)
    client.post("contributions.show", NEEDS, number=number, status=404)
    page = client.sign_on("teacher").get("contributions.link", token=TOKEN, status=302)
    assert page.location.endswith(f"/contributions/{number}/")


def test_a_token_that_is_none_opens_nothing(client: Client, session: Session) -> None:
    asked(client, session)
    client.sign_on("teacher").get("contributions.link", token="absent", status=404)
    client.post("contributions.link", token="absent", status=404)
    client.get("contributions.show", number=last(session).id, status=404)


@pytest.mark.parametrize(
    "account",
    [
        {"establishments": (OTHER_SCHOOL,), "roles": frozenset({Role.REFERRER})},
        {"provider": PROVIDER, "roles": frozenset({Role.PRACTITIONER})},
    ],
)
def test_an_account_of_another_school_is_kept_out(
    client: Client, session: Session, monkeypatch: pytest.MonkeyPatch, account: dict[str, Any]
) -> None:
    asked(client, session)
    actors = state().identity.actors  # type: ignore[attr-defined]
    monkeypatch.setitem(actors, "teacher", Actor(id="teacher", name="Tess", **account))
    client.sign_on("teacher")
    page = client.get("contributions.link", token=TOKEN, status=422)
    assert "You signed in for another school" in page.words
    client.post("contributions.link", token=TOKEN, status=422)
    assert last(session).account_id is None
    monkeypatch.setitem(actors, "teacher", ACTORS["teacher"])
    number = opened(client, session)
    monkeypatch.setitem(actors, "teacher", Actor(id="teacher", name="Tess", **account))
    client.sign_on("teacher").get("contributions.show", number=number, status=422)


def test_an_account_of_the_school_itself_is_let_in(
    client: Client, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(client, session)
    own = Actor(id="teacher", name="Tess", establishments=(SCHOOL,))
    monkeypatch.setitem(state().identity.actors, "teacher", own)  # type: ignore[attr-defined]
    written(client, opened(client, session), NEEDS)
    assert last(session).handed_back_at is not None


@pytest.mark.parametrize("section", colleagues.OFFERED)
def test_each_section_is_saved_and_comes_back_as_it_was(
    client: Client, session: Session, section: str
) -> None:
    asked(client, session, section)
    number = opened(client, session)
    empty = {"visit_notes": "", "safety_notes": ""} if section == "practicalities" else {}
    typed = {**answers.SECTIONS[section], **empty, "secondary": ["SLCN", "ASD"], "then": "stay"}
    written(client, number, typed)
    first = last(session).answers
    page = client.get("contributions.show", number=number)
    assert "Last saved on 14 May 2019 at midday" in page.words
    form = page.document.xpath("//form[.//*[@name='then']]")[0]
    kept = [(name, value) for name, value in form.form_values() if name != "csrf_token"]
    client.post("contributions.show", _many(kept), number=number)
    assert last(session).answers == first, "what the page was drawn with says the same"


def _many(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def test_the_rules_of_the_section_hold_for_the_colleague(client: Client, session: Session) -> None:
    asked(client, session)
    number = opened(client, session)
    twice = {"primary": "SLCN", "secondary": ["SLCN"], "then": "hand-back"}
    page = written(client, number, twice, status=422)
    assert "The primary need must not be among the other needs as well" in page.errors[0]
    assert page.document.xpath("//input[@name='primary' and @value='SLCN' and @checked]")
    assert last(session).saved_at is None


def test_rows_are_added_without_saving(client: Client, session: Session) -> None:
    asked(client, session, "tried")
    number = opened(client, session)
    form = {**answers.SECTIONS["tried"], "add": "1"}
    page = client.post("contributions.show", form, number=number, status=200)
    assert "Cycle 3" in page.words
    assert page.value("rows-0-what") == "A calm corner"


def test_two_tabs_of_the_colleague_show_both(client: Client, session: Session) -> None:
    asked(client, session, "support")
    number = opened(client, session)
    old = client.get("contributions.show", number=number).value("seen")
    form = {"support": ["ADV"], "reason": "From the first tab", "then": "stay"}
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        written(client, number, form)
    again = {**form, "reason": "From the second tab", "seen": old}
    page = client.post("contributions.show", again, number=number, status=422)
    assert "saved this section while you had it open" in page.errors[0]
    assert "From the first tab" in page.words
    assert page.value("reason") == "From the second tab"
    client.post("contributions.show", {**again, "seen": page.value("seen")}, number=number)
    assert last(session).answers["reason"] == "From the second tab"  # type: ignore[index]


def test_what_is_handed_back_is_read_and_changed_no_more(
    client: Client, session: Session, connection: Connection
) -> None:
    reference = asked(client, session)
    handed_back(client, session, reference)
    client.sign_on("teacher")
    number = last(session).id
    page = client.get("contributions.show", number=number)
    assert page.h1 == "You have handed this back"
    assert "Speech, language and communication" in page.words
    page = client.post("contributions.show", {**NEEDS, "primary": "ASD"}, number=number, status=422)
    assert "already handed this back" in page.words
    told = jobs(connection, "s2s.send_mail")[-1]
    assert told["notice"] == "colleague_handed_back"
    assert told["address"] == "senco@school.example"
    assert told["link"].endswith(f"/s2s/referrals/{reference}/")


@pytest.mark.parametrize("section", ["needs", "tried", "practicalities"])
def test_nothing_that_is_sent_to_the_page_ends_in_a_traceback(
    client: Client, session: Session, section: str
) -> None:
    asked(client, session, section)
    number = opened(client, session)
    drawn = client.get("contributions.show", number=number)
    good = fields(drawn) | {"csrf_token": client.token}
    path = client.url("contributions.show", number=number)
    wrong = [attempt(client, path, method="POST", data=body) for body in bodies(good)]
    assert [line for line in wrong if line] == []


# The school uses it -----------------------------------------------------------------------------


def test_the_school_checks_what_came_back_and_saves_it(client: Client, session: Session) -> None:
    reference = asked(client, session)
    number = handed_back(client, session, reference)
    assert "needs" not in draft(session, reference).answered, "nothing is in the draft by itself"
    page = client.get("referrals.show", reference=reference)
    assert "Tess Teacher filled this in on 14 May 2019 at midday" in page.words
    assert "Handed back" in page.words
    page = client.get("referrals.section", reference=reference, section="needs")
    assert "Check what Tess Teacher wrote" in page.words
    where = {"reference": reference, "section": "needs", "filled": number}
    page = client.get("referrals.section", **where)
    assert page.document.xpath("//input[@name='primary' and @value='SLCN' and @checked]")
    form = {"primary": "SLCN", "secondary": ["ASD"], "seen": page.value("seen")}
    client.post("referrals.section", form, **where)
    assert draft(session, reference).answered["needs"]["by"] == "Sam O'Brien-Łukasz"
    row = last(session)
    assert (row.answers, row.about, row.message) == (None, "", ""), "it lies in one place alone"
    page = client.get("referrals.show", reference=reference)
    assert "Tess Teacher filled this in" in page.words
    assert "Sam O'Brien-Łukasz checked it" in page.words
    page = client.sign_on("teacher").get("contributions.link", token=TOKEN, status=409)
    assert "now part of the school's draft" in page.words
    client.get("contributions.show", number=number, status=404)


def test_both_are_shown_when_the_school_saved_it_meanwhile(
    client: Client, session: Session
) -> None:
    reference = asked(client, session, "support")
    number = opened(client, session)
    answers.save(client.sign_on("head"), reference, "support", reason="What Hana wrote")
    form = {"support": ["ADV"], "reason": "What Tess wrote", "then": "hand-back"}
    written(client.sign_on("teacher"), number, form)
    client.sign_on("senco")
    where = {"reference": reference, "section": "support", "filled": number}
    page = client.get("referrals.section", **where)
    assert "What Hana wrote" in page.words
    assert page.value("reason") == "What Tess wrote"
    assert "Both are shown" in page.words
    assert draft(session, reference).reason == "What Hana wrote"
    form = {"support": ["ADV"], "reason": "What Tess wrote", "seen": page.value("seen")}
    client.post("referrals.section", form, **where)
    assert draft(session, reference).reason == "What Tess wrote"


def test_a_save_while_it_is_looked_at_is_shown_first(client: Client, session: Session) -> None:
    reference = asked(client, session)
    number = handed_back(client, session, reference)
    where = {"reference": reference, "section": "needs", "filled": number}
    mark = client.get("referrals.section", **where).value("seen")
    answers.save(client.sign_on("head"), reference, "needs", {"primary": "MLD"})
    client.sign_on("senco")
    form = {"primary": "SLCN", "seen": mark}
    page = client.post("referrals.section", form, status=422, **where)
    assert "Hana Head saved this section" in page.errors[0]
    assert last(session).is_open, "not used yet"


def test_rules_that_need_the_whole_draft_are_asked_when_it_is_used(
    client: Client, session: Session
) -> None:
    reference = answers.start(client.sign_on("senco"))
    answers.save(client, reference, "subject")
    answers.save(client, reference, "schooling", sen_provision="E")
    ask(client, session, reference, "needs")
    number = opened(client, session)
    written(client, number, {"primary": "NSA", "then": "hand-back"})
    where = {"reference": reference, "section": "needs", "filled": number}
    client.sign_on("senco")
    mark = client.get("referrals.section", **where).value("seen")
    form = {"primary": "NSA", "seen": mark}
    page = client.post("referrals.section", form, status=422, **where)
    assert "NSA is only for pupils on SEN Support" in page.errors[0]


def test_a_purchase_order_stays_the_school_s(client: Client, session: Session) -> None:
    reference = answers.start(client.sign_on("academy-senco"))
    answers.save(client, reference, "subject")
    answers.save(client, reference, "practicalities", purchase_order="PO 77")
    ask(client, session, reference, "practicalities")
    number = opened(client, session)
    assert "PO 77" not in client.get("contributions.show", number=number).text
    written(client, number, {"preferred_days": "Mondays", "then": "hand-back"})
    client.sign_on("academy-senco")
    where = {"reference": reference, "section": "practicalities", "filled": number}
    page = client.get("referrals.section", **where)
    assert page.value("preferred_days") == "Mondays"
    assert page.value("purchase_order") == "PO 77"


def test_a_number_that_is_another_s_fills_in_nothing(client: Client, session: Session) -> None:
    reference = asked(client, session)
    number = handed_back(client, session, reference)
    other = answers.start(client)
    where = {"reference": other, "section": "needs"}
    page = client.get("referrals.section", filled=number, **where)
    assert not page.document.xpath("//input[@name='primary' and @checked]")
    for nonsense in ("9" * 30, "x", "-1"):
        client.get("referrals.section", filled=nonsense, **where)
    form = {"primary": "MLD", "seen": page.value("seen")}
    client.post("referrals.section", form, filled=number, **where)
    assert last(session).is_open


# It ends ----------------------------------------------------------------------------------------


def test_the_school_stops_asking(client: Client, session: Session) -> None:
    reference = asked(client, session)
    number = opened(client, session)
    written(client, number, {**NEEDS, "then": "stay"})
    client.sign_on("head")
    page = client.get("referrals.colleague", reference=reference, section="needs")
    assert "What they wrote is deleted" in page.words
    client.post("referrals.ask_no_longer", reference=reference, section="needs")
    row = last(session)
    assert (row.ending, row.answers, row.about) == (Ending.WITHDRAWN, None, "")
    page = client.sign_on("teacher").get("contributions.link", token=TOKEN, status=409)
    assert "no longer asks you" in page.words
    client.get("contributions.show", number=number, status=404)
    client.post("contributions.show", NEEDS, number=number, status=404)
    client.sign_on("senco")
    client.post("referrals.colleague", WHOM, reference=reference, section="needs")
    assert last(session).is_open, "somebody else can be asked"


def test_the_link_is_sent_again_and_the_earlier_one_ends(
    client: Client, session: Session, connection: Connection
) -> None:
    reference = asked(client, session)
    with clock.frozen(clock.now() + timedelta(days=13)):
        client.post("referrals.ask_again", reference=reference, section="needs")
        posted(session, "needs", "another-token")
    assert len(jobs(connection, "s2s.send_contribution")) == 2
    with clock.frozen(clock.now() + timedelta(days=26)):
        client.sign_on("teacher").get("contributions.link", token=TOKEN, status=404)
        client.get("contributions.link", token="another-token")


def test_it_expires(client: Client, session: Session) -> None:
    asked(client, session)
    number = opened(client, session)
    written(client, number, {**NEEDS, "then": "stay"})
    with clock.frozen(clock.now() + timedelta(days=14)):
        page = client.get("contributions.show", number=number, status=409)
        assert "This link has expired" in page.words
        client.get("contributions.link", token=TOKEN, status=409)
        client.post("contributions.show", NEEDS, number=number, status=409)
        run_daily(session)
        assert last(session).answers is None
    assert last(session).ending is Ending.EXPIRED


def test_what_was_handed_back_does_not_expire(client: Client, session: Session) -> None:
    reference = asked(client, session)
    handed_back(client, session, reference)
    with clock.frozen(clock.now() + timedelta(days=30)):
        run_daily(session)
    assert last(session).is_open


def test_it_ends_when_the_referral_is_sent(client: Client, session: Session) -> None:
    reference = answers.complete(client.sign_on("senco"))
    ask(client, session, reference, "needs")
    number = opened(client, session)
    page = client.get("contributions.show", number=number)
    assert page.document.xpath("//input[@name='primary' and @value='SEMH' and @checked]")
    client.sign_on("senco")
    page = client.get("referrals.check", reference=reference)
    assert "Needs: Tess Teacher has not handed it back." in page.words
    client.post("referrals.submit", {"token": page.value("token")}, reference=reference)
    row = last(session)
    assert (row.ending, row.answers, row.about) == (Ending.SENT, None, "")
    client.sign_on("teacher").get("contributions.show", number=number, status=404)
    page = client.get("contributions.link", token=TOKEN, status=409)
    assert "no longer a draft" in page.words


def test_nothing_of_it_is_left_of_an_expired_draft(client: Client, session: Session) -> None:
    asked(client, session)
    number = opened(client, session)
    written(client, number, NEEDS)
    session.commit()
    for days in (115, 125):  # school days after the summer
        with clock.frozen(clock.now() + timedelta(days=days)), acting_as(SYSTEM):
            session.commit()
            drafts.upkeep()
            session.commit()
    assert session.scalars(select(Contribution)).all() == []
    client.sign_on("teacher").get("contributions.show", number=number, status=404)


def test_a_section_that_is_not_asked_any_more_ends_it(client: Client, session: Session) -> None:
    reference = asked(client, session)
    drawn = client.get("referrals.kind", reference=reference)
    form = {"kind": "whole", "seen": drawn.value("seen")}
    page = client.post("referrals.kind", form, reference=reference, status=200)
    assert "Needs" in page.words, "that it goes is said first"
    answers.choose(client, reference, "whole")
    assert last(session).ending is Ending.WITHDRAWN


# Mail -------------------------------------------------------------------------------------------


def test_the_mail_has_the_link_and_nothing_of_a_child(
    client: Client, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, str, list[str]]] = []
    monkeypatch.setattr(notices, "deliver", lambda *parts: sent.append(parts[:3]))
    reference = asked(client, session)
    with acting_as(SYSTEM):
        session.commit()
        colleagues.send(last(session).id, "https://portal.example/x/TOKEN", "<1@s2s.invalid>")
    ((_subject, body, whom),) = sent
    assert whom == ["tess@school.example"]
    assert "by 28 May 2019" in body
    assert reference in body
    for word in ("Zo", "Canary", "Needs", "TOKEN", "By Friday"):
        assert word not in body, word
    token = body.split("https://portal.example/x/")[1].split()[0]
    assert last(session).digest == digest(token)
