"""Visit records: drafted, checked, issued for good, read by the school, added to."""

from __future__ import annotations

from datetime import date, time
from hashlib import sha256

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, selectinload

from s2s_portal import clock
from s2s_portal.database import session as current_session
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder, RecordIssued, Refused, Stale
from s2s_portal.identity import acting_as
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.visit import (
    Acknowledgement,
    Addendum,
    RecordDocument,
    Visit,
    VisitKind,
    VisitRecord,
)
from s2s_portal.services import records, visits
from s2s_portal.services.record_answers import Advice, Answers, answers_of, missing
from tests import rows, world
from tests.client import Client, Page

REFERENCE = "S2S-19-7K4P"
HERE = {"reference": REFERENCE, "number": 1}
FORM = {
    "seen": "0",
    "kind": "OBS",
    "visited_on": ["14", "5", "2019"],
    "started_at": "9:30",
    "finished_at": "10:45am",
    "people_met": "Class teacher and SENCo",
    "pupil_seen": "yes",
    "observed": "Calm with the class teacher.\nLess calm at midday.",
    "discussed": "<script>alert(1)</script> {{ 7*7 }}",
    "recommendations-0-strategy": "A quiet start",
    "recommendations-0-owner": "Teaching assistant",
    "recommendations-0-by_when": ["14", "6", "2019"],
    "recommendations-1-strategy": "",
    "recommendations-1-owner": "",
    "recommendations-1-by_when": ["", "", ""],
    "resources_given": "",
    "next_visit": "In the autumn term",
}
ANSWERS = Answers(
    kind=VisitKind.OBSERVATION,
    visited_on=date(2019, 5, 14),
    started_at=time(9, 30),
    finished_at=time(10, 45),
    people_met="Class teacher",
    pupil_seen=True,
    observed="Calm",
    recommendations=(Advice("A quiet start", "TA", date(2019, 6, 14)),),
)

pytestmark = pytest.mark.usefixtures("may_2019")


@pytest.fixture
def visit(session: Session) -> Visit:
    """A visit made this morning, whose record is due."""
    row = rows.referral(session, REFERENCE, status=Status.ALLOCATED)
    made = rows.allocation(session, row, "practitioner")
    booked = Visit(
        referral_id=row.id,
        number=1,
        allocation_id=made.id,
        practitioner_id=made.practitioner_id,
        kind=VisitKind.OBSERVATION,
        starts_at=clock.from_local(date(2019, 5, 14), 9, 30),
        ends_at=clock.from_local(date(2019, 5, 14), 11),
        booked_by_id="practitioner",
        booked_by_name="Pat Practitioner",
    )
    session.add(booked)
    session.commit()
    return booked


class As:
    """The services in a transaction of their own, as somebody."""

    def __init__(self, key: str) -> None:
        self.by = world.ACTORS[key]

    def save(self, answers: Answers = ANSWERS, seen: int = 0) -> int:
        """Save a draft of visit 1; return its version."""
        with acting_as(self.by):
            current_session().commit()
            with unit_of_work() as work:
                kept = records.save(
                    work, visits.get(REFERENCE, 1), answers=answers, seen=seen, by=self.by
                )
                return kept.version

    def issue(self, seen: int) -> None:
        """Issue the record of visit 1."""
        with acting_as(self.by):
            current_session().commit()
            with unit_of_work() as work:
                records.issue(work, visits.get(REFERENCE, 1), seen=seen, by=self.by)

    def add(self, words: str) -> None:
        """Write an addendum to the record of visit 1."""
        with acting_as(self.by):
            current_session().commit()
            with unit_of_work() as work:
                found = records.of_visit(visits.get(REFERENCE, 1))
                assert found is not None
                records.add_addendum(work, found, text=words, by=self.by)


@pytest.fixture
def issued(visit: Visit) -> None:
    """Visit 1 with an issued record."""
    As("practitioner").issue(As("practitioner").save())


