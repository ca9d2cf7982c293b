"""The end of a sign-on as a person meets it: warned before, and nothing typed is lost after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from s2s_portal import clock
from tests.browser.person import Person, Portal

NAME = "Zofia O'Brien-Łukasz"
pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(params=[True, False], ids=["javascript", "plain"])
def senco(browser: Browser, portal: Portal, request: pytest.FixtureRequest) -> Iterator[Person]:
    """A SENCo in the middle of a section of a new referral."""
    person = Person(browser, portal, javascript=request.param)
    person.sign_on("senco").starts_a_referral()
    yield person
    person.close()


def other_tab(person: Person) -> Page:
    """A second tab of the same browser."""
    tab = person.context.new_page()
    tab.goto(f"{person.portal.url}/")
    return tab


def test_what_was_typed_is_sent_after_signing_in_again(senco: Person) -> None:
    senco.follow("School and contact")
    senco.fill("Name of the contact", NAME).choose("SENCo")
    senco.fill("Email address of the contact", "senco@portal.example")
    senco.fill("Senior leader who agreed", "Hana Head")
    senco.date("Date they agreed", 1, 9, clock.today().year - 1)
    address = senco.page.url
    tab = other_tab(senco)
    tab.get_by_role("button", name="Sign out").click()
    senco.press("Save and continue")
    senco.sees("You have been signed out", "not been saved yet, but it is not lost")
    tab.goto(f"{senco.portal.url}/sign-in")
    tab.click("button[name=persona][value=senco]")
    senco.press("Send it again").sees("You have signed in since the page was made")
    senco.press("Send it again")
    senco.page.goto(address)
    expect(senco.page.get_by_label("Name of the contact")).to_have_value(NAME)


def test_a_warning_comes_before_the_end_and_staying_takes_it_away(
    browser: Browser, portal: Portal
) -> None:
    person = Person(browser, portal)
    left = {"": 240, "?stay=yes": 3600}

    def answer(route: Route) -> None:
        query = "?stay=yes" if "stay" in route.request.url else ""
        route.fulfill(json={"seconds_left": left[query]})

    person.page.clock.install()
    person.sign_on("senco")
    person.page.route("**/s2s/sign-on*", answer)
    warning = person.page.get_by_role("alert")
    expect(warning).to_be_hidden()
    person.page.clock.run_for("56:00")
    expect(warning).to_contain_text("You will be signed out in 4 minutes.")
    person.look()
    person.page.get_by_role("button", name="Stay signed in").click()
    expect(warning).to_be_hidden()
    person.close()


def test_a_page_that_is_left_open_says_when_it_is_over(browser: Browser, portal: Portal) -> None:
    person = Person(browser, portal)
    person.page.clock.install()
    person.sign_on("senco")
    other_tab(person).get_by_role("button", name="Sign out").click()
    person.page.clock.run_for("56:00")
    expect(person.page.get_by_role("alert")).to_contain_text("You have been signed out.")
    person.close()
