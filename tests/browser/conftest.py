"""A real portal, as `make run` starts it, and a real Chromium looking at it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.browser.person import LARGE_TEXT, Portal
from tests.conftest import Demonstrated
from tests.files.clamd import PROGRAM

TOP = Path(__file__).resolve().parents[2]
CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome", "chrome")
        if (found := shutil.which(name))
    ),
    None,
)
PATIENCE = 90  # seconds for the portal to start with its demonstration rows


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a Chromium these tests cannot run; in CI that is a failure, not a skip."""
    for item in items:
        if "tests/browser" not in str(item.path):
            continue
        item.add_marker(pytest.mark.browser)
        if CHROMIUM is None and not os.environ.get("CI"):
            item.add_marker(pytest.mark.skip(reason="no Chromium is installed on this machine"))


@pytest.fixture(scope="session")
def portal(
    request: pytest.FixtureRequest,
    server_url: str,
    demonstrated: Demonstrated,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Portal]:
    """The reference portal in a process of its own, with the real schools where there are any,
    and a virus scanner where there is one."""
    more = {"S2S_CLAMD": request.getfixturevalue("clamd").address} if PROGRAM else {}
    folder = tmp_path_factory.mktemp("portal")
    url = demonstrated.copy(server_url, f"s2s_browser_{os.getpid()}", folder / "instance")
    with _running(folder, url, more) as found:
        found.read_real_schools()
        yield found


@pytest.fixture(scope="module")
def portal_of_heads(
    server_url: str, demonstrated: Demonstrated, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Portal]:
    """A portal of a council that wants a head's agreement before a referral is sent."""
    folder = tmp_path_factory.mktemp("heads")
    url = demonstrated.copy(server_url, f"s2s_heads_{os.getpid()}", folder / "instance")
    with _running(folder, url, {"S2S_HEAD_AGREES": "true"}) as found:
        yield found


@contextmanager
def _running(folder: Path, database_url: str, more: dict[str, str]) -> Iterator[Portal]:
    """A portal on a database that has the demonstration already: how it gets there from nothing
    is what `make run` is tested for."""
    port, smtp = _free_port(), _free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "PORT": str(port),
        "PORTAL_SMTP_PORT": str(smtp),
        "S2S_DATA_DIR": str(folder / "instance"),
        "PYTHONUNBUFFERED": "1",
        **more,
    }
    log = (folder / "log").open("w+")
    process = subprocess.Popen(
        [sys.executable, "-m", "s2s_portal.reference_portal"],
        cwd=TOP,
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        _wait(process, Path(log.name))
        yield Portal(f"http://127.0.0.1:{port}", environment, TOP)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        log.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while "Ready: " not in log.read_text():
        assert process.poll() is None, f"the portal stopped:\n{log.read_text()}"
        assert time.monotonic() < until, f"the portal did not start:\n{log.read_text()}"
        time.sleep(0.2)


# For a module, not the session: Playwright keeps an event loop running in this process, and the
# tests of the worker, which may follow, need to run one of their own.
@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright itself."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One Chromium for all tests of a module."""
    running = _launch(playwright)
    yield running
    running.close()


@pytest.fixture(scope="module")
def large_text_browser(playwright: Playwright) -> Iterator[Browser]:
    """A Chromium whose user reads text at twice the usual size."""
    running = _launch(playwright, LARGE_TEXT)
    yield running
    running.close()


def _launch(playwright: Playwright, *more: str) -> Browser:
    return playwright.chromium.launch(
        executable_path=CHROMIUM,
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            *more,
        ],
    )
