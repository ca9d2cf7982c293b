"""The school's right of reply: a fact disputed in time, attached, answered, settled (3.8)."""

from __future__ import annotations

import io
from datetime import date
from hashlib import sha256

import pikepdf
import pytest
from flask import Flask
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import in_the_name_of
from s2s_portal.database import session as current_session
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import acting_as
from s2s_portal.models.calendar import DateKind, TermDate
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral
from s2s_portal.models.reply import RecordReply, ReplySettlement
from s2s_portal.models.visit import Addendum, RecordDocument, Visit, VisitRecord
from s2s_portal.services import replies
from tests import rows, world
from tests.client import Client, Page
from tests.integration.test_records import (
    HERE,
    REFERENCE,
    As,
    count,
    events,
    issued,
    mails,
    visit,
)
from tests.unit.test_visit_record_document import unspaced, words
from tests.world import SCHOOL

__all__ = ["issued", "visit"]

pytestmark = pytest.mark.usefixtures("may_2019")
SAID = "He was <b>not</b> in the hall.\n=1+1 عائشہ 🎉"
SENT = {"part": "observed", "text": SAID}


def dispute(client: Client, **changes: object) -> Page:
    status = changes.pop("status", 302)
    return client.post("visits.dispute", SENT | changes, status=status, **HERE)  # type: ignore[arg-type]


def settle(client: Client, said: str = "", *, row: int = 1, status: int = 302) -> Page:
    return client.post("visits.settle", {"words": said}, status=status, row=row, **HERE)


def as_school(part: str, said: str = "Wrong", key: str = "senco") -> RecordReply:
    """Dispute a part by the service."""
    by = world.ACTORS[key]
    with acting_as(by):
        current_session().commit()
        with in_the_name_of(by) as work:
            return replies.dispute(work, REFERENCE, 1, part=part, text=said, by=by)


def documents(session: Session) -> list[RecordDocument]:
    session.commit()
    return list(session.scalars(select(RecordDocument).order_by(RecordDocument.id)))


# In time ----------------------------------------------------------------------------------------
def test_a_disputed_fact_is_attached_and_everybody_sees_it(
    client: Client, session: Session, issued: None
) -> None:
    page = client.sign_on("senco").get("visits.read", **HERE)
    # Ten school days from 14 May, with half term and its bank holiday between.
    assert "You can dispute a fact until 4 June 2019." in page.words
    page = client.get("visits.dispute", **HERE)
    assert "worried that a child is at risk, do not write it here" in page.words
    assert "You can dispute a fact until 4 June 2019." in page.words
    assert "Addendum 1" not in page.words
    page = client.follow(dispute(client))
    assert "Your reply is attached to the record." in page.words
    for key in ("senco", "head", "officer", "practitioner", "lead"):
        page = client.sign_on(key).get("visits.read", **HERE)
        assert "Reply 1: What was observed Disputed" in page.words
        assert "He was <b>not</b> in the hall." in page.words
        assert "=1+1 عائشہ 🎉" in page.words
        assert "Calm" in page.words, "the record itself is as it was"
    assert count(session, RecordReply) == 1
    assert events(session).count(Action.RECORD_DISPUTED) == 1
    assert [notice for notice, _link in mails(session)] == ["record_issued", "record_disputed"]
    for key, endpoint in (
        ("practitioner", "visits.show"),
        ("senco", "referrals.show"),
        ("officer", "triage.show"),
    ):
        page = client.sign_on(key).get(endpoint, reference=REFERENCE)
        assert page.document.xpath("//*[contains(@class,'govuk-tag--red')][.='Disputed']"), key


def test_the_pdf_is_made_anew_with_the_reply_and_what_came_of_it(
    client: Client, session: Session, issued: None
) -> None:
    dispute(client.sign_on("senco"))
    client.sign_on("practitioner").post("visits.addendum", {"text": "So", "answers": "1"}, **HERE)
    settle(client.sign_on("officer"), "Both have spoken")
    made = documents(session)
    assert [(one.addenda, one.replies, one.settled) for one in made] == [
        (0, 0, 0),
        (0, 1, 0),
        (1, 1, 0),
        (1, 1, 1),
    ]
    assert len({one.sha256 for one in made}) == 4
    response = client.sign_on("head").open(client.url("visits.document", **HERE))
    assert sha256(response.data).hexdigest() == made[-1].sha256
    said = unspaced(words(response.data))
    for phrase in (
        "The school’s reply",
        "Reply 1: What was observed",
        "He was <b>not</b> in the hall.",
        "in answer to reply 1 of the school",
        "Settled: Ola Officer, for the council, on 14 May 2019",
        "Both have spoken",
    ):
        assert unspaced(phrase) in said, phrase
    before = unspaced(words(made[1].content))
    assert unspaced("Not settled when this copy was made.") in before


