"""How a referral ended: each row of the table, kept by the database whoever moves it."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import OutOfOrder
from s2s_portal.identity import SYSTEM
from s2s_portal.models.codes import Achieved, Action, Closure, Conclusion, Status, Withdrawal
from s2s_portal.models.ledger import LedgerEntry
from s2s_portal.models.referral import ReferralEvent
from s2s_portal.models.visit import Attendance
from s2s_portal.services import (
    calendar,
    concluding,
    ledger,
    records,
    referrals,
    visits,
    withdrawing,
)
from s2s_portal.services.concluding import conclusion
from s2s_portal.services.doctor import records as doctor_records
from s2s_portal.services.terms import written
from tests import endings, rows
from tests.client import Client
from tests.endings import REF, act, all_done, close, fresh, given, reopen
from tests.world import ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")
S, C, W, E = Status, Closure, Withdrawal, Conclusion

# Status, closure, withdrawal, whether a visit has happened; and what follows.
TABLE = [
    (S.DRAFT, None, None, False, None),
    (S.EXPIRED, None, None, False, None),
    (S.SUBMITTED, None, None, False, None),
    (S.RETURNED, None, None, False, None),
    (S.WAITING, None, None, False, None),
    (S.ACCEPTED, None, None, True, None),
    (S.ALLOCATED, None, None, True, None),
    (S.DECLINED, None, None, False, E.DECLINED),
    (S.ADVISED, None, None, False, E.DECLINED),
    (S.REDIRECTED, None, None, False, E.DECLINED),
    (S.UNANSWERED, None, None, False, E.CANCELLED),
    (S.WITHDRAWN, None, W.NO_LONGER_NEEDED, True, E.ENDED_EARLY),
    (S.WITHDRAWN, None, W.MISTAKE, True, E.ENDED_EARLY),
    (S.WITHDRAWN, None, W.MISTAKE, False, E.CANCELLED),
    (S.WITHDRAWN, None, W.AGREEMENT, False, E.WITHDRAWN),
    (S.WITHDRAWN, None, W.OTHER, False, E.WITHDRAWN),
    (S.CLOSED, C.OUTCOMES_MET, None, True, E.COMPLETED),
    (S.CLOSED, C.PARTLY_MET, None, True, E.COMPLETED),
    (S.CLOSED, C.NOT_MET, None, True, E.COMPLETED),
    (S.CLOSED, C.MOVED_SCHOOL, None, True, E.ENDED_EARLY),
    (S.CLOSED, C.NO_ENGAGEMENT, None, True, E.ENDED_EARLY),
    (S.CLOSED, C.WITHDRAWN_SCHOOL, None, True, E.ENDED_EARLY),
    (S.CLOSED, C.MOVED_SCHOOL, None, False, E.WITHDRAWN),
    (S.CLOSED, C.LEFT_COUNTY, None, False, E.WITHDRAWN),
    (S.CLOSED, C.WITHDRAWN_PARENT, None, False, E.WITHDRAWN),
    (S.CLOSED, C.WITHDRAWN_SCHOOL, None, False, E.WITHDRAWN),
    (S.CLOSED, C.NO_ENGAGEMENT, None, False, E.CANCELLED),
    (S.CLOSED, C.OUTCOMES_MET, None, False, E.CANCELLED),
]


@pytest.mark.parametrize(("status", "closure", "withdrawal", "started", "ended"), TABLE)
def test_each_row_of_the_table(
    status: Status,
    closure: Closure | None,
    withdrawal: Withdrawal | None,
    started: bool,
    ended: Conclusion | None,
) -> None:
    assert conclusion(status, closure, withdrawal, started=started) is ended


def test_the_database_goes_by_the_same_table(connection: Connection) -> None:
    """Of every combination there is: two who work it out, and neither from the other."""
    cases = list(product(Status, (None, *Closure), (None, *Withdrawal), (False, True)))
    asked = text("SELECT s2s.conclusion(:status, :closure, :withdrawal, :started)")
    for status, closure, withdrawal, started in cases:
        kept = connection.scalar(
            asked,
            {
                "status": status.value,
                "closure": closure,
                "withdrawal": withdrawal,
                "started": started,
            },
        )
        due = conclusion(status, closure, withdrawal, started=started)
        assert kept == due, (status, closure, withdrawal, started)


def test_closing_and_reopening_move_it_and_charge_nothing(session: Session) -> None:
    given(session)
    assert fresh(session).conclusion is None
    all_done()
    assert fresh(session).conclusion is E.COMPLETED
    reopen()
    assert fresh(session).conclusion is None
    close(Closure.NO_ENGAGEMENT)
    assert fresh(session).conclusion is E.ENDED_EARLY
    assert session.scalars(select(LedgerEntry)).all() == []


@pytest.mark.parametrize(
    "attendance", [one for one in Attendance if one is not Attendance.HAPPENED]
)
def test_a_visit_that_did_not_happen_is_no_support(
    session: Session, attendance: Attendance
) -> None:
    """Neither outcomes nor an end report are asked for then."""
    given(session, attendance=attendance)
    close(Closure.NO_ENGAGEMENT)
    assert fresh(session).conclusion is E.CANCELLED


def test_a_record_issued_after_a_withdrawal_says_that_support_had_started(session: Session) -> None:
    """By a practitioner, who may not write to the referral: the database does."""
    row = given(session, visits=0)
    made = rows.visit(session, row, endings.open_allocation(session), 1, issued=False)
    made.people_met, made.discussed, made.pupil_seen = "The SENCo", "Mornings", True
    session.execute(text("UPDATE s2s.recommendation SET by_when = '2019-06-14'"))
    session.execute(
        text("UPDATE s2s.visit SET starts_at = '2019-05-14 08:00Z', ends_at = '2019-05-14 09:00Z'")
    )
    made.visited_on = row.received_on or made.visited_on
    session.commit()
    with act("senco"), unit_of_work() as work:
        withdrawing.withdraw(
            work, REF, reason=W.NO_LONGER_NEEDED, seen=row.version, by=ACTORS["senco"]
        )
    assert fresh(session).conclusion is E.WITHDRAWN
    with act("practitioner"), unit_of_work() as work:
        records.issue(work, visits.get(REF, 1), seen=made.version, by=ACTORS["practitioner"])
    assert fresh(session).conclusion is E.ENDED_EARLY


def test_what_is_typed_there_is_not_kept(session: Session, connection: Connection) -> None:
    given(session)
    connection.execute(text("UPDATE s2s.referral SET conclusion = 'completed'"))
    assert connection.scalar(text("SELECT conclusion FROM s2s.referral")) is None


def test_the_check_finds_what_is_kept_wrongly(session: Session, connection: Connection) -> None:
    given(session)
    all_done()
    session.commit()
    with endings.as_system():
        assert list(concluding.wrongly_kept()) == []
    connection.execute(text("RESET ROLE"))
    connection.execute(text("ALTER TABLE s2s.referral DISABLE TRIGGER set_conclusion"))
    connection.execute(text("UPDATE s2s.referral SET conclusion = 'cancelled'"))
    connection.execute(text("ALTER TABLE s2s.referral ENABLE TRIGGER set_conclusion"))
    session.commit()
    session.expire_all()
    with endings.as_system():
        assert list(concluding.wrongly_kept()) == [REF]
        assert [one.says for one in doctor_records.CONCLUSIONS.findings()] == [
            f"The stored conclusion is not what the facts lead to: {REF}."
        ]


# In the lists -----------------------------------------------------------------------------------


def test_each_list_has_those_that_ended_so(client: Client, session: Session) -> None:
    given(session)
    rows.referral(session, "S2S-19-3334", status=Status.DECLINED)
    session.commit()
    all_done()
    both = {REF, "S2S-19-3334"}
    officer = client.sign_on("officer")
    for pile, here in (("completed", REF), ("not-taken-on", "S2S-19-3334"), ("cancelled", "")):
        page = officer.fetch("GET", f"/s2s/triage/?status={pile}")
        assert {one for one in both if one in page.words} == {here} - {""}, pile
    school = client.sign_on("senco")
    for ended, here in (("completed", REF), ("declined", "S2S-19-3334"), ("cancelled", "")):
        page = school.fetch("GET", f"/s2s/referrals/?ended={ended}")
        assert {one for one in both if one in page.words} == {here} - {""}, ended


# Reopening in time ------------------------------------------------------------------------------


def test_it_is_reopened_within_so_many_school_weeks_and_then_no_more(
    client: Client, session: Session
) -> None:
    given(session)
    all_done()
    with endings.as_system():
        until = calendar.add_school_days(clock.today(), 12 * 5, 900101)
    assert until > date(2019, 8, 6), "the holidays do not count"
    with clock.frozen(until + timedelta(days=1)):
        with pytest.raises(OutOfOrder, match="could be reopened until") as refused:
            reopen()
        assert f"until {written(until)}" in str(refused.value)
        assert "a new referral, which costs £100." in str(refused.value)
        page = client.sign_on("officer").get("triage.reopen", reference=REF, status=409)
        assert "starts a new referral" in page.words
    with clock.frozen(until):
        reopen()
    assert fresh(session).status is Status.ALLOCATED


def test_a_reopened_referral_is_the_same_engagement_and_has_its_fee(session: Session) -> None:
    """Charged again it is charged once; that the database refuses a second is in test_ledger."""

    def charge() -> None:
        with endings.as_system(), unit_of_work() as work:
            ledger.post_charge(work, referrals.get(REF, whole=True), by=SYSTEM)

    given(session)
    charge()
    all_done()
    reopen()
    charge()
    session.expire_all()
    assert len(session.scalars(select(LedgerEntry)).all()) == 1


# Several at once --------------------------------------------------------------------------------


def test_those_that_are_ready_are_closed_with_one_comment_and_words_of_their_own(
    client: Client, session: Session
) -> None:
    """Each for the reason that its outcomes give; what is not ready is left out."""
    given(session)
    other = rows.referral(session, "S2S-19-3334", status=Status.ALLOCATED)
    rows.allocation(session, other, "colleague")
    session.commit()
    endings.assess(8, Achieved.PARTLY)
    endings.report()
    officer = client.sign_on("officer")
    page = officer.fetch(
        "GET", f"/s2s/triage/several?do=finish&reference={REF}&reference=S2S-19-3334"
    )
    assert "S2S-19-3334, Little Snoring Invented Primary: it is not ready to close" in page.words
    form = {
        "do": "finish",
        "reference": REF,
        f"seen-{REF}": page.value(f"seen-{REF}"),
        "run": page.value("run"),
        "told": "Thank you",
        f"words-{REF}": "Thank you, Sam",
    }
    done = officer.follow(officer.send("/s2s/triage/several", form))
    assert "It is closed: the outcomes were partly achieved." in done.words
    row = fresh(session)
    assert (row.closure, row.conclusion) == (C.PARTLY_MET, E.COMPLETED)
    message = session.scalars(
        select(ReferralEvent.message).where(ReferralEvent.action == Action.CLOSED)
    ).one()
    assert message == "The outcomes were partly achieved.\nThank you, Sam"
