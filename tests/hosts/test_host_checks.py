"""What the doctor sees of a host: each thing that can be wrong is made wrong, and is found."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Debugging
from flask import Flask, Response, g
from flask_login import LoginManager
from flask_wtf import CSRFProtect, FlaskForm
from jinja2 import ChoiceLoader, DictLoader

from s2s_portal import access, host_checks
from s2s_portal.host_checks import asking, templates
from s2s_portal.identity import NOBODY, SYSTEM, Actor, acting_as, current_actor
from s2s_portal.services.doctor import Finding
from tests import world
from tests.host import make_host

AWAY = "postgresql+psycopg://nobody@127.0.0.1:1/none"
POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}
BASE = """<!DOCTYPE html><html lang="en"><head><title>{% block title %}{% endblock %}</title>
<link rel="stylesheet" href="{{ url_for('s2s.static', filename='s2s.css') }}"></head>
<body>{% block content %}{% endblock %}</body></html>"""
GOOD = {
    "TESTING": False,
    "SECRET_KEY": "0123456789abcdef" * 4,
    "S2S_MATCH_KEY": "fedcba9876543210" * 4,
    "SESSION_COOKIE_SECURE": True,
    "SESSION_COOKIE_SAMESITE": "Lax",
    "REMEMBER_COOKIE_SECURE": True,
    "REMEMBER_COOKIE_SAMESITE": "Lax",
    "S2S_EXTERNAL_URL": "https://portal.example",
    "MAIL_SUPPRESS_SEND": False,
    "MAIL_SERVER": "127.0.0.1",
    "MAIL_PORT": 1,
}


def host(
    headers: dict[str, str] | None = None, pages: dict[str, str] | None = None, **config: Any
) -> Flask:
    """A host with which all is well, but for what is given."""
    app = make_host(AWAY, dict(world.ACTORS), **GOOD | config)
    app.jinja_loader = ChoiceLoader([DictLoader(pages or {}), app.jinja_loader])
    app.add_url_rule("/sign-in", "sign_in", lambda: "Sign in")

    @app.after_request
    def policy(response: Response) -> Response:
        for name, value in (HEADERS | (headers or {})).items():
            response.headers[name] = value
        return response

    return app


def found(app: Flask, part: str) -> list[tuple[str, str]]:
    """What is found about one part."""
    (look,) = [look for look in host_checks.looks(app) if look.part == part]
    with app.app_context():
        return [(finding.state, finding.says) for finding in look.findings()]


def said(app: Flask, part: str) -> str:
    """All that is found about one part, in one line."""
    return "; ".join(f"{state} {says}" for state, says in found(app, part))


@pytest.fixture(scope="module")
def smtp() -> Iterator[int]:
    """A mail server on loopback; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    controller = Controller(Debugging(), hostname="127.0.0.1", port=port)
    controller.start()
    yield port
    controller.stop()


def test_with_a_good_host_all_is_well(smtp: int) -> None:
    app = host(MAIL_PORT=smtp)
    with app.app_context():
        findings = [found for look in host_checks.looks(app) for found in look.findings()]
    assert [finding for finding in findings if finding.state != "ok"] == []
    assert [finding.part for finding in findings] == [
        "sign-on",
        "access",
        "secret key",
        "debug",
        "cookies",
        "match key",
        "CSRF",
        "layout",
        "headers",
        "content security policy",
        "HTTPS only",
        "templates",
        "mail",
        "mail server",
    ]


@pytest.mark.parametrize(
    ("part", "config", "says"),
    [
        ("secret key", {"SECRET_KEY": None}, "fail SECRET_KEY is not set"),
        ("secret key", {"SECRET_KEY": "short"}, "fail SECRET_KEY can be guessed"),
        ("secret key", {"SECRET_KEY": "change-me-" * 5}, "fail SECRET_KEY can be guessed"),
        ("secret key", {"SECRET_KEY": b"0123456789abcdef01"}, "warn SECRET_KEY is shorter"),
        ("match key", {"S2S_MATCH_KEY": None}, "warn S2S_MATCH_KEY is not set"),
        ("match key", {"S2S_MATCH_KEY": "short"}, "warn S2S_MATCH_KEY is shorter"),
        (
            "match key",
            {"S2S_MATCH_KEY": "0123456789abcdef" * 4},
            "warn S2S_MATCH_KEY is the SECRET",
        ),
        ("debug", {"DEBUG": True}, "fail DEBUG is on"),
        ("cookies", {"SESSION_COOKIE_SECURE": False}, "fail The session cookie also goes over"),
        (
            "cookies",
            {"SESSION_COOKIE_SECURE": False, "S2S_EXTERNAL_URL": "http://127.0.0.1"},
            "warn The session cookie also goes over plain HTTP",
        ),
        ("cookies", {"SESSION_COOKIE_HTTPONLY": False}, "fail The session cookie can be read"),
        ("cookies", {"SESSION_COOKIE_SAMESITE": None}, "warn The session cookie leaves"),
        ("cookies", {"SESSION_COOKIE_SAMESITE": "None"}, "fail The session cookie goes with every"),
        ("cookies", {"REMEMBER_COOKIE_SECURE": False}, "warn The cookie that remembers a sign-on"),
        ("cookies", {"REMEMBER_COOKIE_HTTPONLY": False}, "fail The cookie that remembers"),
        ("CSRF", {"WTF_CSRF_ENABLED": False}, "fail WTF_CSRF_ENABLED is off"),
        ("CSRF", {"WTF_CSRF_TIME_LIMIT": -1}, "fail A form with a good token is refused"),
        ("sign-on", {"S2S_SIGN_IN_URL": "/nowhere"}, "warn The LoginManager names no login_view"),
        ("mail", {"MAIL_DEFAULT_SENDER": None}, "fail No sender"),
        ("mail", {"S2S_EXTERNAL_URL": None}, "warn S2S_EXTERNAL_URL is not set"),
        ("mail server", {"MAIL_SUPPRESS_SEND": True}, "warn MAIL_SUPPRESS_SEND is on"),
        (
            "mail server",
            {},
            "warn 127.0.0.1:1 does not answer within 3 seconds (Connection refused)",
        ),
        (
            "mail server",
            {"MAIL_SERVER": "mail.invalid"},
            "warn Mail goes to mail.invalid in the clear",
        ),
        ("layout", {"S2S_BASE_TEMPLATE": "absent.html"}, "fail It could not be looked at"),
    ],
)
def test_a_setting_that_is_wrong(part: str, config: dict[str, Any], says: str) -> None:
    assert says in said(host(**config), part)


