"""Under a host's strict Content-Security-Policy, in a real browser: nothing of ours is refused."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from werkzeug.serving import make_server

from tests.browser.conftest import CHROMIUM, browser, playwright
from tests.hosts.conftest import Server
from tests.hosts.towns import modern

__all__ = ["browser", "playwright"]  # the fixtures of the browser tests, of this module's own
pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"),
        reason="no Chromium is installed on this machine",
    ),
]


@pytest.fixture
def served(council: Server) -> Iterator[str]:
    """The modern host, served on loopback with its policy; its address."""
    town = modern({"SQLALCHEMY_DATABASE_URI": council.make(), "SESSION_COOKIE_SECURE": False})
    server = make_server("127.0.0.1", 0, town.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


def test_scripts_styles_and_forms_of_ours_run_under_a_strict_policy(
    browser: Browser, served: str
) -> None:
    complaints: list[str] = []
    page = browser.new_page()
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{served}/services/school-support/")
    page.get_by_label("Email").fill("senco@eastmere.example")
    page.get_by_role("button", name="Continue").click()
    page.goto(f"{served}/services/school-support/referrals/start")
    page.get_by_role("button", name="Start the referral").click()
    for answer in ("No", "Pupils in Year 1 or above at this school, or our staff"):
        page.get_by_label(answer, exact=True).check()
        page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="What you need help with").click()
    page.get_by_label("One named pupil").check()
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_role("link", name="Back to the sections").click()
    page.get_by_role("link", name="What you have tried", exact=True).click()
    # The click does not wait for the page that it leads to.
    expect(page).to_have_title(re.compile("^What you have tried"))
    # Our style sheet is in force, and GOV.UK's script has started.
    button = page.get_by_role("button", name="Save and continue")
    assert button.evaluate("it => getComputedStyle(it).backgroundColor") != "rgb(239, 239, 239)"
    page.wait_for_selector("[data-govuk-button-init]", state="attached")  # our script has run
    # The host has no icon, which is its own affair.
    assert [said for said in complaints if "404" not in said] == []
    page.close()
