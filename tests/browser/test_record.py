"""A record written on a bad line, in a real browser: nothing is lost, and nothing stays there."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.person import Person, Portal

pytestmark = pytest.mark.xdist_group("browser")

STORED = """async () => JSON.stringify([{...localStorage}, {...sessionStorage},
    await indexedDB.databases(), await caches.keys(), history.state])"""
SEEN, HEARD = (
    "Calm in the hall; left when the bell rang.",
    "A quiet start, agreed with the teacher.",
)


def test_a_record_written_while_the_line_is_down_is_saved_whole(
    browser: Browser, portal: Portal
) -> None:
    person = Person(browser, portal).sign_on("practitioner")
    try:
        person.go("/s2s/visits/").follow(re.compile("^Finish the record"))
        status = person.page.locator("[data-s2s-kept]")
        person.fill("What did you observe?", SEEN)
        expect(status).to_contain_text("Select “Save draft” to save it.")
        person.context.set_offline(True)
        person.fill("What did you discuss?", HEARD)
        # Pressed without a line, the form stays: no error page of the browser's takes it away.
        person.page.get_by_role("button", name="Save draft").last.click()
        expect(status).to_contain_text("There is no connection, so nothing has been sent")
        expect(person.page.get_by_label("What did you discuss?")).to_have_value(HEARD)
        person.context.set_offline(False)
        expect(status).to_contain_text("Kept at", timeout=20_000)
        again = person.page.url
        person.page.goto(again)  # as if the lid had been shut: nothing was saved
        person.sees("You typed something here on").follow("Go on with what you typed")
        expect(person.page.get_by_label("What did you observe?")).to_have_value(SEEN)
        expect(person.page.get_by_label("What did you discuss?")).to_have_value(HEARD)
        person.press("Check and issue").press("Issue the record").sees(HEARD)
        stored = person.page.evaluate(STORED)
        assert SEEN[:10] not in stored
        assert stored == "[{},{},[],[],null]"
    finally:
        person.close()
