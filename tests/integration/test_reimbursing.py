"""Rates by date, days released and used, and statements by which schools are reimbursed."""

from __future__ import annotations

import io
from csv import reader
from datetime import date, time
from decimal import Decimal
from typing import Any

import pikepdf
import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, selectinload

from s2s_portal import clock
from s2s_portal.database import in_the_name_of
from s2s_portal.errors import NotFound
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.codes import Status
from s2s_portal.models.offer import Ended
from s2s_portal.models.practitioner import Absence, AbsenceKind, Allocation, Practitioner, Release
from s2s_portal.models.referral import Referral
from s2s_portal.models.reimbursement import Per, ReimbursementStatement, ReleaseRate
from s2s_portal.models.visit import Attendance, VisitRecord
from s2s_portal.services import periods, reimbursing, release_rates
from tests import rows, world
from tests.client import Client, Page

MINE, OTHERS = "S2S-19-7K4P", "S2S-19-3336"
AWKWARD = "=1+1 O'Brien-Łukasz <b>School</b> رائع"
JULY = date(2019, 7, 2)  # a day on which May and June are over
MAY = {"period": "month.2019-05-01"}

pytestmark = pytest.mark.usefixtures("may_2019")


def done(session: Session, made: Allocation, number: int, **more: Any) -> VisitRecord:
    """An issued record: 24 May for number 1, ten days later for each next."""
    row = session.get_one(Referral, made.referral_id)
    record = rows.visit(session, row, made, number, issued=False)
    for name, value in more.items():
        setattr(record, name, value)
    session.flush()
    record.issued_at = clock.now()
    session.flush()
    return record


@pytest.fixture
def given(session: Session) -> Allocation:
    """A referral of the practitioner at PROVIDER, from a school with an awkward name."""
    row = rows.referral(session, MINE, status=Status.ALLOCATED)
    row.school_name = AWKWARD
    made = rows.allocation(session, row, "practitioner")
    session.commit()
    return made


@pytest.fixture
def year(session: Session, given: Allocation) -> Allocation:
    """A rate, a visit of May with every kind of time, one of June without any, one that failed."""
    rows.release_rate(session)
    done(
        session,
        given,
        1,
        contact_minutes=60,
        preparation_minutes=30,
        write_up_minutes=45,
        travel_minutes=60,
        miles=Decimal("20.5"),
    )
    done(session, given, 2)
    done(session, given, 3, attendance=Attendance.PUPIL_ABSENT, travel_minutes=40)
    session.commit()
    return given


# Rates -------------------------------------------------------------------------------------------


def add(client: Client, status: int = 302, **typed: Any) -> Page:
    form = {
        "provider": "",
        "per": "day",
        "time_pence": "20000",
        "mile_pence": "45",
        "valid_from": ["1", "4", "2019"],
        "source": "A paper <b>",
        **typed,
    }
    return client.post("administration.rates_of_release", form, status=status)


