"""The practitioner's own page, the case, and booking visits."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta

import pytest
from flask import Flask
from flask_mail import Mail
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.blueprints.visits.forms import read_time
from s2s_portal.database import session as current_session
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotAllowed, NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor, Role, acting_as
from s2s_portal.models.answer import OutcomeWanted
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.codes import Achieved, Action, Status
from s2s_portal.models.referral import ReferralEvent
from s2s_portal.models.visit import Visit, VisitKind
from s2s_portal.services import caseload, notices, visits
from tests import rows, world
from tests.client import Client

REFERENCE, OTHER = "S2S-19-7K4P", "S2S-19-9CDF"
BOOKING = {
    "kind": "OBS",
    "day": ["20", "5", "2019"],
    "starts": "9.30",
    "ends": "11am",
    "note": "I would like to meet the class teacher.",
}

pytestmark = pytest.mark.usefixtures("may_2019")


@pytest.fixture
def case(session: Session) -> str:
    """The reference of a referral allocated to the practitioner."""
    return allocated(session, REFERENCE)


def allocated(session: Session, reference: str, key: str = "practitioner") -> str:
    row = rows.referral(session, reference, status=Status.ALLOCATED)
    rows.allocation(session, row, key)
    session.commit()
    return reference


def booked(session: Session) -> list[Visit]:
    session.commit()
    return list(session.scalars(select(Visit).order_by(Visit.id)))


def mails(session: Session) -> list[dict[str, str]]:
    """What the queue holds, oldest first."""
    session.commit()
    found = session.execute(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id"))
    return [row.args for row in found]


def book_as(who: str | Actor, reference: str, **changes: object) -> Visit:
    """Book by the service as somebody, in a transaction of their own."""
    actor = who if isinstance(who, Actor) else world.ACTORS[who]
    wanted = {
        "kind": VisitKind.OBSERVATION,
        "day": date(2019, 5, 20),
        "starts": time(9, 30),
        "ends": time(11),
    } | changes
    with acting_as(actor):
        current_session().commit()
        with unit_of_work() as work:
            visit = visits.book(work, reference, by=actor, **wanted)  # type: ignore[arg-type]
        work.session.refresh(visit)
        work.session.expunge(visit)
        work.session.commit()
    return visit


def test_a_booking_is_kept_in_london_time_and_the_school_is_told(
    client: Client, session: Session, case: str
) -> None:
    answer = client.sign_on("practitioner").post("visits.book", BOOKING, reference=case)
    assert answer.location.endswith(f"/visits/{case}/")
    (visit,) = booked(session)
    assert (visit.number, visit.kind) == (1, VisitKind.OBSERVATION)
    assert visit.starts_at.isoformat() == "2019-05-20T08:30:00+00:00"
    assert visit.ends_at - visit.starts_at == timedelta(minutes=90)
    event = session.scalars(
        select(ReferralEvent).where(ReferralEvent.action == Action.VISIT_BOOKED)
    ).one()
    assert event.message.startswith("Visit 1: Observation on 20 May 2019, 9:30am to 11:00am.")
    assert "class teacher" in event.message
    (mail,) = mails(session)
    assert mail["notice"] == "visit_booked"
    assert mail["address"] == "senco@school.example"
    assert mail["link"].endswith(f"/referrals/{case}/")
    page = client.get("visits.show", reference=case)
    assert "The visit has been booked. The school has been told." in page.words
    assert "20 May 2019 at 9:30am" in page.words


def test_the_same_booking_sent_twice_is_one_visit(
    client: Client, session: Session, case: str
) -> None:
    client.sign_on("practitioner")
    for _ in range(2):
        client.post("visits.book", BOOKING, reference=case)
    assert len(booked(session)) == 1
    assert len(mails(session)) == 1


def test_numbers_count_within_the_referral(session: Session, case: str) -> None:
    other = allocated(session, OTHER)
    made = [
        book_as("practitioner", reference, day=date(2019, 6, day)).number
        for day, reference in ((1, case), (2, other), (3, case))
    ]
    assert made == [1, 1, 2]


def test_a_day_gone_by_leads_straight_to_the_record(
    client: Client, session: Session, case: str
) -> None:
    past = BOOKING | {"day": ["14", "5", "2019"], "starts": "9am", "ends": "10:00"}
    answer = client.sign_on("practitioner").post("visits.book", past, reference=case)
    assert answer.location.endswith(f"/visits/{case}/1/record")
    assert client.follow(answer).h1 == "Record of visit 1"
    assert mails(session) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": ""}, "Select what kind of visit it is"),
        ({"kind": "PARTY"}, "Select what kind of visit it is"),
        ({"day": ["", "", ""]}, "Enter the date of the visit"),
        ({"day": ["31", "2", "2019"]}, "Date of the visit must be a real date"),
        ({"day": ["13", "5", "2019"]}, "on or after 14 May 2019, when the referral was received"),
        ({"day": ["14", "5", "2020"]}, "on or before 13 May 2020"),
        ({"starts": ""}, "Enter the start time"),
        ({"starts": "half nine"}, "Start time must be a time"),
        ({"ends": "2:30"}, "End time must say am or pm"),
        ({"ends": "9:30am"}, "The end time must be later than the start time"),
        ({"ends": "0900"}, "The end time must be later than the start time"),
    ],
)
def test_a_booking_that_cannot_be_comes_back_as_typed(
    client: Client, session: Session, case: str, changes: dict[str, object], said: str
) -> None:
    page = client.sign_on("practitioner").post(
        "visits.book", BOOKING | changes, status=422, reference=case
    )
    assert any(said in error for error in page.errors), page.errors
    assert page.value("note") == BOOKING["note"]
    assert page.value("ends") == changes.get("ends", BOOKING["ends"])
    assert booked(session) == []


def test_a_visit_may_not_overlap_another_of_the_same_practitioner(
    client: Client, session: Session, case: str
) -> None:
    other = allocated(session, OTHER)
    client.sign_on("practitioner").post("visits.book", BOOKING, reference=case)
    page = client.post(
        "visits.book", BOOKING | {"starts": "10am", "ends": "noon"}, status=422, reference=other
    )
    assert page.errors == ["You have another visit that day from 9:30am to 11:00am."]
    assert case not in page.words
    client.post("visits.book", BOOKING | {"starts": "11am", "ends": "12pm"}, reference=other)
    assert len(booked(session)) == 2


def test_two_practitioners_may_visit_at_the_same_time(session: Session, case: str) -> None:
    other = allocated(session, OTHER, "colleague")
    assert book_as("practitioner", case).starts_at == book_as("colleague", other).starts_at


def test_only_an_open_referral_is_visited(session: Session) -> None:
    row = rows.referral(session, REFERENCE, status=Status.CLOSED)
    rows.allocation(session, row, "practitioner")
    session.commit()
    with pytest.raises(OutOfOrder, match="not open"):
        book_as("practitioner", REFERENCE)


def test_a_closed_referral_shows_no_form(client: Client, session: Session) -> None:
    row = rows.referral(session, REFERENCE, status=Status.CLOSED)
    rows.allocation(session, row, "practitioner")
    session.commit()
    client.sign_on("practitioner").get("visits.book", status=409, reference=REFERENCE)
    page = client.get("visits.show", reference=REFERENCE)
    assert "This referral is closed." in page.words
    assert "Book a visit" not in page.words


@pytest.mark.parametrize("key", ["colleague", "other-practitioner", "other-lead"])
def test_a_case_of_somebody_else_does_not_exist(client: Client, case: str, key: str) -> None:
    client.sign_on(key).get("visits.show", status=404, reference=case)
    if "lead" not in key:
        client.get("visits.book", status=404, reference=case)
        client.post("visits.book", BOOKING, status=404, reference=case)


def test_a_former_practitioner_no_longer_sees_the_case(client: Client, session: Session) -> None:
    row = rows.referral(session, REFERENCE, status=Status.ALLOCATED)
    rows.allocation(session, row, "practitioner", ended=True)
    rows.allocation(session, row, "colleague")
    session.commit()
    client.sign_on("practitioner").get("visits.show", status=404, reference=REFERENCE)
    assert REFERENCE not in client.get("visits.index").words
    client.sign_on("colleague").get("visits.show", reference=REFERENCE)
    with pytest.raises(NotFound):
        book_as("practitioner", REFERENCE)


def test_a_lead_reads_the_case_and_writes_nothing(client: Client, case: str) -> None:
    page = client.sign_on("lead").get("visits.show", reference=case)
    assert "Allocated to Pat Practitioner" in page.words
    assert "Book a visit" not in page.words
    client.get("visits.book", status=403, reference=case)
    client.post("visits.book", BOOKING, status=403, reference=case)
    with pytest.raises(NotAllowed):
        book_as("lead", case)


def test_a_lead_who_also_visits_writes_nothing_for_a_colleague(session: Session, case: str) -> None:
    both = replace(world.ACTORS["lead"], roles=frozenset({Role.LEAD, Role.PRACTITIONER}))
    with pytest.raises(NotAllowed, match="allocated to"):
        book_as(both, case)


def test_a_practitioner_may_hold_the_referral_but_not_change_it(
    session: Session, case: str
) -> None:
    lock = text("SELECT id FROM s2s.referral WHERE reference = :r FOR UPDATE")
    with acting_as(world.ACTORS["practitioner"]):
        session.commit()
        assert session.execute(lock, {"r": case}).one()
        with pytest.raises(Exception, match="row-level security"):
            session.execute(
                text("UPDATE s2s.referral SET status = 'closed' WHERE reference = :r"), {"r": case}
            )
        session.rollback()
    with acting_as(world.ACTORS["colleague"]):
        session.commit()
        assert session.execute(lock, {"r": case}).all() == []
        session.commit()


def test_the_whole_case_is_read_with_an_audit_row(
    client: Client, session: Session, case: str
) -> None:
    page = client.sign_on("practitioner").get("visits.show", reference=case)
    assert "Now and next board" in page.words
    assert "Zosia" in page.words
    session.commit()
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "looked at")).one()
    assert (entry.by_id, entry.entity, entry.entity_key) == ("practitioner", "referral", case)


def test_the_own_page_sorts_cases_by_what_they_ask_for(
    client: Client, session: Session, case: str
) -> None:
    due, coming = allocated(session, OTHER), allocated(session, "S2S-19-GHJK")
    allocated(session, "S2S-19-MNPQ", "colleague")
    book_as("practitioner", due, day=date(2019, 5, 14), starts=time(8), ends=time(9))
    book_as("practitioner", coming)
    with acting_as(world.ACTORS["practitioner"]):
        session.commit()
        mine = caseload.of_practitioner(world.ACTORS["practitioner"])
        assert [entry.reference for entry in mine.new] == [case]
        assert [entry.case.reference for entry in mine.due] == [due]
        assert [entry.case.reference for entry in mine.coming] == [coming]
        assert {entry.reference for entry in mine.cases} == {case, due, coming}
    page = client.sign_on("practitioner").get("visits.index")
    assert "MNPQ" not in page.words
    assert "Write the record of visit 1 of S2S-19-9CDF" in page.words
    assert "Zosia" not in page.words
    assert "Canary" not in page.words


def test_a_lead_sees_the_open_referrals_of_the_school_by_practitioner(
    client: Client, session: Session, case: str
) -> None:
    allocated(session, OTHER, "colleague")
    allocated(session, "S2S-19-MNPQ", "other-practitioner")
    book_as("colleague", OTHER, day=date(2019, 5, 14), starts=time(8), ends=time(9))
    page = client.sign_on("lead").get("visits.index")
    assert page.all("//h3") == ["Cam Colleague (1)", "Pat Practitioner (1)"]
    assert "Write the record" not in page.words
    assert "MNPQ" not in page.words
    assert "Zosia" not in page.words


def test_an_own_page_with_nothing_on_it_says_so(client: Client) -> None:
    page = client.sign_on("practitioner").get("visits.index")
    for said in ("Nothing is new", "You do not owe a record", "No visits are booked"):
        assert said in page.words
    assert "Your staff do not owe a record." in client.sign_on("lead").get("visits.index").words


@pytest.mark.parametrize("key", ["senco", "officer", "finance", "manager", "auditor"])
def test_the_page_is_for_practitioners_and_leads(client: Client, case: str, key: str) -> None:
    client.sign_on(key).get("visits.index", status=403)
    client.get("visits.show", status=403, reference=case)


def test_the_number_of_statements_does_not_grow_with_the_cases(session: Session) -> None:
    def statements() -> int:
        from sqlalchemy import event

        seen: list[str] = []

        def note(_c: object, _x: object, statement: str, *_rest: object) -> None:
            seen.append(statement)

        session.commit()
        bind = session.get_bind()
        event.listen(bind, "before_cursor_execute", note)
        found = caseload.of_practitioner(world.ACTORS["practitioner"])
        assert found.due is not None
        event.remove(bind, "before_cursor_execute", note)
        return len(seen)

    allocated(session, REFERENCE)
    few = statements()
    for letter in "CDFGHJ":
        allocated(session, f"S2S-19-99{letter}9")
    assert statements() == few


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("9:30", time(9, 30)),
        ("9.30", time(9, 30)),
        ("0930", time(9, 30)),
        ("9", time(9)),
        ("2pm", time(14)),
        ("2.30 pm", time(14, 30)),
        ("2:30 p.m.", time(14, 30)),
        ("14:30", time(14, 30)),
        ("12pm", time(12)),
        ("12am", time(0)),
        ("midday", time(12)),
        ("07:15", time(7, 15)),
    ],
)
def test_times_as_people_type_them(typed: str, meant: time) -> None:
    assert read_time(typed) == meant


@pytest.mark.parametrize("typed", ["", "25:00", "9:60", "13pm", "0am", "2:30", "9-30", "nine", "٩"])
def test_what_is_no_time(typed: str) -> None:
    with pytest.raises(ValueError, match="must"):
        read_time(typed)


def test_outcomes_are_recorded_one_by_one(client: Client, session: Session, case: str) -> None:
    client.sign_on("practitioner")
    page = client.post("visits.outcomes", {}, status=422, reference=case)
    assert page.errors == ["Select how far outcome 1 was achieved"]
    client.post("visits.outcomes", {"achieved_1": "well"}, status=422, reference=case)
    client.post(
        "visits.outcomes",
        {"achieved_1": "partly", "comment_1": "Most mornings"},
        reference=case,
    )
    session.commit()
    session.expire_all()
    kept = session.scalars(select(OutcomeWanted)).one()
    assert (kept.achieved, kept.comment) == (Achieved.PARTLY, "Most mornings")
    page = client.get("visits.outcomes", reference=case)
    assert page.value("comment_1") == "Most mornings"
    assert page.document.xpath("//input[@value='partly']/@checked")


@pytest.mark.parametrize(("key", "status"), [("lead", 403), ("senco", 403), ("colleague", 404)])
def test_outcomes_are_the_practitioners_to_record(
    client: Client, case: str, key: str, status: int
) -> None:
    client.sign_on(key).get("visits.outcomes", status=status, reference=case)


@pytest.mark.parametrize(
    "notice",
    [
        "visit_booked",
        "record_issued",
        "addendum_written",
        "record_acknowledged",
        "outcomes_recorded",
    ],
)
def test_each_mail_has_the_reference_and_a_link_and_says_what_happens_next(
    app: Flask, session: Session, notice: str
) -> None:
    mail: Mail = app.extensions["mail"]
    link = "https://portal.example/s2s/visits/S2S-19-7K4P/1/"
    with mail.record_messages() as sent:
        notices.send(
            notice, REFERENCE, "O'Brien & Sons School", link, "<1@s2s.invalid>", "a@school.example"
        )
    (message,) = sent
    assert REFERENCE in message.subject
    assert REFERENCE in message.body
    assert link in message.body
    assert "O'Brien & Sons School" in message.body
    assert "next" in message.body or "do not need to do anything" in message.body


def test_a_refused_booking_leaves_neither_visit_nor_mail(session: Session, case: str) -> None:
    with pytest.raises(Refused):
        book_as("practitioner", case, ends=time(9))
    assert booked(session) == []
    assert mails(session) == []
    assert clock.today() == date(2019, 5, 14)