def the_record(session: Session) -> VisitRecord:
    session.commit()
    session.expire_all()
    return session.scalars(
        select(VisitRecord).options(
            selectinload(VisitRecord.recommendations), selectinload(VisitRecord.addenda)
        )
    ).one()


def count(session: Session, table: type) -> int:
    session.commit()
    return len(session.scalars(select(table)).all())


def mails(session: Session) -> list[tuple[str, str]]:
    session.commit()
    found = session.execute(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id"))
    return [(row.args["notice"], row.args["link"]) for row in found]


def events(session: Session) -> list[Action]:
    session.commit()
    return list(session.scalars(select(ReferralEvent.action).order_by(ReferralEvent.id)))


def write(client: Client, changes: dict[str, object] | None = None, **more: object) -> Page:
    return client.post("visits.record", FORM | (changes or {}), **more, **HERE)  # type: ignore[arg-type]


# Drafts -----------------------------------------------------------------------------------------
def test_a_new_record_is_filled_from_the_booking(client: Client, visit: Visit) -> None:
    page = client.sign_on("practitioner").get("visits.record", **HERE)
    assert page.value("started_at") == "9:30am"
    assert page.value("finished_at") == "11:00am"
    assert page.document.xpath("//select[@name='kind']/option[@selected]/@value") == ["OBS"]
    assert page.document.xpath("//input[@name='visited_on']/@value") == ["14", "05", "2019"]
    assert "worried that a child is at risk, do not write it here" in page.words
    assert page.document.xpath("//a[@href='https://www.norfolk.gov.uk/safeguarding']")


def test_a_draft_may_be_incomplete_and_comes_back(
    client: Client, session: Session, visit: Visit
) -> None:
    client.sign_on("practitioner")
    answer = write(client, {"people_met": "", "started_at": "", "save": "1"})
    page = client.follow(answer)
    assert "Your draft has been saved. The school cannot see it yet." in page.words
    assert page.value("observed") == FORM["observed"].replace("\n", "\n")  # type: ignore[attr-defined]
    assert page.value("recommendations-0-strategy") == "A quiet start"
    assert page.value("seen") == "1"
    kept = the_record(session)
    assert kept.issued_at is None
    assert [row.strategy for row in kept.recommendations] == ["A quiet start"]
    assert events(session) == [Action.STARTED]
    assert mails(session) == []


def test_the_first_button_saves_so_that_enter_never_removes_a_row(
    client: Client, visit: Visit
) -> None:
    page = client.sign_on("practitioner").get("visits.record", **HERE)
    assert page.document.xpath("//main//form//button/@name")[0] == "save"


def test_recommendations_are_added_and_removed_without_javascript(
    client: Client, session: Session, visit: Visit
) -> None:
    client.sign_on("practitioner")
    page = write(client, {"rows": "add"}, status=200)
    assert page.value("recommendations-2-strategy") == ""
    assert page.value("recommendations-0-strategy") == "A quiet start"
    assert page.value("discussed") == FORM["discussed"]
    page = write(client, {"rows": "remove-0", "recommendations-1-strategy": "Kept"}, status=200)
    assert page.value("recommendations-0-strategy") == "Kept"
    assert not page.document.xpath("//*[@name='recommendations-1-strategy']")
    write(client, {"rows": "remove-99"}, status=200)
    assert count(session, VisitRecord) == 0


def test_the_order_and_number_of_recommendations_may_change(session: Session, visit: Visit) -> None:
    three = tuple(Advice(name, "TA", date(2019, 6, 1)) for name in "abc")
    first = As("practitioner").save(Answers(**vars(ANSWERS) | {"recommendations": three}))
    version = As("practitioner").save(
        Answers(**vars(ANSWERS) | {"recommendations": three[:0:-1]}), seen=first
    )
    assert version == first + 1
    assert [row.strategy for row in the_record(session).recommendations] == ["c", "b"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"visited_on": ["15", "5", "2019"]}, "must be today or in the past"),
        ({"visited_on": ["13", "5", "2019"]}, "on or after 14 May 2019"),
        ({"visited_on": ["", "", ""]}, "Enter the date of the visit"),
        ({"finished_at": "9:30"}, "The finish time must be later than the start time"),
        ({"finished_at": "late"}, "Time the visit finished must be a time"),
        ({"recommendations-0-by_when": ["31", "6", "2019"]}, "By when must be a real date"),
        ({"kind": "PARTY"}, "Not a valid choice"),
        ({"observed": "x" * 10_001}, "10,000 characters or fewer"),
    ],
)
def test_a_draft_that_cannot_be_comes_back_as_typed(
    client: Client, session: Session, visit: Visit, changes: dict[str, object], said: str
) -> None:
    client.sign_on("practitioner")
    page = write(client, changes, status=422)
    assert any(said in error for error in page.errors), page.errors
    assert page.value("people_met") == FORM["people_met"]
    assert count(session, VisitRecord) == 0