def test_a_rate_ends_the_one_before_and_never_overlaps(
    client: Client, session: Session, connection: Connection
) -> None:
    client.sign_on("administrator")
    assert "No rate has been added yet" in client.get("administration.rates_of_release").words
    add(client)
    add(client, valid_from=["1", "9", "2019"], time_pence="21000")
    add(client, provider=str(world.PROVIDER), per="hour", time_pence="3000")
    page = add(client, status=422, valid_from=["1", "9", "2019"])
    assert page.errors == ["A rate from 1 September 2019 is there already. Enter a later day."]
    assert page.value("source") == "A paper <b>"
    session.rollback()
    found = release_rates.every()
    assert [(one.provider_urn, one.during.lower, one.during.upper) for one in found] == [
        (None, date(2019, 9, 1), None),
        (None, date(2019, 4, 1), date(2019, 9, 1)),
        (world.PROVIDER, date(2019, 4, 1), None),
    ]
    page = client.get("administration.rates_of_release")
    assert "The day before 1 September 2019" in page.words and "£30 an hour" in page.words
    with pytest.raises(DBAPIError, match="ex_release_rate_overlap"), session.begin_nested():
        rows.release_rate(session, date(2019, 5, 1), provider_urn=None)
    for change in (
        "time_pence = 1",
        "during = daterange('2019-05-01', '2019-09-01')",
        "during = daterange('2019-04-01', NULL)",
    ):
        connection.execute(text("RESET ROLE"))
        with pytest.raises(DBAPIError), connection.begin_nested():
            connection.execute(text(f"UPDATE s2s.release_rate SET {change}"))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"per": "week"}, "Choose what the time is paid by"),
        ({"time_pence": "-1"}, "Pence for the time must be a number from 0 to 1,000,000"),
        ({"mile_pence": "0.45"}, "Pence for a mile must be a number from 0 to 1,000"),
        ({"valid_from": ["31", "2", "2019"]}, "First day must be a real date"),
        ({"source": ""}, "Enter where this was decided"),
        ({"provider": "900101"}, "Choose a Complex Needs School from the list."),
        ({"provider": "x"}, "Choose a Complex Needs School from the list."),
    ],
)
def test_a_rate_that_cannot_be_is_refused(client: Client, typed: dict[str, Any], said: str) -> None:
    page = add(client.sign_on("administrator"), status=422, **typed)
    assert any(one.startswith(said) for one in page.errors), page.errors


def test_a_school_s_own_rate_comes_before_the_county_s(session: Session) -> None:
    county = rows.release_rate(session, provider_urn=None)
    own = rows.release_rate(session, date(2019, 5, 10))
    rates = release_rates.every()

    def found(day: date, provider: int = world.PROVIDER) -> ReleaseRate | None:
        return release_rates.on(day, provider, rates)

    assert found(date(2019, 5, 9)) is county
    assert found(date(2019, 5, 10)) is own
    assert found(date(2019, 5, 10), world.OTHER_PROVIDER) is county
    assert found(date(2019, 3, 31)) is None


@pytest.mark.parametrize(
    ("per", "minutes", "miles", "paid"),
    [
        (Per.DAY, 390, "0", (20_000, 0)),
        (Per.DAY, 195, "0", (10_000, 0)),
        (Per.DAY, 1, "0.1", (51, 5)),  # 51.28 and 4.5 pence: half goes up
        (Per.HOUR, 90, "10.5", (30_000, 473)),  # 472.5
        (Per.DAY, 0, "0", (0, 0)),
    ],
)
def test_what_time_and_miles_are_worth(
    per: Per, minutes: int, miles: str, paid: tuple[int, int]
) -> None:
    rate = ReleaseRate(per=per, time_pence=20_000, mile_pence=45)
    assert release_rates.pay(minutes, Decimal(miles), rate, 390) == release_rates.Amount(*paid)


# Periods -----------------------------------------------------------------------------------------


def test_periods_and_their_addresses(session: Session) -> None:
    from s2s_portal.services import calendar

    dates, today = calendar.of(), date(2019, 5, 14)
    found = {
        code: periods.find(code, today, dates)
        for code in (
            "month.2019-05-01",
            "month.2019-02-01",
            "year.2019-04-01",
            "month.2019-05-02",
            "year.2019-05-01",
            "month.2019-06-01",
            "month.1999-01-01",
            "term.2019-05-01",
            "x",
            "",
            "month.2019-13-01",
            "month.٢٠١٩-٠٥-٠١",
        )
    }
    good = {code: span for code, span in found.items() if span}
    assert [(one.words, one.starts, one.ends) for one in good.values()] == [
        ("May 2019", date(2019, 5, 1), date(2019, 5, 31)),
        ("February 2019", date(2019, 2, 1), date(2019, 2, 28)),
        ("Financial year 2019/20", date(2019, 4, 1), date(2020, 3, 31)),
    ]
    offered = periods.offered(today, dates)
    assert all(periods.find(one.code, today, dates) == one for one in offered)
    assert {one.kind.value for one in offered} == {"month", "term", "year"}
    assert len({one.code for one in offered}) == len(offered)


