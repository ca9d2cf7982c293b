"""Clocks: promised in days of a kind, standing still with the school, broken once and for all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock, working_days
from s2s_portal.database import UnitOfWork
from s2s_portal.identity import SYSTEM
from s2s_portal.models.calendar import DateKind, TermDate
from s2s_portal.models.clocks import (
    ClockBreach,
    ClockKind,
    ClockState,
    CouncilClosure,
    ReferralClock,
)
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import ServiceLevel, Step, Unit
from s2s_portal.services import calendar, clock_dates, clock_rows, clocks, promises, referrals
from s2s_portal.services.calendar import Calendar
from s2s_portal.services.clock_dates import Pause
from s2s_portal.services.clock_rows import Why
from tests import rows
from tests.client import Client
from tests.world import SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"
BY = {"by_id": "administrator", "by_name": "Adi"}


@pytest.fixture
def work(session: Session) -> UnitOfWork:
    """A unit of work that is never committed."""
    return UnitOfWork(session)


@pytest.fixture
def happens(work: UnitOfWork) -> Callable[..., None]:
    """Something happens to a referral on a day at noon, or at an instant."""

    def act(referral: Referral, action: Action, at: date | datetime) -> None:
        with clock.frozen(at):
            referrals.record(work, referral, action, by=SYSTEM)

    return act


def clock_of(referral: Referral, step: Step) -> ReferralClock:
    """The last clock of a step."""
    return [one for one in clocks.of(referral) if one.step is step][-1]


def sent(session: Session, at: date | datetime, happens: Callable[..., None]) -> Referral:
    """A referral that was sent at a time."""
    row = rows.referral(session, REF)
    row.status = Status.DRAFT  # never written: it is sent in the same breath
    happens(row, Action.SUBMITTED, at)
    return row


@pytest.mark.parametrize(
    ("unit", "day", "length", "due"),
    [
        # domain.md 8.3
        (Unit.WORKING_DAYS, date(2019, 4, 18), 5, date(2019, 4, 29)),
        (Unit.WORKING_DAYS, date(2019, 5, 3), 5, date(2019, 5, 13)),
        (Unit.WORKING_DAYS, date(2019, 7, 18), 5, date(2019, 7, 25)),
        (Unit.SCHOOL_DAYS, date(2019, 7, 18), 5, date(2019, 9, 9)),
        (Unit.SCHOOL_DAYS, date(2019, 10, 16), 5, date(2019, 10, 30)),
        (Unit.SCHOOL_WEEKS, date(2019, 10, 16), 1, date(2019, 10, 30)),
        (Unit.SCHOOL_WEEKS, date(2019, 5, 14), 4, date(2019, 6, 18)),  # a half-term between
    ],
)
def test_a_length_in_days_of_a_kind(
    session: Session, unit: Unit, day: date, length: int, due: date
) -> None:
    assert clock_dates.due(day, length, unit, calendar.of()) == due


@pytest.mark.parametrize(
    ("at", "due"),
    [
        (datetime(2019, 4, 18, 9, tzinfo=clock.LONDON), date(2019, 4, 29)),
        (datetime(2019, 4, 18, 17, tzinfo=clock.LONDON), date(2019, 4, 29)),
        (datetime(2019, 4, 18, 17, 0, 1, tzinfo=clock.LONDON), date(2019, 4, 30)),
        (datetime(2019, 5, 18, 9, tzinfo=clock.LONDON), date(2019, 5, 28)),  # a Saturday
    ],
)
def test_what_comes_after_five_counts_from_the_next_working_day(
    session: Session, happens: Callable[..., None], at: datetime, due: date
) -> None:
    row = sent(session, at, happens)
    assert clock_of(row, Step.DECISION).due_on == due == row.due_on


def test_no_rule_no_promise(session: Session, happens: Callable[..., None]) -> None:
    row = rows.referral(session, REF)
    happens(row, Action.ACCEPTED, date(2014, 5, 6))
    assert clocks.of(row) == []
    assert row.due_on is None


def slow_due(
    day: date, length: int, unit: Unit, closed: set[date], terms: list[TermDate], stood: list[Pause]
) -> date:
    """The oracle: every day from the first one on, asked one by one, in other words."""
    stood_still = {
        pause.since + timedelta(days=number)
        for pause in stood
        for number in range((pause.until - pause.since).days + 1)
    }
    counted: list[date] = []
    wanted = length * 5 if unit is Unit.SCHOOL_WEEKS else length
    ordinal = day.toordinal()
    while len(counted) < wanted:
        ordinal += 1
        one = date.fromordinal(ordinal)
        if one.isoweekday() > 5 or one in closed or one in stood_still:
            continue
        if one in working_days._bank_holidays():
            continue
        if unit is not Unit.WORKING_DAYS:
            kinds = {row.kind for row in terms if row.starts <= one <= row.ends}
            if kinds != {DateKind.TERM}:
                continue
        counted.append(one)
    return counted[-1]


def a_calendar(closed: set[date]) -> tuple[Calendar, list[TermDate]]:
    """School years 2015 to 2022, each like the others, with a training day of the school's own."""
    terms = []
    for year in range(2015, 2023):
        for kind, starts, ends in (
            (DateKind.TERM, date(year, 9, 4), date(year, 12, 18)),
            (DateKind.HALF_TERM, date(year, 10, 21), date(year, 10, 25)),
            (DateKind.TERM, date(year + 1, 1, 6), date(year + 1, 7, 20)),
            (DateKind.INSET, date(year + 1, 2, 3), date(year + 1, 2, 3)),
        ):
            terms.append(TermDate(academic_year=year, kind=kind, starts=starts, ends=ends))
    return Calendar(None, tuple(terms), frozenset(closed)), terms


