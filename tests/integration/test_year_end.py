"""Statements by year, what is open by age, the end of a year, and credits that we propose."""

from __future__ import annotations

from datetime import date, timedelta

import page as validation
import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import UnitOfWork
from s2s_portal.errors import AlreadyDecided, NotAllowed, NotFound, OutOfOrder, YearClosed
from s2s_portal.identity import SYSTEM
from s2s_portal.models.charges import (
    CarriedBalance,
    ReliefKind,
    ReliefReason,
    ReliefRequest,
    YearClose,
)
from s2s_portal.models.codes import Status
from s2s_portal.models.terms import Step
from s2s_portal.services import (
    balances,
    broken_promises,
    charges,
    ledger,
    pulls,
    referrals,
    relief,
    statements,
    verification,
    years,
)
from tests import fees, rows
from tests.client import Client
from tests.unit.test_visit_record_document import unspaced, words
from tests.world import ACADEMY, ACTORS, OTHER_SCHOOL, SCHOOL

FINANCE, APPROVER = ACTORS["finance"], ACTORS["finance-approver"]
MARCH, APRIL, JUNE = date(2020, 3, 20), date(2020, 4, 3), date(2020, 6, 1)


@pytest.fixture
def work(session: Session, may_2019: None) -> UnitOfWork:
    """A transaction on 14 May 2019."""
    return UnitOfWork(session)


def at(day: date) -> object:
    """Noon of a day."""
    return clock.frozen(clock.from_local(day, 12))


@pytest.fixture
def two_years(session: Session, work: UnitOfWork) -> UnitOfWork:
    """SCHOOL: charged in 2019/20 twice, one collected; once in 2020/21. OTHER_SCHOOL once."""
    fees.charge_alone(work, 1)
    fees.pulled(session)
    pulls.collect(work, 1, finance_reference="J1", collected_on=clock.today(), by=SYSTEM)
    with at(MARCH):
        fees.charge_alone(work, 2)
        fees.charge_alone(work, 3, urn=OTHER_SCHOOL)
    with at(APRIL):
        fees.charge_alone(work, 4)
        fees.charge_alone(work, 5, urn=ACADEMY)
    session.commit()
    return work


def close(work: UnitOfWork, year: str = "2019/20") -> None:
    """Verify the ledger, ask, and close as a second person."""
    verification.verify_and_note()
    years.ask(work, year, by=FINANCE)
    years.close(work, year, by=APPROVER)
    work.session.flush()


def test_a_statement_opens_where_the_year_before_closed(
    session: Session, two_years: UnitOfWork
) -> None:
    first = statements.of_year(SCHOOL, "2019/20", by=FINANCE)
    second = statements.of_year(SCHOOL, "2020/21", by=FINANCE)
    assert (first.opening_pence, first.closing_pence) == (0, 10_000)
    assert [line.balance_pence for line in first.lines] == [10_000, 0, 10_000]
    assert (second.opening_pence, second.closing_pence) == (10_000, 20_000)
    assert first.balance_pence == second.balance_pence == ledger.balance(SCHOOL) == 20_000
    with pytest.raises(NotFound):
        statements.of_year(SCHOOL, "2019/20", by=ACTORS["other-senco"])


@pytest.mark.parametrize("person", ["senco", "trust-viewer", "finance"])
def test_the_statement_as_a_pdf(client: Client, two_years: UnitOfWork, person: str) -> None:
    client.sign_on(person)
    shown = client.get("finance.statement", urn=SCHOOL, year="2019-20")
    assert "Owed at the start £0 Owed so far £100" in shown.words
    answer = client.open(client.url("finance.statement_pdf", urn=SCHOOL, year="2019-20"))
    assert answer.mimetype == "application/pdf"
    assert f"s2s-statement-{SCHOOL}-2019-20" in answer.headers["Content-Disposition"]
    said = unspaced(words(answer.data))
    for phrase in ("Statement of fees", "Owed at the end: £100", "926/0101", "Reference J1"):
        assert unspaced(phrase) in said, phrase
    for profile in ("ua1", "2a"):
        report = validation.validate_pdf_bytes(answer.data, profile=profile)
        assert [failure.message for failure in report.failures] == []


@pytest.mark.parametrize("year", ["2019-21", "nonsense", "", "9" * 50, "2019-20' OR 1=1"])
def test_a_year_that_is_none_is_the_present_one(may_2019: None, year: str) -> None:
    assert statements.from_address(year) == "2019/20"


