"""A sign-on ends when it is ended, and nothing that was copied or typed before brings it back.

The host here keeps its session in a cookie, as Flask does by itself: what a captured cookie can do
is ours to stop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask, redirect
from flask.testing import FlaskClient
from flask_login import login_user, logout_user
from flask_wtf import CSRFProtect
from lxml import html
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from s2s_portal import Role, clock, sign_ons
from s2s_portal.identity import SYSTEM, Actor, acting_as
from s2s_portal.state import state
from tests import world
from tests.conftest import migrated_database
from tests.host import User, make_host
from tests.world import ACTORS

START = datetime(2019, 5, 14, 9, tzinfo=UTC)
HOME = "/s2s/"
FORM = "/s2s/referrals/start"


def mine(name: str) -> Actor:
    """A SENCo of this module's own: an account's end must not reach into other tests."""
    return replace(ACTORS["senco"], id=name)


@pytest.fixture
def actors() -> dict[str, Actor]:
    """Who the host knows, each as they are now."""
    names = ("sign-on-a", "sign-on-b", "sign-on-c", "sign-on-d", "sign-on-e")
    return {name: mine(name) for name in names}


@pytest.fixture(scope="module")
def database(server_url: str, worker_id: str) -> str:
    """A migrated database of this module's own: what is committed here stays here."""
    url = migrated_database(server_url, f"s2s_sign_ons_{worker_id}")
    engine = create_engine(url)
    with Session(engine) as filling, filling.begin():
        filling.add_all(world.establishments())
    engine.dispose()
    return url


@pytest.fixture
def portal(database: str, actors: dict[str, Actor]) -> Iterator[Flask]:
    """A host with a sign-on page of its own and a cookie session."""
    app = make_host(database, actors, S2S_IDLE_MINUTES=60, S2S_SIGN_ON_HOURS=12)
    CSRFProtect(app)
    app.login_manager.login_view = "sign_in"  # type: ignore[attr-defined]
    app.add_url_rule("/sign-in", "sign_in", lambda: "Sign in here")
    app.add_url_rule("/in/<key>", "into", lambda key: str(login_user(User(key))))
    app.add_url_rule("/out", "out", lambda: logout_user() and redirect("/sign-in"))
    app.add_url_rule("/elsewhere", "elsewhere", lambda: "another page of the portal")
    yield app
    with app.app_context():
        engine = state().engine
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM s2s.ended_sign_on"))
    engine.dispose()


def signed_on(portal: Flask, key: str) -> FlaskClient:
    """A browser in which `key` has just signed on."""
    browser = portal.test_client()
    assert browser.get(f"/in/{key}").text == "True"
    return browser


def copy_of(browser: FlaskClient) -> FlaskClient:
    """Another browser with the session cookie that `browser` has now."""
    thief = browser.application.test_client()
    cookie = browser.get_cookie("session", domain="portal.example")
    assert cookie is not None
    thief.set_cookie("session", cookie.value, domain="portal.example")
    return thief


def is_out(answer: TestResponse) -> bool:
    """Whether a page was refused by sending the visitor to sign on."""
    return answer.status_code == 302 and answer.location.startswith("/sign-in")


def test_a_cookie_captured_before_signing_out_is_dead_after(portal: Flask) -> None:
    browser = signed_on(portal, "sign-on-a")
    assert browser.get(HOME).status_code == 200
    thief = copy_of(browser)
    assert thief.get(HOME).status_code == 200, "the control: until then the copy works"
    browser.get("/out")
    assert is_out(thief.get(HOME))
    assert is_out(thief.get(HOME)), "and stays dead"


def test_signing_out_on_one_machine_leaves_the_other(portal: Flask) -> None:
    office, home = signed_on(portal, "sign-on-a"), signed_on(portal, "sign-on-a")
    office.get("/out")
    assert home.get(HOME).status_code == 200


