"""An officer plans the worklist in a real browser, with JavaScript and without, and allocates."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.person import Person, Portal

# One portal serves them all, so one process runs them all.
pytestmark = pytest.mark.xdist_group("browser")


@pytest.mark.parametrize("javascript", [True, False], ids=["with-js", "without-js"])
def test_an_officer_plans_and_allocates(browser: Browser, portal: Portal, javascript: bool) -> None:
    officer = Person(browser, portal, javascript=javascript).sign_on("officer")
    try:
        # The demonstration has a few that wait; one is accepted for each of the two runs besides.
        reference = accepts_one(officer)
        officer.go("/s2s/allocation/").follow("Plan them all together")
        officer.sees("The plan beside one at a time", reference)
        officer.press("Check and allocate the ticked referrals")
        officer.sees("Tick the referrals that you want to allocate")
        expect(officer.page).to_have_title(re.compile("^Error: "))
        choice = officer.page.get_by_label(f"Your choice for {reference}")
        keep = choice.locator("option").nth(1).inner_text()
        officer.pick_from(choice, keep)
        officer.press("Plan again with your choices").sees("Your choice")
        name = keep.removeprefix("Keep ")
        officer.choose(f"Allocate {reference}").press("Check and allocate the ticked referrals")
        officer.sees(f"{reference} to {name}").fill(f"Why {name}?", "")
        officer.press("Allocate this referral").sees(f"Enter why you chose {name}")
        officer.fill(f"Why {name}?", "They know the school").press("Allocate this referral")
        officer.sees("1 referral has a practitioner")
        officer.go(f"/s2s/triage/{reference}/").sees(name, "They know the school")
    finally:
        officer.close()


def accepts_one(officer: Person) -> str:
    """Accept the referral that has waited longest; its reference."""
    officer.go("/s2s/triage/?status=submitted")
    reference = officer.page.locator("tbody th a").first.inner_text()
    officer.go(f"/s2s/triage/{reference}/").press("Accept")
    officer.choose("One visit and a report")
    for box in officer.page.locator("input[name=checks]").all():
        box.check()
    officer.press("Continue").press("Accept the referral").sees("accepted")
    return reference