def test_what_is_open_by_age(session: Session, two_years: UnitOfWork) -> None:
    with at(MARCH + timedelta(days=70)):
        page = balances.ageing(balances.By.SCHOOL)
        assert [(row.urn, row.ages, row.total) for row in page.rows] == [
            (ACADEMY, (0, 10_000, 0, 0), 10_000),
            (SCHOOL, (0, 10_000, 10_000, 0), 20_000),
            (OTHER_SCHOOL, (0, 0, 10_000, 0), 10_000),
        ]
        assert [row.name for row in balances.ageing(balances.By.PAYER).rows] == [
            "Invented Learning Trust",
            "Little Snoring Invented Primary",
            "Otherham Invented High",
        ]
        routes = balances.ageing(balances.By.ROUTE).rows
        assert [(row.name, row.total) for row in routes] == [
            ("Internal charge", 30_000),
            ("Invoice", 10_000),
        ]
        whole = balances.whole()
    assert whole.total == sum(map(ledger.balance, (SCHOOL, OTHER_SCHOOL, ACADEMY)))
    assert sum(whole.ages) == whole.total


@pytest.mark.parametrize(("days", "ages"), [(30, (1, 0)), (31, (0, 1))])
def test_the_day_on_which_something_grows_older(
    work: UnitOfWork, days: int, ages: tuple[int, int]
) -> None:
    fees.charge_alone(work, 1)
    work.session.flush()
    with at(clock.today() + timedelta(days=days)):
        assert balances.whole().ages[:2] == tuple(part * 10_000 for part in ages)


