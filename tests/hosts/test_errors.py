"""Who answers when something goes wrong: our pages for our addresses, the host's for its own."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from flask import abort, got_request_exception
from sqlalchemy import text

from s2s_portal import database
from s2s_portal.services import front_page
from tests.hosts.conftest import Post, Server
from tests.hosts.legacy.app import PASSWORD
from tests.hosts.towns import Town, legacy

Settled = Callable[[str], Town]


@pytest.fixture
def town(settled: Settled) -> Town:
    """The host that has a page of its own for every error."""
    town = settled("hostile")
    town.app.add_url_rule("/broken", "broken", lambda: 1 / 0)
    town.app.add_url_rule("/gone", "gone", lambda: abort(404))
    town.app.add_url_rule("/closed", "closed", lambda: abort(403))
    return town


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/broken", 500, "SOUTHMOOR OOPS"),
        ("/gone", 404, "SOUTHMOOR 404"),
        ("/closed", 403, "SOUTHMOOR 403"),
        ("/nowhere", 404, "SOUTHMOOR 404"),
        # No view of ours has this address, so it is one that the host does not have.
        ("/school-to-school/nowhere", 404, "SOUTHMOOR 404"),
    ],
)
def test_the_hosts_errors_stay_the_hosts(town: Town, path: str, status: int, says: str) -> None:
    answer = town.app.test_client().get(path)
    assert (answer.status_code, answer.text) == (status, says)


@pytest.mark.parametrize(
    ("path", "says"),
    [("/s2s", "Southmoor says what S2S is"), ("/referrals/", "Southmoor clinics")],
)
def test_the_hosts_pages_under_our_names_stay_the_hosts(town: Town, path: str, says: str) -> None:
    assert town.app.test_client().get(path).text == says


def test_an_error_in_a_view_of_ours_has_our_page_is_logged_and_signalled(
    town: Town, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("of our own making")

    told: list[Exception] = []
    officer = town.signed_on("officer")
    monkeypatch.setattr(front_page, "tiles", broken)
    with got_request_exception.connected_to(
        lambda _app, exception: told.append(exception), town.app
    ):
        officer.front(status=500).sees("Something has gone wrong")
    assert [str(error) for error in told] == ["of our own making"]
    assert "of our own making" in caplog.text


@pytest.mark.parametrize(("code", "says"), [(404, "Page not found"), (403, "This cannot be done")])
def test_an_abort_in_our_part_has_our_page(
    town: Town, monkeypatch: pytest.MonkeyPatch, code: int, says: str
) -> None:
    officer = town.signed_on("officer")
    monkeypatch.setattr(front_page, "tiles", lambda **_: abort(code))
    officer.front(status=code).sees(says)


def test_what_we_refuse_has_our_page(town: Town) -> None:
    officer = town.signed_on("officer")
    officer.front("/triage/S2S-26-7K4P/", status=404).sees("Page not found")
    officer.front("/finance/", status=403).sees("You do not have access")


def test_a_form_with_a_bad_token_has_our_page_and_is_not_lost(town: Town) -> None:
    senco = town.signed_on("senco").front("/referrals/start")
    senco.press("Start the referral", status=400, southmoor_token="x").sees("Send this again")
    senco.press("Send it again")
    senco.sees("at risk of harm now")


def test_a_host_that_is_closed_says_so_on_our_pages(town: Town) -> None:
    officer = town.signed_on("officer")
    town.app.before_request_funcs.setdefault(None, []).append(
        lambda: abort(503, "Southmoor is closed until Monday.")
    )
    officer.front(status=503).sees("Southmoor is closed until Monday.")


def test_our_errors_keep_their_status_where_the_host_has_no_handlers(
    settled: Settled, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    officer = settled("legacy").signed_on("officer")
    monkeypatch.setattr(front_page, "tiles", lambda **_: 1 / 0)
    officer.front(status=500).sees("Something has gone wrong")


def test_a_schema_that_is_not_there_is_said_and_logged(
    council: Server, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody has mounted the service and not run `flask s2s db upgrade` yet."""
    town = legacy({"SQLALCHEMY_DATABASE_URI": council.make(bare=True)})
    officer = town.stranger().go("/login")
    officer.press("Log in", login="officer", password=PASSWORD)
    officer.front(status=503).sees("The service is not available")
    assert "ended_sign_on" in caplog.text and "Run: flask s2s check" in caplog.text


def test_a_role_that_is_not_there_or_not_granted_is_said_and_logged(
    council: Server,
    settled: Settled,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    officer = settled("legacy").signed_on("officer")
    council.run(f"REVOKE s2s_app FROM {council.login}")
    officer.front(status=503).sees("The service is not available")
    council.run(f"GRANT s2s_app TO {council.login}")
    monkeypatch.setattr(database, "APPLICATION_ROLE", "s2s_not_there")
    officer.front(status=503).sees("The service is not available")
    assert "permission denied to set role" in caplog.text
    assert 'role "s2s_not_there" does not exist' in caplog.text


def test_any_other_refusal_of_the_database_is_a_defect(
    settled: Settled, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    officer = settled("legacy").signed_on("officer")
    delete = text("DELETE FROM s2s.referral")
    monkeypatch.setattr(front_page, "tiles", lambda **_: database.session().execute(delete))
    officer.front(status=500).sees("Something has gone wrong")
    assert "permission denied for table referral" in caplog.text