@pytest.mark.parametrize(
    ("part", "headers", "says"),
    [
        ("headers", {"X-Content-Type-Options": ""}, "fail X-Content-Type-Options: nosniff is lost"),
        ("headers", {"Referrer-Policy": "unsafe-url"}, "fail Referrer-Policy tells other sites"),
        (
            "headers",
            {"X-Frame-Options": "", "Content-Security-Policy": "default-src 'self'"},
            "fail Another site can put our pages into a frame",
        ),
        ("HTTPS only", {"Strict-Transport-Security": "max-age=60"}, "warn Strict-Transport"),
        ("HTTPS only", {"Strict-Transport-Security": ""}, "warn Strict-Transport-Security is not"),
    ],
)
def test_a_header_that_is_lost(part: str, headers: dict[str, str], says: str) -> None:
    assert says in said(host(headers), part)


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ("", "There is none"),
        ("frame-ancestors 'none'", "scripts from anywhere"),
        (f"{POLICY}; script-src *", "scripts from anywhere"),
        (f"{POLICY}; script-src 'self' 'unsafe-inline'", "inline scripts"),
        (f"{POLICY}; script-src 'self' 'unsafe-eval'", "text be run as a script"),
        (f"{POLICY}; style-src 'self' 'unsafe-inline'", "inline styles"),
        ("default-src 'self'; base-uri 'none'; frame-ancestors 'none'", "plug-ins"),
        ("default-src 'none'; frame-ancestors 'none'", "an injected tag"),
        ("default-src 'none'; base-uri 'none'", "who may put our pages into a frame"),
    ],
)
def test_a_weak_policy(policy: str, says: str) -> None:
    found = said(host({"Content-Security-Policy": policy}), "content security policy")
    assert found.startswith("warn ")
    assert says in found


def test_a_nonce_makes_up_for_an_inline_that_browsers_ignore() -> None:
    policy = f"{POLICY}; script-src 'self' 'unsafe-inline' 'nonce-abc'"
    assert found(host({"Content-Security-Policy": policy}), "content security policy") == [
        ("ok", "It is there, and strict.")
    ]


def test_a_page_that_something_else_answers() -> None:
    app = host()
    app.before_request(lambda: "Down for maintenance")
    assert "fail A page of ours that says `not found` arrived with status 200" in said(
        app, "headers"
    )


def test_an_app_that_fails_is_a_finding_and_no_crash() -> None:
    app = host()
    app.before_request(lambda: 1 / 0)
    assert said(app, "headers").startswith("fail ")


def test_a_question_is_asked_outside_the_commands_own_context() -> None:
    app = host()
    seen: list[tuple[bool, Actor]] = []
    app.before_request(lambda: seen.append(("of_the_command" in g, current_actor())))
    with app.app_context(), acting_as(SYSTEM):
        g.of_the_command = True
        asking.page_of_ours(app)
    assert seen == [(False, NOBODY)]


# Sign-on and access -----------------------------------------------------------------------------


def test_a_login_view_that_is_no_page() -> None:
    app = host()
    app.login_manager.login_view = "auth.nowhere"  # type: ignore[attr-defined]
    assert "fail login_view is 'auth.nowhere', which is no page" in said(app, "sign-on")
    app.login_manager.login_view = "sign_in"  # type: ignore[attr-defined]
    assert said(app, "sign-on").startswith("ok ")
    app.login_manager.login_view = "/elsewhere"  # type: ignore[attr-defined]
    assert said(app, "sign-on").startswith("ok ")


