"""Unlike ways to be signed on, or not to be: nothing opens that the host has not opened."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, abort, redirect, request
from flask_login import AnonymousUserMixin, LoginManager
from flask_mail import Mail
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import OperationalError

from s2s_portal import Actor, Role, S2SPortal
from s2s_portal.errors import NotAllowed
from tests import world
from tests.client import Page
from tests.host import User
from tests.hosts.conftest import Server

OFFICER = world.ACTORS["officer"]


@pytest.fixture(scope="module")
def database_url(council_server: Server) -> Iterator[str]:
    """A database of this module's own, as what is denied is written down."""
    yield council_server.make()
    council_server.clear()


def host(
    database_url: str, actor: Callable[[Any], Any] = lambda _user: OFFICER, **config: Any
) -> tuple[Flask, LoginManager]:
    """A host with sign-on by a header, as behind a proxy that does it; and its LoginManager."""

    class Adapter:
        def actor(self, user: Any) -> Any:
            return actor(user)

    app = Flask("host")
    app.config.update(SECRET_KEY="k", SQLALCHEMY_DATABASE_URI=database_url, **config)
    SQLAlchemy(app)
    Mail(app)
    login = LoginManager(app)

    @login.request_loader
    def from_header(incoming: Any) -> User | None:
        key = incoming.headers.get("X-Remote-User")
        return User(key) if key else None

    S2SPortal().init_app(app, identity=Adapter())
    return app, login


def front(app: Flask, *, signed_on: bool = True, method: str = "GET", path: str = "/s2s/") -> Page:
    """The answer to a request, with the header or without."""
    headers = {"X-Remote-User": "officer"} if signed_on else {}
    return Page(app.test_client().open(path, method=method, headers=headers))


def test_a_request_loader_is_a_sign_on(database_url: str) -> None:
    app, _ = host(database_url)
    assert "Triage" in front(app).words
    assert front(app, signed_on=False).location == "/sign-in"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_login_disabled_opens_nothing(database_url: str, method: str) -> None:
    """Flask-Login's switch for tests lets `login_required` pass; our pages ask who it is."""
    app, _ = host(database_url, LOGIN_DISABLED=True)
    page = front(app, signed_on=False, method=method, path="/s2s/referrals/start")
    assert page.location == "/sign-in"


class Method(AnonymousUserMixin):
    """Nobody, from before Flask-Login 0.3: a method, which is true as an object."""

    def is_authenticated(self) -> bool:  # type: ignore[override]
        return False


class Bare:
    """Nobody, with nothing to say."""


@pytest.mark.parametrize("nobody", [Method, Bare, type(None)])
def test_an_anonymous_user_of_any_kind_is_nobody(database_url: str, nobody: type) -> None:
    app, login = host(database_url)
    login.anonymous_user = nobody
    assert front(app, signed_on=False).location == "/sign-in"


@pytest.mark.parametrize("active", [False, lambda: False])
def test_an_account_that_is_switched_off_is_out(database_url: str, active: Any) -> None:
    app, login = host(database_url)
    login.request_loader(lambda _request: SimpleNamespace(is_authenticated=True, is_active=active))
    assert front(app).h1 == "You do not have access"


def failing(_user: Any) -> Actor:
    raise KeyError("no such column")


@pytest.mark.parametrize(
    ("actor", "why"),
    [
        (failing, "no such column"),
        (lambda _user: None, "must give an Actor with an id"),
        (lambda _user: Actor(id="", name="Nobody", roles=OFFICER.roles), "an Actor with an id"),
        (lambda _user: Actor(id=7, name="Seven"), "Actor.id must be text"),  # type: ignore[arg-type]
        (lambda _user: Actor(id="7", name="Seven", roles={"officer"}), "use s2s_portal.Role"),  # type: ignore[arg-type]
    ],
)
def test_an_adapter_that_fails_opens_nothing_and_says_why_in_the_log(
    database_url: str, actor: Any, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    app, _ = host(database_url, actor)
    page = front(app)
    assert page.status == 500
    assert "We could not read your account" in page.words
    assert why not in page.words
    assert why in caplog.text


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (NotAllowed("Guests have no access."), 403, "Guests have no access."),
        (OperationalError("SELECT", {}, Exception("gone")), 503, "We cannot reach our records"),
    ],
)
def test_what_an_adapter_refuses_on_purpose_is_said(
    database_url: str, error: Exception, status: int, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)

    def refuse(_user: Any) -> Actor:
        raise error

    app, _ = host(database_url, refuse)
    page = front(app)
    assert page.status == status
    assert says in page.words


def test_an_adapter_may_abort(database_url: str) -> None:
    app, _ = host(database_url, lambda _user: abort(403, "Your licence has ended."))
    page = front(app)
    assert page.status == 403
    assert "Your licence has ended." in page.words


def test_a_health_page_asks_nobody(database_url: str) -> None:
    app, _ = host(database_url, failing)
    assert front(app, path="/s2s/health/live").status == 200


def test_text_and_lists_are_read_as_meant() -> None:
    actor = Actor(
        id="7",
        name=None,  # type: ignore[arg-type]
        email=None,  # type: ignore[arg-type]
        roles=["send_officer"],  # type: ignore[arg-type]
        establishments=["900101"],  # type: ignore[arg-type]
        provider="900201",  # type: ignore[arg-type]
    )
    assert actor.roles == {Role.OFFICER}
    assert (actor.name, actor.email) == ("7", "")
    assert (actor.establishments, actor.provider) == ((900101,), 900201)


# The way to the host's sign-on page.


def test_a_page_leads_back_after_sign_on_and_a_form_to_the_front_page(database_url: str) -> None:
    """A form sent too late leads to the sign-on, and not back to an address without a page."""
    app, login = host(database_url)
    app.add_url_rule("/log-me-in", "log_me_in", lambda: "")
    login.login_view = "log_me_in"
    asked = front(app, signed_on=False, path="/s2s/triage/").location
    assert asked.startswith("/log-me-in?next=") and "triage" in asked
    sent = front(
        app, signed_on=False, method="POST", path="/s2s/referrals/S2S-26-7K4P/submit"
    ).location
    assert sent == "/log-me-in?next=%2Fs2s%2F"


def test_the_hosts_own_handler_of_strangers_decides(database_url: str) -> None:
    app, login = host(database_url)
    login.unauthorized_handler(lambda: redirect(f"https://sso.example/?from={request.path}"))
    path = "/s2s/referrals/start"
    for method in ("GET", "POST"):
        answer = front(app, signed_on=False, method=method, path=path)
        assert answer.location == f"https://sso.example/?from={path}"


def test_a_login_view_for_our_blueprint_alone(database_url: str) -> None:
    app, login = host(database_url)
    app.add_url_rule("/schools", "schools", lambda: "")
    login.blueprint_login_views = {"s2s.home": "schools"}
    assert front(app, signed_on=False).location.startswith("/schools?next=")


@pytest.mark.parametrize(
    ("setting", "leads_to"),
    [("/enter", "/portal/enter"), ("https://sso.example/", "https://sso.example/")],
)
def test_the_sign_in_address_is_the_apps_own_below_a_proxy(
    database_url: str, setting: str, leads_to: str
) -> None:
    app, _ = host(database_url, S2S_SIGN_IN_URL=setting)
    answer = app.test_client().get("/s2s/", environ_overrides={"SCRIPT_NAME": "/portal"})
    assert answer.headers["Location"] == leads_to
