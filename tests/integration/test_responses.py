"""Finance's response files: every row judged before any is applied, applied once, in words."""

from __future__ import annotations

import io
from datetime import date

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage

from s2s_portal import clock
from s2s_portal.database import UnitOfWork
from s2s_portal.errors import NotAllowed, NotFound, OutOfOrder, Refused
from s2s_portal.models.finance_files import Outcome, ResponseFile, ResponseLine
from s2s_portal.models.ledger import EntryKind, LedgerEntry
from s2s_portal.services import (
    ledger,
    pull_progress,
    pulls,
    response_reading,
    responses,
    verification,
)
from s2s_portal.services.response_reading import WrongRows
from tests import fees
from tests.client import Client, Page
from tests.world import ACTORS, OTHER_SCHOOL, SCHOOL

FINANCE = ACTORS["finance"]
HEAD = "entry_number,outcome,date,amount_pounds,finance_reference,reason\n"
GOOD = (
    HEAD
    + "1,collected,2019-05-14,100.00,J4711,\n"
    + "2,Rejected,14/05/2019,100,,Cost centre AB1234 is closed\n"
    + "3,query,2019-05-14,£100.00,,Which Łukasz؟\n"
)


@pytest.fixture
def work(session: Session, may_2019: None) -> UnitOfWork:
    """Pull 1 with entries 1 to 4; entry 5 in pull 2; entry 6 is due."""
    made = UnitOfWork(session)
    for position in range(4):
        fees.charge_alone(made, position, urn=(SCHOOL, OTHER_SCHOOL)[position % 2])
    fees.pulled(session, "one")
    fees.charge_alone(made, 4)
    fees.pulled(session, "two")
    fees.charge_alone(made, 5)
    session.commit()
    return made


def apply(work: UnitOfWork, text: str, number: int = 1) -> responses.Counts:
    """Apply a file, by Finance."""
    return responses.apply(work, number, text, by=FINANCE)


def wrong(work: UnitOfWork, text: str, number: int = 1) -> str:
    """The one thing that is wrong with a file."""
    with pytest.raises(WrongRows) as error:
        apply(work, text, number)
    (problem,) = error.value.problems
    return problem


def entries(session: Session) -> int:
    """How many entries the ledger has."""
    return session.scalar(select(func.count()).select_from(LedgerEntry)) or 0


def test_a_good_file_is_applied_whole(session: Session, work: UnitOfWork) -> None:
    counts, answers = responses.preview(1, GOOD, by=FINANCE)
    assert (counts.words, counts.collected_pence) == ("1 collected, 1 rejected, 1 query", 10_000)
    assert [answer.line for answer in answers] == [2, 3, 4]
    assert entries(session) == 6
    assert apply(work, GOOD) == counts
    assert (ledger.balance(SCHOOL), ledger.balance(OTHER_SCHOOL)) == (30_000, 20_000)
    settled = session.scalars(
        select(LedgerEntry).where(LedgerEntry.kind == EntryKind.COLLECTION)
    ).one()
    assert (settled.settles_number, settled.finance_reference) == (1, "J4711")
    assert settled.event_date == date(2019, 5, 14)
    assert pull_progress.progress([1])[1] == pull_progress.Progress(
        collected=1, rejected=1, queried=1, count=4
    )
    assert (pull_progress.progress([1])[1].silent, pull_progress.progress([1])[1].part) == (1, True)
    assert pulls.collected(1) is None
    said = session.scalars(select(ResponseLine).order_by(ResponseLine.line)).all()
    assert [(row.outcome, row.reason) for row in said][1:] == [
        (Outcome.REJECTED, "Cost centre AB1234 is closed"),
        (Outcome.QUERY, "Which Łukasz؟"),
    ]
    assert verification.verify().sound


@pytest.mark.parametrize(
    "again", [GOOD, GOOD.replace("\n", "\r\n"), "\ufeff" + GOOD.replace("\n", "\r\n")]
)
def test_the_same_file_again_changes_nothing(
    session: Session, work: UnitOfWork, again: str
) -> None:
    first = apply(work, GOOD)
    before = entries(session)
    second = apply(work, response_reading.text_of(again.encode()))
    assert second.already == "to pull 1 on 14 May 2019, by Fay Finance"
    assert (second.collected, entries(session)) == (first.collected, before)
    assert session.scalar(select(func.count()).select_from(ResponseFile)) == 1


def test_a_later_file_collects_what_was_rejected(session: Session, work: UnitOfWork) -> None:
    apply(work, GOOD)
    rest = HEAD + "".join(f"{entry},collected,2019-05-14,100.00,J2,\n" for entry in (2, 3, 4))
    apply(work, rest)
    assert pulls.collected(1) == pulls.Collected("J4711, J2", date(2019, 5, 14), FINANCE.name)
    assert pull_progress.progress([1])[1].part is False
    assert verification.verify().sound
    assert [one.counts.words for one in responses.applied(1)] == [
        "3 collected, 0 rejected, 0 queries",
        "1 collected, 1 rejected, 1 query",
    ]


