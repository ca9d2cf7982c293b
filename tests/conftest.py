"""Fixtures that every kind of test shares: a real PostgreSQL, a host, people, a client that lints.

One PostgreSQL for each test process: the one that `S2S_TEST_DATABASE_URL` names, else an embedded
one. A database is migrated once and copied for each worker; each test runs inside a transaction
that is rolled back.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from flask import Flask
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from s2s_portal import clock, migrations
from s2s_portal.database import make_session
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.reference_portal import accounts, create_app, demonstration
from s2s_portal.reference_portal.demonstration_stories import CAST
from s2s_portal.state import state
from tests import world
from tests.client import Client
from tests.files.clamd import Clamd
from tests.host import make_host

NOON = "2019-05-14T12:00:00+01:00"


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A PostgreSQL server that tests may make databases in."""
    given = os.environ.get("S2S_TEST_DATABASE_URL")
    if given:
        yield given
        return
    from s2s_portal.reference_portal.postgres import FAST_AND_UNSAFE, EmbeddedPostgres

    with tempfile.TemporaryDirectory(prefix="s2s-test-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres", settings=FAST_AND_UNSAFE)
        try:
            yield server.start()
        finally:
            server.remove()


class Demonstrated(NamedTuple):
    """A portal's demonstration: the name of the database, to which nobody is connected, and the
    portal's folder with its keys."""

    database: str
    place: Path

    def copy(self, server_url: str, name: str, place: Path) -> str:
        """Copy both: the database to one called `name`, whose URL is returned, the folder to
        `place`."""
        shutil.copytree(self.place, place, dirs_exist_ok=True)
        return fresh_database(server_url, name, self.database)


def fresh_database(server_url: str, name: str, like: str = "template1") -> str:
    """Make a database `name` on the server (dropping an old one), empty or a copy of the one that
    `like` names, and return its URL."""
    engine = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{like}"'))
    engine.dispose()
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


def migrated_database(server_url: str, name: str) -> str:
    """Make a database `name` with our tables and no rows, and return its URL: a copy of one that is
    migrated once for each server, which takes a tenth of the time."""
    return fresh_database(server_url, name, _migrated(server_url))


@cache
def _migrated(server_url: str) -> str:
    name = f"s2s_migrated_{os.getpid()}"
    engine = create_engine(fresh_database(server_url, name), poolclass=NullPool)
    migrations.upgrade(engine)
    return name


@pytest.fixture(scope="session")
def database_url(server_url: str, worker_id: str) -> str:
    """A migrated database of this test process's own, with the world's rows in it."""
    url = migrated_database(server_url, f"s2s_test_{os.getpid()}_{worker_id}")
    engine = create_engine(url)
    with Session(engine) as session, session.begin():
        session.add_all(world.establishments())
        session.flush()
        session.add_all(world.practitioners())
    engine.dispose()
    return url


@pytest.fixture(scope="session")
def demonstrated(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Demonstrated:
    """The demonstration, to be copied from: made once for each server."""
    name = f"s2s_demonstrated_{os.getpid()}"
    place = tmp_path_factory.mktemp("demonstration")
    app = create_app(
        {"DATABASE_URL": migrated_database(server_url, name), "S2S_DATA_DIR": str(place)}
    )
    with app.app_context():
        accounts.prepare()
        sentence = demonstration.seed("http://127.0.0.1:5999")
        assert sentence == f"Added a demonstration of {len(CAST)} referrals from invented schools."
        accounts.db.session.remove()
        accounts.db.engine.dispose()
        state().session.remove()
        state().engine.dispose()
    return Demonstrated(name, place)


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    """Which xdist worker this is; `main` without xdist."""
    return getattr(request.config, "workerinput", {}).get("workerid", "main")


@pytest.fixture(scope="session")
def host(database_url: str) -> Flask:
    """The host app with the service mounted."""
    return make_host(database_url, dict(world.ACTORS))


@pytest.fixture
def connection(host: Flask) -> Iterator[Connection]:
    """One connection in a transaction that is rolled back after the test: superuser's rights."""
    with host.app_context():
        engine = state().engine
    with engine.connect() as connection:
        transaction = connection.begin()
        yield connection
        if transaction.is_active:
            transaction.rollback()


@pytest.fixture
def app(host: Flask, connection: Connection) -> Iterator[Flask]:
    """The host, with every session of ours inside the test's transaction."""
    with host.app_context():
        here = state()
        usual, here.session = (
            here.session,
            make_session(connection, join_transaction_mode="create_savepoint"),
        )
        yield host
        here.session.remove()
        here.session = usual


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    """Our session, acting as the service itself, in the test's own app context."""
    with acting_as(SYSTEM):
        yield state().session()


@pytest.fixture
def client(app: Flask) -> Client:
    """A browser-like client that checks every page it gets."""
    return Client(app)


@pytest.fixture(scope="session")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clamd]:
    """A clamd that runs."""
    made_here = Clamd(tmp_path_factory.mktemp("clamd"))
    made_here.start()
    yield made_here
    made_here.stop()


@pytest.fixture
def may_2019() -> Iterator[None]:
    """It is noon on 14 May 2019, a day on which MI Sheet 44/19 charges £100."""
    from datetime import datetime

    with clock.frozen(datetime.fromisoformat(NOON)):
        yield
