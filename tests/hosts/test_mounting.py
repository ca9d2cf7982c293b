"""The plugin in a host: it finds the host's parts, or says in a sentence which line to add."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from flask import Blueprint, Flask
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


def complete(**config: object) -> Flask:
    """A host with all parts, in which the service is not mounted yet."""
    app = bare(**config)
    SQLAlchemy(app)
    LoginManager(app)
    Mail(app)
    return app


@pytest.mark.parametrize("taken", ["/s2s", "/s2s/", "/s2s/about", "/s2s/<path:rest>"])
def test_an_address_that_the_host_has_is_refused_in_a_sentence(taken: str) -> None:
    app = complete()
    app.add_url_rule(taken, "support_pages", lambda **_: "")
    with pytest.raises(NotMounted, match=r"your view 'support_pages' is at .* S2S_URL_PREFIX"):
        S2SPortal().init_app(app, identity=IDENTITY)


@pytest.mark.parametrize("near", ["/s2s-old", "/<path:page>", "/about/s2s"])
def test_an_address_that_only_looks_alike_is_no_clash(near: str) -> None:
    app = complete()
    app.add_url_rule(near, "support_pages", lambda **_: "")
    S2SPortal().init_app(app, identity=IDENTITY)
    assert app.test_client().get("/s2s/health/live").status_code == 200


@pytest.mark.parametrize("prefix", ["s2s", "", "/"])
def test_a_prefix_that_is_no_address_is_refused(prefix: str) -> None:
    with pytest.raises(NotMounted, match="S2S_URL_PREFIX"):
        S2SPortal().init_app(complete(S2S_URL_PREFIX=prefix), identity=IDENTITY)


def test_a_blueprint_of_our_name_is_refused_in_a_sentence() -> None:
    app = complete()
    app.register_blueprint(Blueprint("s2s", "host"), url_prefix="/elsewhere")
    with pytest.raises(NotMounted, match="a blueprint called 's2s'"):
        S2SPortal().init_app(app, identity=IDENTITY)


def test_a_bind_that_is_not_there_is_named() -> None:
    with pytest.raises(NotMounted, match=r"SQLALCHEMY_BINDS\['support'\]"):
        S2SPortal().init_app(complete(S2S_BIND_KEY="support"), identity=IDENTITY)


def test_another_driver_of_postgresql_is_refused_in_a_sentence() -> None:
    """Jobs are deferred on the transaction's own connection, which the queue must understand."""
    app = complete()
    psycopg2 = SimpleNamespace(dialect=SimpleNamespace(name="postgresql", driver="psycopg2"))
    db = SimpleNamespace(engines={None: psycopg2})
    with pytest.raises(NotMounted, match=r"postgresql\+psycopg://"):
        S2SPortal().init_app(app, db=db, identity=IDENTITY)


def test_mounting_twice_is_refused() -> None:
    app = complete()
    S2SPortal().init_app(app, identity=IDENTITY)
    with pytest.raises(NotMounted, match="already mounted"):
        S2SPortal().init_app(app, identity=IDENTITY)


def test_the_extension_keeps_nothing_of_an_app() -> None:
    """One S2SPortal for any number of apps, as every Flask extension."""
    portal = S2SPortal()
    for app in (complete(), complete()):
        portal.init_app(app, identity=IDENTITY)
        assert app.test_client().get("/s2s/health/live").status_code == 200
    assert vars(portal) == {}


def test_a_view_without_a_policy_stops_the_app() -> None:
    app = bare()
    app.add_url_rule("/x", endpoint="s2s.naked", view_func=lambda: "x")
    with pytest.raises(RuntimeError, match=r"s2s\.naked"):
        policies(app, "s2s")
