"""The administrator's page and the auditor's trail."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from s2s_portal import audit
from s2s_portal.database import UnitOfWork
from s2s_portal.identity import acting_as
from s2s_portal.models.establishment import ImportRun
from s2s_portal.models.practitioner import Practitioner
from tests.client import Client, Page
from tests.world import ACTORS, PROVIDER


def done(session: Session, key: str, action: str, reference: str) -> None:
    """Have somebody do something that is audited."""
    with acting_as(ACTORS[key]):
        audit.wrote(UnitOfWork(session), action, "referral", reference)
        session.commit()


@pytest.fixture
def trail(session: Session, may_2019: None) -> None:
    """Three things that two people did to two referrals."""
    done(session, "senco", "submitted", "S2S-19-3334")
    done(session, "officer", "accepted", "S2S-19-3334")
    done(session, "officer", "declined", "S2S-19-3336")


def actions(page: Page) -> list[str]:
    """What was done, from the page's table."""
    return page.all("//tbody//td[3]")


# The administrator


def test_what_the_service_goes_by(client: Client, session: Session, may_2019: None) -> None:
    session.add(
        ImportRun(
            file_name="edubasealldata.csv",
            digest="0" * 64,
            rows_read=82,
            added=80,
            changed=1,
            closed=0,
            unchanged=0,
            skipped=1,
            by_id="administrator",
            by_name="Adi Administrator",
        )
    )
    session.add(
        Practitioner(
            name="Nobody Yet", email="n@school.example", provider_urn=PROVIDER, phases=["4", "6"]
        )
    )
    session.commit()
    page = client.sign_on("administrator").get("administration.index")
    words = page.words
    assert "High Needs Block, existing route 1 April 2019 31 August 2019 MI Sheet 44/19" in words
    assert "1 September 2019 Open-ended" in words
    assert "£100: mainstream school" in words
    assert "edubasealldata.csv 14 May 2019 at midday Adi Administrator 82 80 1 0 0 1" in words
    assert "Establishments known 9" in words
    assert "Of these, not closed 8" in words
    assert "Complex Needs Schools 3" in words
    row = "Pat Practitioner Fen View Complex Needs School SEMH, ASD Primary 4 Has an account"
    assert row in words
    assert "Nobody Yet Fen View Complex Needs School None Secondary, 16 plus 0 No account" in words
    assert "Lena Lead (lead)" in words


def test_before_anything_was_imported(client: Client) -> None:
    page = client.sign_on("administrator").get("administration.index")
    assert "No file of the national register has been read in yet" in page.words


# The auditor


def test_the_trail_newest_first(client: Client, trail: None) -> None:
    page = client.sign_on("auditor").get("administration.audit_trail")
    assert actions(page) == ["declined", "accepted", "submitted"]
    assert "Ola Officer (officer) send officer declined referral S2S-19-3336" in page.words


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"person": "officer"}, ["declined", "accepted"]),
        ({"person": "o'brien"}, ["submitted"]),
        ({"person": "%"}, []),
        ({"key": "S2S-19-3334"}, ["accepted", "submitted"]),
        ({"action": "declin"}, ["declined"]),
        ({"person": "officer", "key": "S2S-19-3334", "action": "accepted"}, ["accepted"]),
        ({"key": "S2S-19-0000"}, []),
    ],
)
def test_filters_are_in_the_address(
    client: Client, trail: None, asked: dict[str, str], found: list[str]
) -> None:
    page = client.sign_on("auditor").get("administration.audit_trail", **asked)
    assert actions(page) == found
    for name, value in asked.items():
        assert page.value(name) == value
    if not found:
        assert "Nothing was found" in page.words


def test_looking_is_written_down(client: Client, trail: None) -> None:
    client.sign_on("auditor").get("administration.audit_trail", person="officer")
    page = client.get("administration.audit_trail", action="looked")
    assert "Aud Auditor (auditor) auditor looked at audit trail person officer 200" in page.words


def test_pages_of_the_trail(
    client: Client, session: Session, may_2019: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client.app.config, "S2S_PAGE_SIZE", 2)
    for position in range(5):
        done(session, "officer", f"did {position}", "S2S-19-3334")
    page = client.sign_on("auditor").get("administration.audit_trail", key="S2S-19-3334")
    seen = [actions(page)]
    while page.document.xpath("//a[@rel='next']"):
        page = client.fetch("GET", page.document.xpath("//a[@rel='next']/@href")[0])
        seen.append(actions(page))
    assert seen == [["did 4", "did 3"], ["did 2", "did 1"], ["did 0"]]
    back = client.fetch("GET", page.document.xpath("//a[@rel='prev']/@href")[0])
    assert actions(back) == ["did 2", "did 1"]
