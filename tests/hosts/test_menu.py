"""What a host puts in its own menu."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from s2s_portal import Role, database, s2s_nav_items
from s2s_portal.identity import acting_as
from s2s_portal.models.codes import Status
from s2s_portal.models.conversation import Side
from s2s_portal.services import front_page, worklist
from tests import fees, rows, world
from tests.client import Client
from tests.host import make_host
from tests.hosts.legacy.app import Directory
from tests.hosts.path import REFERENCE
from tests.hosts.towns import Town

LEADS = ["Practitioners", "Visits", "Messages"]
OFFICERS = ["Triage", "Allocation", "Practitioners", "Advice", "Messages"]


def entries(app: Flask, key: str, path: str) -> list[tuple[str, bool]]:
    """The entries for somebody on a page, each with whether it is where they are."""
    with app.test_request_context(path), acting_as(world.ACTORS[key]):
        return [(item["text"], item["active"]) for item in s2s_nav_items()]


def test_each_person_gets_their_own_entries(app: Flask) -> None:
    assert entries(app, "senco", "/s2s/") == [
        ("Referrals", False),
        ("Advice", False),
        ("Messages", False),
    ]
    assert entries(app, "trust-viewer", "/s2s/finance/trust") == [("Your schools", True)]
    assert entries(app, "outsider", "/s2s/") == []
    assert [text for text, _ in entries(app, "officer", "/s2s/")] == OFFICERS
    assert [text for text, _ in entries(app, "lead", "/s2s/")] == LEADS


def test_one_entry_says_where_one_is(app: Flask) -> None:
    assert entries(app, "finance", "/s2s/finance/") == [("Fee ledger", True), ("Pulls", False)]
    assert entries(app, "finance", "/s2s/finance/pulls/3") == [
        ("Fee ledger", False),
        ("Pulls", True),
    ]
    assert entries(app, "officer", "/s2s/triage/S2S-19-3334/accept")[0] == ("Triage", True)


def test_the_links_are_addresses_below_the_prefix(app: Flask) -> None:
    with app.test_request_context("/"), acting_as(world.ACTORS["officer"]):
        assert [item["href"] for item in s2s_nav_items()] == [
            "/s2s/triage/",
            "/s2s/allocation/",
            "/s2s/practitioners/",
            "/s2s/advice/",
            "/s2s/messages/",
        ]


def test_the_hosts_own_pages_have_the_entries_too(settled: Callable[[str], Town]) -> None:
    town = settled("legacy")
    officer = town.signed_on("officer").go("/").sees("You are at /.", "Triage", "Allocation")
    assert not officer.page.document.xpath("//a[@aria-current]")
    town.signed_on("senco").go("/").sees("Referrals")
    assert "Triage" not in town.stranger().go("/login").page.words


def test_an_adapter_that_fails_leaves_the_hosts_page_whole(
    settled: Callable[[str], Town],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    town = settled("legacy")
    officer = town.signed_on("officer")
    monkeypatch.setattr(Directory, "actor", lambda *_: {}["kind"])
    officer.go("/").sees("You are at /.")
    assert "Triage" not in officer.page.words
    assert "identity.actor() failed" in caplog.text


def test_a_form_without_its_token_is_refused_though_the_host_has_switched_tokens_off(
    settled: Callable[[str], Town],
) -> None:
    senco = settled("legacy").signed_on("senco").front("/referrals/start")
    senco.press("Start the referral", status=422, csrf_token="").sees("There is a problem")
    senco.front("/referrals/")
    assert not REFERENCE.search(senco.page.words)


# Badges -----------------------------------------------------------------------------------------


def badges(app: Flask, key: str) -> dict[str, int | None]:
    """The badge of each entry for somebody, on a page of the host's."""
    with app.app_context(), app.test_request_context("/"), acting_as(world.ACTORS[key]):
        database.session().rollback()  # the next person needs a transaction of their own
        return {item["text"]: item["badge"] for item in s2s_nav_items()}


@pytest.fixture
def waiting(session: Session) -> None:
    """Something that waits for each of them, and something that does not."""
    rows.message(session, rows.referral(session, "S2S-19-3334", status=Status.SUBMITTED))
    rows.referral(session, "S2S-19-3336", status=Status.SUBMITTED, urn=world.OTHER_SCHOOL)
    rows.referral(session, "S2S-19-3337", status=Status.ACCEPTED)
    rows.referral(session, "S2S-19-3338", status=Status.DRAFT)
    rows.referral(session, "S2S-19-3339", status=Status.RETURNED)
    new = rows.referral(session, "S2S-19-333C", status=Status.ALLOCATED)
    rows.allocation(session, new, "practitioner")
    rows.message(session, new, to_side=Side.PRACTITIONER)
    begun = rows.referral(session, "S2S-19-333D", status=Status.ALLOCATED)
    rows.visit(session, begun, rows.allocation(session, begun, "practitioner"), 1, issued=True)
    fees.charged(session, 500)
    session.commit()