def test_a_record_of_a_visit_to_come_is_refused(
    client: Client, session: Session, visit: Visit
) -> None:
    session.commit()
    later = session.get_one(Visit, visit.id)
    later.starts_at = clock.from_local(date(2019, 5, 15), 9)
    later.ends_at = clock.from_local(date(2019, 5, 15), 10)
    session.commit()
    page = client.sign_on("practitioner").get("visits.record", status=409, **HERE)
    assert "This visit is on 15 May 2019 at 9:00am." in page.words
    write(client, status=409)
    with pytest.raises(OutOfOrder, match="once it has begun"):
        As("practitioner").save()
    assert count(session, VisitRecord) == 0


def test_a_stale_tab_loses_nothing_and_may_then_replace(
    client: Client, session: Session, visit: Visit
) -> None:
    client.sign_on("practitioner")
    write(client)
    page = write(client, {"observed": "From the other tab"}, status=422)
    assert "saved from another window" in page.errors[0]
    assert page.value("observed") == "From the other tab"
    assert the_record(session).observed.startswith("Calm")
    write(client, {"observed": "From the other tab", "seen": page.value("seen")})
    assert the_record(session).observed == "From the other tab"


def test_a_save_sent_twice_is_one_save(client: Client, session: Session, visit: Visit) -> None:
    client.sign_on("practitioner")
    write(client)
    write(client)
    assert the_record(session).version == 1


# Checking and issuing ---------------------------------------------------------------------------
def test_what_is_missing_is_said_at_its_field_and_the_draft_is_kept(
    client: Client, session: Session, visit: Visit
) -> None:
    lacking = {
        "check": "1",
        "started_at": "",
        "people_met": "",
        "observed": "",
        "discussed": "",
        "recommendations-1-owner": "Somebody",
    }
    page = write(client.sign_on("practitioner"), lacking, status=422)
    assert page.errors == [
        "Enter the time the visit started",
        "Enter who you met",
        "Enter what you observed or what you discussed",
        "Enter the strategy of recommendation 2",
        "Enter when recommendation 2 should be done by",
    ]
    assert page.document.xpath("//a[@href='#recommendations-1-strategy']")
    assert the_record(session).resources_given == ""
    assert page.value("seen") == "1"
    write(client, {"check": "1", "seen": "1"})


def test_the_check_page_shows_everything_and_says_it_is_for_good(
    client: Client, session: Session, visit: Visit
) -> None:
    client.sign_on("practitioner")
    answer = write(client, {"check": "1"})
    page = client.follow(answer)
    assert page.h1 == "Check the record of visit 1"
    assert "Once issued, this record cannot be changed" in page.words
    for said in ("9:30am to 10:45am", "Less calm at midday.", "A quiet start", "14 June 2019"):
        assert said in page.words
    assert "<script>alert(1)" not in page.text
    assert "{{ 7*7 }}" in page.words
    assert the_record(session).issued_at is None


