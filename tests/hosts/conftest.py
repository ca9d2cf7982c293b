"""A database for each host, made quickly from one that is migrated once; and an SMTP server."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.header import decode_header, make_header
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session as DatabaseSession

from s2s_portal import migrations
from tests import world
from tests.hosts.towns import TOWNS, Town


class Post:
    """An SMTP server on loopback that keeps the subject of each mail, by recipient."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.subjects: list[tuple[str, str]] = []
        self.bodies: list[str] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        message = message_from_bytes(envelope.content or b"")
        subject = str(make_header(decode_header(message["Subject"])))
        self.subjects.extend((to, subject) for to in envelope.rcpt_tos)
        self.bodies.append(message.get_payload(decode=True).decode())
        return "250 OK"


@pytest.fixture
def post() -> Iterator[Post]:
    """The host's mail server."""
    post = Post()
    controller = Controller(post, hostname="127.0.0.1", port=post.port)
    controller.start()
    yield post
    controller.stop()


@dataclass
class Server:
    """Where hosts get their databases: each is a copy of `template`, and `login` owns it."""

    url: str
    login: str
    template: str
    made: list[str] = field(default_factory=list)

    def run(self, *statements: str) -> None:
        """Run statements as the server's administrator, outside a transaction."""
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    def url_of(self, database: str) -> str:
        """The URL of a database for the host's login."""
        url = make_url(self.url).set(database=database, username=self.login)
        return url.render_as_string(hide_password=False)

    def make(self, *, bare: bool = False) -> str:
        """A database of one host's own: ready for use, or quite empty. Its URL."""
        name = f"{self.template}_{len(self.made)}"
        source = "template1" if bare else self.template
        self.made.append(name)
        self.run(
            f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)',
            f'CREATE DATABASE "{name}" TEMPLATE "{source}" OWNER {self.login}',
        )
        return self.url_of(name)

    def clear(self) -> None:
        """Drop what was made."""
        self.run(*(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in self.made))
        self.made.clear()


@pytest.fixture(scope="session")
def council_server(server_url: str, worker_id: str) -> Iterator[Server]:
    """The server, with a login for councils that has the README's rights and no more.

    Not the tests' own login, which is called "s2s": PostgreSQL looks for a host's tables first in a
    schema of its login's name, and that would be ours.
    """
    ours = f"{os.getpid()}_{worker_id}"
    login, template = f"council_{ours}", f"s2s_hosts_{ours}"
    server = Server(server_url, login, template)
    server.run(
        "DO $$ BEGIN CREATE ROLE s2s_app NOLOGIN; EXCEPTION WHEN duplicate_object THEN END $$",
        f"DO $$ BEGIN CREATE ROLE {login} LOGIN; EXCEPTION WHEN duplicate_object THEN END $$",
        f"GRANT s2s_app TO {login}",
        f'DROP DATABASE IF EXISTS "{template}" WITH (FORCE)',
        f'CREATE DATABASE "{template}" OWNER {login}',
    )
    engine = create_engine(server.url_of(template))
    migrations.upgrade(engine)
    with DatabaseSession(engine) as session, session.begin():
        session.add_all(world.establishments())
        session.flush()
        session.add_all(world.practitioners())
    engine.dispose()
    yield server
    server.made.append(template)
    server.clear()
    server.run(f"DROP ROLE IF EXISTS {login}")


@pytest.fixture
def council(council_server: Server) -> Iterator[Server]:
    """The server for one test, which gets databases of its own."""
    yield council_server
    council_server.clear()


@pytest.fixture
def settled(council: Server, post: Post) -> Callable[[str], Town]:
    """Sets a host up by its name in TOWNS: on a database of its own, with the SMTP server."""

    def settle(name: str, **more: Any) -> Town:
        return TOWNS[name](
            {
                "SQLALCHEMY_DATABASE_URI": council.make(),
                "MAIL_SERVER": "127.0.0.1",
                "MAIL_PORT": post.port,
                "MAIL_DEFAULT_SENDER": "portal@council.example",
                **more,
            }
        )

    return settle
