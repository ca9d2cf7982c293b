"""What comes after sending, in a real browser: asked again, answered, amended, taken back.

Walked with JavaScript and without; axe looks at every page, error pages included, wide and narrow.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.person import Person, Portal

pytestmark = pytest.mark.xdist_group("browser")


@pytest.mark.parametrize("javascript", [True, False], ids=["with-js", "without-js"])
def test_asked_again_answered_amended_and_withdrawn(
    browser: Browser, portal: Portal, javascript: bool
) -> None:
    senco = Person(browser, portal, javascript=javascript).sign_on("senco")
    officer = Person(browser, portal, javascript=javascript).sign_on("officer")
    try:
        senco.go("/s2s/referrals/")
        senco.page.get_by_label("Where it stands").select_option(label="Waiting for a decision")
        senco.press("Search").sees("With the council: decision by")
        reference = senco.page.locator("tbody th").first.inner_text()
        asks(officer, reference)
        answers(senco, reference)
        officer.go(f"/s2s/triage/{reference}/").sees(
            "Changed since you returned it: Practicalities"
        )
        amends(senco, reference)
        withdraws(senco, reference)
        no_longer_agreed(senco)
        officer.go(f"/s2s/triage/{reference}/").sees(
            "Withdrawn", "The referral was sent by mistake"
        )
    finally:
        senco.close()
        officer.close()


def asks(officer: Person, reference: str) -> None:
    """The officer opens one section; a tick without words comes back as an error."""
    officer.go(f"/s2s/triage/{reference}/").press("Ask for more information")
    officer.page.get_by_label("Practicalities", exact=True).check()
    officer.press("Send it back to the school")
    expect(officer.page).to_have_title(re.compile("^Error: "))
    officer.sees("Enter what you need in “Practicalities”")
    expect(officer.page.get_by_label("Practicalities", exact=True)).to_be_checked()
    officer.fill("What do you need in “Practicalities”?", "Which mornings suit you?")
    officer.press("Send it back to the school").sees("The referral is back with the school")


def answers(senco: Person, reference: str) -> None:
    """The school sees the question beside its section, answers it and sends again."""
    senco.go(f"/s2s/referrals/{reference}/").sees("Which mornings suit you?", "As you sent it")
    senco.follow("Practicalities").sees("What the council needs here")
    senco.fill("Days and times that suit", "Tuesday mornings").press("Save and continue")
    senco.press("Send the referral").sees("Referral sent")


def amends(senco: Person, reference: str) -> None:
    """A section is amended: not without a reason; old and new are on the page."""
    senco.go(f"/s2s/referrals/{reference}/").follow("Amend this referral")
    senco.follow("School and contact").fill("Telephone number", "01632 960999")
    senco.press("Amend the referral")
    expect(senco.page).to_have_title(re.compile("^Error: "))
    expect(senco.page.get_by_label("Telephone number")).to_have_value("01632 960999")
    senco.fill("Why are you changing this?", "A new telephone line")
    senco.press("Amend the referral")
    senco.sees("The referral has been amended", "Why: A new telephone line", "01632 960999")


def withdraws(senco: Person, reference: str) -> None:
    """The fee first, then why, then it is done."""
    senco.go(f"/s2s/referrals/{reference}/").follow("Withdraw this referral")
    senco.sees("Nothing has been charged, and nothing will be.")
    senco.press("Withdraw the referral").sees("Choose why you are withdrawing the referral")
    senco.choose("The referral was sent by mistake").press("Withdraw the referral")
    senco.sees("The referral has been withdrawn", "Withdrawn")


def no_longer_agreed(senco: Person) -> None:
    """The page is looked at, and its errors; the demonstration's referral is left as it is."""
    senco.go("/s2s/referrals/?status=allocated")
    senco.page.locator("tbody th a").first.click()
    senco.look()
    if senco.page.get_by_role("link", name="A parent or carer no longer agrees").count():
        senco.follow("A parent or carer no longer agrees").sees("nothing is erased")
        senco.press("Stop the support").sees("Enter who no longer agrees")