def test_a_cookie_from_before_there_were_marks_dies_with_its_session(portal: Flask) -> None:
    browser = portal.test_client()
    with browser.session_transaction() as session:
        session["_user_id"] = "sign-on-b"
    thief, later = copy_of(browser), None
    assert browser.get(HOME).status_code == 200
    later = copy_of(browser)
    browser.get("/out")
    assert is_out(thief.get(HOME))
    assert is_out(later.get(HOME))
    again = signed_on(portal, "sign-on-b")
    assert again.get(HOME).status_code == 200, "the person themselves can sign in again"


def test_an_administrator_can_end_every_sign_on_of_an_account(portal: Flask) -> None:
    one, two = signed_on(portal, "sign-on-c"), signed_on(portal, "sign-on-c")
    bystander = signed_on(portal, "sign-on-a")
    result = portal.test_cli_runner().invoke(args=["s2s", "sign-out", "sign-on-c"])
    assert (result.exit_code, result.output) == (0, "Every sign-in of sign-on-c has been ended.\n")
    assert is_out(one.get(HOME))
    assert is_out(two.get(HOME))
    assert bystander.get(HOME).status_code == 200


@pytest.mark.parametrize("gone", ["roles", "school", "account"])
def test_who_lost_role_or_school_is_out_at_the_next_request(
    portal: Flask, actors: dict[str, Actor], gone: str
) -> None:
    browser = signed_on(portal, "sign-on-d")
    page = browser.get("/s2s/referrals/")
    assert page.status_code == 200
    if gone == "roles":
        actors["sign-on-d"] = replace(actors["sign-on-d"], roles=frozenset({Role.FINANCE}))
        assert browser.get("/s2s/referrals/").status_code == 403
    elif gone == "school":
        actors["sign-on-d"] = replace(actors["sign-on-d"], establishments=())
        assert "School" not in str(
            html.fromstring(browser.get("/s2s/referrals/").text).xpath("//td")
        )
        assert browser.get("/s2s/finance/schools/900101").status_code == 404
    else:
        del actors["sign-on-d"]
        assert is_out(browser.get("/s2s/referrals/"))


def at(minutes: float) -> Any:
    """It is so many minutes after nine."""
    return clock.frozen(START + timedelta(minutes=minutes))


def open_at(browser: FlaskClient, minutes: float, path: str = HOME) -> TestResponse:
    """Fetch a page so many minutes after nine."""
    with at(minutes):
        return browser.get(path)


def test_unused_for_an_hour_is_signed_out(portal: Flask) -> None:
    with at(0):
        browser = signed_on(portal, "sign-on-a")
    assert open_at(browser, 59).status_code == 200
    assert open_at(browser, 118).status_code == 200, "use puts the end off"
    answer = open_at(browser, 118 + 61)
    assert is_out(answer)
    with browser.session_transaction() as session:
        said = dict(session["_flashes"])["s2s-signed-out"]
        assert "_user_id" not in session, "out of the host too, or it would send them back here"
    assert said == "You did not use the service for 60 minutes, so we signed you out."


def test_other_pages_of_the_portal_count_as_use(portal: Flask) -> None:
    with at(0):
        browser = signed_on(portal, "sign-on-a")
    open_at(browser, 50, "/elsewhere")
    assert open_at(browser, 100).status_code == 200


def test_twelve_hours_end_a_sign_on_however_much_it_is_used(portal: Flask) -> None:
    with at(0):
        browser = signed_on(portal, "sign-on-a")
    for minutes in range(30, 721, 30):
        assert open_at(browser, minutes).status_code == 200
    assert is_out(open_at(browser, 721))


def test_an_old_cookie_is_no_way_round_the_limit(portal: Flask) -> None:
    with at(0):
        browser = signed_on(portal, "sign-on-a")
        thief = copy_of(browser)
    assert open_at(browser, 59).status_code == 200
    assert is_out(open_at(thief, 61))


def test_asking_how_long_is_left_is_no_use_unless_to_stay(portal: Flask) -> None:
    with at(0):
        browser = signed_on(portal, "sign-on-a")
    assert open_at(browser, 50, "/s2s/sign-on").get_json() == {"seconds_left": 600}
    assert open_at(browser, 55, "/s2s/sign-on?stay=yes").get_json() == {"seconds_left": 3600}
    assert is_out(open_at(browser, 55 + 61, "/s2s/sign-on"))


