"""The viewer of an academy trust: numbers of its own schools, and no child anywhere."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import UnitOfWork
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.codes import Status
from s2s_portal.services import accounts, ledger, pulls, trusts
from s2s_portal.state import state
from tests import fees, rows
from tests.client import Client, Page
from tests.world import ACADEMY, ACTORS, OTHER_SCHOOL, SCHOOL

TRUST = ACTORS["trust-viewer"]


@pytest.fixture
def two_schools(session: Session, may_2019: None) -> None:
    """SCHOOL: 5 sent, 3 charged of which 1 collected and 1 reversed. ACADEMY: a draft alone."""
    for position in (1, 2, 3):
        fees.charged(session, position)
        if position == 1:
            fees.pulled(session)
            work = UnitOfWork(session)
            pulls.collect(work, 1, finance_reference="J1", collected_on=clock.today(), by=SYSTEM)
    ledger.reverse(UnitOfWork(session), 3, reason="Charged in error", by=SYSTEM)
    rows.referral(session, "S2S-19-CCCC", status=Status.CLOSED)
    rows.referral(session, "S2S-19-DDDD", status=Status.DECLINED)
    rows.referral(session, "S2S-19-FFFF", status=Status.DRAFT)
    rows.referral(session, "S2S-19-GGGG", status=Status.DRAFT, urn=ACADEMY)
    fees.charged(session, 9, urn=OTHER_SCHOOL)
    session.commit()
    session.expire_all()


def table(page: Page) -> list[list[str]]:
    """The cells of the table on a page, a list for each row."""
    return [
        [" ".join(cell.text_content().split()) for cell in row]
        for row in page.document.xpath("//tbody/tr")
    ]


def test_one_row_for_each_school_and_the_sums(client: Client, two_schools: None) -> None:
    page = client.sign_on("trust-viewer").get("finance.trust")
    assert table(page) == [
        ["Acle Invented Academy926/0103", "0", "0", "0", "£0", "£0", "£0"],
        ["Little Snoring Invented Primary926/0101", "5", "3", "2", "£200", "£100", "£100"],
        ["All your schools", "5", "3", "2", "£200", "£100", "£100"],
    ]
    assert "of your trust" in page.words


def test_what_is_owed_is_what_the_statement_says(session: Session, two_schools: None) -> None:
    lines = {line.establishment.urn: line for line in trusts.overview(by=TRUST).lines}
    for urn, line in lines.items():
        assert line.owed_pence == ledger.balance(urn)
        assert line.owed_pence == accounts.statement(urn, by=TRUST).balance_pence


def test_one_school_of_the_trust_leads_to_its_statement(client: Client, two_schools: None) -> None:
    page = client.sign_on("trust-viewer").get("finance.trust")
    links = page.document.xpath("//tbody//a/@href")
    assert links == [client.url("finance.statement", urn=urn) for urn in (ACADEMY, SCHOOL)]
    statement = client.get("finance.statement", urn=SCHOOL)
    assert "Owed now £100" in statement.words
    assert "Back to your schools" in statement.words
    assert "In pull" not in statement.words
    foreign = client.get("finance.statement", urn=OTHER_SCHOOL, status=404)
    assert foreign.words == client.get("finance.statement", urn=999999, status=404).words


def test_no_child_is_anywhere(client: Client, two_schools: None) -> None:
    client.sign_on("trust-viewer")
    pages = [
        client.get("home.index"),
        client.get("finance.trust"),
        client.get("finance.statement", urn=SCHOOL),
    ]
    for page in pages:
        assert not re.search("canary|zosia|semh|Now and next|Stays in", page.text, re.IGNORECASE)


def test_the_front_page_counts_what_is_open(client: Client, two_schools: None) -> None:
    page = client.sign_on("trust-viewer").get("home.index")
    assert page.document.findtext(".//title") == "School to School Support", "said once"
    assert "3 Open referrals of your schools" in page.words
    assert "Start a referral" not in page.words


def test_one_trust_learns_nothing_of_another_s_schools(app: object, two_schools: None) -> None:
    """The database counts for the acting viewer alone, whatever is asked."""
    alone = type(TRUST)(
        id="elsewhere", name="Eli", roles=TRUST.roles, establishments=(OTHER_SCHOOL,)
    )
    session = state().session()
    session.rollback()
    with acting_as(alone):
        assert dict(
            session.execute(text("SELECT urn, sent FROM s2s.school_referral_count")).all()
        ) == {OTHER_SCHOOL: 1}
        # Asked for a school that is not theirs, as a mistake in the code above would.
        found = trusts.overview(by=TRUST)
        assert {(line.sent, line.charged_pence) for line in found.lines} == {(0, 0)}
        session.rollback()
