"""The form in a real browser: questions that open others, and what is typed is kept."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.person import Person, Portal
from tests.browser.test_whole_path import REFERENCE, section

# One portal serves them all, so one process runs them all.
pytestmark = pytest.mark.xdist_group("browser")


def starts(person: Person, kind: str) -> str:
    """Start a referral of a kind; its reference."""
    person.starts_a_referral()
    found = REFERENCE.search(person.page.locator("h1").inner_text())
    assert found
    section(person, found.group(), "kind").choose(kind).press("Save and continue")
    return found.group()


@pytest.mark.parametrize("javascript", [True, False], ids=["with-js", "without-js"])
def test_what_a_choice_opens_is_asked_then_and_always_there_without_javascript(
    browser: Browser, portal: Portal, javascript: bool
) -> None:
    senco = Person(browser, portal, javascript=javascript).sign_on("senco")
    try:
        reference = starts(senco, "One named pupil")
        section(senco, reference, "consent")
        who = senco.page.get_by_label("Who agreed")
        expect(who).to_be_visible(visible=not javascript)
        senco.page.get_by_label("No, not yet").check()
        senco.press("Save and continue")
        senco.go(f"/s2s/referrals/{reference}/").sees("Not agreed yet", "Cannot start yet")
        section(senco, reference, "consent")
        senco.page.get_by_label("Yes", exact=True).first.check()
        expect(who).to_be_visible()
        senco.press("Save and continue").sees("Enter who agreed")
        expect(senco.page).to_have_title(re.compile("^Error: "))
        expect(who).to_be_visible()
    finally:
        senco.close()


def test_what_is_typed_is_kept_and_offered_when_its_writer_comes_back(
    browser: Browser, portal: Portal
) -> None:
    senco = Person(browser, portal).sign_on("senco")
    reference = starts(senco, "A group or class")
    section(senco, reference, "subject")
    senco.fill("What you call the group", "The Otters, half typ")
    expect(senco.page.locator("[data-s2s-kept]")).to_have_text(
        re.compile(r"^Kept at .*\. Select “Save and continue” to save it\.$")
    )
    stored = senco.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "Otters" not in stored, "nothing stays in the browser"
    senco.context.set_offline(True)
    senco.fill("Their year groups", "Years 1 and 2")
    expect(senco.page.locator("[data-s2s-kept]")).to_contain_text("could not be kept just now")
    senco.context.set_offline(False)
    senco.fill("Their year groups", "Years 1 and 3")
    expect(senco.page.locator("[data-s2s-kept]")).to_contain_text("Kept at")
    senco.close()

    again = Person(browser, portal).sign_on("senco")
    try:
        section(again, reference, "subject").sees("We kept what you typed here")
        again.follow("Go on with what you typed")
        expect(again.page.get_by_label("What you call the group")).to_have_value(
            "The Otters, half typ"
        )
        expect(again.page.get_by_label("Their year groups")).to_have_value("Years 1 and 3")
        again.fill("How many pupils", "8").choose("SEN Support").press("Save and continue")
        section(again, reference, "subject")
        expect(again.page.locator("body")).not_to_contain_text("We kept")
    finally:
        again.close()