def test_the_last_day_goes_by_the_school_s_own_days_and_is_fixed_at_issue(
    client: Client, session: Session, visit: Visit
) -> None:
    session.add(
        TermDate(
            academic_year=2018,
            kind=DateKind.INSET,
            urn=SCHOOL,
            starts=date(2019, 5, 17),
            ends=date(2019, 5, 17),
            by_id="a",
            by_name="A",
            source="x",
        )
    )
    session.commit()
    As("practitioner").issue(As("practitioner").save())
    page = client.sign_on("senco").get("visits.read", **HERE)
    assert "You can dispute a fact until 5 June 2019." in page.words
    session.commit()
    session.execute(text("DELETE FROM s2s.term_date WHERE urn IS NOT NULL"))
    session.commit()
    page = client.get("visits.read", **HERE)
    assert "You can dispute a fact until 5 June 2019." in page.words, "fixed when it was issued"
    with clock.frozen(date(2019, 6, 5)):
        dispute(client)


def test_an_addendum_has_ten_days_of_its_own(
    client: Client, session: Session, issued: None
) -> None:
    with clock.frozen(date(2019, 6, 5)):
        As("practitioner").add("It was in the hall.")
        client.sign_on("senco")
        page = client.get("visits.dispute", **HERE)
        assert page.document.xpath("//input[@name='part']/@value") == ["addendum-1"]
        page = dispute(client, status=422)
        assert "The last day to dispute this was 4 June 2019." in page.errors[0]
        dispute(client, part="addendum-1")
        assert "Reply 1: Addendum 1" in client.get("visits.read", **HERE).words
    with clock.frozen(date(2019, 6, 20)), pytest.raises(OutOfOrder, match="19 June 2019"):
        as_school("addendum-1", "More")


def test_a_record_issued_by_an_older_release_has_its_ten_days_too(
    client: Client, session: Session, issued: None, connection: Connection
) -> None:
    session.commit()
    connection.execute(text("SET LOCAL ROLE NONE"))
    connection.execute(text("ALTER TABLE s2s.visit_record DISABLE TRIGGER issued_is_final"))
    connection.execute(text("UPDATE s2s.visit_record SET dispute_until = NULL"))
    connection.execute(text("ALTER TABLE s2s.visit_record ENABLE TRIGGER issued_is_final"))
    assert "until 4 June 2019" in client.sign_on("senco").get("visits.read", **HERE).words


# Refused, and nothing lost ----------------------------------------------------------------------
def test_too_late_is_said_in_words_and_what_was_typed_comes_back(
    client: Client, session: Session, issued: None
) -> None:
    client.sign_on("senco")
    with clock.frozen(date(2019, 6, 4)):
        assert client.get("visits.dispute", **HERE).document.xpath("//textarea")
    with clock.frozen(date(2019, 6, 5)):
        page = client.get("visits.dispute", **HERE)
        assert "The last day to dispute a fact was 4 June 2019." in page.words
        assert page.document.xpath(f"//main//a[contains(@href, '/messages/{REFERENCE}')]")
        assert not page.document.xpath("//main//textarea")
        assert "Dispute a fact" not in client.get("visits.read", **HERE).words
        page = dispute(client, status=422)
        assert "The last day to dispute this was 4 June 2019." in page.errors[0]
        assert "messages of this referral" in page.errors[0]
        assert page.value("text") == SAID
        assert page.document.xpath("//input[@name='part'][@checked]/@value") == ["observed"]
    assert count(session, RecordReply) == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"text": "  \n"}, "Enter what is wrong, and what is right"),
        ({"part": ""}, "Select which part is wrong"),
        ({"part": "addendum-1"}, "Select which part is wrong"),
        ({"part": "everything"}, "Select which part is wrong"),
        ({"text": "x" * 10_001}, "10,000 characters or fewer"),
    ],
)
def test_an_empty_or_impossible_dispute_is_refused(
    client: Client, session: Session, issued: None, changes: dict[str, str], said: str
) -> None:
    page = dispute(client.sign_on("senco"), status=422, **changes)
    assert any(said in error for error in page.errors), page.errors
    assert page.value("text").strip() == (SENT | changes)["text"].strip()
    assert count(session, RecordReply) == 0