def test_what_is_open_by_pull_and_the_pages(
    client: Client, session: Session, two_years: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at(APRIL):
        fees.pulled(session, "second")
    session.commit()
    assert [(one.number, one.count, one.total) for one in balances.by_pull()] == [(2, 4, 40_000)]
    client.sign_on("finance")
    for by in ("school", "payer", "route", "nonsense"):
        assert "Open in all £400" in client.get("finance.open_balances", by=by).words
    monkeypatch.setitem(client.app.config, "S2S_PAGE_SIZE", 2)
    page = client.get("finance.open_balances")
    assert "Otherham" not in page.words
    page = client.fetch("GET", page.document.xpath("//a[@rel='next']/@href")[0])
    assert "Otherham" in page.words


def test_fees_to_come_are_counted_for_finance(session: Session, work: UnitOfWork) -> None:
    rows.referral(session, fees.reference(1), status=Status.SUBMITTED)
    rows.referral(session, fees.reference(2), status=Status.DECLINED)
    fees.charged(session, 3)
    session.flush()
    assert balances.proposed() == balances.Proposed(1, 10_000)


# Year end ----------------------------------------------------------------------------------------


def test_a_year_is_closed_by_a_second_person(session: Session, two_years: UnitOfWork) -> None:
    with at(APRIL):
        verification.verify_and_note()
        with pytest.raises(OutOfOrder, match="Nobody has asked"):
            years.close(two_years, "2019/20", by=APPROVER)
        years.ask(two_years, "2019/20", by=FINANCE)
        with pytest.raises(NotAllowed, match="yourself"):
            years.close(two_years, "2019/20", by=FINANCE)
        closed = years.close(two_years, "2019/20", by=APPROVER)
        session.flush()
        assert (closed.carried_pence, closed.last_entry) == (20_000, 6)
        carried = session.execute(select(CarriedBalance.urn, CarriedBalance.balance_pence))
        assert sorted(map(tuple, carried)) == [(SCHOOL, 10_000), (OTHER_SCHOOL, 10_000)]
        with pytest.raises(AlreadyDecided, match="closed by Abe Approver"):
            years.close(two_years, "2019/20", by=APPROVER)
        session.commit()
        assert verification.verify().sound
        opening = statements.of_year(SCHOOL, "2020/21", by=FINANCE).opening_pence
        assert opening == 10_000


def test_a_closed_year_refuses_back_dating(session: Session, two_years: UnitOfWork) -> None:
    with at(APRIL):
        close(two_years)
        fees.pulled(session, "second")
        with pytest.raises(YearClosed, match="financial year 2019/20 is closed"):
            ledger.post(
                two_years,
                [ledger.Line(ledger.INCOME, 1), ledger.Line(ledger.COLLECTED, -1)],
                by=SYSTEM,
                event_date=MARCH,
                idempotency_key="x",
            )
        reversed_ = ledger.reverse(two_years, 3, reason="x", by=SYSTEM)
        assert reversed_.financial_year == "2020/21", "put right in the open year"


def test_the_database_refuses_back_dating_too(
    session: Session, connection: Connection, two_years: UnitOfWork
) -> None:
    with at(APRIL):
        close(two_years)
        session.commit()
    connection.execute(text("RESET ROLE"))
    for event_date, year in (("2020-03-31", "2019/20"), ("2020-03-31", "2020/21")):
        columns = [c.name for c in ledger.LedgerEntry.__table__.columns]
        changed = {
            "number": "7",
            "event_date": f"'{event_date}'",
            "financial_year": f"'{year}'",
            "idempotency_key": "'x'",
            "referral_reference": "'S2S-19-ZZZZ'",
        }
        values = ", ".join(changed.get(name, name) for name in columns)
        with connection.begin_nested() as savepoint:
            with pytest.raises(DBAPIError, match="financial year 2019/20 is closed"):
                connection.execute(
                    text(
                        f"INSERT INTO s2s.ledger_entry ({', '.join(columns)})"
                        f" SELECT {values} FROM s2s.ledger_entry WHERE number = 6"
                    )
                )
            savepoint.rollback()
    with pytest.raises(DBAPIError) as refused:
        connection.execute(
            text(
                "WITH asked AS (INSERT INTO s2s.year_close_request (financial_year, at, by_id,"
                " by_name) VALUES ('2020/21', now(), 'finance', 'x') RETURNING id)"
                " INSERT INTO s2s.year_close (financial_year, request_id, last_entry, last_hash,"
                " carried_pence, at, by_id, by_name)"
                " SELECT '2020/21', id, 0, '', 0, now(), 'finance', 'x' FROM asked"
            )
        )
    assert refused.value.orig.diag.constraint_name == "ck_year_close_second_person"


@pytest.mark.parametrize(
    ("day", "sound", "year", "says"),
    [
        (date(2020, 3, 31), True, "2019/20", "the year ended on 31 march 2020"),
        (date(2021, 4, 1), True, "2020/21", "the year 2019/20 is closed"),
        (APRIL, False, "2019/20", "verified and found sound"),
    ],
)
def test_what_must_be_so_before_a_year_is_closed(
    session: Session, two_years: UnitOfWork, day: date, sound: bool, year: str, says: str
) -> None:
    with at(day):
        if sound:
            verification.verify_and_note()
        with pytest.raises(OutOfOrder, match=says):
            years.ask(two_years, year, by=FINANCE)


def test_what_is_left_open_is_said_and_carried(session: Session, two_years: UnitOfWork) -> None:
    with at(APRIL):
        charges.dispute(two_years, 3, "x", FINANCE)
        relief.ask(
            two_years,
            4,
            kind=ReliefKind.WAIVE,
            reason=ReliefReason.OTHER,
            words="x",
            by=FINANCE,
        )
        verification.verify_and_note()
        said = {check.words: check.good for check in years.get("2019/20").checks}
        assert said["Every entry is in a pull: 2 are not"] is False
        assert said["No charge is disputed: 1 are"] is False
        assert said["No request waits for a second person: 1 do"] is False
        assert years.get("2019/20").can_close


def test_two_people_close_a_year_on_its_page(
    client: Client, session: Session, two_years: UnitOfWork
) -> None:
    with at(APRIL):
        verification.verify_and_note()
        client.sign_on("finance").get("finance.list_years")
        client.post("finance.year", {}, year="2019-20")
        assert "Somebody else has to close it" in client.get("finance.year", year="2019-20").words
        client.post("finance.year", {}, year="2019-20", status=403)
        client.sign_on("finance-approver").post("finance.year", {}, year="2019-20")
        assert "Closed by Abe Approver" in client.get("finance.list_years").words
        assert "Schools owed £200 at its end" in client.get("finance.year", year="2019-20").words
        client.get("finance.year", year="1900-01", status=404)
        assert session.scalars(select(YearClose.financial_year)).all() == ["2019/20"]


# Credits that we propose -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "proposed"), [("first_visit", True), ("decision", False), ("contact", False)]
)
def test_a_late_first_visit_proposes_a_credit(
    session: Session, work: UnitOfWork, step: str, proposed: bool
) -> None:
    fees.charged(session, 1)
    rows.clock_broken(session, referrals.get(fees.reference(1)), Step(step))
    session.commit()
    session.expire_all()
    assert broken_promises.propose() == proposed
    assert broken_promises.propose() == 0, "once, whatever becomes of it"
    requests = session.scalars(select(ReliefRequest)).all()
    assert [(one.kind, one.by_id, one.words) for one in requests] == [
        (
            ReliefKind.CREDIT,
            "system",
            "The first visit was promised by 13 May 2019 and had not taken place by then",
        )
    ] * proposed
    assert ledger.balance(SCHOOL) == 10_000, "nothing is posted by itself"
    for request in requests:
        relief.approve(UnitOfWork(session), request.id, by=FINANCE)
        assert ledger.balance(SCHOOL) == 0