# Days --------------------------------------------------------------------------------------------


def cells(page: Page, name: str) -> list[str]:
    (row,) = page.document.xpath(f"//tr[th[starts-with(normalize-space(), '{name}')]]")
    return [" ".join(cell.text_content().split()) for cell in row.xpath("td")]


def test_a_lead_sees_what_staff_do_and_how_many_days_are_owed(
    client: Client, session: Session, year: Allocation
) -> None:
    person = session.scalars(
        select(Practitioner).where(Practitioner.account_id == "practitioner")
    ).one()
    by = {"practitioner_id": person.id, "by_id": "lead", "by_name": "Lena Lead"}
    session.add_all(
        [
            Release(**by, valid_from=date(2019, 1, 1), minutes=[0, 390, 0, 390, 0]),
            Absence(**by, starts=date(2019, 5, 7), ends=date(2019, 5, 7), kind=AbsenceKind.LEAVE),
        ]
    )
    session.commit()
    client.sign_on("lead")
    with clock.frozen(date(2019, 6, 30)):
        page = client.get("visits.your_staff", **MAY)
    # Tuesdays and Thursdays of May in term: 2, 9, 14, 16, 21, 23; the 7th is an absence and the
    # half-term holiday begins on the 27th. 195 minutes of 24 May are half a day.
    assert cells(page, "Pat Practitioner") == [
        "1",
        "0",
        "0",
        "3",
        "6 days",
        "0.5 days",
        "5.5 days owed",
    ]
    assert cells(page, "Cam Colleague")[4:] == ["Not known", "0 days", "Not known"]
    assert "Quin" not in page.words and "Lena" not in page.words
    with clock.frozen(date(2019, 5, 14)):
        page = client.get("visits.your_staff", **MAY)
    assert cells(page, "Pat Practitioner")[4] == "3 days", "up to today"
    with clock.frozen(date(2019, 6, 30)):
        page = client.get("visits.your_staff", period="month.2019-06-01")
    assert cells(page, "Pat Practitioner")[5] == "0.3 days", "60 minutes of a visit and 40 in vain"


def test_two_of_one_name_are_two_people(
    client: Client, session: Session, given: Allocation
) -> None:
    made = session.merge(given)
    rows.visit(session, session.get_one(Referral, made.referral_id), made, 1, issued=False)
    for person in session.scalars(
        select(Practitioner).where(Practitioner.account_id.in_(["practitioner", "colleague"]))
    ):
        person.name = "Sam Same"
    session.commit()
    with clock.frozen(clock.from_local(date(2019, 5, 24), 12)):
        page = client.sign_on("lead").get("visits.your_staff")
    found = page.document.xpath("//tr[th[starts-with(normalize-space(), 'Sam Same')]]")
    assert [[cell.text_content() for cell in row.xpath("td")[:3]] for row in found] == [
        ["1", "1", "1"],
        ["0", "0", "0"],
    ]


def test_more_than_was_agreed_is_said(client: Client, session: Session, year: Allocation) -> None:
    person = session.scalars(
        select(Practitioner.id).where(Practitioner.account_id == "practitioner")
    ).one()
    session.add(
        Release(
            practitioner_id=person,
            valid_from=date(2019, 6, 1),
            minutes=[0, 390, 0, 0, 0],
            by_id="lead",
            by_name="L",
        )
    )
    session.commit()
    with clock.frozen(date(2019, 6, 3)):
        page = client.sign_on("lead").get("visits.your_staff", **MAY)
    assert cells(page, "Pat Practitioner")[4:] == [
        "0 days",
        "0.5 days",
        "0.5 days more than agreed",
    ]


