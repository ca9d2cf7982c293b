"""Sessions on the server: a cookie is worth something only while its row is there."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, text

from s2s_portal import clock
from s2s_portal.reference_portal import create_app
from s2s_portal.reference_portal.tables import db
from s2s_portal.state import state
from tests.client import Client
from tests.integration.test_reference_portal import fetch
from tests.oidc.provider import Providers
from tests.oidc.traveller import Traveller

HOME = "/s2s/"


def rows(app: Flask, digest: bytes | None = None) -> list[Any]:
    """The rows of sessions, or the one under `digest`."""
    with app.app_context(), state().engine.connect() as connection:
        found = connection.execute(text("SELECT * FROM public.portal_session")).all()
    return [row for row in found if digest is None or row.digest == digest]


def sign_out(visitor: Traveller) -> None:
    token = fetch(visitor, "/contact").value("csrf_token")
    visitor.fetch("POST", "/sign-out", status=303, data={"csrf_token": token})


def test_the_name_of_the_session_changes_when_somebody_signs_on(visitor: Traveller) -> None:
    path = visitor.go_there("entra", "jo")
    before = visitor.cookie
    visitor.come_back(path)
    assert visitor.cookie not in ("", before)
    planted = visitor.with_cookie(before)
    assert not planted.is_signed_on()
    assert not rows(visitor.app, hashlib.sha256(before.encode()).digest())


def test_a_name_that_the_portal_did_not_give_is_not_taken_over(visitor: Traveller) -> None:
    planted = visitor.with_cookie("chosen-by-somebody-else")
    fetch(planted, "/sign-in")
    assert planted.cookie != "chosen-by-somebody-else"
    planted.browser.set_cookie("portal_session", "chosen-by-somebody-else")
    planted.sign_on_as("entra", "jo")
    assert planted.cookie != "chosen-by-somebody-else"
    assert not visitor.with_cookie("chosen-by-somebody-else").is_signed_on()


def test_a_cookie_captured_before_signing_out_is_dead_afterwards(visitor: Traveller) -> None:
    visitor.sign_on_as("entra", "jo")
    captured = visitor.cookie
    assert visitor.with_cookie(captured).is_signed_on()
    sign_out(visitor)
    assert visitor.cookie == ""
    assert not visitor.with_cookie(captured).is_signed_on()
    visitor.with_cookie(captured).fetch("GET", HOME, status=302)


def test_a_page_still_loading_does_not_bring_a_session_back(visitor: Traveller) -> None:
    """Two tabs: one is signed out while a page in the other is being made, and writes after it."""
    visitor.sign_on_as("entra", "jo")
    captured = visitor.cookie
    sessions = visitor.app.session_interface
    of_a_tab = {"Cookie": f"portal_session={captured}"}
    with visitor.app.test_request_context("/contact", headers=of_a_tab) as slow:
        loading = sessions.open_session(visitor.app, slow.request)
        assert loading["_user_id"]
        sign_out(visitor)
        loading["seen"] = "something"
        answer = visitor.app.response_class()
        sessions.save_session(visitor.app, loading, answer)
    assert "portal_session=;" in answer.headers["Set-Cookie"]
    assert not visitor.with_cookie(captured).is_signed_on()


def test_the_table_holds_nothing_that_could_be_used_as_a_cookie(visitor: Traveller) -> None:
    visitor.sign_on_as("entra", "jo")
    (row,) = rows(visitor.app, hashlib.sha256(visitor.cookie.encode()).digest())
    assert visitor.cookie not in str(row)
    assert not visitor.with_cookie(row.digest.hex()).is_signed_on()


def test_a_session_ends_by_itself_however_busy_it_is(visitor: Traveller) -> None:
    visitor.sign_on_as("entra", "jo")
    start = clock.now()
    for hours, lasts in ((6, True), (12.9, True), (13.1, False)):
        with clock.frozen(start + timedelta(hours=hours)):
            assert visitor.is_signed_on() is lasts


def test_rows_that_have_expired_are_swept_when_somebody_signs_on(visitor: Traveller) -> None:
    fetch(visitor, "/sign-in")
    old = hashlib.sha256(visitor.cookie.encode()).digest()
    assert rows(visitor.app, old)
    with visitor.app.app_context(), state().engine.begin() as connection:
        connection.execute(
            text("UPDATE public.portal_session SET expires_at = now() - interval '1 second'")
        )
    Traveller(visitor.app).sign_on_as("entra", "jo")
    assert not rows(visitor.app, old)
    assert len(rows(visitor.app)) == 1


def test_visitors_without_business_leave_no_row(visitor: Traveller) -> None:
    before = len(rows(visitor.app))
    for path in ("/", "/contact", "/s2s/health/live", "/static/portal.css"):
        assert "Set-Cookie" not in visitor.open(path).headers
    assert len(rows(visitor.app)) == before


def test_style_sheets_and_health_ask_for_no_session(visitor: Traveller) -> None:
    visitor.sign_on_as("entra", "jo")
    asked: list[str] = []
    with visitor.app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda *about: asked.append(about[2]))
    for path in ("/static/portal.css", "/s2s/static/s2s.css", "/s2s/health/live"):
        assert visitor.open(path).status_code == 200
    assert not [statement for statement in asked if "portal_session" in statement]
    fetch(visitor, "/contact")
    assert [statement for statement in asked if "portal_session" in statement]


def test_the_cookie_over_https(config: dict[str, Any], providers: Providers, filled: Flask) -> None:
    app = create_app({**config, "S2S_EXTERNAL_URL": "https://portal.example"})
    visitor = Client(app)
    answer = visitor.open("/sign-in", base_url="https://portal.example")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-portal_session=")
    for flag in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert flag in cookie
    assert "Domain" not in cookie
    assert "Expires" not in cookie
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    with app.app_context():
        state().engine.dispose()


def test_over_plain_http_on_this_machine_the_cookie_still_works(visitor: Traveller) -> None:
    cookie = visitor.open("/sign-in").headers["Set-Cookie"]
    assert cookie.startswith("portal_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/sign-in", 200),
        ("GET", "/sign-in/entra/callback", 400),
        ("GET", "/nothing", 404),
        ("GET", "/s2s/nothing", 404),
        ("GET", "/sign-out", 405),
        ("GET", "/s2s/", 302),
        ("POST", "/sign-out", 400),
        ("GET", "/static/portal.css", 200),
        ("GET", "/s2s/health/live", 200),
    ],
)
def test_every_answer_carries_the_headers(
    visitor: Traveller, providers: Providers, method: str, path: str, status: int
) -> None:
    answer = visitor.open(path, method=method)
    assert answer.status_code == status
    policy = answer.headers["Content-Security-Policy"]
    origins = " ".join(sorted(liar.url for liar in providers.liars.values()))
    assert policy.endswith(f"form-action 'self' {origins}")
    for rule in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    if answer.mimetype == "text/html":
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"


class TestForms:
    """Every form of the portal needs the token of its own session."""

    PATHS = ("/sign-in", "/sign-in/entra", "/sign-in/dfe", "/sign-out")

    def test_these_are_all_that_change_anything(self, portal: Flask) -> None:
        found = {
            str(rule)
            for rule in portal.url_map.iter_rules()
            if "POST" in (rule.methods or ()) and not rule.endpoint.startswith("s2s.")
        }
        assert found == {"/sign-in", "/sign-in/<provider>", "/sign-out"}

    @pytest.mark.parametrize("path", PATHS)
    def test_without_a_good_token_nothing_happens(
        self, visitor: Traveller, providers: Providers, path: str
    ) -> None:
        visitor.sign_on_as("entra", "jo")
        asked = len(providers.liars["entra"].sent)
        other = Traveller(visitor.app)
        theirs = fetch(other, "/sign-in").value("csrf_token")
        for form in ({}, {"csrf_token": "made-up"}, {"csrf_token": theirs}):
            page = visitor.fetch("POST", path, status=400, data=form)
            assert page.h1 == "The page had expired"
        token = fetch(visitor, "/contact").value("csrf_token")
        assert visitor.open(path, method="POST", json={"csrf_token": token}).status_code == 400
        assert visitor.is_signed_on()
        assert len(providers.liars["entra"].sent) == asked

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    @pytest.mark.parametrize("path", [*PATHS, "/s2s/referrals/start"])
    def test_a_form_of_another_site_is_refused_even_with_a_good_token(
        self, visitor: Traveller, path: str, site: str
    ) -> None:
        visitor.sign_on_as("entra", "jo")
        token = fetch(visitor, "/contact").value("csrf_token")
        headers = {"Sec-Fetch-Site": site}
        answer = visitor.open(path, method="POST", data={"csrf_token": token}, headers=headers)
        assert answer.status_code == 403
        assert visitor.is_signed_on()

    def test_a_form_of_our_own_page_is_let_pass(self, visitor: Traveller) -> None:
        visitor.sign_on_as("entra", "jo")
        token = fetch(visitor, "/contact").value("csrf_token")
        headers = {"Sec-Fetch-Site": "same-origin"}
        form = {"csrf_token": token}
        visitor.fetch("POST", "/sign-out", status=303, data=form, headers=headers)
