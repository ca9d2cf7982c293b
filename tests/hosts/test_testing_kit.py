"""The kit with which a council checks its own mounting: a good host passes, others are caught."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, abort, redirect, session
from sqlalchemy import create_engine, text

from s2s_portal import Actor, Role, access
from s2s_portal.testing import (
    ACTORS,
    Sample,
    StandInUser,
    checks,
    s2s_client,
    s2s_mounted,
    s2s_sample,
    s2s_sign_on,
    s2s_user,
)
from tests import world
from tests.client import Client
from tests.host import make_host

# Used as fixtures below.
__all__ = ["s2s_client", "s2s_mounted", "s2s_sample", "s2s_sign_on", "s2s_user"]

TOP = Path(__file__).resolve().parents[2]
DOCUMENT = (TOP / "docs" / "testing.md").read_text(encoding="utf-8")

# A council's app: it knows nothing of the tests' personas.
PORTAL = '''
from flask import Flask
from flask_login import LoginManager, UserMixin
from flask_mail import Mail
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from jinja2 import DictLoader, ChoiceLoader

from s2s_portal import Actor, S2SPortal

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
BASE = """<!DOCTYPE html><html lang="en">
<head><title>{{% block title %}}{{% endblock %}}</title></head>
<body><header>Anytown Council, {{{{ current_user.name }}}}</header>
{{% block content %}}{{% endblock %}}</body></html>"""


class Identity:
    def actor(self, user):
        raise AssertionError("this council's own sign-on is not asked")


def create_app():
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY="a key for this test only, long enough",
        SQLALCHEMY_DATABASE_URI={url!r},
        SESSION_COOKIE_SAMESITE="Lax",
        MAIL_DEFAULT_SENDER="s2s@council.example",
        S2S_BASE_TEMPLATE="council.html",
        S2S_URL_PREFIX="/services/school-support",
    )
    app.jinja_loader = ChoiceLoader([app.jinja_loader, DictLoader({{"council.html": BASE}})])
    SQLAlchemy(app)
    login = LoginManager(app)
    login.user_loader(lambda key: None)
    login.session_protection = "strong"
    login.login_view = "sign_in"
    app.add_url_rule("/sign-in", "sign_in", lambda: "Sign in")
    Mail(app)
    CSRFProtect(app)
    S2SPortal().init_app(app, identity=Identity())

    @app.after_request
    def policy(response):
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return app
'''


def blocks() -> list[str]:
    """The Python of the document, in order: the conftest, then the test module."""
    return re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)


def test_the_documented_files_pass_in_a_council_of_its_own(
    tmp_path: Path, database_url: str
) -> None:
    conftest, module = blocks()
    (tmp_path / "your_portal.py").write_text(PORTAL.format(url=database_url))
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_support.py").write_text(module)
    before = rows_of(database_url)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-1000:]
    assert f"{len(checks.__all__) + 2} passed" in run.stdout
    assert rows_of(database_url) == before


def rows_of(url: str) -> list[Any]:
    """How many rows there are that a test could leave behind."""
    engine = create_engine(url)
    counts = ", ".join(
        f"(SELECT count(*) FROM s2s.{table})"
        for table in ("referral", "audit_entry", "ledger_entry", "pull", "establishment")
    )
    with engine.connect() as connection:
        found = list(connection.execute(text(f"SELECT {counts}")).one())
    engine.dispose()
    return found


def test_every_ready_made_test_and_fixture_is_in_the_document() -> None:
    named = set(re.findall(r"`(test_s2s_\w+|s2s_\w+)`", DOCUMENT))
    fixtures = {"s2s_app", *__all__}
    assert named - {"s2s_portal"} == set(checks.__all__) | fixtures


# Hosts that get something wrong -----------------------------------------------------------------


@pytest.fixture
def s2s_app(database_url: str) -> Flask:
    """A host that a test may spoil before its first request."""
    app = make_host(database_url, dict(world.ACTORS))

    @app.after_request
    def policy(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", "frame-ancestors 'none'")
        return response

    return app


Clients = Callable[[Any], Client]


def test_the_ready_made_tests_pass_here(
    s2s_mounted: Flask, s2s_client: Clients, s2s_sample: Sample
) -> None:
    checks.test_s2s_headers_are_on_every_answer(s2s_mounted, s2s_client, s2s_sample)
    checks.test_s2s_somebody_signed_on_is_who_they_are(s2s_client)


def test_a_page_opened_to_all_is_caught(
    s2s_mounted: Flask,
    s2s_client: Clients,
    s2s_sample: Sample,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policies = s2s_mounted.extensions["s2s"].policies
    monkeypatch.setitem(policies, "s2s.finance.index", access.anyone)
    monkeypatch.setitem(policies, "s2s.administration.index", access.public)
    with pytest.raises(AssertionError) as caught:
        checks.test_s2s_who_gets_into_each_page(s2s_mounted, s2s_client, s2s_sample)
    assert "auditor GET /s2s/finance/: 200, but should not get in" in str(caught.value)
    assert re.search(r"nobody GET /s2s/administration/: \d+, ", str(caught.value))


@pytest.mark.parametrize(
    ("answer", "status"), [(lambda: abort(403), 403), (lambda: redirect("/own-sign-on"), 302)]
)
def test_a_host_that_keeps_people_out_is_caught(
    s2s_mounted: Flask,
    s2s_client: Clients,
    s2s_sample: Sample,
    answer: Callable[[], Any],
    status: int,
) -> None:
    s2s_mounted.before_request(answer)
    with pytest.raises(
        AssertionError, match=rf"finance GET /s2s/finance/: {status}, but should get in"
    ):
        checks.test_s2s_who_gets_into_each_page(s2s_mounted, s2s_client, s2s_sample)


def test_a_layout_without_its_heading_is_caught(
    s2s_mounted: Flask,
    s2s_client: Clients,
    s2s_sample: Sample,
    tmp_path: Path,
) -> None:
    s2s_mounted.template_folder = str(tmp_path)
    layout = tmp_path / "s2s" / "layout.html"
    layout.parent.mkdir()
    layout.write_text("<!DOCTYPE html><title>Council</title>{% block s2s_page %}{% endblock %}")
    s2s_mounted.__dict__.pop("jinja_loader", None)
    s2s_mounted.jinja_env.cache.clear()
    with pytest.raises(AssertionError, match=r"GET /s2s/ as .*title 'Council' begins with"):
        checks.test_s2s_pages_are_whole_in_this_layout(s2s_mounted, s2s_client, s2s_sample)


def test_a_host_that_takes_a_header_away_is_caught(
    s2s_mounted: Flask, s2s_client: Clients, s2s_sample: Sample
) -> None:
    @s2s_mounted.after_request
    def careless(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "default-src *"
        return response

    with pytest.raises(AssertionError, match=r"GET /s2s/: Content-Security-Policy is"):
        checks.test_s2s_headers_are_on_every_answer(s2s_mounted, s2s_client, s2s_sample)


# Signing on -------------------------------------------------------------------------------------


@pytest.fixture
def gate(s2s_app: Flask) -> Iterator[None]:
    """A host that asks its own session who is there."""
    s2s_app.before_request(lambda: None if session.get("council") else abort(403))
    yield


def test_a_host_with_a_gate_of_its_own_says_how_to_pass_it(
    gate: None, s2s_mounted: Flask, s2s_client: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert s2s_client(Role.OFFICER).open("/s2s/triage/").status_code == 403
    client = s2s_client(Role.OFFICER)
    with client.browser.session_transaction() as council:
        council["council"] = True
    assert client.get("triage.index").h1 == "Referrals"


def test_anybody_can_stand_in(s2s_client: Clients, s2s_sample: Sample) -> None:
    stranger = Actor(id="x", name="X", roles=frozenset({Role.REFERRER}), establishments=(1,))
    s2s_client(stranger).get("referrals.show", reference=s2s_sample.reference, status=404)
    s2s_client("school_referrer").get("referrals.show", reference=s2s_sample.reference)


def test_outside_the_test_nobody_stands_in(s2s_app: Flask) -> None:
    """The object in the environment alone signs nobody on; nor does a header of that name."""
    browser = s2s_app.test_client()
    officer = ACTORS[Role.OFFICER]
    browser.environ_base["s2s.stand_in"] = StandInUser(officer)
    assert browser.get("/s2s/triage/").status_code == 302
    assert browser.get("/s2s/triage/", headers={"s2s.stand_in": "x"}).status_code == 302


def test_a_header_does_not_stand_in_even_during_a_test(s2s_mounted: Flask) -> None:
    browser = s2s_mounted.test_client()
    answer = browser.get("/s2s/triage/", headers={"s2s.stand_in": "x", "S2S-Stand-In": "x"})
    assert answer.status_code == 302
    browser.environ_base["s2s.stand_in"] = "officer"
    assert browser.get("/s2s/triage/").status_code == 302


def test_the_hosts_own_people_are_still_its_own_meanwhile(s2s_mounted: Flask) -> None:
    page = Client(s2s_mounted).sign_on("officer").get("home.index")
    assert page.all("//nav//a")[0].startswith("Triage")


def test_the_service_itself_never_loads_the_kit() -> None:
    program = (
        "import sys; from s2s_portal import S2SPortal; print('s2s_portal.testing' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"