def test_each_entry_says_how_many_wait_for_this_person(app: Flask, waiting: None) -> None:
    assert badges(app, "officer") == {
        "Triage": 2,
        "Allocation": 2,
        "Practitioners": None,
        "Advice": None,
        "Messages": 1,
    }
    assert badges(app, "senco") == {"Referrals": 1, "Advice": None, "Messages": 0}
    assert badges(app, "other-senco") == {"Referrals": 0, "Advice": None, "Messages": 0}
    assert badges(app, "practitioner") == {"Visits": 1, "Messages": 1}
    assert badges(app, "colleague") == {"Visits": 0, "Messages": 0}
    assert badges(app, "lead") == {"Practitioners": None, "Visits": 0, "Messages": None}
    assert badges(app, "finance") == {"Fee ledger": None, "Pulls": 1}
    assert badges(app, "manager") == {"What it achieved": None}


def test_a_badge_counts_no_further_than_its_cap(
    app: Flask, waiting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_page, "COUNTED", 2)
    with app.test_request_context("/"), acting_as(world.ACTORS["officer"]):
        shown = [(item["badge"], item["badge_text"]) for item in s2s_nav_items()]
    assert shown == [(2, "1+"), (2, "1+"), (None, ""), (None, ""), (1, "1")]


def test_all_badges_cost_one_statement_however_often_the_menu_is_made(
    app: Flask, waiting: None, connection: Connection
) -> None:
    seen: list[str] = []
    event.listen(connection, "before_cursor_execute", lambda *given: seen.append(given[2]))
    several = replace(
        world.ACTORS["officer"],
        roles=frozenset(Role) - {Role.SYSTEM},
        establishments=(world.SCHOOL,),
    )
    with app.test_request_context("/"), acting_as(several):
        assert len(s2s_nav_items(badges=False)) == 13
        assert seen == []
        for _ in range(3):
            assert sum(item["badge"] or 0 for item in s2s_nav_items()) == 7
        (asked,) = [one for one in seen if "count(*)" in one]
        assert asked.count("LIMIT") == asked.count("count(*)") == 14
        assert (
            len([one for one in seen if one.startswith("SELECT") and "set_config" not in one]) == 1
        )


def test_our_own_menu_shows_them_to_everybody(client: Client, waiting: None) -> None:
    page = client.sign_on("officer").get("triage.index")
    menu = "//nav[@aria-label='School to School Support']//a"
    assert page.all(menu) == [
        "Triage, 2 waiting",
        "Allocation, 2 waiting",
        "Practitioners",
        "Advice",
        "Messages, 1 waiting",
    ]
    assert client.sign_on("manager").get("home.index").all(menu) == ["What it achieved"]


def test_without_the_database_there_is_a_menu_without_badges() -> None:
    app = make_host("postgresql+psycopg://nobody@127.0.0.1:1/none", dict(world.ACTORS))
    assert badges(app, "officer") == dict.fromkeys(OFFICERS)
    page = Client(app).sign_on("officer").get("triage.index", status=503)
    assert "waiting" not in page.words


def test_an_error_page_does_not_ask_an_absent_database_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_given: object, **_more: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    asked: list[int] = []
    monkeypatch.setattr(worklist, "listing", away)
    monkeypatch.setattr(front_page, "badges", lambda: asked.append(1) or {})
    page = client.sign_on("officer").get("triage.index", status=503)
    assert page.all("//nav//a") == OFFICERS
    assert asked == []


def on_a_page_of_the_hosts(app: Flask, key: str) -> list[str]:
    """The entries on a page of the host's, as somebody who is signed on there."""
    app.add_url_rule("/own", view_func=lambda: [item["text"] for item in s2s_nav_items()])
    client = Client(app)
    if key:
        client.sign_on(key)
    answer: list[str] = client.open("/own").get_json()
    return answer


def test_the_hosts_own_pages_have_the_entries_of_whoever_is_signed_on(database_url: str) -> None:
    for key, texts in (("officer", OFFICERS), ("outsider", []), ("", [])):
        app = make_host(database_url, dict(world.ACTORS))
        assert on_a_page_of_the_hosts(app, key) == texts


def test_an_adapter_that_fails_costs_the_hosts_page_its_menu_alone(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_host(database_url, dict(world.ACTORS))
    monkeypatch.setattr(app.extensions["s2s"], "identity", None)
    assert on_a_page_of_the_hosts(app, "officer") == []
