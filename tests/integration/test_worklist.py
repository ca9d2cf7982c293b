"""The officers' worklist: oldest first, by status or search, a page at a time, no child named."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.models.codes import UNSENT, Status
from s2s_portal.models.referral import Referral
from s2s_portal.models.worklist import FAR
from s2s_portal.services import worklist
from s2s_portal.services.worklist_wanted import PILE_WORDS, Pile, Place
from tests import rows
from tests.client import Client, Page

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"


@pytest.fixture
def referral(session: Session) -> Referral:
    """A referral that waits for a decision."""
    row = rows.referral(session, REF)
    session.commit()
    return row


def many(session: Session, count: int, status: Status = Status.SUBMITTED) -> list[str]:
    """That many referrals, a day apart, oldest first; every third pair at the same instant."""
    letters = "34679CDFGHJKMNPQRTVWXY"
    made = []
    for number in range(count):
        reference = f"S2S-19-33{letters[number // 22]}{letters[number % 22]}"
        row = rows.referral(session, reference, status=status)
        row.submitted_at = clock.from_local(rows.RECEIVED, 9) - timedelta(
            days=count - number // 3 * 3
        )
        made.append(reference)
    session.commit()
    return made


def references_on(page: Page) -> list[str]:
    return page.all("//tbody//th")


def test_worklist_says_what_waits_and_names_no_child(
    client: Client, session: Session, referral: Referral
) -> None:
    referral.received_on = rows.RECEIVED - timedelta(days=3)
    session.commit()
    page = client.sign_on("officer").get("triage.index")
    assert page.all("//tbody/tr/*") == [
        REF,
        "Little Snoring Invented PrimaryPrimarySEND team",
        "Social, emotional and mental health",
        "Pupil",
        "11 May 20193 days ago",
        "Nothing",
        "Nobody",
    ]
    mixed = client.fetch("GET", client.url("triage.index") + "?status=all")
    assert mixed.all("//tbody/tr/*")[-1] == "To decide", "said where the list holds several"
    assert "Canary" not in page.text
    assert "Zosia" not in page.text


def test_worklist_without_anything_says_so(client: Client) -> None:
    page = client.sign_on("officer").get("triage.index")
    assert "No referral is waiting for a decision" in page.words


def test_worklist_is_oldest_first_and_turns_pages_both_ways(
    client: Client, session: Session
) -> None:
    client.app.config["S2S_PAGE_SIZE"] = 4
    try:
        wanted = many(session, 10)
        first = client.sign_on("officer").get("triage.index")
        second = client.fetch("GET", first.document.xpath("//a[@rel='next']/@href")[0])
        third = client.fetch("GET", second.document.xpath("//a[@rel='next']/@href")[0])
        assert references_on(first) + references_on(second) + references_on(third) == wanted
        assert not first.document.xpath("//a[@rel='prev']")
        assert not third.document.xpath("//a[@rel='next']")
        back = client.fetch("GET", third.document.xpath("//a[@rel='prev']/@href")[0])
        assert references_on(back) == references_on(second)
        start = client.fetch("GET", back.document.xpath("//a[@rel='prev']/@href")[0])
        assert references_on(start) == references_on(first)
        assert not start.document.xpath("//a[@rel='prev']")
    finally:
        client.app.config["S2S_PAGE_SIZE"] = 25


def test_worklist_filters_by_status_and_counts_each(client: Client, session: Session) -> None:
    for number, status in enumerate(Status):
        rows.referral(session, f"S2S-19-444{'34679CDFGHJKMNPQR'[number]}", status=status)
    session.commit()
    client.sign_on("officer")
    path = client.url("triage.index")
    for status in Status:
        page = client.fetch("GET", f"{path}?status={status.value}")
        expected = Status.SUBMITTED if status in UNSENT else status
        assert references_on(page) == [
            f"S2S-19-444{'34679CDFGHJKMNPQR'[list(Status).index(expected)]}"
        ]
        if status in {Status.RETURNED, Status.ACCEPTED}:
            assert page.all("//a[@aria-current='page' and contains(@class,'s2s-tile')]") == [
                f"1 {PILE_WORDS[Pile(status.value)]}"
            ]
    everything = client.fetch("GET", f"{path}?status=all")
    # A draft, expired or not, is nobody's but the school's.
    assert len(references_on(everything)) == len(set(Status) - UNSENT)


def test_ready_to_close_means_every_outcome_has_a_result(client: Client, session: Session) -> None:
    row = rows.referral(session, REF, status=Status.ALLOCATED)
    rows.referral(session, "S2S-19-7K4Q", status=Status.ALLOCATED)
    session.commit()
    path = client.url("triage.index") + "?status=ready"
    assert references_on(client.sign_on("officer").fetch("GET", path)) == []
    session.execute(
        text("UPDATE s2s.outcome_wanted SET achieved = 'partly' WHERE referral_id = :id"),
        {"id": row.id},
    )
    session.commit()
    assert references_on(client.fetch("GET", path)) == [REF]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("s2s-19- 7k4p", [REF]),
        ("7k4", [REF]),
        ("little SNORING", [REF]),
        ("100%_", []),
        ("otherham", []),
    ],
)
def test_worklist_search_by_school_or_reference_in_any_state(
    client: Client, session: Session, typed: str, found: list[str]
) -> None:
    rows.referral(session, REF, status=Status.CLOSED)
    session.commit()
    path = client.url("triage.index")
    page = client.sign_on("officer").fetch("GET", path, query_string={"q": typed})
    assert references_on(page) == found
    if not found:
        assert "No referral was found" in page.words


@pytest.mark.parametrize(
    "place", ["x", "1-2-3", "99999999999999999-1", "-1-1", "1" * 40 + "-1", "9999999.1-1"]
)
def test_worklist_bears_a_place_that_is_none(
    client: Client, referral: Referral, place: str
) -> None:
    client.sign_on("officer").fetch("GET", f"{client.url('triage.index')}?after={place}")
    client.fetch("GET", f"{client.url('triage.index')}?before={place}&status=nonsense&q=%00")


def test_place_survives_its_written_form() -> None:
    place = Place(clock.now() + timedelta(microseconds=123_457), 42)
    assert Place.parse(str(place)) == place
    place = place._replace(due=FAR)
    assert Place.parse(str(place)) == place


def test_counts_stop_at_a_thousand(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worklist, "COUNTED", 2)
    many(session, 3)
    assert worklist.counts()[Pile.NEW] == "2+"
    assert worklist.counts()[Pile.ACCEPTED] == "0"


def test_worklist_takes_as_many_statements_for_fifty_as_for_five(
    client: Client, session: Session, connection: Connection
) -> None:
    statements: list[str] = []
    event.listen(connection, "before_cursor_execute", lambda *given: statements.append(given[2]))
    client.app.config["S2S_PAGE_SIZE"] = 50
    client.sign_on("officer").get("triage.index")  # the officer is known from now on
    try:
        counted = []
        for count in (5, 50):
            session.execute(text("DELETE FROM s2s.procrastinate_jobs"))
            if count == 5:
                many(session, 5)
            else:
                for number in range(45):
                    letters = "34679CDFGHJKMNPQRTVWXY"
                    rows.referral(
                        session, f"S2S-18-44{letters[number // 22]}{letters[number % 22]}"
                    )
                session.commit()
            statements.clear()
            page = client.get("triage.index")
            assert len(references_on(page)) == count
            counted.append(len(statements))
        assert counted[0] == counted[1]
    finally:
        client.app.config["S2S_PAGE_SIZE"] = 25
