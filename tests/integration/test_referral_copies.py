"""What is typed and not saved is kept on the server: for its writer alone, until it is saved."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.models.answer import DraftCopy
from tests import answers
from tests.client import Client

pytestmark = pytest.mark.usefixtures("may_2019")

TYPED = {"support": ["TRN"], "reason": "Half a sentence with <b>markup</b> 🙂 and Łódź", "seen": ""}


@pytest.fixture
def senco(client: Client, session: Session) -> Client:
    return client.sign_on("senco")


@pytest.fixture
def reference(senco: Client) -> str:
    return answers.start(senco)


def keep(client: Client, reference: str, section: str = "support", **typed: object) -> datetime:
    where = {"reference": reference, "section": section}
    page = client.post("referrals.keep", {**TYPED, **typed}, status=200, **where)
    assert page.response.json == {"kept_at": "midday"}
    return clock.now()


def kept(session: Session) -> list[DraftCopy]:
    session.commit()
    session.expire_all()
    return list(session.scalars(select(DraftCopy)))


def test_what_was_typed_is_offered_when_its_writer_comes_back(
    senco: Client, session: Session, reference: str
) -> None:
    where = {"reference": reference, "section": "support"}
    assert "We kept what you typed" not in senco.get("referrals.section", **where).words
    keep(senco, reference)
    with clock.frozen(clock.now() + timedelta(hours=20)):
        senco.sign_on("senco")  # the session of yesterday has ended
        page = senco.get("referrals.section", **where)
        assert "We kept what you typed here on 14 May 2019 at midday" in page.words
        assert page.value("reason") == "", "what is saved is shown until it is asked for"
        page = senco.get("referrals.section", copy="yes", **where)
        assert page.value("reason") == TYPED["reason"]
        assert page.document.xpath("//input[@value='TRN' and @checked]")
        form = {"support": ["TRN"], "reason": page.value("reason"), "seen": page.value("seen")}
        senco.post("referrals.section", form, **where)
    assert kept(session) == [], "saved, so no copy stays"


def test_it_is_thrown_away_when_asked(senco: Client, session: Session, reference: str) -> None:
    keep(senco, reference)
    where = {"reference": reference, "section": "support"}
    page = senco.post("referrals.keep", {"discard": "yes"}, **where)
    assert "We kept" not in senco.follow(page).words
    assert kept(session) == []


def test_a_colleague_never_sees_it(client: Client, session: Session) -> None:
    reference = answers.start(client.sign_on("senco"))
    keep(client, reference)
    client.sign_on("head")
    where = {"reference": reference, "section": "support"}
    page = client.get("referrals.section", copy="yes", **where)
    assert "We kept" not in page.words
    assert page.value("reason") == ""
    keep(client, reference, reason="Hana's")
    assert sorted(copy.by_id for copy in kept(session)) == ["head", "senco"]
    client.post("referrals.keep", {"discard": "yes"}, **where)
    assert [copy.by_id for copy in kept(session)] == ["senco"]


def test_a_copy_does_not_undo_a_colleagues_save(client: Client, session: Session) -> None:
    reference = answers.start(client.sign_on("senco"))
    keep(client, reference)
    answers.save(client.sign_on("head"), reference, "support", reason="What Hana wrote")
    client.sign_on("senco")
    where = {"reference": reference, "section": "support"}
    page = client.get("referrals.section", copy="yes", **where)
    form = {"support": ["TRN"], "reason": page.value("reason"), "seen": page.value("seen")}
    page = client.post("referrals.section", form, status=422, **where)
    assert "Hana Head saved this section" in page.errors[0]
    assert "What Hana wrote" in page.words
    assert page.value("reason") == TYPED["reason"]


def test_every_copy_goes_when_the_referral_is_sent(client: Client, session: Session) -> None:
    reference = answers.complete(client.sign_on("senco"))
    keep(client, reference)
    keep(client.sign_on("head"), reference)
    client.sign_on("senco")
    form = {"token": answers.token(client, reference)}
    client.post("referrals.submit", form, reference=reference)
    assert kept(session) == []
    where = {"reference": reference, "section": "support"}
    client.post("referrals.keep", TYPED, status=422, **where)


def test_a_copy_is_as_typed_and_checked_by_nobody(
    senco: Client, session: Session, reference: str
) -> None:
    answers.save(senco, reference, "subject")
    where = {"reference": reference, "section": "tried"}
    rows = {"rows-0-what": "x", "rows-3-result": "y", "rows-0-started_on": ["99", "x", ""]}
    senco.post("referrals.keep", {**rows, "nul\x00": "a", "b": "c\x00d"}, status=200, **where)
    page = senco.get("referrals.section", copy="yes", **where)
    days = page.document.xpath("//*[@name='rows-0-started_on']/@value")
    assert days[:2] == ["99", "x"]
    assert page.value("rows-1-result") == "y", "rows close up"
    fields = kept(session)[0].fields
    assert ["b", "cd"] in fields
    assert not any(name in {"csrf_token", "nul\x00"} for name, _ in fields)


def test_there_is_an_end_to_what_is_kept(senco: Client, session: Session, reference: str) -> None:
    where = {"reference": reference, "section": "support", "status": 422}
    senco.post("referrals.keep", {f"n{n}": "x" for n in range(501)}, **where)
    senco.post("referrals.keep", {"reason": "x" * 300_001}, **where)
    senco.post("referrals.keep", {"reason": "x", "csrf_token": "forged"}, **where)
    senco.post("referrals.keep", TYPED, status=422, reference=reference, section="own")
    assert kept(session) == []


def test_another_school_keeps_nothing_here(client: Client, session: Session) -> None:
    reference = answers.start(client.sign_on("senco"))
    where = {"reference": reference, "section": "support"}
    client.sign_on("other-senco").post("referrals.keep", TYPED, status=404, **where)
    assert kept(session) == []


def test_keeping_is_audited_once_for_a_copy(
    senco: Client, session: Session, reference: str
) -> None:
    for _ in range(3):
        keep(senco, reference)
    session.commit()
    rows = session.scalars(
        text("SELECT action FROM s2s.audit_entry WHERE entity_key = :r AND action LIKE 'kept%'"),
        {"r": reference},
    ).all()
    assert rows == ["kept what was typed into support of"]