days = st.dates(date(2016, 1, 1), date(2019, 12, 31))


@given(
    days,
    st.integers(1, 25),
    st.sampled_from(Unit),
    st.sets(days, max_size=4),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), max_size=3),
)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_every_date_is_the_one_that_counting_day_by_day_gives(
    day: date, length: int, unit: Unit, closed: set[date], stood: list[tuple[int, int]]
) -> None:
    near = {day + timedelta(days=one.day % 20) for one in closed}
    dates, terms = a_calendar(near)
    stands = [
        Pause(day + timedelta(days=since), day + timedelta(days=since + more))
        for since, more in stood
    ]
    found = clock_dates.due(day, length, unit, dates, stands)
    assert found == slow_due(day, length, unit, near, terms, stands)
    # A longer pause never makes a promise earlier.
    assert found >= clock_dates.due(day, length, unit, dates)


def test_a_closure_of_the_council_is_no_working_day_and_no_school_day(session: Session) -> None:
    session.add(
        CouncilClosure(starts=date(2019, 5, 16), ends=date(2019, 5, 17), reason="Move", **BY)
    )
    session.flush()
    dates = calendar.of()
    assert clock_dates.due(date(2019, 5, 14), 5, Unit.WORKING_DAYS, dates) == date(2019, 5, 23)
    assert clock_dates.due(date(2019, 5, 14), 3, Unit.SCHOOL_DAYS, dates) == date(2019, 5, 21)
    late = datetime(2019, 5, 15, 18, tzinfo=clock.LONDON)
    assert dates.day_received(late) == date(2019, 5, 20)


def test_a_school_goes_by_its_own_training_days(
    session: Session, happens: Callable[..., None]
) -> None:
    session.add(
        TermDate(
            academic_year=2018,
            urn=SCHOOL,
            kind=DateKind.INSET,
            starts=date(2019, 6, 10),
            ends=date(2019, 6, 10),
            **BY,
        )
    )
    row = rows.referral(session, REF, status=Status.ACCEPTED)
    happens(row, Action.ALLOCATED, date(2019, 5, 14))
    assert clock_of(row, Step.FIRST_VISIT).due_on == date(2019, 6, 19)  # the county: 18 June