def test_marking_as_collected_leaves_what_finance_has_rejected(
    session: Session, work: UnitOfWork
) -> None:
    apply(work, GOOD)

    def mark() -> None:
        pulls.collect(work, 1, finance_reference="J3", collected_on=clock.today(), by=FINANCE)

    mark()
    assert sorted(pull_progress.settled(1)) == [1, 4]
    with pytest.raises(OutOfOrder, match="left of this pull is rejected or disputed"):
        mark()


BAD = [
    ("9,collected,2019-05-14,100.00,J,", "there is no entry 9"),
    ("5,collected,2019-05-14,100.00,J,", "entry 5 is in pull 2, not in pull 1"),
    ("6,collected,2019-05-14,100.00,J,", "entry 6 is in no pull"),
    ("4,collected,2019-05-14,90.00,J,", "entry 4 is £100, not £90"),
    ("4,collected,2019-05-14,-100.00,J,", "entry 4 is £100, not −£100"),
    ("4,collected,2019-05-14,1e2,J,", "“1e2” is not an amount such as 100.00"),
    ("4,collected,2019-05-14,=100,J,", "“=100” is not an amount such as 100.00"),
    ("4,collected,2019-05-15,100.00,J,", "15 May 2019 is in the future"),
    ("4,collected,2019-05-13,100.00,J,", "13 May 2019 is before 14 May 2019, when it was pulled"),
    ("4,collected,2019-02-30,100.00,J,", "“2019-02-30” is not a date"),
    ("4,collected,,100.00,J,", "“” is not a date"),
    ("4,paid,2019-05-14,100.00,J,", "“paid” is not collected, rejected or query"),
    ("4,collected,2019-05-14,100.00,,", "what was collected needs a finance_reference"),
    ("4,rejected,2019-05-14,100.00,,", "say in the column reason why it was not collected"),
    ("4,query,2019-05-14,100.00,J,", "say in the column reason why it was not collected"),
    ("4,rejected,2019-05-14,100.00,,=1+1", "the column reason begins like a formula"),
    ("4,collected,2019-05-14,100.00,@J,", "the column finance_reference begins like a formula"),
    ("4,collected,2019-05-14,100.00," + "J" * 61 + ",", "is longer than 60 characters"),
    ("four,collected,2019-05-14,100.00,J,", "“four” is not the number of an entry"),
    ("4,collected,2019-05-14", "it has 3 cells for 6 columns"),
    ("1,collected,2019-05-14,100.00,J,", "entry 1 was collected on 14 May 2019 with reference J0"),
]


@pytest.mark.parametrize(("row", "says"), BAD)
def test_a_bad_row_has_one_message_and_nothing_is_applied(
    session: Session, work: UnitOfWork, row: str, says: str
) -> None:
    apply(work, HEAD + "1,collected,2019-05-14,100.00,J0,\n")
    before = entries(session)
    text = HEAD + "2,collected,2019-05-14,100.00,J,\n" + row + "\n"
    with pytest.raises(WrongRows) as error:
        apply(work, text)
    assert len(error.value.problems) == 1
    assert error.value.problems[0].startswith("Line 3: ")
    assert says in error.value.problems[0]
    assert entries(session) == before


def test_every_bad_row_is_told_at_once(session: Session, work: UnitOfWork) -> None:
    text = HEAD + "2,collected,2019-05-14,100.00,J,\n2,query,2019-05-14,100.00,,Why?\n9,x,x,x,x,\n"
    with pytest.raises(WrongRows, match="2 rows are wrong, so nothing has been applied") as error:
        apply(work, text)
    assert error.value.problems == [
        "Line 3: entry 2 is on line 2 already.",
        "Line 4: there is no entry 9.",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "The file has no column entry_number, outcome"),
        (b"outcome,date,amount_pounds\n", "The file has no column entry_number"),
        (HEAD.encode(), "The file has no rows"),
        (b"entry_number,entry_number,outcome,date,amount_pounds\n", "“entry_number” is not one of"),
        (b"pupil,entry_number,outcome,date,amount_pounds\n", "“pupil” is not one of the file"),
        (GOOD.encode("utf-16"), "The file is not UTF-8 text"),
        (GOOD.encode("cp1252", "replace") + b"\xa3", "The file is not UTF-8 text"),
        (b"PK\x03\x04\x00\x00", "The file is not text"),
        (b'entry_number,outcome,date,amount_pounds\n"1,', "a quotation mark is left open"),
        (b"x" * 2_000_001, "The file is larger than 2 MB"),
        (HEAD.encode() + b"\n" * 20_002 + b"1,", "The file has more than 20,000 rows"),
    ],
)
def test_what_is_no_response_file(
    session: Session, work: UnitOfWork, content: bytes, says: str
) -> None:
    with pytest.raises(Refused) as error:
        apply(work, response_reading.text_of(content))
    assert says in str(error.value)