def test_an_incomplete_draft_has_no_check_page(client: Client, visit: Visit) -> None:
    client.sign_on("practitioner")
    assert client.get("visits.issue", status=302, **HERE).location.endswith("/1/record")
    write(client, {"people_met": ""})
    assert client.get("visits.issue", status=302, **HERE).location.endswith("/1/record")
    page = client.post("visits.issue", {"seen": "1"}, status=422, **HERE)
    assert page.errors == ["Enter who you met"]


def test_issuing_stores_the_pdf_tells_the_school_and_happens_once(
    client: Client, session: Session, visit: Visit
) -> None:
    client.sign_on("practitioner")
    write(client)
    for added in ("", "?already=yes"):
        answer = client.post("visits.issue", {"seen": "1"}, **HERE)
        assert answer.location.endswith(f"/visits/{REFERENCE}/1/{added}")
    assert "had been issued before, on 14 May 2019" in client.follow(answer).words
    assert the_record(session).issued_at == clock.now()
    kept = session.scalars(select(RecordDocument)).one()
    assert kept.content.startswith(b"%PDF-")
    assert kept.sha256 == sha256(kept.content).hexdigest()
    assert events(session).count(Action.RECORD_ISSUED) == 1
    ((notice, link),) = mails(session)
    assert notice == "record_issued"
    assert link.endswith(f"/visits/{REFERENCE}/1/")
    assert client.get("visits.record", status=302, **HERE).location.endswith("/1/")


def test_a_draft_changed_after_the_check_is_not_issued(
    client: Client, session: Session, visit: Visit
) -> None:
    client.sign_on("practitioner")
    write(client)
    As("practitioner").save(seen=1)
    page = client.post("visits.issue", {"seen": "1"}, status=422, **HERE)
    assert "changed after you opened this page" in page.errors[0]
    assert the_record(session).issued_at is None
    assert page.value("seen") == "2"


def test_a_tab_left_open_after_issue_keeps_what_was_typed(
    client: Client, session: Session, issued: None
) -> None:
    page = write(client.sign_on("practitioner"), {"observed": "Too late"}, status=422)
    assert "Write an addendum instead" in page.errors[0]
    assert page.value("observed") == "Too late"
    assert the_record(session).observed == "Calm"
    with pytest.raises(RecordIssued):
        As("practitioner").save(seen=2)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE s2s.visit_record SET observed = 'changed'",
        "UPDATE s2s.visit_record SET issued_at = NULL",
        "DELETE FROM s2s.visit_record",
        "TRUNCATE s2s.visit_record CASCADE",
        "UPDATE s2s.recommendation SET strategy = 'changed'",
        "DELETE FROM s2s.recommendation",
        "INSERT INTO s2s.recommendation (referral_id, record_id, position, strategy)"
        " SELECT referral_id, id, 9, 'late' FROM s2s.visit_record",
        "UPDATE s2s.record_document SET content = ''",
        "DELETE FROM s2s.record_document",
    ],
)
def test_the_database_refuses_a_change_even_to_its_superuser(
    connection: Connection, session: Session, issued: None, statement: str
) -> None:
    session.commit()
    connection.execute(text("SET LOCAL ROLE NONE"))
    with (
        pytest.raises(DBAPIError, match=r"never change|only ever added"),
        connection.begin_nested(),
    ):
        connection.execute(text(statement))
    assert the_record(session).observed == "Calm"


def test_a_referral_closed_meanwhile_gets_no_record(
    client: Client, session: Session, visit: Visit
) -> None:
    client.sign_on("practitioner")
    write(client)
    session.commit()
    row = session.scalars(select(Referral)).one()
    row.status = Status.CLOSED
    session.commit()
    page = write(client, {"observed": "More", "seen": "1"}, status=422)
    assert "ask the SEND officer to reopen it" in page.errors[0]
    assert page.value("observed") == "More"
    page = client.post("visits.issue", {"seen": "1"}, status=422, **HERE)
    assert "ask the SEND officer to reopen it" in page.errors[0]
    assert the_record(session).issued_at is None