def test_a_clock_stands_still_while_the_school_has_the_referral(
    session: Session, happens: Callable[..., None]
) -> None:
    row = sent(session, date(2019, 5, 14), happens)
    happens(row, Action.RETURNED, date(2019, 5, 16))
    decision = clock_of(row, Step.DECISION)
    assert decision.state is ClockState.PAUSED
    assert row.due_on is None
    assert clock_of(row, Step.ACKNOWLEDGEMENT).state is ClockState.MET
    # Asked of the school in its own days: half-term does not count.
    assert clock_of(row, Step.ANSWER).due_on == date(2019, 6, 6)
    with clock.frozen(date(2019, 5, 20)):
        [said, answer] = promises.expected(row, clocks.of(row))
    assert "If you send the referral again today, we will decide by 24 May 2019." in said
    assert answer.startswith("Please answer by 6 June 2019.")
    happens(row, Action.RESUBMITTED, date(2019, 5, 22))
    decision = clock_of(row, Step.DECISION)
    # 15 May was used; 16 to 22 May were the school's; four are left.
    assert decision.due_on == date(2019, 5, 29) == row.due_on
    assert [change.kind for change in decision.changes] == [
        ClockKind.STARTED,
        ClockKind.PAUSED,
        ClockKind.RESUMED,
    ]
    assert clock_of(row, Step.ANSWER).state is ClockState.MET


def test_a_clock_held_for_two_reasons_goes_on_when_both_have_gone(
    session: Session, happens: Callable[..., None], work: UnitOfWork
) -> None:
    row = sent(session, date(2019, 5, 14), happens)
    with clock.frozen(date(2019, 5, 15)):
        clocks.pause(work, row, Why.HELD, by=SYSTEM)
        clocks.pause(work, row, Why.HELD, by=SYSTEM)
    assert row.due_on is None
    happens(row, Action.RETURNED, date(2019, 5, 16))
    happens(row, Action.RESUBMITTED, date(2019, 5, 20))
    assert clock_of(row, Step.DECISION).state is ClockState.PAUSED
    with clock.frozen(date(2019, 5, 22)):
        clocks.resume(work, row, Why.HELD, by=SYSTEM)
    assert clock_of(row, Step.DECISION).due_on == date(2019, 5, 30) == row.due_on


def test_from_a_decision_to_the_closing_each_step_has_its_clock(
    session: Session, happens: Callable[..., None]
) -> None:
    row = sent(session, date(2019, 5, 14), happens)
    assert {one.step for one in clocks.of(row)} == {Step.ACKNOWLEDGEMENT, Step.DECISION}
    happens(row, Action.ACCEPTED, date(2019, 5, 15))
    assert row.due_on == clock_of(row, Step.ALLOCATION).due_on == date(2019, 5, 30)
    happens(row, Action.ALLOCATED, date(2019, 5, 16))
    assert row.due_on == clock_of(row, Step.CONTACT).due_on == date(2019, 5, 23)
    made = rows.allocation(session, row, "practitioner")
    happens(row, Action.VISIT_BOOKED, date(2019, 5, 17))
    assert clock_of(row, Step.CONTACT).state is ClockState.MET
    record = rows.visit(session, row, made, 1, issued=False)  # 24 May, 10am
    with clock.frozen(date(2019, 5, 28)):
        clocks.upkeep()
        first, written = clock_of(row, Step.FIRST_VISIT), clock_of(row, Step.RECORD)
        assert clock.local(first.ended_at).date() == date(2019, 5, 24)
        assert (written.day_zero, written.due_on) == (date(2019, 5, 24), date(2019, 6, 10))
    with clock.frozen(date(2019, 5, 29)):
        record.issued_at = clock.now()
        session.flush()
    happens(row, Action.RECORD_ISSUED, date(2019, 5, 29))
    assert clock_of(row, Step.RECORD).state is ClockState.MET
    happens(row, Action.OUTCOMES_RECORDED, date(2019, 6, 3))
    assert clock_of(row, Step.CLOSURE).due_on == date(2019, 6, 17)
    happens(row, Action.CLOSED, date(2019, 6, 4))
    assert not [one for one in clocks.of(row) if one.ended_at is None]
    assert session.scalars(select(ClockBreach)).all() == []


