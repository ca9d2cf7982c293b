"""A school and an officer write to each other, in a real browser, with JavaScript and without.

axe looks at every page, error pages included, wide and narrow.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.person import Person, Portal

pytestmark = pytest.mark.xdist_group("browser")


@pytest.mark.parametrize("javascript", [True, False], ids=["with-js", "without-js"])
def test_ask_advice_answer_and_make_a_referral_of_it(
    browser: Browser, portal: Portal, javascript: bool
) -> None:
    senco = Person(browser, portal, javascript=javascript).sign_on("senco")
    officer = Person(browser, portal, javascript=javascript).sign_on("officer")
    try:
        reference = asks(senco)
        answers(officer, reference)
        senco.go("/s2s/messages/").sees("Waiting for your school since")
        senco.follow(reference).sees("Did you try the hall?", "New")
        senco.press("No answer is needed").sees("It is noted that no answer is needed")
        senco.go(f"/s2s/advice/{reference}/").press("Make a referral")
        senco.sees("Did you try the hall?")
        draft = re.search(r"S2S-\d\d-\w{4}", senco.page.title())
        assert draft
        senco.follow(reference).sees("This became your referral")
        expect(senco.page.get_by_role("button", name="Make a referral")).to_have_count(0)
        writes_on_a_referral(senco, officer)
    finally:
        senco.close()
        officer.close()


def asks(senco: Person) -> str:
    """The free question; an empty form comes back with what to do."""
    senco.go("/s2s/").follow("Ask for advice").sees("It is free")
    senco.press("Send your question")
    expect(senco.page).to_have_title(re.compile("^Error: "))
    senco.fill("What is it about?", "Assemblies").fill("Your question", "How long should one be?")
    senco.choose("This may become a referral").press("Send your question")
    senco.sees("The council has your question", "Waiting for the council since")
    found = re.search(r"ADV-\d\d-\w{4}", senco.page.title())
    assert found
    return found[0]


def answers(officer: Person, reference: str) -> None:
    """Found under what waits, and answered with a question back."""
    officer.go("/s2s/messages/").follow(reference).sees("How long should one be?")
    officer.press("Send message")
    expect(officer.page).to_have_title(re.compile("^Error: "))
    officer.fill("Your message", "Did you try the hall?").press("Send message")
    officer.sees("Your message has been sent", "Waiting for the school since")


def writes_on_a_referral(senco: Person, officer: Person) -> None:
    """On the page of a referral with a practitioner, where there is a choice of whom to ask."""
    senco.go("/s2s/referrals/?status=allocated")
    reference = senco.page.locator("tbody th").last.inner_text()
    senco.go(f"/s2s/referrals/{reference}/").choose("The council")
    senco.fill("Your message", "Is Friday a school day?").press("Send message")
    senco.sees("Waiting for the council since")
    officer.go(f"/s2s/triage/{reference}/").sees(
        "Is Friday a school day?", "new): Waiting for the council"
    )
