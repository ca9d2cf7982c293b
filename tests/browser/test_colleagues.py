"""A class teacher's one section in a real browser: from the mail to handed back, and used.

Without JavaScript it is walked in `test_journeys`; here axe looks at every page, error pages
included, wide and narrow.
"""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.person import Person, Portal

pytestmark = pytest.mark.xdist_group("browser")
PATIENCE = 20.0  # seconds for the worker to send the mail


def test_a_teacher_without_a_role_fills_in_one_section(browser: Browser, portal: Portal) -> None:
    senco = Person(browser, portal).sign_on("senco")
    teacher = Person(browser, portal).sign_on("outsider")
    try:
        senco.starts_a_referral("A group or class of pupils").follow("Back to the sections")
        reference = re.findall(r"S2S-\d\d-\w{4}", senco.page.url)[0]
        senco.follow(re.compile("Ask a colleague to fill this in.*Support you want"))
        senco.press("Send the link")
        expect(senco.page).to_have_title(re.compile("^Error: "))
        senco.fill("Name of your colleague", "Oz Thackery")
        senco.fill("Their school email address", f"{reference.lower()}@school.example")
        senco.fill("A word to them", "By Friday, please").press("Send the link")
        senco.sees("We have sent Oz Thackery an email", "With a colleague")
        teacher.page.goto(link_in_mail(senco, reference))
        teacher.look()
        teacher.sees("Sam O'Brien-Łukasz of", "asks Oz Thackery to fill in “Support you want”")
        teacher.press("Open the section").sees("By Friday, please", "You see no other part of it")
        expect(teacher.page.get_by_role("link", name=reference)).to_have_count(0)
        teacher.press("Save and hand back")
        expect(teacher.page).to_have_title(re.compile("^Error: "))
        teacher.choose("Practical advice").fill("Why you are making", "Phonics is hard for eight")
        teacher.press("Save and go on later").sees("Saved.")
        teacher.press("Save and hand back").sees("You have handed this back")
        senco.go(f"/s2s/referrals/{reference}/").sees("Oz Thackery filled this in on")
        senco.follow(re.compile("Check what Oz Thackery wrote"))
        expect(senco.page.get_by_label("Why you are making")).to_have_value(
            "Phonics is hard for eight"
        )
        senco.press("Save and continue").go(f"/s2s/referrals/{reference}/")
        senco.sees("Sam O'Brien-Łukasz checked it")
        teacher.page.reload()
        teacher.sees("There is nothing here that you can see")
    finally:
        senco.close()
        teacher.close()


def link_in_mail(person: Person, reference: str) -> str:
    """The link of the mail about `reference`, once the worker has sent it."""
    until = time.monotonic() + PATIENCE
    while True:
        person.page.goto(f"{person.portal.url}/mailbox")
        said = person.page.content()
        about = said.find(f"section of draft referral {reference}")
        found = re.search(r"http://[^\s\"<]*/contributions/link/[\w-]+", said[about:])
        if about >= 0 and found:
            return found[0]
        assert time.monotonic() < until, "the mail has not come"
        time.sleep(0.3)