def test_a_withdrawal_stops_every_clock(session: Session, happens: Callable[..., None]) -> None:
    row = sent(session, date(2019, 5, 14), happens)
    happens(row, Action.WITHDRAWN, date(2019, 5, 15))
    assert {one.state for one in clocks.of(row)} == {ClockState.STOPPED}


def breaches(session: Session) -> list[tuple[Step, date]]:
    return [
        tuple(row)  # type: ignore[misc]
        for row in session.execute(
            select(ClockBreach.step, ClockBreach.due_on).order_by(ClockBreach.due_on)
        )
    ]


def test_a_broken_promise_is_noted_once_and_stays_whatever_changes(
    session: Session, happens: Callable[..., None], connection: Connection
) -> None:
    row = sent(session, date(2019, 5, 14), happens)
    with clock.frozen(date(2019, 5, 21)):
        assert clocks.upkeep() == 1  # taking it up was due on the 16th; the decision is due today
    broken = [(Step.ACKNOWLEDGEMENT, date(2019, 5, 16))]
    with clock.frozen(date(2019, 5, 22)):
        assert clocks.upkeep() == 1
        assert clocks.upkeep() == 0
    broken.append((Step.DECISION, date(2019, 5, 21)))
    assert breaches(session) == broken
    # Later a new rule, a closure, a pause and the decision itself: the breach stays as it was.
    session.add_all(
        [
            ServiceLevel(
                step=Step.DECISION,
                valid_from=date(2019, 5, 1),
                length=30,
                source="Later",
                **BY,
            ),
            CouncilClosure(starts=date(2019, 5, 15), ends=date(2019, 5, 20), reason="Flood", **BY),
        ]
    )
    session.flush()
    happens(row, Action.RETURNED, date(2019, 5, 23))
    happens(row, Action.RESUBMITTED, date(2019, 5, 24))
    assert clock_of(row, Step.DECISION).due_on == date(2019, 5, 21)
    happens(row, Action.ACCEPTED, date(2019, 5, 24))
    assert breaches(session) == broken
    connection.execute(text("RESET ROLE"))
    for sql in (
        "UPDATE s2s.clock_breach SET due_on = '2019-05-20'",
        "DELETE FROM s2s.clock_breach",
        "UPDATE s2s.clock_change SET reason = 'x'",
    ):
        with pytest.raises(DBAPIError, match="only ever added"), connection.begin_nested():
            connection.execute(text(sql))


def test_a_date_that_was_broken_cannot_be_moved_in_the_database(
    session: Session, happens: Callable[..., None], connection: Connection
) -> None:
    row = sent(session, date(2019, 5, 14), happens)
    with clock.frozen(date(2019, 5, 22)):
        clocks.upkeep()
    move = f"UPDATE s2s.referral_clock SET due_on = due_on + 1 WHERE referral_id = {row.id}"
    with pytest.raises(DBAPIError, match="keeps its date"), connection.begin_nested():
        connection.execute(text(move))


def test_nobody_notes_a_breach_that_lies_ahead(
    session: Session, happens: Callable[..., None], connection: Connection
) -> None:
    now = datetime.now(clock.UTC)
    sent(session, now, happens)
    ahead = now.date() + timedelta(days=400)
    noted = connection.scalar(text("SELECT s2s.note_breaches(:day, NULL)"), {"day": ahead})
    assert noted == 0


