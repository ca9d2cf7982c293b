"""The plugin in a host: it finds the host's parts, or says in a sentence which line to add."""

from __future__ import annotations

import pytest
from flask import Flask
from flask_login import LoginManager
from flask_mail import Mail
from flask_sqlalchemy import SQLAlchemy

from s2s_portal import S2SPortal
from s2s_portal.access import policies
from s2s_portal.errors import NotMounted
from tests import world
from tests.client import Client
from tests.host import Identity, make_host

IDENTITY = Identity(dict(world.ACTORS))


def bare(url: str = "postgresql+psycopg://nobody@127.0.0.1:1/none", **config: object) -> Flask:
    """A host without any extension."""
    app = Flask("bare")
    app.config.update(SECRET_KEY="test", SQLALCHEMY_DATABASE_URI=url, **config)
    return app


def test_front_page_of_each_person(client: Client) -> None:
    for key, actor in world.ACTORS.items():
        page = client.sign_on(key).get("home.index", status=200 if actor.roles else 403)
        assert page.h1 == ("School to School Support" if actor.roles else "You do not have access")


def test_somebody_not_signed_on_is_sent_to_sign_on(client: Client) -> None:
    assert "/sign-in" in client.get("home.index", status=302).location


def test_missing_database_is_named() -> None:
    app = bare()
    LoginManager(app)
    Mail(app)
    with pytest.raises(NotMounted, match=r"db\.init_app\(app\)"):
        S2SPortal().init_app(app, identity=IDENTITY)


def test_missing_mail_is_named() -> None:
    app = bare()
    LoginManager(app)
    SQLAlchemy(app)
    with pytest.raises(NotMounted, match=r"Mail\(app\)"):
        S2SPortal().init_app(app, identity=IDENTITY)


def test_missing_login_is_named() -> None:
    app = bare()
    SQLAlchemy(app)
    Mail(app)
    with pytest.raises(NotMounted, match=r"LoginManager\(app\)"):
        S2SPortal().init_app(app, identity=IDENTITY)


def test_missing_identity_is_named() -> None:
    app = bare()
    SQLAlchemy(app)
    LoginManager(app)
    Mail(app)
    with pytest.raises(NotMounted, match="identity="):
        S2SPortal().init_app(app)


def test_a_database_that_is_not_postgresql_is_refused() -> None:
    app = bare("sqlite://")
    SQLAlchemy(app)
    LoginManager(app)
    Mail(app)
    with pytest.raises(NotMounted, match="S2S_BIND_KEY"):
        S2SPortal().init_app(app, identity=IDENTITY)


def test_a_bind_of_our_own_serves_a_host_on_another_database(database_url: str) -> None:
    app = bare("sqlite://", SQLALCHEMY_BINDS={"support": database_url}, S2S_BIND_KEY="support")
    SQLAlchemy(app)
    LoginManager(app)
    Mail(app)
    S2SPortal().init_app(app, identity=IDENTITY)
    assert app.test_client().get("/s2s/health/ready").get_json()["parts"]["migrations"] == "ok"


def test_two_apps_in_one_process_with_prefixes_of_their_own(database_url: str) -> None:
    first = make_host(database_url, dict(world.ACTORS), S2S_URL_PREFIX="/first")
    second = make_host(database_url, dict(world.ACTORS), S2S_URL_PREFIX="/second")
    for app, prefix, other in ((first, "/first", "/second"), (second, "/second", "/first")):
        page = Client(app).sign_on("officer").get("home.index")
        assert f'href="{prefix}/triage/"' in page.text
        assert other not in page.text


def test_a_view_without_a_policy_stops_the_app() -> None:
    app = bare()
    app.add_url_rule("/x", endpoint="s2s.naked", view_func=lambda: "x")
    with pytest.raises(RuntimeError, match=r"s2s\.naked"):
        policies(app, "s2s")
