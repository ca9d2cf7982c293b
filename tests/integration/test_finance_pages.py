"""Finance's pages: what they show, what they refuse, and that a child is nowhere on them."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import UnitOfWork
from s2s_portal.identity import SYSTEM
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.ledger import LedgerEntry, Pull
from s2s_portal.services import accounts, ledger, pulls
from tests import fees
from tests.client import Client, Page
from tests.world import OTHER_SCHOOL, SCHOOL

NAMES = ("Little Snoring Invented Primary", "Otherham Invented High")


@pytest.fixture
def ledger_of_three(session: Session, may_2019: None) -> None:
    """Three charges of whole referrals: 1 collected in pull 1, 2 in pull 2, 3 due."""
    fees.charged(session, 1)
    fees.pulled(session, "first")
    fees.charged(session, 2)
    fees.pulled(session, "second")
    fees.charged(session, 3)
    pulls.collect(
        UnitOfWork(session), 1, finance_reference="J4711", collected_on=clock.today(), by=SYSTEM
    )
    session.commit()
    session.expire_all()


def states(page: Page) -> list[str]:
    """The state in words of each entry on a page."""
    return page.all("//tbody//*[contains(@class,'govuk-tag')]")


def numbers(page: Page) -> list[str]:
    """The numbers of the entries on a page."""
    return page.all("//tbody//th")


def test_the_ledger_newest_first_with_its_totals(client: Client, ledger_of_three: None) -> None:
    page = client.sign_on("finance").get("finance.index")
    assert numbers(page) == ["4", "3", "2", "1"]
    assert states(page) == ["Collected", "Due to be pulled", "In pull 2", "Collected"]
    assert page.all("//dd[@class='govuk-summary-list__value']") == ["£100", "£100", "£100"]
    assert "926/0101" in page.words
    assert fees.VERDICT in page.words
    assert "reference J4711" in page.words


def test_a_reversed_charge_says_so(client: Client, session: Session, may_2019: None) -> None:
    fees.charged(session, 1)
    ledger.reverse(UnitOfWork(session), 1, reason="Charged in error", by=SYSTEM)
    session.commit()
    page = client.sign_on("finance").get("finance.index", state="reversed")
    assert numbers(page) == ["1"]
    assert "Due to be pulled Reversed by entry 2" in page.words
    everything = client.get("finance.index")
    assert "−£100" in everything.words
    assert "Charged in error" in everything.words


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"state": "due"}, ["3"]),
        ({"state": "pulled"}, ["2"]),
        ({"state": "collected"}, ["4", "1"]),
        ({"state": "reversed"}, []),
        ({"state": "nonsense"}, ["4", "3", "2", "1"]),
        ({"q": "snoring"}, ["4", "3", "2", "1"]),
        ({"q": "OTHERHAM"}, []),
        ({"q": "%"}, []),
        ({"q": fees.reference(2).lower()}, ["2"]),
        ({"q": str(SCHOOL)}, ["4", "3", "2", "1"]),
        ({"q": "926/0101", "state": "due"}, ["3"]),
    ],
)
def test_filters_are_in_the_address(
    client: Client, ledger_of_three: None, values: dict[str, str], found: list[str]
) -> None:
    page = client.sign_on("finance").get("finance.index", **values)
    assert numbers(page) == found
    if not found:
        assert "No entry was found" in page.words


def test_pages_of_the_ledger(
    client: Client, session: Session, may_2019: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client.app.config, "S2S_PAGE_SIZE", 2)
    work = UnitOfWork(session)
    for position in range(5):
        fees.charge_alone(work, position)
    session.commit()
    page = client.sign_on("finance").get("finance.index", q="Snoring")
    seen = [numbers(page)]
    while page.document.xpath("//a[@rel='next']"):
        page = client.fetch("GET", page.document.xpath("//a[@rel='next']/@href")[0])
        seen.append(numbers(page))
    assert seen == [["5", "4"], ["3", "2"], ["1"]]
    back = client.fetch("GET", page.document.xpath("//a[@rel='prev']/@href")[0])
    assert numbers(back) == ["3", "2"]
    assert client.get("finance.index", after="x' OR 1=1", before="9" * 30).status == 200


def test_an_empty_ledger_says_what_will_be_there(client: Client) -> None:
    page = client.sign_on("finance").get("finance.index")
    assert "The ledger is empty" in page.words


def test_finance_never_sees_a_child(client: Client, ledger_of_three: None) -> None:
    client.sign_on("finance")
    pages = [
        client.get("finance.index"),
        client.get("finance.statement", urn=SCHOOL),
        client.get("finance.pulls"),
        client.get("finance.pull", number=1),
        client.get("finance.collect", number=2),
        client.get("finance.file", number=1, name="s2s-pull-0001-ledger.csv"),
    ]
    for page in pages:
        assert not re.search("canary|zosia|semh|Now and next", page.text, re.IGNORECASE)


# Statements


def test_a_statement_with_its_balance(client: Client, ledger_of_three: None) -> None:
    page = client.sign_on("finance").get("finance.statement", urn=SCHOOL)
    assert page.h1 == f"Fees of {NAMES[0]}"
    assert numbers(page) == ["1", "2", "3", "4"]
    assert states(page) == ["Collected", "In pull 2", "Due to be pulled", "Collected"]
    assert page.all("//tbody//td[last()]") == ["£100", "£200", "£300", "£200"]
    assert "Owed now £200" in page.words


def test_a_school_reads_its_own_statement_and_no_other(
    client: Client, ledger_of_three: None
) -> None:
    page = client.sign_on("senco").get("finance.statement", urn=SCHOOL)
    assert states(page) == ["Collected", "To be collected", "To be collected", "Collected"]
    assert "You do not need to do anything" in page.words
    foreign = client.get("finance.statement", urn=OTHER_SCHOOL, status=404)
    absent = client.get("finance.statement", urn=999999, status=404)
    assert foreign.words == absent.words
    assert client.sign_on("other-senco").get("finance.statement", urn=SCHOOL, status=404)


def test_a_statement_of_nothing(client: Client) -> None:
    page = client.sign_on("finance").get("finance.statement", urn=OTHER_SCHOOL)
    assert "Nothing has been charged" in page.words
    assert "Owed now £0" in page.words
    client.get("finance.statement", urn=1, status=404)


# Pulls


def test_making_a_pull(client: Client, session: Session, may_2019: None) -> None:
    fees.charge_alone(UnitOfWork(session), 1)
    session.commit()
    page = client.sign_on("finance").get("finance.pulls")
    assert "1 entry, £100." in page.words
    assert "No pull has been made yet" in page.words
    form = {"token": page.value("token")}
    made = client.post("finance.pulls", form)
    again = client.post("finance.pulls", form)  # the button was pressed twice
    assert made.location == again.location == client.url("finance.pull", number=1)
    shown = client.follow(made)
    assert "Pull 1: 1 entry, £100, from entry 1 to entry 1." in shown.words
    assert session.scalar(select(func.count()).select_from(Pull)) == 1
    assert "Not collected" in client.get("finance.pulls").words


def test_an_empty_pull_is_refused(client: Client, session: Session, may_2019: None) -> None:
    page = client.sign_on("finance").get("finance.pulls")
    assert not page.document.xpath("//button[contains(., 'Make a pull')]")
    refused = client.post("finance.pulls", {"token": "0" * 32}, status=422)
    assert refused.errors == [
        "Nothing is due to be pulled. A fee becomes due when a referral is accepted."
    ]


@pytest.mark.parametrize("token", ["", "x", "0" * 31, "0" * 33, "Z" * 32])
def test_a_pull_needs_a_token_of_ours(
    client: Client, session: Session, may_2019: None, token: str
) -> None:
    fees.charge_alone(UnitOfWork(session), 1)
    session.commit()
    page = client.sign_on("finance").post("finance.pulls", {"token": token}, status=422)
    assert page.errors == ["The page had expired and nothing was pulled. Try again."]
    assert session.scalar(select(func.count()).select_from(Pull)) == 0
    client.post("finance.pulls", {"token": page.value("token")})


def test_a_forged_request_makes_no_pull(client: Client, session: Session, may_2019: None) -> None:
    fees.charge_alone(UnitOfWork(session), 1)
    session.commit()
    form = {"token": "0" * 32, "csrf_token": "forged"}
    client.sign_on("finance").post("finance.pulls", form, status=422)
    assert session.scalar(select(func.count()).select_from(Pull)) == 0


def test_a_page_of_pulls(
    client: Client, session: Session, may_2019: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client.app.config, "S2S_PAGE_SIZE", 2)
    for position in range(3):
        fees.charge_alone(UnitOfWork(session), position)
        fees.pulled(session, str(position))
    session.commit()
    page = client.sign_on("finance").get("finance.pulls")
    assert numbers(page) == ["Pull 3", "Pull 2"]
    older = client.fetch("GET", page.document.xpath("//a[@rel='next']/@href")[0])
    assert numbers(older) == ["Pull 1"]


def test_a_pull_shows_its_control_totals(client: Client, ledger_of_three: None) -> None:
    page = client.sign_on("finance").get("finance.pull", number=2)
    assert "Entries 1" in page.words
    assert "Total £100" in page.words
    assert numbers(page) == ["2"]
    client.get("finance.pull", number=9, status=404)


def test_downloads_are_the_same_and_audited(
    client: Client, session: Session, ledger_of_three: None
) -> None:
    client.sign_on("finance")
    for ending, kind in (("csv", "text/csv"), ("xlsx", "application/vnd.openxml")):
        name = f"s2s-pull-0001-ledger.{ending}"
        path = client.url("finance.file", number=1, name=name)
        answers = [client.open(path, method="GET") for _ in range(2)]
        assert answers[0].data == answers[1].data
        assert answers[0].mimetype.startswith(kind)
        assert answers[0].headers["Content-Disposition"] == f"attachment; filename={name}"
        session.commit()  # the next transaction acts as the service again, which may read this
        downloads = select(AuditEntry.by_id).where(
            AuditEntry.action == "downloaded", AuditEntry.entity_key == name
        )
        assert session.scalars(downloads).all() == ["finance", "finance"]
    client.get("finance.file", number=1, name="s2s-pull-0002-ledger.csv", status=404)


# Collection

GOOD = {"finance_reference": "J4712", "collected_on": ["14", "5", "2019"]}


def test_marking_a_pull_as_collected(
    client: Client, session: Session, ledger_of_three: None
) -> None:
    client.sign_on("finance")
    shown = client.follow(client.post("finance.collect", GOOD, number=2))
    assert "Pull 2 has been marked as collected" in shown.words
    assert "Collected on 14 May 2019 with reference J4712, marked by Fay Finance" in shown.words
    assert not shown.document.xpath("//a[contains(., 'Mark as collected')]")
    assert "Owed now £100" in client.get("finance.statement", urn=SCHOOL).words


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"finance_reference": ""}, "Enter Finance’s reference for the collection"),
        ({"finance_reference": "x" * 61}, "Finance’s reference must be 60 characters or fewer"),
        ({"collected_on": ["", "", ""]}, "Enter the day of collection"),
        (
            {"collected_on": ["31", "2", "2019"]},
            "Day of collection must be a real date, for example 27 3 2019",
        ),
        (
            {"collected_on": ["15", "5", "2019"]},
            "The day of collection must be today or in the past",
        ),
        (
            {"collected_on": ["13", "5", "2019"]},
            "The day of collection must be 14 May 2019, when the pull was made, or later",
        ),
    ],
)
def test_a_refused_collection_keeps_what_was_typed(
    client: Client, session: Session, ledger_of_three: None, change: dict, says: str
) -> None:
    form = GOOD | change
    page = client.sign_on("finance").post("finance.collect", form, number=2, status=422)
    assert page.errors == [says]
    assert page.value("finance_reference") == form["finance_reference"]
    boxes = page.document.xpath("//input[@name='collected_on']/@value")
    assert boxes == form["collected_on"]
    assert session.scalar(select(func.count()).select_from(LedgerEntry)) == 4


def test_a_second_collection_is_refused_in_words(
    client: Client, session: Session, ledger_of_three: None
) -> None:
    client.sign_on("finance")
    says = "Pull 1 is already marked as collected on 14 May 2019 with reference J4711"
    assert says in client.get("finance.collect", number=1, status=409).words
    page = client.post("finance.collect", GOOD, number=1, status=422)
    assert says in page.errors[0]
    assert page.value("finance_reference") == "J4712"
    assert session.scalar(select(func.count()).select_from(LedgerEntry)) == 4
    client.get("finance.collect", number=9, status=404)
    client.post("finance.collect", GOOD, number=9, status=404)


def test_statements_stay_the_same_number_with_more_rows(
    client: Client, session: Session, may_2019: None
) -> None:
    work = UnitOfWork(session)
    counts = []
    for more in (range(2), range(2, 20)):
        for position in more:
            fees.charge_alone(work, position)
        session.commit()
        session.expire_all()
        statements: list[str] = []
        connection = session.connection()

        def note(_c: object, _cursor: object, sql: str, *_rest: object) -> None:
            statements.append(sql)  # noqa: B023

        event.listen(connection.engine, "before_cursor_execute", note)
        client.sign_on("finance").get("finance.index")
        event.remove(connection.engine, "before_cursor_execute", note)
        session.rollback()  # who acts is said anew at the next statement
        counts.append(len(statements))
    assert counts[0] == counts[1] > 0


def test_places_in_addresses() -> None:
    assert accounts.place("12") == 12
    assert [accounts.place(text) for text in ("", "x", "-1", "1.5", "9" * 19)] == [None] * 5