def test_of_one_part_one_dispute_is_open_and_the_same_sent_twice_is_one(
    client: Client, session: Session, issued: None
) -> None:
    dispute(client.sign_on("senco"))
    dispute(client)
    assert count(session, RecordReply) == 1
    page = dispute(client.sign_on("head"), text="I say so too", status=422)
    assert "Sam O'Brien-Łukasz has already disputed this part (reply 1)" in page.errors[0]
    assert page.value("text") == "I say so too"
    dispute(client, part="people", text="I met nobody")
    settle(client)
    dispute(client, text="I say so too")
    session.commit()
    numbers = session.scalars(select(RecordReply.number).order_by(RecordReply.number)).all()
    assert numbers == [1, 2, 3]
    assert [one.replies for one in documents(session)] == [0, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("part", "of", "said"),
    [
        ("observed", "issued_at IS NOT NULL", "disputed already"),
        ("people", "issued_at IS NULL", "only an issued record"),
    ],
)
def test_the_database_refuses_a_second_open_one_and_one_of_a_draft(
    session: Session, connection: Connection, issued: None, part: str, of: str, said: str
) -> None:
    as_school("observed")
    session.commit()
    rows.visit(
        session,
        session.scalars(select(Referral)).one(),
        session.scalars(select(Allocation)).one(),
        2,
        issued=False,
    )
    connection.execute(text("SET LOCAL ROLE NONE"))
    with pytest.raises(DBAPIError, match=said), connection.begin_nested():
        connection.execute(
            text(
                "INSERT INTO s2s.record_reply (referral_id, record_id, number, part, text, at,"
                f" by_id, by_name) SELECT referral_id, id, 9, '{part}', 'x', now(), 'a', 'A'"
                f" FROM s2s.visit_record WHERE {of}"
            )
        )


@pytest.mark.parametrize("table", ["record_reply", "reply_settlement"])
@pytest.mark.parametrize("verb", ["UPDATE s2s.{} SET by_name = 'x'", "DELETE FROM s2s.{}"])
def test_what_was_said_never_changes(
    client: Client, session: Session, connection: Connection, issued: None, table: str, verb: str
) -> None:
    as_school("observed")
    settle(client.sign_on("senco"))
    session.commit()
    connection.execute(text("SET LOCAL ROLE NONE"))
    with pytest.raises(DBAPIError, match="only ever added"), connection.begin_nested():
        connection.execute(text(verb.format(table)))


# Answered, settled, acknowledged ----------------------------------------------------------------
def test_the_practitioner_answers_with_an_addendum_tied_to_the_reply(
    client: Client, session: Session, issued: None
) -> None:
    client.sign_on("practitioner")
    assert not client.get("visits.addendum", **HERE).document.xpath("//input[@name='answers']")
    as_school("observed")
    page = client.get("visits.addendum", **HERE)
    assert "Yes, reply 1: What was observed" in page.words
    page = client.post("visits.addendum", {"text": "True", "answers": "7"}, status=422, **HERE)
    assert "Select which of the school's replies this answers." in page.errors
    assert page.value("text") == "True"
    client.post("visits.addendum", {"text": "True", "answers": "1"}, **HERE)
    session.commit()
    assert session.scalars(select(Addendum)).one().reply_id is not None
    page = client.get("visits.read", **HERE)
    assert "Addendum 1 answers this." in page.words
    assert "in answer to reply 1 of the school" in page.words
    page = client.sign_on("officer").get("visits.disputed")
    assert "Answered" in page.words


def test_the_school_or_an_officer_with_words_says_that_it_is_settled(
    client: Client, session: Session, issued: None
) -> None:
    as_school("observed")
    as_school("people", "Nobody")
    page = settle(client.sign_on("officer"), status=422)
    assert page.errors == ["Enter how it was settled"]
    settle(client, "They have spoken")
    page = settle(client.sign_on("senco"), "Yes", status=422)
    assert "Ola Officer has already said that this is settled." in page.errors[0]
    assert page.value("words") == "Yes"
    page = client.follow(settle(client, row=2))
    assert "Settled: Ola Officer, for the council, on 14 May 2019" in page.words
    assert "Settled: Sam O'Brien-Łukasz, for the school, on 14 May 2019" in page.words
    assert not page.document.xpath("//main//a[.='Read the school’s reply']")
    session.commit()
    assert events(session).count(Action.DISPUTE_SETTLED) == 2
    told = [notice for notice, _link in mails(session)]
    # An officer's word goes to both, the school's to the practitioner.
    assert told.count("dispute_settled") == 3
    assert "Disputed" not in client.get("referrals.show", reference=REFERENCE).words
    client.get("visits.settle", status=404, row=3, **HERE)


def test_acknowledging_withdraws_no_dispute_and_the_other_way_round(
    client: Client, session: Session, issued: None
) -> None:
    dispute(client.sign_on("senco"))
    page = client.get("visits.read", **HERE)
    assert "What you dispute stays with the record." in page.words
    page = client.follow(client.post("visits.acknowledge", **HERE))
    assert "What you dispute stays open, and stays with the record." in page.words
    dispute(client, part="people", text="I met nobody")
    assert count(session, ReplySettlement) == 0


