"""Signing on at certified OpenID providers and out again, in a real browser under the portal's CSP.

The portal is the web server of `make run`: two processes, which share nothing but the database.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import create_engine, text

from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.reference_portal import accounts, create_app
from s2s_portal.reference_portal.demonstration_schools import establishments
from s2s_portal.state import state
from tests import role_api
from tests.browser.person import Person, Portal
from tests.conftest import migrated_database
from tests.oidc.liar import DISCOVERY
from tests.oidc.people import CODES
from tests.oidc.people import accounts as people
from tests.oidc.provider import Providers, free_port

TOP = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def port() -> int:
    """Where the portal listens."""
    return free_port()


@pytest.fixture(scope="module")
def providers(port: int) -> Iterator[Providers]:
    """Certified providers that know this portal."""
    found = Providers(people(), f"http://127.0.0.1:{port}")
    yield found
    found.stop()


@pytest.fixture(scope="module")
def api() -> Iterator[role_api.RoleApi]:
    """The public API of DfE Sign-in."""
    found = role_api.RoleApi()
    found.codes = dict(CODES)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def database(server_url: str, worker_id: str) -> Iterator[str]:
    """A migrated database with the invented schools and the portal's own tables."""
    name = f"s2s_sign_on_{os.getpid()}_{worker_id}"
    url = migrated_database(server_url, name)
    engine = create_engine(url)
    app = create_app({"DATABASE_URL": url})
    with app.app_context(), acting_as(SYSTEM):
        accounts.prepare()
        state().session().add_all(establishments())
        state().session().commit()
        state().engine.dispose()
    engine.dispose()
    yield url
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    server.dispose()


@pytest.fixture(scope="module")
def portal(
    port: int,
    providers: Providers,
    api: role_api.RoleApi,
    database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Portal]:
    """The portal's web server, told of both providers by its environment alone."""
    folder = tmp_path_factory.mktemp("sign-on")
    environment = {
        **os.environ,
        "DATABASE_URL": database,
        "S2S_DATA_DIR": str(folder),
        "S2S_DFE_API_URL": api.url,
        "S2S_DFE_API_SECRET": role_api.SECRET,
        "S2S_DFE_SERVICE_ID": role_api.SERVICE,
        **providers.config("entra", "dfe"),
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "s2s_portal.reference_portal.serve", str(port)],
            cwd=TOP,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}/s2s/health/live", folder / "log")
        yield Portal(f"http://127.0.0.1:{port}", environment, TOP)
    finally:
        process.terminate()
        process.wait(20)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + 30
    while True:
        with suppress(OSError):
            urllib.request.urlopen(address, timeout=5).close()
            return
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.1)


Walker = Callable[[], Person]


@pytest.fixture(params=[True, False], ids=["with-js", "without-js"])
def someone(request: pytest.FixtureRequest, browser: Browser, portal: Portal) -> Iterator[Walker]:
    """Makes browser windows that obey the portal's policy, and insists that it is never broken."""
    windows: list[Person] = []
    broken: list[str] = []

    def make() -> Person:
        person = Person(browser, portal, javascript=request.param, csp=True)
        person.page.on(
            "console",
            lambda said: broken.append(said.text) if "Content Security" in said.text else None,
        )
        windows.append(person)
        return person

    yield make
    for window in windows:
        window.close()
    assert broken == []


def be(person: Person, account: str) -> None:
    """At the provider: be `account`."""
    person.page.get_by_role("button", name=f"Be {account}", exact=True).click()
    person.look()


def sign_out(person: Person) -> None:
    """Sign out here, and there too."""
    person.page.get_by_role("button", name="Sign out", exact=True).click()
    person.page.get_by_role("button", name="Yes, sign me out").click()
    person.look()
    person.sees("You have signed out")


def is_shut_out(person: Person, path: str) -> None:
    """Going to `path` leads to the sign-in page."""
    person.page.goto(person.portal.url + path)
    expect(person.page.locator("h1")).to_have_text("Sign in")


def test_an_officer_signs_on_and_out_and_nothing_is_left(someone: Walker) -> None:
    officer = someone()
    officer.go("/s2s/triage/").sees("Sign in")
    officer.page.get_by_role("button", name="Sign in as council staff").click()
    be(officer, "jo")
    assert officer.page.url.endswith("/s2s/triage/")
    officer.sees("Signed in as Jo Bloggs", "Triage")
    captured = officer.context.cookies(officer.portal.url)
    sign_out(officer)
    # Back shows nothing of what was there: the page is asked for anew, and refused.
    for _ in range(4):
        officer.page.go_back()
        expect(officer.page.locator("body")).not_to_contain_text("Signed in as")
    thief = someone()
    thief.context.add_cookies(captured)  # type: ignore[arg-type]
    is_shut_out(thief, "/s2s/triage/")
    # At the provider they are signed out too: it asks again who they are.
    officer.go("/sign-in")
    officer.page.get_by_role("button", name="Sign in as council staff").click()
    expect(officer.page.locator("h1")).to_have_text("Who are you?")


def test_a_senco_signs_on_for_her_school_and_out(someone: Walker) -> None:
    senco = someone()
    senco.go("/sign-in")
    senco.page.get_by_role("button", name="Sign in as school staff").click()
    be(senco, "sam")
    senco.sees("Signed in as Sam Reed")
    senco.go("/s2s/referrals/start").sees("Marram Staithe Primary School")
    sign_out(senco)
    is_shut_out(senco, "/s2s/referrals/")


def test_a_guest_is_refused_in_words_and_can_try_another_account(someone: Walker) -> None:
    guest = someone()
    guest.go("/sign-in")
    guest.page.get_by_role("button", name="Sign in as council staff").click()
    be(guest, "guy")
    guest.sees("You cannot use this account here", "guest accounts cannot use this service")
    guest.page.get_by_role("button", name="Sign out and try another account").click()
    guest.page.get_by_role("button", name="Yes, sign me out").click()
    guest.sees("You have signed out").follow("Sign in again")
    guest.page.get_by_role("button", name="Sign in as council staff").click()
    be(guest, "jo")
    guest.sees("Signed in as Jo Bloggs")


def test_a_provider_that_hangs_is_told_of_in_three_seconds(
    someone: Walker, providers: Providers
) -> None:
    person = someone()
    liar = providers.liars["dfe"]
    person.go("/sign-in")
    # Both processes of the web server may know the provider already: it lies to the next question.
    liar.lies["/token"] = liar.hang
    liar.lies[DISCOVERY] = liar.hang
    try:
        begun = time.monotonic()
        person.page.get_by_role("button", name="Sign in as school staff").click()
        if person.page.locator("h1").text_content() == "Who are you?":
            begun = time.monotonic()
            person.page.get_by_role("button", name="Be sam", exact=True).click()
        person.sees("You have not been signed in", "taking too long to answer")
        assert time.monotonic() - begun < 3
        person.look()
    finally:
        liar.be_honest()
