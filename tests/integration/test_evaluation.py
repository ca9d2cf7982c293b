"""What the programme manager is told: figures counted by hand here, and small numbers hidden."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import UnitOfWork
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.answer import OutcomeWanted
from s2s_portal.models.codes import Achieved, Action, Status
from s2s_portal.models.referral import ReferralEvent
from s2s_portal.services import evaluation, ledger
from s2s_portal.services.evaluation import Share, suppressed
from tests import fees, rows
from tests.client import Client, Page
from tests.world import ACTORS, OTHER_SCHOOL, SCHOOL

DECISIONS = {Status.ACCEPTED: Action.ACCEPTED, Status.ALLOCATED: Action.ACCEPTED} | {
    Status.CLOSED: Action.ACCEPTED,
    Status.DECLINED: Action.DECLINED,
    Status.ADVISED: Action.ADVISED,
    Status.REDIRECTED: Action.REDIRECTED,
}


def referral(
    session: Session, position: int, status: Status, *, days: int = 0, urn: int = SCHOOL
) -> object:
    """A referral received on 14 May 2019 and decided, if at all, after some days."""
    row = rows.referral(session, fees.reference(position), urn=urn, status=status)
    if status in DECISIONS:
        session.add(
            ReferralEvent(
                referral_id=row.id,
                action=DECISIONS[status],
                # Half past midnight in Norfolk: still the day before in UTC.
                at=clock.from_local(rows.RECEIVED + timedelta(days=days), 0, 30),
                by_id="officer",
                by_name="Ola Officer",
            )
        )
    session.flush()
    return row


def table(page: Page) -> dict[str, str]:
    """Every table's rows: what is in the first cell, and what is in the second."""
    found = {}
    for row in page.document.xpath("//tbody/tr"):
        cells = [" ".join(cell.text_content().split()) for cell in row]
        found[cells[0]] = cells[1]
    return found


@pytest.fixture
def a_year(session: Session, may_2019: None) -> None:
    """Six referrals of 2019/20 in different states, one of which was visited and judged."""
    visited = referral(session, 1, Status.CLOSED, days=2)
    made = rows.allocation(session, visited, "practitioner")
    rows.visit(session, visited, made, 1, issued=True)
    session.query(OutcomeWanted).where(OutcomeWanted.referral_id == visited.id).update(
        {"achieved": Achieved.YES}
    )
    for place, achieved in ((2, Achieved.NO), (3, None)):
        session.add(
            OutcomeWanted(referral_id=visited.id, position=place, text="x", achieved=achieved)
        )
    referral(session, 2, Status.ACCEPTED, days=3)
    referral(session, 3, Status.DECLINED, days=10)
    referral(session, 4, Status.SUBMITTED)
    referral(session, 5, Status.RETURNED, urn=OTHER_SCHOOL)
    referral(session, 6, Status.DRAFT)
    work = UnitOfWork(session)
    fees.charge_alone(work, 1)
    fees.charge_alone(work, 2)
    ledger.reverse(work, 2, reason="x", by=SYSTEM)
    session.commit()


def test_the_figures_of_a_year(client: Client, a_year: None) -> None:
    page = client.sign_on("manager").get("evaluation.index")
    assert page.h1 == "What it achieved in 2019/20"
    assert "Financial year, 1 April to 31 March" in page.words
    found = table(page)
    assert {name: found[name] for name in list(found)[:14]} == {
        "Referrals received": "5",
        "Accepted": "2",
        "Declined": "1",
        "Advised without a visit": "0",
        "Sent on to another service": "0",
        "Not answered": "0",
        "Withdrawn": "0",
        "Still waiting": "2",
        "Median time to a decision": "3 days",
        "Visited at least once": "1",
        "Outcomes achieved": "50% (1 of 2)",
        "Visit records issued": "0",  # `rows.visit` issues its record today, in another year
        "Disputed by the school": "0",
        "Fees charged": "£100",
    }


def test_advice_and_the_like_are_counted_apart(
    client: Client, session: Session, a_year: None
) -> None:
    for position, status in enumerate(
        (Status.ADVISED, Status.REDIRECTED, Status.UNANSWERED, Status.WAITING), start=7
    ):
        referral(session, position, status, days=3)
    session.commit()
    found = table(client.sign_on("manager").get("evaluation.index"))
    counted = ("Declined", "Advised without a visit", "Sent on to another service", "Not answered")
    assert {found[name] for name in counted} == {"1"}
    assert (found["Accepted"], found["Still waiting"]) == ("2", "3")


def test_every_figure_says_what_is_counted(client: Client, a_year: None) -> None:
    page = client.sign_on("manager").get("evaluation.index")
    definitions = page.all("(//table)[1]//tbody//td[last()]")
    assert len(definitions) == 14
    assert all(len(words) > 15 for words in definitions)


def test_collections_are_not_fees(session: Session, a_year: None) -> None:
    from s2s_portal.services import pulls

    fees.pulled(session)
    pulls.collect(
        UnitOfWork(session), 1, finance_reference="J", collected_on=clock.today(), by=SYSTEM
    )
    assert evaluation.of_year("2019/20").figures[-1].value == "£100"


def test_small_numbers_are_hidden_on_the_page(client: Client, a_year: None) -> None:
    found = table(client.sign_on("manager").get("evaluation.index"))
    assert found["Primary"] == found["Secondary"] == "fewer than 5"
    assert "Social, emotional and mental health" in found


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ([("a", 9), ("b", 5)], ["9", "5"]),
        ([("a", 9), ("b", 4), ("c", 1)], ["9", "fewer than 5", "fewer than 5"]),
        ([("a", 9), ("b", 4), ("c", 7)], ["9", "fewer than 5", "not shown"]),
        ([("a", 4)], ["fewer than 5"]),
        ([("a", 0), ("b", 1200)], ["0", "1,200"]),
        ([], []),
    ],
)
def test_no_small_number_can_be_seen_or_worked_out(
    counts: list[tuple[str, int]], shown: list[str]
) -> None:
    names = [name for name, _ in counts]
    assert suppressed(counts) == [
        Share(name, value) for name, value in zip(names, shown, strict=True)
    ]


def test_a_year_without_referrals(client: Client, a_year: None) -> None:
    with clock.frozen(date(2020, 4, 1)):
        page = client.sign_on("manager").get("evaluation.index")
        assert page.h1 == "What it achieved in 2020/21"
        assert "No referral was received in this year" in page.words
        assert table(page)["Outcomes achieved"] == "None judged yet"
        assert table(page)["Median time to a decision"] == "No decision yet"
        assert page.all("//select/option") == ["2020/21", "2019/20"]
        earlier = client.get("evaluation.index", year="2019/20")
        assert table(earlier)["Referrals received"] == "5"
        assert client.get("evaluation.index", year="1066/67").h1 == page.h1


def test_nobody_else_reads_the_measure(session: Session, a_year: None) -> None:
    count = text("SELECT count(*) FROM s2s.referral_measure")
    seen = {}
    for key in ("manager", "finance", "officer", "senco", "auditor", "administrator"):
        session.commit()
        with acting_as(ACTORS[key]):
            seen[key] = session.scalar(count)
    assert seen == {"manager": 5} | {
        key: 0 for key in ("finance", "officer", "senco", "auditor", "administrator")
    }
