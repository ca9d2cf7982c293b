"""What a host puts in its own menu."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from s2s_portal import s2s_nav_items
from s2s_portal.identity import acting_as
from tests import world
from tests.hosts.legacy.app import Directory
from tests.hosts.path import REFERENCE
from tests.hosts.towns import Town


def entries(app: Flask, key: str, path: str) -> list[tuple[str, bool]]:
    """The entries for somebody on a page, each with whether it is where they are."""
    with app.test_request_context(path), acting_as(world.ACTORS[key]):
        return [(item["text"], item["active"]) for item in s2s_nav_items()]


def test_each_person_gets_their_own_entries(app: Flask) -> None:
    assert entries(app, "senco", "/s2s/") == [("Referrals", False)]
    assert entries(app, "trust-viewer", "/s2s/finance/trust") == [("Your schools", True)]
    assert entries(app, "outsider", "/s2s/") == []
    assert [text for text, _ in entries(app, "officer", "/s2s/")] == ["Triage", "Allocation"]


def test_one_entry_says_where_one_is(app: Flask) -> None:
    assert entries(app, "finance", "/s2s/finance/") == [("Fee ledger", True), ("Pulls", False)]
    assert entries(app, "finance", "/s2s/finance/pulls/3") == [
        ("Fee ledger", False),
        ("Pulls", True),
    ]
    assert entries(app, "officer", "/s2s/triage/S2S-19-3334/accept")[0] == ("Triage", True)


def test_the_links_are_addresses_below_the_prefix(app: Flask) -> None:
    with app.test_request_context("/"), acting_as(world.ACTORS["officer"]):
        assert [item["href"] for item in s2s_nav_items()] == ["/s2s/triage/", "/s2s/allocation/"]


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