def test_a_stranger_who_gets_an_error(caplog: pytest.LogCaptureFixture) -> None:
    app = host()
    app.login_manager.login_view = "auth.nowhere"  # type: ignore[attr-defined]
    assert "fail Somebody who is not signed on gets an error" in said(app, "access")
    assert caplog.text == ""
    assert not app.logger.disabled


def test_a_login_manager_that_finds_nobody_or_protects_nothing() -> None:
    app = host()
    LoginManager(app).session_protection = None
    assert "fail Nobody can be signed on" in said(app, "sign-on")
    assert "warn session_protection is off" in said(app, "sign-on")


def test_a_page_without_a_policy() -> None:
    app = host()
    app.add_url_rule("/s2s/own", "s2s.own", lambda: "x")
    assert "fail These pages have no access policy: s2s.own" in said(app, "access")


def test_a_guard_that_is_gone() -> None:
    app = host()
    app.before_request_funcs["s2s"].remove(access.guard)
    assert "fail The guard before every page is gone" in said(app, "access")


def test_a_page_that_lets_a_stranger_in() -> None:
    app = host()
    app.view_functions["s2s.triage.index"] = lambda: "Come in"
    app.before_request_funcs["s2s"].remove(access.guard)
    report = said(app, "access")
    assert "fail Somebody who is not signed on gets in at " in report
    assert "/s2s/triage/" in report


# Forms ------------------------------------------------------------------------------------------


def test_a_form_without_a_token_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FlaskForm, "validate", lambda self: True)
    assert "fail A form without a token is taken" in said(host(), "CSRF")


def test_who_checks_the_tokens() -> None:
    app = host()
    assert said(app, "CSRF") == (
        "ok The host has no CSRFProtect, but our forms check their own tokens."
    )
    CSRFProtect(app)
    assert said(app, "CSRF").startswith("ok CSRFProtect is there")


# Layout and templates ---------------------------------------------------------------------------


def in_base(change: Callable[[str], str]) -> Flask:
    """A host whose own base template is changed."""
    return host(pages={"council.html": change(BASE)}, S2S_BASE_TEMPLATE="council.html")


def test_a_good_layout_of_the_hosts() -> None:
    assert said(in_base(lambda base: base), "layout").startswith("ok ")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("block title", "block head", "fail The title of our pages is lost"),
        ("block content", "block body", "fail The content of our pages is lost"),
        ("<body>", "<body><h1>Council</h1>", "warn A page has 2 h1"),
        ("<body>", "<body><main>", "warn A page has 2 main elements"),
        (' lang="en"', "", "warn The language is not said"),
        ("s2s.css", "s2s.js", "warn Our style sheet is not on the page"),
    ],
)
def test_a_layout_that_loses_something(old: str, new: str, says: str) -> None:
    assert says in said(in_base(lambda base: base.replace(old, new)), "layout")


def test_templates_of_the_hosts_own() -> None:
    plain = "{% extends 's2s/layout.html' %}{% block s2s_page %}<h1>x</h1>{% endblock %}"
    app = host(pages={"s2s/error.html": plain, "s2s/base.html": BASE})
    report = said(app, "templates")
    assert "warn s2s/error.html, your own, leaves out: block s2s_title" in report
    assert "message" in report
    assert "warn s2s/base.html, your own, leaves out: s2s_nav_items" in report


def test_a_template_of_the_hosts_own_with_all_that_ours_has() -> None:
    own = templates.replaced(host(pages={"s2s/error.html": "x"}))["s2s/error.html"][0]
    app = host(pages={"s2s/error.html": own.replace("If you need help", "For help")})
    assert said(app, "templates") == "ok Your own, and with all that ours have: s2s/error.html."


def test_a_macro_that_a_template_of_the_hosts_own_leaves_out() -> None:
    app = host(pages={"s2s/triage/parts.html": "{% macro other() %}{% endmacro %}"})
    assert "leaves out: macro " in said(app, "templates")


def test_a_template_of_the_hosts_own_that_cannot_be_read() -> None:
    app = host(pages={"s2s/error.html": "\n{% block s2s_page %}"})
    assert "fail s2s/error.html, your own, cannot be read: line 2" in said(app, "templates")


# The command ------------------------------------------------------------------------------------


def test_the_report_as_json_has_stable_keys() -> None:
    result = host().test_cli_runner().invoke(args=["s2s", "check", "--json"])
    report = json.loads(result.stdout)
    assert report.keys() == {"status", "findings"}
    assert report["status"] == "fail"
    assert result.exit_code == 1
    for finding in report["findings"]:
        assert finding.keys() == {"state", "part", "says"}
    last = Finding(**report["findings"][-1])
    assert (last.state, last.part) == ("fail", "database")


def test_the_document_of_the_parts_is_whole() -> None:
    """Each part is explained once in the reference."""
    document = Path(__file__).resolve().parents[2] / "docs" / "check.md"
    parts = {look.part for look in host_checks.looks(host())}
    listed = document.read_text(encoding="utf-8")
    assert [part for part in parts if f"| {part} |" not in listed] == []
