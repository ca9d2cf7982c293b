"""`make run`: start everything, say when it is ready, and stop everything that was started.

Honours `PORT` (5000), `DATABASE_URL`, `S2S_DATA_DIR` (`instance/`) and `PORTAL_SMTP_PORT`. Stopped
by Ctrl-C or SIGTERM; what was started last stops first.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from s2s_portal import migrations
from s2s_portal.cli import one_line
from s2s_portal.errors import S2SError
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.reference_portal import accounts, create_app, demonstration, folder, mailbox
from s2s_portal.reference_portal.personas import PERSONAS
from s2s_portal.reference_portal.postgres import EmbeddedPostgres, EmbeddedPostgresError
from s2s_portal.reference_portal.processes import Child, ChildStopped
from s2s_portal.reference_portal.providers import KINDS
from s2s_portal.state import state

PACKAGE = "s2s_portal.reference_portal"
PATIENCE = 60.0  # seconds until the web server must answer
LOOK_AGAIN = 0.5  # seconds between two looks at the children
STOPPERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CannotRun(S2SError):
    """Why the portal does not start, in one line."""


def main() -> int:
    """Run until stopped; the exit status is 0 when that is what somebody asked for."""
    for number in STOPPERS:
        signal.signal(number, _stop)
    try:
        with contextlib.ExitStack() as started:
            started.callback(_ignore_signals)
            run(started)
    except KeyboardInterrupt:
        print("Stopped.", flush=True)
        return 0
    except (S2SError, SQLAlchemyError, OSError) as error:
        print(f"portal: {one_line(error)}", file=sys.stderr, flush=True)
        return 1
    except (EmbeddedPostgresError, ChildStopped) as error:
        print(f"portal: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    """One signal stops the portal; a second one must not break off the tidying up."""
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    for number in STOPPERS:
        signal.signal(number, signal.SIG_IGN)


def run(started: contextlib.ExitStack) -> None:
    """Start each part, print `Ready`, and watch; whatever ends this stops what `started` holds."""
    port = _port("PORT", 5000)
    _check_free(port)
    place = folder.place()
    os.environ["S2S_DATA_DIR"] = str(place)
    started.enter_context(_only_one(place))
    server = _start_database(started, place)
    _start_mailbox(started, place)
    _prepare(create_app(), port)
    children = [
        Child("worker", "-m", "flask", "--app", PACKAGE, "s2s", "worker"),
        Child("web server", "-m", f"{PACKAGE}.serve", str(port)),
    ]
    for child in children:
        started.callback(child.stop)
        child.start()
    _wait_for_answer(port, children)
    _say_ready(port)
    _watch(children, server)


def _port(name: str, default: int) -> int:
    given = os.environ.get(name) or str(default)
    if not (given.isascii() and given.isdecimal() and 0 < int(given) < 65536):
        raise CannotRun(f"{name} must be a number from 1 to 65535, not {given!r}.")
    return int(given)


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CannotRun(
                f"Port {port} is in use or not allowed ({error.strerror}):"
                f" stop what uses it, or choose another, for example PORT={port % 65535 + 1}."
            ) from error


@contextlib.contextmanager
def _only_one(place: Path) -> Iterator[None]:
    """Hold the folder: two portals on one folder would stop each other's database."""
    import fcntl

    with (place / "portal.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotRun(
                f"Another portal runs on {place}: stop it, or choose another S2S_DATA_DIR."
            ) from error
        yield


def _start_database(started: contextlib.ExitStack, place: Path) -> EmbeddedPostgres | None:
    if os.environ.get("DATABASE_URL"):
        return None
    server = EmbeddedPostgres(place / "postgres")
    started.callback(server.stop)
    print("Starting PostgreSQL ...", flush=True)
    os.environ["DATABASE_URL"] = server.start()
    return server


def _start_mailbox(started: contextlib.ExitStack, place: Path) -> None:
    port = _port("PORTAL_SMTP_PORT", _free_port())
    _check_free(port)
    sink = mailbox.sink(place / "mailbox", port)
    sink.start()
    started.callback(sink.stop)
    os.environ["PORTAL_SMTP_PORT"] = str(port)
    folder.write_whole(place / "smtp-port", str(port).encode())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _prepare(app: Flask, port: int) -> None:
    """Bring the tables up to this release, and fill an empty service with the demonstration."""
    print("Preparing the database ...", flush=True)
    with app.app_context():
        migrations.upgrade(state().engine)
        accounts.prepare()
        with acting_as(SYSTEM):
            print(demonstration.seed(f"http://127.0.0.1:{port}"), flush=True)
        accounts.db.session.remove()
        state().engine.dispose()


def _wait_for_answer(port: int, children: list[Child]) -> None:
    deadline = time.monotonic() + PATIENCE
    address = f"http://127.0.0.1:{port}/s2s/health/live"
    while True:
        for child in children:
            child.check()
        with contextlib.suppress(OSError):  # URLError is one
            urllib.request.urlopen(address, timeout=5).close()
            return
        if time.monotonic() > deadline:
            raise CannotRun(f"The web server did not answer within {PATIENCE:.0f} seconds.")
        time.sleep(0.1)


def _say_ready(port: int) -> None:
    print(f"\nReady: http://127.0.0.1:{port}\n", flush=True)
    issuers = [f"PORTAL_{kind.key.upper()}_ISSUER" for kind in KINDS]
    if found := [name for name in issuers if os.environ.get(name)]:
        verb = "is" if len(found) == 1 else "are"
        print(f"Personas are off, because {' and '.join(found)} {verb} set.", flush=True)
        print(f"Sign in at http://127.0.0.1:{port}/sign-in")
        print("\nCtrl-C stops everything.", flush=True)
        return
    print(f"Sign in at http://127.0.0.1:{port}/sign-in as:")
    for persona in PERSONAS.values():
        print(f"  {persona.key:20} {persona.name}, {persona.job}, {persona.place}")
    print("\nCtrl-C stops everything.", flush=True)


def _watch(children: list[Child], server: EmbeddedPostgres | None) -> None:
    """Look at the children until one dies (ChildStopped) or a signal comes.

    `server.start()` again does nothing while all is well. It takes over a server that a command
    started before us and has left, and starts one that was killed.
    """
    looks = 0
    while True:
        time.sleep(LOOK_AGAIN)
        for child in children:
            child.check()
        looks += 1
        if server is not None and looks % 10 == 0:
            server.start()


if __name__ == "__main__":
    sys.exit(main())