def test_a_host_that_sets_no_limit_has_none(portal: Flask) -> None:
    portal.config.update(S2S_IDLE_MINUTES=0, S2S_SIGN_ON_HOURS=0)
    with at(0):
        browser = signed_on(portal, "sign-on-a")
    assert open_at(browser, 100_000, "/s2s/sign-on").get_json() == {"seconds_left": None}
    assert "data-s2s-timeout" not in open_at(browser, 100_000).text


def hidden(answer: TestResponse) -> dict[str, str]:
    """What the page would send again."""
    fields = html.fromstring(answer.text).xpath("//main//form//input[@type='hidden']")
    return {field.get("name"): field.get("value") for field in fields}


def test_what_was_typed_survives_the_end_of_the_sign_on(portal: Flask) -> None:
    typed = {"reason": 'Łukasz said "no" & left', "urn": "900101"}
    headers = {"Origin": "http://portal.example"}
    with at(0):
        browser = signed_on(portal, "sign-on-e")
        token = hidden(browser.get(FORM))["csrf_token"]
    with at(61):
        # The portal checks its token before us; the session is still there, so it is good.
        kept = browser.post(FORM, data=typed | {"csrf_token": token}, headers=headers)
        assert kept.status_code == 401
        assert "You did not use the service for 60 minutes" in kept.text
        again = hidden(kept)
        assert {name: again[name] for name in typed} == typed
        browser.get("/in/sign-on-e")  # in another tab
        sent = browser.post(FORM, data=again, headers=headers)
    assert sent.status_code in {200, 302, 422}, sent.status_code


def test_an_expired_page_comes_back_with_a_good_token(portal: Flask) -> None:
    browser = signed_on(portal, "sign-on-e")
    typed = {"reason": "some words", "csrf_token": "of another sign-on"}
    own = {"Origin": "http://portal.example"}
    kept = browser.post(FORM, data=typed, headers=own)
    assert kept.status_code == 400
    assert hidden(kept)["reason"] == "some words"
    assert browser.post(FORM, data=hidden(kept), headers=own).status_code != 400


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", None])
def test_a_form_from_elsewhere_is_not_offered_again(portal: Flask, origin: str | None) -> None:
    browser = signed_on(portal, "sign-on-e")
    headers = {"Origin": origin} if origin else {}
    refused = browser.post(FORM, data={"reason": "theirs"}, headers=headers)
    assert refused.status_code == 400
    assert "theirs" not in refused.text
    with portal.test_client() as nobody:
        assert "theirs" not in nobody.post(FORM, data={"reason": "theirs"}, headers=headers).text


def test_signing_out_works_while_our_database_is_away(
    portal: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    browser = signed_on(portal, "sign-on-a")

    def away(*_: object) -> None:
        raise ConnectionError("away")

    monkeypatch.setattr(sign_ons, "end", away)
    assert is_out(browser.get("/out"))
    assert "S2S: a sign-out was not written down: ConnectionError" in caplog.text


def test_ends_that_nobody_needs_any_more_are_swept(portal: Flask) -> None:
    with at(0):
        browser = signed_on(portal, "sign-on-a")
        browser.get("/out")
        with portal.app_context():
            sign_ons.end_account("sign-on-a", SYSTEM)
    for minutes, gone in ((12 * 60, 0), (13 * 60 + 1, 1), (14 * 60, 0)):
        with at(minutes), portal.app_context(), acting_as(SYSTEM):
            assert sign_ons.sweep() == gone


def test_ends_are_in_the_audit_trail(portal: Flask) -> None:
    signed_on(portal, "sign-on-a").get("/out")
    with portal.app_context():
        sign_ons.end_account("sign-on-b", SYSTEM)
        engine = state().engine
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT by_id, entity_key FROM s2s.audit_entry WHERE action = 'ended sign-on'"
                " ORDER BY id DESC LIMIT 2"
            )
        )
        assert list(found) == [("system", "sign-on-b"), ("sign-on-a", "sign-on-a")]
