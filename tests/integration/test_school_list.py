"""A school's list: where each stands and the next date, found by status or name, page by page."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import session as acting_session
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import ServiceLevel, Step
from s2s_portal.models.visit import Visit, VisitKind
from s2s_portal.services import referrals, service_levels, standing
from s2s_portal.state import state
from tests import rows
from tests.client import Client, Page
from tests.world import ACTORS, OTHER_SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"


def references(page: Page) -> list[str]:
    return page.all("//tbody//th")


@pytest.mark.parametrize(
    ("status", "due", "words"),
    [
        (Status.SUBMITTED, date(2019, 5, 21), "With the council: decision by 21 May"),
        (Status.SUBMITTED, date(2019, 5, 14), "With the council: decision by 14 May"),
        (Status.SUBMITTED, date(2019, 5, 13), "With the council: decision was due by 13 May"),
        (Status.SUBMITTED, date(2020, 1, 3), "With the council: decision by 3 January 2020"),
        (Status.SUBMITTED, None, "With the council: waiting for a decision"),
        (Status.ACCEPTED, date(2019, 5, 29), "With the council: practitioner chosen by 29 May"),
        (Status.ACCEPTED, date(2019, 5, 1), "With the council: practitioner was due by 1 May"),
        (
            Status.ALLOCATED,
            date(2019, 5, 21),
            "With the practitioner: you hear from them by 21 May",
        ),
        (Status.ALLOCATED, date(2019, 5, 1), "With the practitioner"),
        (Status.RETURNED, None, "With you: the council needs more information"),
        (Status.CLOSED, date(2019, 5, 21), "Closed"),
        (Status.WITHDRAWN, None, "Withdrawn"),
    ],
)
def test_where_it_stands_with_the_next_date(status: Status, due: date | None, words: str) -> None:
    assert standing.stands(Referral(status=status, due_on=due)) == words


def test_every_status_has_its_words() -> None:
    for status in Status:
        assert standing.words(status)
        assert standing.next_step(status)
        assert standing.colour(status)
    for action in Action:
        assert standing.HAPPENED[action]


def test_a_visit_booked_says_more_than_a_promise(client: Client, session: Session) -> None:
    referral = rows.referral(session, REF, status=Status.ALLOCATED)
    referral.due_on = date(2019, 5, 21)
    made = rows.allocation(session, referral, "practitioner")
    for number, days in ((1, -3), (2, 6), (3, 20)):
        add_visit(session, referral, made, number, clock.now() + timedelta(days=days))
    session.commit()
    words = "With the practitioner: next visit on 20 May"
    assert words in client.sign_on("senco").get("referrals.index").words
    assert words in client.get("referrals.show", reference=REF).words


def add_visit(
    session: Session, referral: Referral, made: Allocation, number: int, at: datetime
) -> None:
    session.add(
        Visit(
            referral_id=referral.id,
            number=number,
            allocation_id=made.id,
            practitioner_id=made.practitioner_id,
            kind=VisitKind.OBSERVATION,
            starts_at=at,
            ends_at=at + timedelta(hours=1),
            booked_by_id="practitioner",
            booked_by_name="Pat Practitioner",
        )
    )
    session.flush()


@pytest.mark.parametrize(
    ("status", "at", "due"),
    [
        (Status.SUBMITTED, datetime(2019, 4, 18, 9, tzinfo=clock.LONDON), date(2019, 4, 29)),
        (Status.SUBMITTED, datetime(2019, 4, 18, 18, tzinfo=clock.LONDON), date(2019, 4, 30)),
        (Status.ACCEPTED, datetime(2019, 5, 14, 9, tzinfo=clock.LONDON), date(2019, 5, 29)),
        (Status.ALLOCATED, datetime(2019, 5, 3, 9, tzinfo=clock.LONDON), date(2019, 5, 13)),
        (Status.RETURNED, datetime(2019, 5, 3, 9, tzinfo=clock.LONDON), None),
        (Status.SUBMITTED, datetime(2014, 5, 3, 9, tzinfo=clock.LONDON), None),
    ],
)
def test_the_promise_goes_by_working_days_and_a_dated_rule(
    session: Session, status: Status, at: datetime, due: date | None
) -> None:
    assert service_levels.due_on(status, at) == due


def test_a_later_rule_moves_no_earlier_promise(session: Session) -> None:
    row = rows.referral(session, REF)
    work = _Work(session)
    referrals.record(work, row, Action.RETURNED, by=SYSTEM)
    referrals.record(work, row, Action.RESUBMITTED, by=SYSTEM)
    assert row.due_on == date(2019, 5, 21)
    session.add(
        ServiceLevel(
            step=Step.DECISION, valid_from=date(2019, 5, 15), working_days=2, source="MI Sheet"
        )
    )
    session.flush()
    session.refresh(row)
    assert row.due_on == date(2019, 5, 21)
    later = datetime(2019, 5, 15, 9, tzinfo=clock.LONDON)
    assert service_levels.due_on(Status.SUBMITTED, later) == date(2019, 5, 17)


class _Work:
    """A unit of work that is never committed."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.audited = False

    def flush(self) -> None:
        self.session.flush()


