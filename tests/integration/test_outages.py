"""PostgreSQL or SMTP away, slow or restarted: a page that says so at once, and it heals by itself.

Real connections through a small relay on loopback, which can be cut and joined again.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from s2s_portal.database import session
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.codes import Status
from s2s_portal.state import state
from tests import rows, world
from tests.client import Client
from tests.conftest import migrated_database
from tests.deciding import YES
from tests.host import make_host

REFERENCE = "S2S-19-3334"
AT_ONCE = 2.0  # seconds: nobody waits for a timeout of the network
AWAY = "The service is not available"


class Relay:
    """Passes bytes between clients and PostgreSQL until it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.target_port = host, port
        self.pairs: list[socket.socket] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.join()

    def join(self) -> None:
        """Take connections."""
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def cut(self) -> None:
        """Drop every connection and take no more."""
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for one in self.pairs:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.pairs.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _address = listener.accept()
                far = self._reach()
                self.pairs += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _reach(self) -> socket.socket:
        """A connection to the server: by TCP, or by the socket in its folder."""
        if not self.host.startswith("/"):
            return socket.create_connection((self.host, self.target_port))
        far = socket.socket(socket.AF_UNIX)
        far.connect(f"{self.host}/.s.PGSQL.{self.target_port}")
        return far

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while some := source.recv(65536):
                sink.sendall(some)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def database(server_url: str, worker_id: str) -> Iterator[str]:
    """A filled database of this module's own, in which everything really commits."""
    url = migrated_database(server_url, f"s2s_outages_{os.getpid()}_{worker_id}")
    engine = create_engine(url)
    engine.dispose()
    app = make_host(url, dict(world.ACTORS))
    with app.app_context(), acting_as(SYSTEM):
        session().add_all(world.establishments())
        session().flush()
        session().add_all(world.practitioners())
        rows.referral(session(), REFERENCE, status=Status.SUBMITTED)
        session().commit()
        state().session.remove()
        state().engine.dispose()
    yield url
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)'))
    server.dispose()


@pytest.fixture
def relay(database: str) -> Iterator[Relay]:
    """A relay to the database's server."""
    url = make_url(database)
    relay = Relay(url.host or str(url.query["host"]), url.port or int(url.query.get("port", 5432)))
    yield relay
    relay.cut()


@pytest.fixture
def away(database: str, relay: Relay) -> Iterator[Flask]:
    """A host whose way to the database is the relay; it has no setting that helps it."""
    there = make_url(database).difference_update_query(["host", "port"])
    url = there.set(host="127.0.0.1", port=relay.port).render_as_string(hide_password=False)
    yield from _app(url)


def _app(url: str, **config: object) -> Iterator[Flask]:
    app = make_host(url, dict(world.ACTORS), **config)
    yield app
    with app.app_context():
        state().engine.dispose()


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("officer", "/s2s/"),
        ("officer", f"/s2s/triage/{REFERENCE}/"),
        ("officer", f"/s2s/triage/{REFERENCE}/accept"),
        ("finance", "/s2s/finance/pulls"),
        ("finance", f"/s2s/triage/{REFERENCE}/"),  # denied; but the denial cannot be written down
    ],
)
def test_while_the_database_is_away_a_page_says_so_at_once_and_then_heals(
    away: Flask, relay: Relay, caplog: pytest.LogCaptureFixture, key: str, path: str
) -> None:
    client = Client(away).sign_on(key)
    before = client.open(path).status_code
    relay.cut()
    for method in ("GET", "POST"):
        began = time.monotonic()
        expected = client.open(path, method=method, data={"csrf_token": client.token})
        assert time.monotonic() - began < AT_ONCE
        assert expected.status_code in ({503, 405} if method == "POST" else {503})
        if expected.status_code == 503:
            assert AWAY in expected.get_data(as_text=True)
            assert expected.headers["Cache-Control"] == "no-store"
            assert "Traceback" not in expected.get_data(as_text=True)
    assert client.open("/s2s/health/live").status_code == 200
    ready = client.open("/s2s/health/ready")
    assert (ready.status_code, ready.get_json()["parts"]) == (
        503,
        {"database": "cannot be reached"},
    )
    relay.join()
    statuses = [client.open(path).status_code for _ in range(2)]
    assert statuses[-1] == before
    said = "\n".join(record.getMessage() for record in caplog.records if "S2S" in record.msg)
    assert "the database is away" in said
    assert "school.example" not in said


def test_a_restart_costs_one_answer_at_most(away: Flask, relay: Relay) -> None:
    client = Client(away).sign_on("officer")
    client.get("triage.index")
    relay.cut()
    relay.join()
    statuses = [client.open("/s2s/triage/").status_code for _ in range(3)]
    assert statuses[0] in {200, 503}
    assert statuses[1:] == [200, 200]