def test_refused_releases_are_counted(client: Client, session: Session, given: Allocation) -> None:
    row = session.get_one(Referral, given.referral_id)
    rows.offered(session, row, "practitioner", ended=Ended.NOT_RELEASED, comment="Inspection")
    session.commit()
    client.sign_on("lead")
    words = client.get("visits.your_staff", **MAY).words
    assert "you confirmed release 0 times and refused it 1 time" in words
    words = client.get("visits.your_staff", period="month.2019-04-01").words
    assert "refused it 0 times" in words
    words = client.sign_on("other-lead").get("visits.your_staff", **MAY).words
    assert "refused it 0 times" in words


def test_this_week_s_visits_and_records_owed_are_there(
    client: Client, session: Session, given: Allocation
) -> None:
    made = session.merge(given)
    rows.visit(session, session.get_one(Referral, made.referral_id), made, 1, issued=False)
    session.commit()
    with clock.frozen(clock.from_local(date(2019, 5, 24), 12)):
        page = client.sign_on("lead").get("visits.your_staff")
        assert cells(page, "Pat Practitioner")[:4] == ["1", "1", "1", "0"]
        assert "Friday, 24 May 2019 at 10:00am: Pat Practitioner" in page.words
        assert "Remind them" in page.words
        assert cells(client.sign_on("other-lead").get("visits.your_staff"), "Quin")[:3] == ["0"] * 3
    assert "Canary" not in page.text


# Statements --------------------------------------------------------------------------------------


def drawn(client: Client, period: str = "month.2019-06-01") -> Page:
    return client.get("finance.new_reimbursement", period=period)


def issue(client: Client, page: Page, status: int = 302, period: str = "month.2019-06-01") -> Page:
    form = {"seen": page.value("seen"), "token": page.value("token"), "csrf_token": client.token}
    url = client.url("finance.new_reimbursement", period=period)
    answer = Page(client.open(url, method="POST", data=form))
    assert answer.status == status, answer.words
    return answer


def statements(session: Session) -> list[ReimbursementStatement]:
    session.rollback()
    session.expire_all()
    return list(
        session.scalars(
            select(ReimbursementStatement)
            .order_by(ReimbursementStatement.number)
            .options(selectinload(ReimbursementStatement.lines))
        )
    )


def test_a_lead_issues_a_statement_and_finance_reads_it(
    client: Client, session: Session, year: Allocation
) -> None:
    client.sign_on("lead")
    with clock.frozen(JULY):
        page = drawn(client)
        assert "£109.23" in page.words and AWKWARD in page.words
        assert issue(client, page).location.endswith("/finance/reimbursements/1")
    (made,) = statements(session)
    # 24 May: 195 minutes, half a day, and 20.5 miles at 45p; 3 June: an hour at the school;
    # 13 June: the way alone, in vain.
    assert [(line.minutes, line.time_pence, line.mile_pence) for line in made.lines] == [
        (195, 10_000, 923),
        (60, 3_077, 0),
        (40, 2_051, 0),
    ]
    assert (made.minutes, made.miles, made.total_pence) == (295, Decimal("20.5"), 16_051)
    assert made.period_words == "June 2019" and made.by_name == "Lena Lead"
    assert reimbursing.is_sound(made)
    for who in ("finance", "finance-approver", "lead"):
        client.sign_on(who)
        assert "£160.51" in client.get("finance.reimbursements").words, who
        page = client.get("finance.reimbursement", number=1)
        assert AWKWARD in page.words and made.digest in page.words, who
        for words in ("Canary", "Zosia", "Quiet start", "Calm"):
            assert words not in page.text
    client.sign_on("other-lead").get("finance.reimbursement", number=1, status=404)
    assert "No statement has been issued yet" in client.get("finance.reimbursements").words
    client.sign_on("officer").get("finance.reimbursement", number=1, status=403)


