"""A day of a SEND officer, without a mouse: what came in is decided, and what waits is given.

Walked twice by keyboard alone: with JavaScript at 320 pixels, where axe looks at every page and
error; and without JavaScript at twice the usual size of text, where nothing is cut off.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect

from s2s_portal import clock
from tests.browser.keyboard import KeyboardPerson
from tests.browser.person import DESKTOP, PHONE, TOP, Person, Portal
from tests.browser.test_journeys import says_error

# One portal serves them all, so one process runs them all.
pytestmark = pytest.mark.xdist_group("browser")

TO_DECIDE, TO_ALLOCATE = 7, 3


@pytest.fixture(params=["phone", "large text, no script"])
def officer(
    request: pytest.FixtureRequest, browser: Browser, large_text_browser: Browser, portal: Portal
) -> Iterator[Person]:
    """An officer who has no mouse."""
    if request.param == "phone":
        person = KeyboardPerson(browser, portal, size=PHONE)
    else:
        large = {"javascript": False, "large_text": True}
        person = KeyboardPerson(large_text_browser, portal, size=DESKTOP, **large)
    yield person
    person.close()


def came_in(officer: Person) -> list[str]:
    """What waits this morning, by reference: to decide, then to allocate."""
    seed = 19 if officer.javascript else 44  # other pupils in each walk, or all would be repeats
    asked = [str(number) for number in (seed, TO_DECIDE, TO_ALLOCATE)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.browser.fill_day", *asked],
        cwd=TOP,
        env=officer.portal.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-TO_DECIDE - TO_ALLOCATE :]


def test_a_day_of_an_officer(officer: Person) -> None:
    waiting = came_in(officer)
    accepted, listed, advised, redirected, declined, asked, held = waiting[:TO_DECIDE]
    officer.sign_on("officer").go("/s2s/triage/?status=new&sort=newest")
    accepts(officer, accepted)
    decides(
        officer,
        listed,
        "Put on the waiting list",
        "No practitioner has room",
        ("Put it on the waiting list", "The referral is on the waiting list"),
    )
    decides(
        officer,
        advised,
        "Advise without a visit",
        "Advice meets the need",
        ("Send the advice", "The advice has been given"),
        field="What is your advice?",
    )
    decides(
        officer,
        redirected,
        "Send on to another service",
        None,
        ("Send it on", "The school has been told which service it is"),
    )
    decides(
        officer,
        declined,
        "Decline",
        "No practitioner has room",
        ("Decline the referral", "The referral has been declined"),
        field="What do you want to tell the school?",
    )
    asks(officer, asked)
    holds(officer, held)
    allocates(officer, waiting[TO_DECIDE:])
    reallocates(officer, waiting[-1])


def accepts(officer: Person, reference: str) -> None:
    """From the list: the one that came last, once without an answer."""
    officer.follow(reference).press("Accept").press("Continue")
    says_error(officer, "Choose how much support the school gets")
    officer.choose("One visit and a report")
    for box in officer.page.locator("input[name=checks]").all():
        officer.choose_one(box)
    officer.press("Continue").sees("What the school will read")
    officer.press("Accept the referral").sees("The referral has been accepted")
    officer.follow("Back to referrals")
    expect(officer.page.get_by_role("link", name=reference)).to_have_count(0)


def decides(
    officer: Person,
    reference: str,
    way: str,
    reason: str | None,
    sends: tuple[str, str],
    *,
    field: str = "",
) -> None:
    """One of the other decisions: a reason (the first where None is named), the school's words as
    they stand, and what the page says once they are sent."""
    officer.go(f"/s2s/triage/{reference}/")
    (officer.press if way == "Decline" else officer.follow)(way)
    if reason is None:
        officer.choose_one(officer.page.locator("input[name=choice]").first)
    else:
        officer.choose(re.compile(f"^{reason}"))
    if field:
        officer.fill(field, "Zażółć: please read “Now and next” with O'Brien & Sons")
    button, said = sends
    officer.press("Continue").sees("What the school will read", "Nothing is charged")
    officer.press(button).sees(said)


def asks(officer: Person, reference: str) -> None:
    """Back to the school with one question, once without it."""
    officer.go(f"/s2s/triage/{reference}/").press("Ask for more information")
    officer.press("Send it back to the school")
    says_error(officer)
    officer.choose("Outcomes you want")
    officer.fill("What do you need in “Outcomes you want”?", "How would you know in class?")
    officer.press("Send it back to the school").sees("The referral is back with the school")


def holds(officer: Person, reference: str) -> None:
    """On hold for a fortnight, once without a day."""
    until = clock.today() + timedelta(days=14)
    officer.go(f"/s2s/triage/{reference}/").follow("Put on hold")
    officer.choose("We are waiting to hear from a parent").press("Put it on hold")
    says_error(officer, "Enter when you expect to go on")
    officer.date("When do you expect to go on?", until.day, until.month, until.year)
    officer.press("Put it on hold").sees("On hold until about")


def allocates(officer: Person, waiting: list[str]) -> None:
    """Three at once from the plan, with the reasons that it gives."""
    officer.go("/s2s/allocation/").follow("Plan them all together")
    officer.press("Check and allocate the ticked referrals")
    says_error(officer, "Tick the referrals that you want to allocate")
    for reference in waiting:
        officer.choose(f"Allocate {reference}")
    officer.press("Check and allocate the ticked referrals").sees(*waiting)
    officer.press(f"Allocate these {len(waiting)} referrals")
    officer.sees(f"{len(waiting)} referrals have a practitioner")
    for reference in waiting:
        expect(officer.page.locator("main")).not_to_contain_text(reference)


def reallocates(officer: Person, reference: str) -> None:
    """To the first other practitioner, once without saying why."""
    officer.go(f"/s2s/triage/{reference}/").follow("Give it to another practitioner")
    officer.press("Give it to this practitioner")
    says_error(officer, "Choose why it goes to somebody else")
    officer.choose_one(officer.page.locator("input[name=why]").first)
    officer.choose_one(officer.page.locator("input[name=practitioner]").first)
    officer.fill("Why this practitioner?", "Knows the school")
    officer.press("Give it to this practitioner").sees("has the referral now")