def test_a_page_that_cannot_be_audited_is_not_shown(database: str) -> None:
    """The trail is locked: the referral was read, but nobody may see it without a trace."""
    for app in _app(database, S2S_STATEMENT_TIMEOUT_MS=300):
        client = Client(app).sign_on("officer")
        engine = create_engine(database)
        with engine.begin() as connection:
            connection.execute(text("LOCK TABLE s2s.audit_entry IN ACCESS EXCLUSIVE MODE"))
            page = client.get("triage.show", reference=REFERENCE, status=503)
            assert page.h1 == AWAY
            assert "Canary" not in page.text
        assert "Canary" in client.get("triage.show", reference=REFERENCE).text
        engine.dispose()


def test_a_statement_that_takes_too_long_gives_a_page_and_changes_nothing(database: str) -> None:
    for app in _app(database, S2S_STATEMENT_TIMEOUT_MS=300):
        client = Client(app).sign_on("officer")
        engine = create_engine(database)
        with engine.begin() as connection:
            connection.execute(text("SELECT 1 FROM s2s.referral FOR UPDATE"))
            began = time.monotonic()
            page = client.post(
                "triage.accept", {**YES, "seen": "1"}, reference=REFERENCE, status=503
            )
            assert time.monotonic() - began < AT_ONCE
            assert page.h1 == AWAY
            assert "Nothing has been changed" in page.words
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT status FROM s2s.referral")) == "submitted"
            assert connection.scalar(text("SELECT count(*) FROM s2s.ledger_entry")) == 0
        engine.dispose()


def test_a_queue_that_is_stuck_stops_the_decision_with_a_page(database: str) -> None:
    """Mail and decision are one: when the job cannot be deferred, nothing is decided."""
    for app in _app(database, S2S_STATEMENT_TIMEOUT_MS=300):
        client = Client(app).sign_on("officer")
        engine = create_engine(database)
        with engine.begin() as connection:
            connection.execute(text("LOCK TABLE s2s.procrastinate_jobs IN ACCESS EXCLUSIVE MODE"))
            page = client.post(
                "triage.accept", {**YES, "seen": "1"}, reference=REFERENCE, status=503
            )
            assert page.h1 == AWAY
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT status FROM s2s.referral")) == "submitted"
        engine.dispose()


def test_when_every_connection_is_in_use_a_page_says_so(database: str) -> None:
    options = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.2}
    for app in _app(database, SQLALCHEMY_ENGINE_OPTIONS=options):
        client = Client(app).sign_on("officer")
        with app.app_context():
            engine = state().engine
        with engine.connect():
            assert client.get("triage.index", status=503).h1 == AWAY
        client.get("triage.index")


def test_a_defect_of_ours_is_a_page_and_its_log_line_names_no_child(
    database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    name = "-".join(("Zosia", "Canary"))  # in two parts: a traceback quotes this source

    def break_down(*_args: object, **_kwargs: object) -> None:
        session().execute(text("SELECT CAST(:name AS text) FROM s2s.nowhere"), {"name": name})

    monkeypatch.setattr("s2s_portal.blueprints.triage.views.reading.parts", break_down)
    for app in _app(database, PROPAGATE_EXCEPTIONS=False):
        page = Client(app).sign_on("officer").get("triage.show", reference=REFERENCE, status=500)
        assert page.h1 == "Something has gone wrong"
        assert "Traceback" not in page.text
        assert "nowhere" in caplog.text
        assert name not in page.text + caplog.text


def test_without_a_mail_server_a_decision_stands_and_answers_at_once(
    server_url: str, worker_id: str
) -> None:
    """Nothing of SMTP is on the way of an answer: port 1 takes nothing."""
    url = migrated_database(server_url, f"s2s_no_smtp_{os.getpid()}_{worker_id}")
    engine = create_engine(url)
    mail = {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": 1, "MAIL_SUPPRESS_SEND": False}
    for app in _app(url, **mail):
        with app.app_context(), acting_as(SYSTEM):
            session().add_all(world.establishments())
            session().flush()
            rows.referral(session(), REFERENCE)
            session().commit()
        began = time.monotonic()
        Client(app).sign_on("officer").post(
            "triage.accept", {**YES, "seen": "1"}, reference=REFERENCE
        )
        assert time.monotonic() - began < AT_ONCE
        with engine.connect() as connection:
            jobs = text("SELECT status::text FROM s2s.procrastinate_jobs")
            assert connection.scalars(jobs).all() == ["todo"]
            assert connection.scalar(text("SELECT status FROM s2s.referral")) == "accepted"
    engine.dispose()
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)'))
    server.dispose()
