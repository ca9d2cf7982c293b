"""A practitioner's day and week, and the sheet for the car."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import Connection, event, select
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.models.calendar import DateKind, TermDate
from s2s_portal.models.codes import Status
from s2s_portal.models.conversation import Side
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit, VisitKind
from tests import rows, world
from tests.client import Client, Page

MINE, OTHERS = "S2S-19-7K4P", "S2S-19-3336"
TODAY = date(2019, 5, 14)  # a Tuesday
AWKWARD = "Sign in at <b>reception</b>; park in O'Brien-Łukasz Road رائع"

pytestmark = pytest.mark.usefixtures("may_2019")


def booked(
    session: Session, made: Allocation, number: int, day: date, hour: int, **more: object
) -> Visit:
    visit = Visit(
        referral_id=made.referral_id,
        number=number,
        allocation_id=made.id,
        practitioner_id=made.practitioner_id,
        kind=VisitKind.OBSERVATION,
        starts_at=clock.from_local(day, hour),
        ends_at=clock.from_local(day, hour + 1),
        booked_by_id="practitioner",
        booked_by_name="Pat Practitioner",
        **more,
    )
    session.add(visit)
    session.flush()
    return visit


@pytest.fixture
def diary(session: Session) -> dict[str, Allocation]:
    """Two schools on one day, and one of them again later in the week."""
    mine = rows.referral(session, MINE, status=Status.ALLOCATED)
    mine.visit_notes, mine.safety_notes = AWKWARD, "Canary runs"
    mine.contact_phone = "01603 000000"
    others = rows.referral(session, OTHERS, urn=world.OTHER_SCHOOL, status=Status.ALLOCATED)
    others.school_name = "Otherham Invented High"
    made = {
        MINE: rows.allocation(session, mine, "practitioner"),
        OTHERS: rows.allocation(session, others, "practitioner"),
    }
    booked(session, made[OTHERS], 1, TODAY, 14)
    booked(session, made[MINE], 1, TODAY, 9)
    booked(session, made[MINE], 2, TODAY + timedelta(days=2), 10)
    booked(session, made[MINE], 3, TODAY, 11, cancelled_at=clock.now())
    session.commit()
    return made


def stops(page: Page) -> list[str]:
    return page.all("//li[@class='s2s-stop']/p[1]")


def week(page: Page) -> list[str]:
    return page.all("//table[caption='The week']//td")


def test_today_says_where_to_be_and_whom_to_ask_for(
    client: Client, diary: dict[str, Allocation]
) -> None:
    page = client.sign_on("practitioner").get("visits.your_day")
    assert stops(page) == ["9:00am to 10:00am", "2:00pm to 3:00pm"]
    for words in (
        "Little Snoring Invented Primary",
        "Inventon, NR0 0AA",
        "Ask for Sam O'Brien-Łukasz, SENCO, 01603 000000",
        f"Arriving: {AWKWARD}",
        "0.9 miles in a straight line from your school",
        "20.7 miles in a straight line from the visit before",
        "Observation",
        MINE,
    ):
        assert words in page.words, words
    assert "Canary" not in page.text, "no child, and nothing of what was said about safety"


def test_the_week_is_listed_and_moves_by_its_address(
    client: Client, diary: dict[str, Allocation]
) -> None:
    client.sign_on("practitioner")
    page = client.get("visits.your_day")
    assert [("Observation" in cell) for cell in week(page)] == [False, True, False, True, False]
    ahead = page.document.xpath("//nav[@aria-label='Weeks']/a[3]/@href")[0]
    assert ahead.endswith("on=2019-05-20")
    page = Page(client.open(ahead))
    assert page.h1 == "Your day: 20 May 2019" and stops(page) == []
    assert "No visit on this day" in page.words
    assert page.document.xpath("//nav[@aria-label='Weeks']/a[1]/@href")[0].endswith("on=2019-05-13")
    for nonsense in ("2019-02-30", "x", "9999-12-31", "٢٠١٩-٠٥-١٤", "0001-01-01", "2019-05-14\x00"):
        assert client.get("visits.your_day", on=nonsense).h1 == "Your day: 14 May 2019", nonsense


def test_a_weekend_with_a_visit_is_shown(
    client: Client, session: Session, diary: dict[str, Allocation]
) -> None:
    client.sign_on("practitioner")
    assert len(week(client.get("visits.your_day"))) == 5
    booked(session, session.merge(diary[MINE]), 9, date(2019, 5, 18), 9)
    session.commit()
    cells = week(client.get("visits.your_day"))
    assert len(cells) == 6 and cells[5].startswith("Day off Weekend")


def test_days_off_are_marked(
    client: Client, session: Session, diary: dict[str, Allocation]
) -> None:
    client.sign_on("practitioner")
    cells = week(client.get("visits.your_day", on="2019-05-28"))
    assert cells[0] == "Day off Bank holiday: Spring Bank Holiday"
    assert cells[1:] == ["Day off Half-term holiday"] * 4
    assert week(client.get("visits.your_day", on="2019-08-06"))[1] == "Day off School holiday"
    session.add(
        TermDate(
            academic_year=2018,
            kind=DateKind.INSET,
            urn=world.SCHOOL,
            starts=TODAY,
            ends=TODAY,
            by_id="a",
            by_name="A",
        )
    )
    session.commit()
    page = client.get("visits.your_day")
    assert page.words.count("The school is shut") == 1, "of the school visited alone"
    assert "Staff training day" in page.words


def test_each_distance_is_from_the_visit_before(
    client: Client, session: Session, diary: dict[str, Allocation]
) -> None:
    """Twice at one school is no way at all, however far it is from their own."""
    booked(session, session.merge(diary[OTHERS]), 8, TODAY, 16)
    session.commit()
    page = client.sign_on("practitioner").get("visits.your_day")
    assert "At the same place" in page.all("//li[@class='s2s-stop']")[2]


def test_what_does_not_take_place_is_left_out(
    client: Client, session: Session, diary: dict[str, Allocation]
) -> None:
    client.sign_on("practitioner")
    assert len(stops(client.get("visits.your_day"))) == 2, "one is cancelled"
    session.get_one(Referral, session.merge(diary[MINE]).referral_id).status = Status.WITHDRAWN
    session.commit()
    assert len(stops(client.get("visits.your_day"))) == 1, "of the other referral"


def test_nobody_sees_another_s_day(client: Client, diary: dict[str, Allocation]) -> None:
    for who in ("colleague", "other-practitioner", "newcomer"):
        page = client.sign_on(who).get("visits.your_day")
        assert stops(page) == [], who
        assert MINE not in page.words, who
    for who in ("lead", "officer", "senco"):
        client.sign_on(who).get("visits.your_day", status=403)


def test_the_sheet_for_the_car_names_no_child_and_has_no_link(
    client: Client, diary: dict[str, Allocation]
) -> None:
    client.sign_on("practitioner")
    page = client.get("visits.car_sheet", on="2019-05-14")
    assert len(stops(page)) == 2 and MINE in page.words and AWKWARD in page.words
    for words in ("Canary", "Zosia", "Year 4"):
        assert words not in page.text
    assert not page.document.xpath("//li[@class='s2s-stop']//a")
    page = client.get("visits.car_sheet", on="2019-05-14", span="week")
    assert len(stops(page)) == 3
    assert page.all("//h2") == ["Tuesday, 14 May 2019", "Thursday, 16 May 2019"]
    assert "No visit is booked" in client.get("visits.car_sheet", on="2019-06-18").words


def given(session: Session, reference: str, day: date) -> None:
    """A referral that was given to the practitioner on that day."""
    row = rows.referral(session, reference, status=Status.ALLOCATED)
    rows.allocation(session, row, "practitioner").at = clock.from_local(day, 12)
    session.commit()


def test_new_is_what_was_given_lately_and_not_answered_yet(
    client: Client, session: Session
) -> None:
    given(session, MINE, date(2019, 4, 29))  # ten working days ago: 6 May was a bank holiday
    given(session, OTHERS, date(2019, 4, 26))
    client.sign_on("practitioner")

    def listed(caption: str) -> list[str]:
        page = client.get("visits.your_day")
        return page.all(f"//table[caption='{caption}']//th[@scope='row']")

    assert listed("New to you") == [MINE]
    assert listed("Not in touch yet") == [OTHERS]
    for reference in (MINE, OTHERS):
        row = session.scalars(select(Referral).where(Referral.reference == reference)).one()
        rows.message(session, row)  # the school's own word is no contact of the practitioner's
    session.commit()
    assert listed("New to you") == [MINE]
    row = session.scalars(select(Referral).where(Referral.reference == MINE)).one()
    wrote = rows.message(session, row, side=Side.PRACTITIONER, by_id="practitioner")
    assert wrote.id
    session.commit()
    assert listed("New to you") == []
    made = session.scalars(
        select(Allocation)
        .join(Referral, Referral.id == Allocation.referral_id)
        .where(Referral.reference == OTHERS)
    ).one()
    booked(session, made, 1, date(2019, 6, 4), 9)
    session.commit()
    assert listed("Not in touch yet") == []


def test_the_page_says_what_is_due(client: Client, session: Session) -> None:
    row = rows.referral(session, MINE, status=Status.ALLOCATED)
    made = rows.allocation(session, row, "practitioner")
    booked(session, made, 1, date(2019, 5, 7), 9)
    session.commit()
    page = client.sign_on("practitioner").get("visits.your_day")
    assert "Write the record of visit 1" in page.words and "Overdue" in page.words
    assert "Nothing that you recommended is overdue" in page.words
    record = rows.visit(session, session.merge(row), session.merge(made), 2, issued=False)
    record.issued_at = clock.now()
    session.commit()
    with clock.frozen(date(2019, 7, 1)):
        assert "Visit 2, recommendation 1" in client.get("visits.your_day").words


def test_a_busy_week_asks_the_database_no_more_often(
    client: Client, session: Session, connection: Connection, diary: dict[str, Allocation]
) -> None:
    client.sign_on("practitioner")

    def asked() -> int:
        seen: list[str] = []

        def note(*args: object) -> None:
            seen.append(str(args[2]))

        event.listen(connection, "before_cursor_execute", note)
        client.get("visits.your_day")
        event.remove(connection, "before_cursor_execute", note)
        return sum(one.startswith("SELECT") for one in seen)

    before = asked()
    for number in range(10, 20):
        booked(session, session.merge(diary[MINE]), number, TODAY, number)
    session.commit()
    assert asked() == before
