"""The worklist in a real browser, without a script: narrowed, kept, left and come back to.

axe looks at every page, wide and narrow, the administrator's pages about promises among them.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.person import Person, Portal

pytestmark = pytest.mark.xdist_group("browser")


def test_an_officer_narrows_keeps_and_comes_back(browser: Browser, portal: Portal) -> None:
    officer = Person(browser, portal, javascript=False).sign_on("officer")
    try:
        officer.go("/s2s/triage/?status=overdue").sees("Overdue", "working days late")
        officer.page.locator("summary", has_text="Narrow the list").click()
        officer.pick("Due", "Overdue").pick("Look in", "All").pick("Order", "Newest first")
        officer.press("Narrow")
        here = officer.page.url
        assert "due=overdue" in here
        assert "sort=newest" in here
        reference = officer.page.locator("tbody th").first.inner_text()
        officer.follow(reference).sees("What is due", "Overdue")
        officer.follow("Back to referrals")
        expect(officer.page.locator("tbody th").first).to_have_text(reference)
        officer.page.locator("summary", has_text="Keep this list").click()
        officer.fill("Name of this list", "Late ones").press("Keep this list")
        officer.sees("“Late ones” is now one of your lists.").follow("Late ones")
        expect(officer.page.locator("tbody th").first).to_have_text(reference)
    finally:
        officer.close()


def test_an_administrator_looks_at_promises(browser: Browser, portal: Portal) -> None:
    administrator = Person(browser, portal, javascript=False).sign_on("administrator")
    try:
        administrator.go("/s2s/administration/service-levels").press("See what it would do")
        administrator.sees("Choose what is promised")
        administrator.go("/s2s/administration/closures").press("Add")
        administrator.sees("Enter why the council is closed")
        administrator.go("/s2s/administration/service-levels/new-dates").sees("Work promised dates")
    finally:
        administrator.close()
