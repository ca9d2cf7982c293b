"""A pytest plugin with which a council checks its own mounting, its templates and its layout.

In your `conftest.py`:

    pytest_plugins = ["s2s_portal.testing"]

    @pytest.fixture(scope="session")
    def s2s_app():
        return create_app(...)      # your app, on a test database with `flask s2s db upgrade` done

In a test module, `from s2s_portal.testing.checks import *` brings ready-made tests; with
`s2s_client` you write your own: `s2s_client(Role.OFFICER).get("triage.index")`. Needs
`pip install s2s-portal[testing]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
from flask import Flask
from flask.testing import FlaskClient

from s2s_portal.database import make_session
from s2s_portal.identity import SYSTEM, Actor, Role, acting_as
from s2s_portal.state import state
from s2s_portal.testing import sample
from s2s_portal.testing.client import Client
from s2s_portal.testing.page import Page, lint
from s2s_portal.testing.sample import ACTORS, Sample
from s2s_portal.testing.stand_in import KEY, StandIn, StandInUser, stand_ins

__all__ = [
    "ACTORS",
    "Client",
    "Page",
    "Sample",
    "StandInUser",
    "lint",
    "s2s_app",
    "s2s_client",
    "s2s_mounted",
    "s2s_sample",
    "s2s_sign_on",
    "s2s_user",
]

Who: TypeAlias = Role | str | Actor | None


@pytest.fixture(scope="session")
def s2s_app() -> Flask:
    """Your app. Define a fixture of this name: only you know how it is made."""
    raise pytest.UsageError(
        "Define a fixture s2s_app (scope 'session') in your conftest.py that returns your app with"
        " the service mounted."
    )


@pytest.fixture
def s2s_mounted(s2s_app: Flask) -> Iterator[Flask]:
    """Your app, with all that the service writes in a transaction that is rolled back."""
    with s2s_app.app_context():
        here = state()
        with here.engine.connect() as connection, stand_ins(s2s_app):
            transaction = connection.begin()
            usual, here.session = (
                here.session,
                make_session(connection, join_transaction_mode="create_savepoint"),
            )
            try:
                yield s2s_app
            finally:
                here.session.remove()
                here.session = usual
                transaction.rollback()


@pytest.fixture
def s2s_sample(s2s_mounted: Flask) -> Sample:
    """Invented rows to look at, gone after the test."""
    with acting_as(SYSTEM):
        session = state().session()
        found = sample.add(session)
        session.commit()
    return found


@pytest.fixture
def s2s_user() -> Callable[[Actor], Any]:
    """Makes the user object that your layout meets as `current_user`.

    Define your own where your base template asks more of it than a name and an e-mail address.
    """
    return StandInUser


@pytest.fixture
def s2s_sign_on() -> Callable[[FlaskClient, Actor], None]:
    """What else your app needs before it takes somebody for signed on: nothing, unless told.

    Define your own where your app asks its session in a `before_request`; `session_transaction()`
    of the given test client sets what it asks for.
    """
    return lambda _browser, _actor: None


@pytest.fixture
def s2s_client(
    s2s_mounted: Flask,
    s2s_sample: Sample,
    s2s_user: Callable[[Actor], Any],
    s2s_sign_on: Callable[[FlaskClient, Actor], None],
) -> Callable[[Who], Client]:
    """A browser for each role: `s2s_client(Role.OFFICER)`; None is somebody not signed on."""

    def client_of(who: Who) -> Client:
        client = Client(s2s_mounted, whole=False)
        client.remember_token()
        if who is not None:
            actor = who if isinstance(who, Actor) else ACTORS[Role(who)]
            environment: dict[str, Any] = client.browser.environ_base
            environment[KEY] = StandIn(s2s_user(actor), actor)
            s2s_sign_on(client.browser, actor)
        return client

    return client_of