def test_missing_times_and_dates_are_told_apart() -> None:
    later = Answers(**vars(ANSWERS) | {"started_at": time(15), "finished_at": time(16)})
    assert [problem.field for problem in missing(later)] == ["started_at"]
    early = Answers(**vars(ANSWERS) | {"recommendations": (Advice("a", "b", date(2019, 5, 13)),)})
    assert [(problem.field, problem.row) for problem in missing(early)] == [("by_when", 0)]
    assert missing(ANSWERS) == []


# Who may ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("colleague", 404),
        ("other-practitioner", 404),
        ("lead", 403),
        ("senco", 403),
        ("officer", 403),
    ],
)
def test_only_the_practitioner_writes(
    client: Client, session: Session, visit: Visit, key: str, status: int
) -> None:
    client.sign_on(key)
    client.get("visits.record", status=status, **HERE)
    write(client, status=status)
    client.post("visits.issue", {"seen": "1"}, status=status, **HERE)
    client.post("visits.addendum", {"text": "x"}, status=status, **HERE)
    assert count(session, VisitRecord) == 0


@pytest.mark.parametrize("key", ["senco", "officer", "lead", "practitioner"])
def test_a_draft_is_not_there_to_read(
    client: Client, session: Session, visit: Visit, key: str
) -> None:
    As("practitioner").save()
    client.sign_on(key).get("visits.read", status=404, **HERE)
    client.get("visits.document", status=404, **HERE)
    if key == "senco":
        client.post("visits.acknowledge", status=404, **HERE)


@pytest.mark.parametrize("key", ["senco", "head", "officer", "practitioner", "lead"])
def test_an_issued_record_is_read_on_the_page_and_as_pdf_with_audit(
    client: Client, session: Session, issued: None, key: str
) -> None:
    page = client.sign_on(key).get("visits.read", **HERE)
    assert "A quiet start" in page.words
    assert ("I have read this record" in page.words) == (key in {"senco", "head"})
    assert ("Write an addendum" in page.words) == (key == "practitioner")
    response = client.open(client.url("visits.document", **HERE))
    assert response.status_code == 200
    assert response.data.startswith(b"%PDF-")
    assert response.mimetype == "application/pdf"
    assert response.headers["Content-Disposition"] == (
        'attachment; filename="S2S-19-7K4P-visit-1.pdf"'
    )
    assert response.headers["Content-Security-Policy"].startswith("sandbox")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    session.commit()
    reads = session.scalars(
        select(AuditEntry).where(
            AuditEntry.by_id == key, AuditEntry.entity == "visit record", AuditEntry.outcome == 200
        )
    ).all()
    assert [entry.entity_key for entry in reads] == [f"{REFERENCE} visit 1"] * 2


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("other-senco", 404),
        ("colleague", 404),
        ("other-practitioner", 404),
        ("other-lead", 404),
        ("finance", 403),
        ("manager", 403),
        ("auditor", 403),
    ],
)
def test_nobody_else_reads_it(client: Client, issued: None, key: str, status: int) -> None:
    client.sign_on(key)
    client.get("visits.read", status=status, **HERE)
    client.get("visits.document", status=status, **HERE)


def test_a_former_practitioner_reads_no_more_and_the_next_writes_no_record_for_them(
    client: Client, session: Session, visit: Visit
) -> None:
    As("practitioner").save()
    session.commit()
    row = session.scalars(select(Referral)).one()
    session.scalars(select(Allocation)).one().ended_at = clock.now()
    session.flush()
    rows.allocation(session, row, "colleague")
    session.commit()
    client.sign_on("practitioner").get("visits.record", status=404, **HERE)
    client.get("visits.read", status=404, **HERE)
    with pytest.raises(NotFound):
        As("practitioner").issue(seen=1)
    page = client.sign_on("colleague").get("visits.record", status=403, **HERE)
    assert "Another practitioner made this visit" in page.words
    assert "Finish the record" not in client.get("visits.show", reference=REFERENCE).words


