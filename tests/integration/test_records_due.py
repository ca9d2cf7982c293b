"""Records that are owed: who is told, who reminds whom, and how often."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotFound
from s2s_portal.identity import acting_as
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.codes import Status
from s2s_portal.models.follow_up import RecordNudge
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit, VisitKind, VisitRecord
from s2s_portal.services import nudging, records_due
from tests import rows, world
from tests.client import Client, Page

REFERENCE, OTHERS = "S2S-19-7K4P", "S2S-19-3336"
VISITED = date(2019, 5, 14)  # a Tuesday in term: due on Friday the 17th
DUE = date(2019, 5, 17)
HERE = {"reference": REFERENCE, "number": 1}

pytestmark = pytest.mark.usefixtures("may_2019")


def visit(session: Session, row: Referral, key: str, number: int = 1, day: date = VISITED) -> Visit:
    """A visit of that day, allocated and not written up."""
    made = session.scalars(
        select(rows.Allocation).where(rows.Allocation.referral_id == row.id)
    ).first() or rows.allocation(session, row, key)
    booked = Visit(
        referral_id=row.id,
        number=number,
        allocation_id=made.id,
        practitioner_id=made.practitioner_id,
        kind=VisitKind.OBSERVATION,
        starts_at=clock.from_local(day, 9, 30),
        ends_at=clock.from_local(day, 11),
        booked_by_id=key,
        booked_by_name=key,
    )
    session.add(booked)
    session.flush()
    return booked


@pytest.fixture
def owed(session: Session) -> Visit:
    """One record owed at each of two Complex Needs Schools."""
    mine = visit(
        session, rows.referral(session, REFERENCE, status=Status.ALLOCATED), "practitioner"
    )
    theirs = rows.referral(session, OTHERS, urn=world.OTHER_SCHOOL, status=Status.ALLOCATED)
    visit(session, theirs, "other-practitioner")
    session.commit()
    return mine


def mails(connection: Connection) -> list[dict[str, Any]]:
    return [
        args
        for args in connection.scalars(
            text(
                "SELECT args FROM s2s.procrastinate_jobs WHERE task_name = 's2s.send_mail'"
                " ORDER BY id"
            )
        )
        if args["notice"] == "record_owed"
    ]


def nudges(session: Session) -> list[tuple[str, date, bool]]:
    session.commit()
    return [
        (row.by_name, row.on_day, row.copied)
        for row in session.scalars(select(RecordNudge).order_by(RecordNudge.id))
    ]


def remind(client: Client) -> Page:
    """Press the button, and read the page that follows."""
    return Page(client.open(client.post("visits.remind", **HERE).location))


def due(client: Client, where: str = "visits.index") -> str:
    return client.get(where).words


def test_a_record_is_due_three_school_days_after_its_visit(session: Session, owed: Visit) -> None:
    with acting_as(world.ACTORS["practitioner"]):
        session.rollback()
        for day, late in (
            (VISITED, 0),
            (DUE, 0),
            (DUE + timedelta(days=1), 1),  # a Saturday: past, though no school day has gone by
            (date(2019, 5, 20), 1),
            (date(2019, 5, 21), 2),
        ):
            with clock.frozen(clock.from_local(day, 18)):
                (line,) = records_due.of_practitioner(world.ACTORS["practitioner"])
            assert (line.due_on, line.late, line.is_overdue) == (DUE, late, late > 0), day


def test_days_on_which_its_school_is_shut_do_not_count(session: Session, owed: Visit) -> None:
    """The half-term holiday of 2019 begins on 27 May."""
    late = visit(
        session, session.get_one(Referral, owed.referral_id), "practitioner", 2, date(2019, 5, 23)
    )
    session.commit()
    with clock.frozen(date(2019, 6, 3)):
        line = records_due.one(late.id)
    assert line is not None and line.due_on == date(2019, 6, 4)


def test_what_is_not_owed(session: Session, owed: Visit) -> None:
    with clock.frozen(clock.from_local(VISITED, 10)):
        assert records_due.one(owed.id) is None, "it is not over"
    with clock.frozen(clock.from_local(VISITED, 11)):
        assert records_due.one(owed.id) is not None, "now it is"


@pytest.mark.parametrize("end", ["issued", "cancelled", "withdrawn"])
def test_it_is_owed_no_more(session: Session, owed: Visit, end: str) -> None:
    with clock.frozen(DUE):
        assert records_due.one(owed.id) is not None
        if end == "issued":
            session.add(
                VisitRecord(
                    referral_id=owed.referral_id,
                    visit_id=owed.id,
                    kind=VisitKind.OBSERVATION,
                    visited_on=VISITED,
                    author_id="practitioner",
                    author_name="Pat",
                    issued_at=clock.now(),
                )
            )
        elif end == "cancelled":
            owed.cancelled_at = clock.now()
        else:
            session.get_one(Referral, owed.referral_id).status = Status.WITHDRAWN
        session.flush()
        assert records_due.one(owed.id) is None


def test_who_sees_what_is_owed(client: Client, owed: Visit) -> None:
    with clock.frozen(date(2019, 5, 20)):
        for who in ("practitioner", "lead"):
            words = due(client.sign_on(who))
            assert REFERENCE in words and OTHERS not in words and "1 school day late" in words
        assert "You do not owe a record" in due(client.sign_on("colleague"))
        words = due(client.sign_on("officer"), "visits.records_owed")
        assert REFERENCE in words and OTHERS in words
    with clock.frozen(clock.from_local(DUE, 18)):
        assert "No record is overdue" in due(client, "visits.records_owed")


def test_a_lead_reminds_once_a_working_day_and_a_second_press_says_so(
    client: Client, session: Session, owed: Visit, connection: Connection
) -> None:
    with clock.frozen(clock.from_local(DUE, 18)):  # a Friday evening
        page = remind(client.sign_on("lead"))
        assert "Pat Practitioner gets an email, and their lead a copy." in page.words
        assert "Reminded 17 May 2019 at 6:00pm by Lena Lead" in page.words
        assert "Remind them" not in page.words
        assert "Lena Lead reminded them on 17 May 2019 at 6:00pm" in remind(client).words
        page = remind(client.sign_on("officer"))
        assert "Lena Lead reminded them" in page.words, "nobody else does that day either"
    with clock.frozen(clock.from_local(date(2019, 5, 19), 12)):
        assert "reminded them" in remind(client.sign_on("lead")).words, "a Sunday is Friday's"
    with clock.frozen(clock.from_local(date(2019, 5, 20), 9)):
        assert "gets an email" in remind(client).words
    assert nudges(session) == [
        ("Lena Lead", DUE, True),
        ("Lena Lead", date(2019, 5, 20), True),
    ]
    sent = mails(connection)
    assert len(sent) == 2
    provider = session.get_one(Practitioner, sent[0]["practitioner_id"]).provider_urn
    assert (provider, sent[0]["provider_urn"]) == (world.PROVIDER, world.PROVIDER)
    assert sent[0]["link"].endswith(f"/s2s/visits/{REFERENCE}/")
    assert "Canary" not in str(sent)
    logged = session.scalars(
        select(AuditEntry.entity_key).where(AuditEntry.action == "reminded of")
    ).all()
    assert logged == [f"{REFERENCE} visit 1"] * 2


def test_the_copy_goes_to_the_lead_of_that_school_alone(session: Session, owed: Visit) -> None:
    from s2s_portal.services.notices import _addresses

    number = session.scalars(
        select(Practitioner.id).where(Practitioner.account_id == "practitioner")
    ).one()
    assert _addresses(number, world.PROVIDER) == [
        "practitioner@school.example",
        "lead@school.example",
    ]
    assert _addresses(number, None) == ["practitioner@school.example"]
    assert _addresses(None, world.PROVIDER) == ["lead@school.example"]


def test_nobody_reminds_whom_they_do_not_lead_or_of_nothing(
    client: Client, session: Session, owed: Visit
) -> None:
    with clock.frozen(DUE):
        client.sign_on("other-lead").post("visits.remind", status=404, **HERE)
        # Beside another school's: a lead sees the case, and reminds their own staff alone.
        session.rollback()
        row = session.scalars(select(Referral).where(Referral.reference == REFERENCE)).one()
        made = session.scalars(select(rows.Allocation)).first()
        assert made is not None
        rows.beside(session, row, made, "other-practitioner")
        session.commit()
        client.sign_on("other-lead").post("visits.remind", status=404, **HERE)
    assert nudges(session) == []
    with clock.frozen(clock.from_local(VISITED, 10)):
        page = client.sign_on("officer").post("visits.remind", status=409, **HERE)
        assert "No record of this visit is owed now" in page.words
    with acting_as(world.ACTORS["practitioner"]), pytest.raises(NotFound):
        session.rollback()
        with unit_of_work() as work:
            nudging.nudge(work, REFERENCE, 1, by=world.ACTORS["practitioner"])


def run(session: Session, day: date) -> int:
    session.commit()
    with clock.frozen(clock.from_local(day, 7)):
        return nudging.remind_all()


def test_the_service_reminds_once_a_week_and_tells_the_lead_when_it_is_long_overdue(
    session: Session, owed: Visit, connection: Connection
) -> None:
    assert run(session, DUE) == 0
    assert run(session, DUE + timedelta(days=1)) == 0, "a Saturday"
    assert run(session, date(2019, 5, 20)) == 2
    for later in range(21, 27):
        assert run(session, date(2019, 5, later)) == 0, later
    assert run(session, date(2019, 5, 27)) == 0, "a bank holiday"
    assert run(session, date(2019, 5, 28)) == 2
    assert [copied for *_rest, copied in nudges(session)] == [False, False, False, False]
    assert run(session, date(2019, 6, 4)) == 2, "six school days late"
    assert [copied for *_rest, copied in nudges(session)][4:] == [True, True]
    assert [("provider_urn" in one) for one in mails(connection)] == [False] * 4 + [True] * 2


def test_what_a_person_sent_is_not_repeated_by_the_service(
    client: Client, session: Session, owed: Visit
) -> None:
    with clock.frozen(clock.from_local(date(2019, 5, 20), 6)):
        remind(client.sign_on("lead"))
    session.rollback()
    assert run(session, date(2019, 5, 20)) == 1, "the other school's alone"


def test_more_records_ask_the_database_no_more_often(
    client: Client, session: Session, owed: Visit, connection: Connection
) -> None:
    row = session.get_one(Referral, owed.referral_id)
    number = row.id

    def asked(who: str, where: str) -> int:
        seen: list[str] = []

        def note(*args: object) -> None:
            seen.append(str(args[2]))

        client.sign_on(who)
        event.listen(connection, "before_cursor_execute", note)
        client.get(where)
        event.remove(connection, "before_cursor_execute", note)
        return sum(one.startswith("SELECT") for one in seen)

    pages = (
        ("lead", "visits.index"),
        ("lead", "visits.your_staff"),
        ("officer", "visits.records_owed"),
    )
    with clock.frozen(date(2019, 5, 20)):
        before = [asked(*page) for page in pages]
        session.rollback()
        again = session.get_one(Referral, number)
        for extra in range(2, 8):
            late = visit(session, again, "practitioner", extra)
            session.add(
                RecordNudge(
                    referral_id=number,
                    visit_id=late.id,
                    on_day=DUE,
                    copied=True,
                    by_id="lead",
                    by_name="Lena Lead",
                )
            )
        session.commit()
        assert [asked(*page) for page in pages] == before


def test_a_county_of_records_is_read_a_page_at_a_time(
    client: Client,
    session: Session,
    owed: Visit,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.sign_on("officer")
    monkeypatch.setitem(client.app.config, "S2S_PAGE_SIZE", 1)
    with clock.frozen(date(2019, 5, 20)):
        page = client.get("visits.records_owed")
        assert page.all("//tbody/tr/th") == [REFERENCE]
        seen: list[str] = []
        event.listen(connection, "before_cursor_execute", lambda *given: seen.append(given[2]))
        page = Page(client.open(page.document.xpath("//a[@rel='next']/@href")[0]))
        assert page.all("//tbody/tr/th") == [OTHERS]
        assert not page.document.xpath("//a[@rel='next']")
        assert sum("FROM s2s.visit" in one for one in seen) == 1
        assert client.get("visits.records_owed", after="9" * 18).all("//tbody/tr") == []
        assert client.get("visits.records_owed", after="٣").all("//tbody/tr/th") == [REFERENCE]