def test_what_was_stated_once_is_not_stated_again_and_what_was_late_comes_next(
    client: Client, session: Session, year: Allocation
) -> None:
    client.sign_on("lead")
    with clock.frozen(JULY):
        issue(client, drawn(client, "month.2019-05-01"), period="month.2019-05-01")
        assert "Nothing is left to state" in drawn(client, "month.2019-05-01").words
        session.rollback()
        done(session, session.merge(year), 4, visited_on=date(2019, 5, 30))  # written up late
        session.commit()
        issue(client, drawn(client))
        assert "Nothing is left to state" in drawn(client).words
    first, second = statements(session)
    assert [line.visited_on for line in first.lines] == [date(2019, 5, 24)]
    assert [line.visited_on for line in second.lines] == [
        date(2019, 5, 30),
        date(2019, 6, 3),
        date(2019, 6, 13),
    ]
    assert (first.number, second.number) == (1, 2)


def test_a_correction_comes_in_the_next_statement(
    client: Client, session: Session, year: Allocation, connection: Connection
) -> None:
    client.sign_on("lead")
    with clock.frozen(JULY):
        issue(client, drawn(client))
        session.rollback()
        connection.execute(text("RESET ROLE"))
        connection.execute(text("ALTER TABLE s2s.visit_record DISABLE TRIGGER USER"))
        connection.execute(
            text(
                "UPDATE s2s.visit_record SET contact_minutes = 30, miles = 22"
                " WHERE contact_minutes = 60"
            )
        )
        connection.execute(text("ALTER TABLE s2s.visit_record ENABLE TRIGGER USER"))
        page = drawn(client)
        assert "Correction" in page.words and "−£14.71" in page.words
        issue(client, page)
    first, second = statements(session)
    assert len(first.lines) == 3 and reimbursing.is_sound(first)
    (line,) = second.lines
    assert (line.correction, line.minutes, line.miles) == (True, -30, Decimal("1.5"))
    # 165 minutes are £84.62 where 195 were £100; 22 miles £9.90 where 20.5 were £9.23.
    assert (line.time_pence, line.mile_pence) == (8_462 - 10_000, 990 - 923)


def test_the_same_page_sent_twice_issues_one_statement(
    client: Client, session: Session, year: Allocation
) -> None:
    client.sign_on("lead")
    with clock.frozen(JULY):
        page = drawn(client)
        assert issue(client, page).location == issue(client, page).location
    assert len(statements(session)) == 1


def test_what_has_changed_meanwhile_is_read_again_first(
    client: Client, session: Session, year: Allocation
) -> None:
    client.sign_on("lead")
    with clock.frozen(JULY):
        page = drawn(client)
        session.rollback()
        done(session, session.merge(year), 4, visited_on=date(2019, 6, 20))
        session.commit()
        again = issue(client, page, status=422)
        assert "has changed since you opened this page" in again.words
        assert "20 June 2019" in again.words
        issue(client, again)
    assert len(statements(session)[0].lines) == 4


def test_a_statement_that_cannot_be_is_refused(
    client: Client, session: Session, year: Allocation
) -> None:
    client.sign_on("lead")
    with clock.frozen(date(2019, 6, 30)):
        page = drawn(client)
        assert "You can issue its statement after that" in page.words
        assert not page.document.xpath("//form")
        form = {"seen": "3.16051", "token": "x", "csrf_token": client.token}
        url = client.url("finance.new_reimbursement", period="month.2019-06-01")
        assert "ends on 30 June 2019" in Page(client.open(url, method="POST", data=form)).errors[0]
    with clock.frozen(JULY):
        empty = {"seen": "0.0", "token": "x", "csrf_token": client.token}
        url = client.url("finance.new_reimbursement", period="month.2019-04-01")
        said = Page(client.open(url, method="POST", data=empty)).errors
        assert said == ["Nothing is left to state for this period: all of it has been stated."]
    assert statements(session) == []


def test_without_a_rate_nothing_is_issued(
    client: Client, session: Session, given: Allocation
) -> None:
    done(session, given, 1)
    session.commit()
    client.sign_on("lead")
    with clock.frozen(JULY):
        page = drawn(client)
        assert "No rate is known for 24 May 2019" in page.words
        form = {"seen": "0.0", "token": "x", "csrf_token": client.token}
        url = client.url("finance.new_reimbursement", period="month.2019-06-01")
        assert "No rate is known" in Page(client.open(url, method="POST", data=form)).errors[0]