def test_a_closed_case_can_be_disputed_and_with_nobody_there_the_officers_are_told(
    app: Flask, client: Client, session: Session, issued: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "S2S_OFFICER_MAILBOX", "officers@council.example")
    session.commit()
    row = session.scalars(select(Referral)).one()
    row.status = Status.CLOSED
    session.scalars(select(Allocation)).one().ended_at = clock.now()
    session.commit()
    dispute(client.sign_on("senco"))
    sent = session.execute(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id DESC")).first()
    assert sent is not None
    assert sent.args["notice"] == "record_disputed"
    assert sent.args["address"] == "officers@council.example"


@pytest.mark.parametrize(
    ("key", "disputes", "settles"),
    [
        ("other-senco", 404, 404),
        ("officer", 403, 302),
        ("practitioner", 403, 403),
        ("lead", 403, 403),
        ("finance", 403, 403),
    ],
)
def test_who_disputes_and_who_settles(
    client: Client, session: Session, issued: None, key: str, disputes: int, settles: int
) -> None:
    as_school("observed")
    client.sign_on(key)
    dispute(client, part="people", status=disputes)
    settle(client, "So", status=settles)
    assert count(session, RecordReply) == 1


def test_a_draft_cannot_be_disputed(client: Client, session: Session, visit: Visit) -> None:
    As("practitioner").save()
    dispute(client.sign_on("senco"), status=404)
    assert count(session, VisitRecord) == 1


def test_the_service_itself_refuses_no_words_and_another_school(
    client: Client, session: Session, issued: None
) -> None:
    """Whatever the page in front of it forgets: it acts with the service's rights."""
    with pytest.raises(Refused, match="Enter what is wrong"):
        as_school("observed", " ")
    for key in ("other-senco", "officer", "practitioner"):
        with pytest.raises(NotFound):
            as_school("observed", key=key)
    as_school("observed")
    for key in ("other-senco", "practitioner"):
        by = world.ACTORS[key]
        with acting_as(by), pytest.raises(NotFound):
            current_session().commit()
            with in_the_name_of(by) as work:
                replies.settle(work, REFERENCE, 1, 1, words="So", by=by)
    assert count(session, ReplySettlement) == 0


# Lists and figures ------------------------------------------------------------------------------
def test_officers_have_a_list_and_managers_a_figure(
    client: Client, session: Session, issued: None
) -> None:
    page = client.sign_on("officer").get("visits.disputed")
    assert "No school disputes a record at the moment." in page.words
    assert client.get("triage.index").document.xpath("//a[.='Disputed records']")
    as_school("observed", "SECRET WORDS")
    page = client.get("visits.disputed")
    assert REFERENCE in page.words
    assert "Visit 1: What was observed" in page.words
    assert "Not answered" in page.words
    assert "SECRET WORDS" not in page.words
    page = client.sign_on("manager").get("evaluation.index", year="2019/20")
    assert "Visit records issued 1" in page.words
    assert "Disputed by the school 1, of which 1 not settled" in page.words
    settle(client.sign_on("officer"), "So")
    page = client.get("visits.disputed")
    assert "Settled, the latest first" in page.words
    page = client.sign_on("manager").get("evaluation.index", year="2019/20")
    assert "Disputed by the school 1, all settled" in page.words


# The PDF that is kept ---------------------------------------------------------------------------
def test_a_pdf_that_is_not_what_was_kept_is_refused_in_words(
    client: Client, session: Session, connection: Connection, issued: None
) -> None:
    session.commit()
    connection.execute(text("SET LOCAL ROLE NONE"))
    connection.execute(text("ALTER TABLE s2s.record_document DISABLE TRIGGER append_only"))
    connection.execute(text("UPDATE s2s.record_document SET content = content || '\\x0a'::bytea"))
    connection.execute(text("ALTER TABLE s2s.record_document ENABLE TRIGGER append_only"))
    page = client.sign_on("senco").get("visits.document", status=500, **HERE)
    assert "not the one that was kept when the record was issued" in page.words
    assert "Tell the SEND officer." in page.words


def test_a_record_read_years_later_is_the_one_that_was_issued(
    client: Client, session: Session, issued: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = documents(session)[0].content
    monkeypatch.setattr(
        "s2s_portal.services.record_documents.render", lambda _sheet: b"%PDF- of another template"
    )
    with clock.frozen(date(2027, 5, 14)):
        response = client.sign_on("senco").open(client.url("visits.document", **HERE))
    assert response.data == kept
    assert response.headers["Cache-Control"] == "no-store"
    with pikepdf.open(io.BytesIO(kept)) as pdf:
        assert pdf.Root.MarkInfo.Marked is True