# Addenda and acknowledgement --------------------------------------------------------------------
def test_an_addendum_follows_with_a_document_of_its_own(
    client: Client, session: Session, issued: None
) -> None:
    before = the_record(session).observed
    client.sign_on("practitioner")
    assert client.post("visits.addendum", {"text": " "}, status=422, **HERE).errors == [
        "Enter what you want to add"
    ]
    for words in ("The visit was in the hall.", "The visit was in the hall.", "Second"):
        client.post("visits.addendum", {"text": words}, **HERE)
    kept = the_record(session)
    assert [(row.number, row.text) for row in kept.addenda] == [
        (1, "The visit was in the hall."),
        (2, "Second"),
    ]
    assert kept.observed == before
    documents = session.scalars(select(RecordDocument).order_by(RecordDocument.addenda)).all()
    assert [document.addenda for document in documents] == [0, 1, 2]
    assert len({document.sha256 for document in documents}) == 3
    assert [notice for notice, _link in mails(session)] == [
        "record_issued",
        "addendum_written",
        "addendum_written",
    ]
    latest = documents[-1].content
    response = client.sign_on("senco").open(client.url("visits.document", **HERE))
    assert response.data == latest
    page = client.get("visits.read", **HERE)
    assert "Addendum 1" in page.words
    assert "The visit was in the hall." in page.words


def test_a_draft_takes_no_addendum(client: Client, session: Session, visit: Visit) -> None:
    As("practitioner").save()
    client.sign_on("practitioner").get("visits.addendum", status=404, **HERE)
    with pytest.raises(OutOfOrder, match="not been issued"):
        As("practitioner").add("words")
    assert count(session, Addendum) == 0


def test_an_addendum_without_words_is_refused(issued: None) -> None:
    with pytest.raises(Refused, match="Enter what"):
        As("practitioner").add("  \n")


def test_the_school_acknowledges_once(client: Client, session: Session, issued: None) -> None:
    client.sign_on("senco")
    page = client.follow(client.post("visits.acknowledge", **HERE))
    assert "Sam O'Brien-Łukasz said on 14 May 2019" in page.words
    assert "I have read this record" not in page.words
    page = client.sign_on("head").follow(client.post("visits.acknowledge", **HERE))
    assert "Sam O'Brien-Łukasz has already acknowledged this record, on 14 May 2019." in page.words
    assert count(session, Acknowledgement) == 1
    assert events(session).count(Action.RECORD_ACKNOWLEDGED) == 1
    assert [notice for notice, _link in mails(session)] == ["record_issued", "record_acknowledged"]
    page = client.sign_on("practitioner").get("visits.show", reference=REFERENCE)
    assert "Read by the school" in page.words


@pytest.mark.parametrize(
    ("key", "status"),
    [("other-senco", 404), ("officer", 403), ("practitioner", 403), ("lead", 403)],
)
def test_only_the_school_acknowledges(
    client: Client, session: Session, issued: None, key: str, status: int
) -> None:
    client.sign_on(key).post("visits.acknowledge", status=status, **HERE)
    assert count(session, Acknowledgement) == 0


def test_an_acknowledgement_without_a_token_does_nothing(
    client: Client, session: Session, issued: None
) -> None:
    client.sign_on("senco").post("visits.acknowledge", {"csrf_token": "forged"}, **HERE)
    assert count(session, Acknowledgement) == 0


def test_answers_survive_being_stored(session: Session, visit: Visit) -> None:
    As("practitioner").save()
    assert answers_of(the_record(session)) == ANSWERS
    with pytest.raises(Stale):
        As("practitioner").save(Answers(**vars(ANSWERS) | {"observed": "Other"}), seen=0)