def test_a_row_may_go_by_reference_and_be_about_the_pull(
    session: Session, work: UnitOfWork
) -> None:
    head = "pull_number;source_reference;outcome;date;amount_pounds;finance_reference\n"
    apply(work, head + f"0001;{fees.reference(3).lower()};collected;2019-05-14;100.00;J\n")
    assert list(pull_progress.settled(1)) == [4]
    for row, says in (
        (f"2;{fees.reference(2)}", "it is about pull 2, not pull 1"),
        (f"1;{fees.reference(4)}", "no entry of pull 1 has the reference"),
        ("1;", "no entry of pull 1 has the reference “”"),
    ):
        assert says in wrong(work, head + f"{row};collected;2019-05-14;100.00;J\n")
    both = "entry_number,source_reference,outcome,date,amount_pounds\n"
    said = wrong(work, both + f"1,{fees.reference(1)},query,2019-05-14,100\n")
    assert f"entry 1 has the reference {fees.reference(0)}" in said


def test_a_reference_with_two_entries_needs_the_number(session: Session, work: UnitOfWork) -> None:
    ledger.post_reversal(work, 6, reason="x", by=FINANCE, key=ledger.UNDONE)
    number = fees.pulled(session, "three")
    text = "source_reference,outcome,date,amount_pounds,finance_reference\n"
    said = wrong(work, text + f"{fees.reference(5)},collected,2019-05-14,100,J\n", number)
    assert "2 entries have this reference: give the entry_number" in said
    apply(work, HEAD + "7,collected,2019-05-14,-100.00,J,\n", number)
    assert list(pull_progress.settled(number)) == [7]


def test_only_finance_answers(session: Session, work: UnitOfWork) -> None:
    for verb in (
        lambda: responses.preview(1, GOOD, by=ACTORS["officer"]),
        lambda: responses.apply(work, 1, GOOD, by=ACTORS["officer"]),
    ):
        with pytest.raises(NotAllowed):
            verb()
    with pytest.raises(NotFound):
        apply(work, GOOD, 9)


# The page


def send(client: Client, text: str, status: int = 200) -> Page:
    """Choose a file on the page of pull 1 and have it checked."""
    file = FileStorage(io.BytesIO(text.encode()), filename="response.csv")
    return client.post("finance.response", {"file": file}, number=1, status=status)


def test_previewed_then_applied_then_known_again(
    client: Client, session: Session, work: UnitOfWork
) -> None:
    client.sign_on("finance")
    page = client.get("finance.response", number=1)
    assert page.h1 == "Response file for pull 1"
    preview = send(client, GOOD)
    assert "Nothing has been changed yet" in preview.words
    assert "Collected 1 entry, £100" in preview.words
    assert entries(session) == 6
    # A browser ends the lines of what it sends back with CRLF.
    text = preview.value("content").replace("\n", "\r\n")
    shown = client.follow(client.post("finance.response", {"content": text}, number=1))
    assert "The response file has been applied: 1 collected, 1 rejected, 1 query." in shown.words
    assert "Part collected 1 of 4 entries collected" in shown.words
    assert "Rejected: Cost centre AB1234 is closed" in shown.words
    again = [
        lambda: send(client, GOOD, 302),
        lambda: client.post("finance.response", {"content": text}, number=1),
    ]
    for turn in again:
        told = client.follow(turn())
        assert "This file was already applied to pull 1 on 14 May 2019, by" in told.words
    assert "Part collected 1 of 4 entries" in client.get("finance.pulls").words


def test_the_page_tells_each_bad_row(client: Client, session: Session, work: UnitOfWork) -> None:
    client.sign_on("finance")
    text = HEAD + "9,collected,2019-05-14,100.00,J,\n1,<b>,2019-05-14,100.00,J,\n"
    page = send(client, text, 422)
    assert page.errors == ["2 rows are wrong, so nothing has been applied. Mend the file"]
    assert "Line 2: there is no entry 9." in page.words
    assert "Line 3: “<b>” is not collected, rejected or query." in page.words
    assert client.post("finance.response", {}, number=1, status=422).errors == ["Choose a file"]
    # What the preview carried is judged again: nobody gets round the check.
    forged = client.post("finance.response", {"content": text}, number=1, status=422)
    assert forged.errors == page.errors
    client.get("finance.response", number=9, status=404)


def test_a_row_that_was_rejected_can_still_be_read_by_nobody_else(
    client: Client, session: Session, work: UnitOfWork
) -> None:
    apply(work, GOOD)
    session.commit()
    page = client.sign_on("senco").get("finance.statement", urn=SCHOOL)
    assert "Cost centre" not in page.words
