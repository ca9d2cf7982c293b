"""`make run` as a real process: all of it starts, answers, and stops without leaving anything."""

from __future__ import annotations

import contextlib
import http.cookiejar
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from s2s_portal.reference_portal.postgres import EmbeddedPostgres
from tests.browser.person import Portal

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 240  # seconds; the first start makes a cluster and the demonstration

pytestmark = pytest.mark.xdist_group("make_run")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Run:
    """One `python -m s2s_portal.reference_portal`, with what it printed."""

    def __init__(self, place: Path, port: int, **more: str) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PORTAL_", "S2S_"))}
        kept.pop("DATABASE_URL", None)
        self.port = port
        self.environment = {**kept, "PORT": str(port), "S2S_DATA_DIR": str(place), **more}
        self.log = place.parent / f"run-{time.monotonic_ns()}.txt"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "s2s_portal.reference_portal"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while f"Ready: http://127.0.0.1:{self.port}\n" not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.2)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(90)

    def flask(self, *arguments: str) -> str:
        """What `flask s2s ...` prints when it is content."""
        return Portal(f"http://127.0.0.1:{self.port}", self.environment, ROOT).flask(*arguments)

    def fetch(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
            return str(answer.read().decode())


def below(pid: int) -> set[int]:
    """The processes that `pid` started, and those that they started."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], check=True, capture_output=True, text=True
    ).stdout
    parents = {int(line.split()[0]): int(line.split()[1]) for line in listed.splitlines()}
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True
    ).stdout
    return bool(state.strip()) and not state.strip().startswith("Z")


def gone(pids: set[int]) -> bool:
    """Whether all of `pids` have ended, within a few seconds."""
    deadline = time.monotonic() + 10
    while any(runs(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def postmaster(place: Path) -> int:
    """The process of the embedded server that runs there."""
    server = EmbeddedPostgres(place / "postgres")
    try:
        server.start()  # attaches to the one that runs
        with psycopg.connect(server.conninfo) as connection:
            row = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
        assert row is not None
        return int(str(row[0]).split()[0])
    finally:
        server.stop()


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A data folder for all the runs here: the second finds what the first made."""
    outside = Path(tempfile.mkdtemp(prefix="s2s-run-"))
    outside.chmod(0o755)  # so that root's PostgreSQL, which is not root, can stay inside
    yield outside / "instance"
    with contextlib.suppress(FileNotFoundError):
        EmbeddedPostgres(outside / "instance" / "postgres").remove()
    shutil.rmtree(outside)


@pytest.fixture
def portal(place: Path) -> Iterator[Run]:
    """A portal that answers; stopped afterwards if the test has not done so."""
    run = Run(place, free_port())
    try:
        run.wait_until_ready()
        yield run
    finally:
        if run.process.poll() is None:
            run.end()


def sign_in(portal: Run, persona: str) -> urllib.request.OpenerDirector:
    """Sign on with nothing but the standard library, as a council's script would."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    address = f"http://127.0.0.1:{portal.port}/sign-in"
    with browser.open(address, timeout=20) as page:
        found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page.read().decode())
    assert found is not None
    form = urllib.parse.urlencode({"persona": persona, "csrf_token": found[1]}).encode()
    with browser.open(address, form, timeout=20) as page:
        assert page.url == f"http://127.0.0.1:{portal.port}/s2s/"
    return browser


def test_it_starts_signs_people_on_sends_mail_is_well_and_stops_without_a_trace(
    place: Path, portal: Run
) -> None:
    for persona in ("senco", "finance-approver", "outsider"):
        assert f"\n  {persona} " in portal.said
    browser = sign_in(portal, "senco")
    with browser.open(f"http://127.0.0.1:{portal.port}/s2s/referrals/", timeout=20) as page:
        assert re.search(r"/s2s/referrals/S2S-\d\d-", page.read().decode())

    deadline = time.monotonic() + 60
    while "has been allocated to you" not in portal.fetch("/mailbox"):
        assert time.monotonic() < deadline, portal.said  # the worker sends what was deferred
        time.sleep(0.5)

    said = portal.flask("check")
    assert not [line for line in said.splitlines() if line.startswith("fail")], said
    assert "row-level security: It is on" in said
    assert "sound" in portal.flask("ledger", "verify")

    second = Run(place, portal.port)
    assert second.process.wait(60) == 1
    assert second.said.startswith(f"portal: Port {portal.port} is in use")
    assert second.said.count("\n") == 1
    beside = Run(place, free_port())
    assert beside.process.wait(60) == 1
    assert beside.said.startswith("portal: Another portal runs on ")

    started = below(portal.process.pid) | {postmaster(place)}
    assert len(started) >= 5  # worker, gunicorn and its two workers, postmaster
    assert portal.end() == 0, portal.said
    assert portal.said.endswith("Stopped.\n")
    assert gone(started)


def test_it_starts_again_on_what_is_there_and_a_dead_part_ends_it_with_its_name(
    place: Path, portal: Run
) -> None:
    started = below(portal.process.pid) | {postmaster(place)}
    (worker,) = [pid for pid in below(portal.process.pid) if "worker" in command(pid)]
    os.kill(worker, signal.SIGKILL)
    assert portal.process.wait(90) == 1
    assert "portal: The worker stopped by itself (status -9)" in portal.said
    assert gone(started)


def command(pid: int) -> str:
    return subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(pid)], check=False, capture_output=True, text=True
    ).stdout


def test_ctrl_c_while_it_starts_leaves_nothing_either(place: Path) -> None:
    run = Run(place, free_port())
    deadline = time.monotonic() + PATIENCE
    while "Preparing the database" not in run.said:
        assert run.process.poll() is None, run.said
        assert time.monotonic() < deadline
        time.sleep(0.05)
    started = below(run.process.pid) | {postmaster(place)}
    assert run.end(signal.SIGINT) == 0, run.said
    assert gone(started)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PORT", "abc", "portal: PORT must be a number from 1 to 65535, not 'abc'."),
        ("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/x", "portal: connection failed"),
        ("DATABASE_URL", "mysql://nobody@127.0.0.1/x", "portal: DATABASE_URL must be"),
        ("DATABASE_URL", "nonsense", "portal: Could not parse SQLAlchemy URL"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    tmp_path: Path, name: str, value: str, says: str
) -> None:
    run = Run(tmp_path / "instance", free_port(), **{name: value})
    assert run.process.wait(60) == 1
    last = run.said.splitlines()[-1]
    assert last.startswith(says)
    assert "Traceback" not in run.said