def test_nobody_issues_but_the_school_s_own_lead(
    client: Client, session: Session, year: Allocation
) -> None:
    with clock.frozen(JULY):
        page = drawn(client.sign_on("other-lead"))
        assert "Nothing is left to state" in page.words, "it is not theirs"
        page = drawn(client.sign_on("newcomer"))
        assert AWKWARD not in page.words
        form = {"seen": "3.16051", "token": "x", "csrf_token": client.token}
        url = client.url("finance.new_reimbursement", period="month.2019-06-01")
        client.open(url, method="POST", data=form)
        drawn_by = client.sign_on("finance").get("finance.new_reimbursement", status=403)
        assert drawn_by.status == 403
    assert statements(session) == []


def test_what_staff_did_is_read_by_their_own_lead_alone(session: Session, year: Allocation) -> None:
    """The database says so itself, whoever asks it for which school."""
    seen = {}
    for who, actor in {**world.ACTORS, "system": SYSTEM}.items():
        session.rollback()
        with acting_as(actor):
            seen[who] = len(reimbursing.activity(world.PROVIDER, date(2019, 1, 1), JULY))
    session.rollback()
    assert {who for who, number in seen.items() if number} == {"lead", "system"}


def test_only_a_lead_who_is_tied_to_a_school_issues(session: Session, year: Allocation) -> None:
    """Whatever a page has let through: it is asked in the service's own sight."""
    span = periods.month_of(date(2019, 6, 1))
    for who in ("newcomer", "practitioner", "officer", "finance"):
        session.rollback()
        with (
            clock.frozen(JULY),
            pytest.raises(NotFound),
            in_the_name_of(world.ACTORS[who]) as work,
        ):
            reimbursing.issue(work, span, token=who, seen="", by=world.ACTORS[who])


def test_who_has_moved_on_is_stated_where_they_were(
    client: Client, session: Session, year: Allocation
) -> None:
    """The referral has gone to another school, and so has its practitioner."""
    person = session.scalars(
        select(Practitioner).where(Practitioner.account_id == "practitioner")
    ).one()
    person.provider_urn = world.OTHER_PROVIDER
    session.merge(year).ended_at = clock.now()
    session.flush()
    rows.allocation(session, session.get_one(Referral, year.referral_id), "other-practitioner")
    session.commit()
    with clock.frozen(JULY):
        assert "24 May 2019" in drawn(client.sign_on("lead")).words
        assert "24 May 2019" not in drawn(client.sign_on("other-lead")).words


def test_a_statement_is_final(
    client: Client, session: Session, year: Allocation, connection: Connection
) -> None:
    with clock.frozen(JULY):
        issue(client.sign_on("lead"), drawn(client))
    made = statements(session)[0]
    connection.execute(text("RESET ROLE"))
    for sql in (
        "UPDATE s2s.reimbursement_statement SET total_pence = 1",
        "DELETE FROM s2s.reimbursement_line",
        "UPDATE s2s.reimbursement_line SET minutes = 1",
    ):
        with pytest.raises(DBAPIError, match="only ever added"), connection.begin_nested():
            connection.execute(text(sql))
    again = (
        "INSERT INTO s2s.reimbursement_line (statement_number, position, record_id, correction,"
        " reference, urn, school_name, practitioner_name, kind, visited_on, minutes, miles,"
        " rate_id, time_pence, mile_pence) SELECT statement_number, 99, record_id, {}, reference,"
        " urn, school_name, practitioner_name, kind, visited_on, minutes, miles, rate_id,"
        " time_pence,"
        " mile_pence FROM s2s.reimbursement_line LIMIT 1"
    )
    with pytest.raises(DBAPIError, match="uq_reimbursement_line_record"), connection.begin_nested():
        connection.execute(text(again.format("false")))
    connection.execute(text("ALTER TABLE s2s.reimbursement_statement DISABLE TRIGGER USER"))
    connection.execute(text("UPDATE s2s.reimbursement_statement SET transaction_id = 0"))
    connection.execute(text("ALTER TABLE s2s.reimbursement_statement ENABLE TRIGGER USER"))
    with pytest.raises(DBAPIError, match="takes no line more"), connection.begin_nested():
        connection.execute(text(again.format("true")))
    made.lines[0].minutes += 1
    assert not reimbursing.is_sound(made), "the digest is of every line"