def test_done_too_late_is_a_breach_though_no_job_has_run(
    session: Session, happens: Callable[..., None]
) -> None:
    row = sent(session, date(2019, 5, 14), happens)
    happens(row, Action.ACCEPTED, date(2019, 5, 28))
    assert breaches(session) == [
        (Step.ACKNOWLEDGEMENT, date(2019, 5, 16)),
        (Step.DECISION, date(2019, 5, 21)),
    ]
    assert promises.kept(clocks.of(row)) == [
        "Acknowledge: was due by 16 May 2019, done on 28 May 2019",
        "Decide: was due by 21 May 2019, done on 28 May 2019",
    ]


def test_decided_on_the_last_evening_is_in_time(
    session: Session, happens: Callable[..., None]
) -> None:
    row = sent(session, date(2019, 5, 14), happens)
    happens(row, Action.RETURNED, date(2019, 5, 16))
    happens(row, Action.RESUBMITTED, date(2019, 5, 16))
    due = clock_of(row, Step.DECISION).due_on
    happens(row, Action.ACCEPTED, datetime(due.year, due.month, due.day, 23, tzinfo=clock.LONDON))
    assert breaches(session) == []


def test_a_visit_made_in_time_is_no_breach_though_its_record_is_late(
    session: Session, happens: Callable[..., None]
) -> None:
    row = rows.referral(session, REF, status=Status.ACCEPTED)
    happens(row, Action.ALLOCATED, date(2019, 5, 14))
    made = rows.allocation(session, row, "practitioner")
    rows.visit(session, row, made, 1, issued=False)
    happens(row, Action.VISIT_BOOKED, date(2019, 5, 15))
    with clock.frozen(date(2019, 7, 1)):
        clock_rows.note(UnitOfWork(session), clock.today(), None)  # before visits are followed up
        assert breaches(session) == []
        assert clocks.upkeep() == 1
    assert breaches(session) == [(Step.RECORD, date(2019, 6, 10))]


def test_a_practitioner_sees_by_when_to_contact_what_is_new(
    client: Client, session: Session, happens: Callable[..., None]
) -> None:
    row = rows.referral(session, REF, status=Status.ACCEPTED)
    happens(row, Action.ALLOCATED, date(2019, 5, 14))
    rows.allocation(session, row, "practitioner")
    session.commit()
    client.sign_on("practitioner")
    page = client.get("visits.index")
    assert "Contact them by 21 May 2019" in page.words
    assert "Overdue" not in page.words
    with clock.frozen(date(2019, 5, 22)):
        assert "Contact them by 21 May 2019 Overdue" in client.get("visits.index").words


def test_the_school_reads_what_to_expect_and_what_would_move_it(
    client: Client, session: Session, happens: Callable[..., None]
) -> None:
    row = sent(session, date(2019, 5, 14), happens)
    row.school_name = "Little Snoring Invented Primary"
    session.commit()
    page = client.sign_on("senco").get("referrals.show", reference=REF)
    assert (
        "We will decide by 21 May 2019. If we ask you for more information, the clock stands"
        " still until you answer." in page.words
    )


def test_reading_a_referral_notes_what_is_broken(
    client: Client, session: Session, happens: Callable[..., None]
) -> None:
    row = sent(session, date(2019, 5, 14), happens)
    row.school_name = "Little Snoring Invented Primary"
    session.commit()
    client.sign_on("officer")
    with clock.frozen(date(2019, 5, 22)):
        page = client.get("triage.show", reference=REF)
        assert "Overdue" in page.words
        assert len(breaches(session)) == 2
        client.get("triage.show", reference=REF)
        client.sign_on("senco")
        assert (
            "We should have decided by 21 May 2019. We are sorry."
            in client.get("referrals.show", reference=REF).words
        )
    assert len(breaches(session)) == 2