@pytest.fixture
def three(session: Session, client: Client) -> Client:
    """Three referrals of the school, in three states, and one of another school."""
    for last, status in (("P", Status.SUBMITTED), ("Q", Status.RETURNED), ("R", Status.DRAFT)):
        rows.referral(session, f"S2S-19-7K4{last}", status=status)
    rows.referral(session, "S2S-19-7K4T", urn=OTHER_SCHOOL)
    session.commit()
    return client.sign_on("senco")


@pytest.mark.parametrize(
    ("form", "found"),
    [
        ({}, ["S2S-19-7K4R", "S2S-19-7K4Q", "S2S-19-7K4P"]),
        ({"status": "returned"}, ["S2S-19-7K4Q"]),
        ({"status": "nonsense"}, ["S2S-19-7K4R", "S2S-19-7K4Q", "S2S-19-7K4P"]),
        ({"q": "s2s-19-7k4p "}, ["S2S-19-7K4P"]),
        ({"q": "zosia canary7K4q"}, ["S2S-19-7K4Q"]),
        ({"q": "7K4Q", "status": "submitted"}, []),
        ({"q": "100%"}, []),
        ({"q": "_"}, []),
        ({"q": "o'brien-łukasz"}, ["S2S-19-7K4R", "S2S-19-7K4Q", "S2S-19-7K4P"]),
        ({"q": "S2S-19-7K4T"}, []),
        ({"q": "\x00' OR 1=1 --"}, []),
    ],
)
def test_search_and_filter(three: Client, form: dict[str, str], found: list[str]) -> None:
    page = three.post("referrals.index", form, status=200)
    assert references(page) == found
    if not found:
        assert "No referral was found" in page.words


def test_a_child_s_name_is_in_no_address(
    three: Client, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(three.app.config, "S2S_PAGE_SIZE", 1)
    page = three.post("referrals.index", {"q": "zosia"}, status=200)
    found = references(page)
    while True:
        assert not [link for link in page.document.xpath("//@href") if "zosia" in link.lower()]
        following = page.document.xpath("//form[.//input[@name='after']]")
        if not following:
            break
        form = {field.get("name"): field.get("value") for field in following[0].xpath(".//input")}
        page = three.post("referrals.index", form, status=200)
        found += references(page)
    assert found == ["S2S-19-7K4R", "S2S-19-7K4Q", "S2S-19-7K4P"]
    assert references(three.fetch("GET", three.url("referrals.index") + "?q=zosia")) == found[:1]


def test_pages_of_one_status(three: Client, session: Session, monkeypatch) -> None:
    rows.referral(session, "S2S-19-7K4V")
    session.commit()
    monkeypatch.setitem(three.app.config, "S2S_PAGE_SIZE", 1)
    page = three.fetch("GET", three.url("referrals.index") + "?status=submitted")
    assert references(page) == ["S2S-19-7K4V"]
    (following,) = page.document.xpath("//a[@rel='next']/@href")
    assert references(three.fetch("GET", following)) == ["S2S-19-7K4P"]


def test_a_search_finds_no_other_school_s_whoever_asks(session: Session) -> None:
    """Asked of the database itself, which looks with more rights than they have."""
    rows.referral(session, "S2S-19-3334", status=Status.ALLOCATED)
    rows.referral(session, "S2S-19-3336", urn=OTHER_SCHOOL)
    session.commit()
    found = {}
    for person, actor in ACTORS.items():
        with acting_as(actor):
            ids = select(func.s2s.school_search("%canary%", None, None, None, 99))
            own = acting_session()
            found[person] = list(
                own.scalars(select(Referral.reference).where(Referral.id.in_(ids)))
            ) + list(own.scalars(ids))
            own.commit()
    assert {person: len(ones) for person, ones in found.items() if ones} == {
        "senco": 2,
        "head": 2,
        "other-senco": 2,
    }
    assert found["senco"][0] == "S2S-19-3334"
    assert found["other-senco"][0] == "S2S-19-3336"


@pytest.mark.parametrize("typed", ["%", "_", "a%y", "\\", "Zosia_Canary", "Sam%"])
def test_a_pattern_is_no_pattern(three: Client, typed: str) -> None:
    assert references(three.post("referrals.index", {"q": typed}, status=200)) == []


def test_the_list_is_one_statement_however_long(three: Client, session: Session) -> None:
    found: list[str] = []
    with three.app.app_context():
        engine = state().engine

    def note(_c: object, _cursor: object, statement: str, *_more: object) -> None:
        if "ORDER BY s2s.referral.created_at" in statement:
            found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        three.get("referrals.index")
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len(found) == 1
    assert session.scalars(select(Referral.id)).first()