def test_a_statement_that_was_tampered_with_says_so(
    client: Client, session: Session, year: Allocation, connection: Connection
) -> None:
    with clock.frozen(JULY):
        issue(client.sign_on("lead"), drawn(client))
    connection.execute(text("RESET ROLE"))
    connection.execute(text("ALTER TABLE s2s.reimbursement_line DISABLE TRIGGER USER"))
    connection.execute(text("UPDATE s2s.reimbursement_line SET time_pence = 99 WHERE position = 1"))
    page = client.sign_on("finance").get("finance.reimbursement", number=1)
    assert "What is stored is no longer what was issued" in page.words


def test_its_files_are_safe_and_the_same_for_ever(
    client: Client, session: Session, year: Allocation
) -> None:
    with clock.frozen(JULY):
        issue(client.sign_on("lead"), drawn(client))
    for who in ("finance", "lead"):
        client.sign_on(who)
        sent = client.open(client.url("finance.reimbursement_csv", number=1))
        assert "reimbursement-1.csv" in sent.headers["Content-Disposition"]
        lines = list(reader(io.StringIO(sent.get_data(as_text=True))))
        assert lines[1][5] == "'" + AWKWARD, "no cell runs as a formula"
        assert lines[-1][9:] == ["295", "20.5", "151.28", "9.23", "160.51"]
        assert sum(Decimal(line[-1]) for line in lines[1:-1]) == Decimal(lines[-1][-1])
        sent = client.open(client.url("finance.reimbursement_pdf", number=1))
        content = sent.get_data()
        again = client.open(client.url("finance.reimbursement_pdf", number=1)).get_data()
        assert again == content
        with pikepdf.open(io.BytesIO(content)) as document, document.open_metadata() as metadata:
            assert metadata["pdfuaid:part"] == "1"
            assert metadata["dc:title"] == "Statement 1 for reimbursement"
    client.sign_on("other-lead")
    for file in ("csv", "pdf"):
        client.get(f"finance.reimbursement_{file}", number=1, status=404)


def test_the_time_of_a_record_is_read_in_one_place(session: Session, given: Allocation) -> None:
    """What nobody said is the time at the school, where the visit happened; a draft is nothing."""
    rows.visit(session, session.get_one(Referral, given.referral_id), given, 1, issued=False)
    done(session, given, 2, started_at=time(9), finished_at=time(10, 20))
    done(session, given, 3, contact_minutes=0, travel_minutes=15)
    done(session, given, 4, attendance=Attendance.SCHOOL_NOT_READY)
    found = reimbursing.activity(world.PROVIDER, date(2019, 1, 1), date(2019, 12, 31))
    assert [row.minutes for row in found] == [80, 15, 0]
    assert reimbursing.activity(world.OTHER_PROVIDER, date(2019, 1, 1), date(2019, 12, 31)) == []
    visit = session.get_one(VisitRecord, found[0].record_id)
    session.execute(
        text("UPDATE s2s.visit SET cancelled_at = now() WHERE id = :id"), {"id": visit.visit_id}
    )
    assert len(reimbursing.activity(world.PROVIDER, date(2019, 1, 1), date(2019, 12, 31))) == 2


def test_a_range_is_open_until_the_next(session: Session) -> None:
    made = rows.release_rate(session)
    assert made.during == Range(date(2019, 4, 1), None)
