"""Practitioners in a real browser: a lead keeps a record, an officer reads the workload by it."""

from __future__ import annotations

from playwright.sync_api import Browser

from tests.browser.person import Person, Portal


def test_a_lead_keeps_a_record_and_an_officer_sees_the_workload(
    browser: Browser, portal: Portal
) -> None:
    lead = Person(browser, portal, javascript=False)
    officer = Person(browser, portal)
    try:
        lead.sign_on("lead").go("/s2s/practitioners/").follow("Jo Marlowe")
        assert lead.page.locator("h1").inner_text() == "Jo Marlowe"  # and not who is signed in
        lead.follow("Change release from school").fill("Wednesday", "11").press("Save")
        lead.sees("Wednesday must be hours from 0 to 10")
        lead.fill("Wednesday", "2.5").press("Save").sees("Saved.", "Wednesday 2.5 hours")
        lead.follow("Change needs").pick("Vision impairment: level", "Working knowledge")
        lead.press("Save").sees("Vision impairment (VI)")
        lead.follow("History of this record").sees("Wednesday 2.5 hours")
        lead.follow("Back to Jo Marlowe").follow("Add an absence").press("Add the absence")
        lead.sees("Enter the first day").follow("Cancel").follow("Add a conflict of interest")
        lead.press("Add the conflict of interest").sees("Enter the reason").follow("Cancel")
        lead.follow("Say that Jo Marlowe is no longer active").sees("open referral")
        officer.sign_on("officer").go("/s2s/practitioners/").follow("Team workload")
        officer.sees("Jo Marlowe", "of 34.5 h available")
        officer.go("/s2s/allocation/")
        officer.page.locator("main tbody th a").first.click()
        officer.look()
        officer.sees("Recommended", "To know first")
    finally:
        lead.close()
        officer.close()
