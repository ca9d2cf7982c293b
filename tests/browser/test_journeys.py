"""Three schools' ways through the form, from the start page to the answer, without a mouse.

Each is walked twice by keyboard alone: with JavaScript at 320 pixels, where axe looks at every page
and every error; and without JavaScript at twice the usual size of text, where nothing is cut off.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import form
from tests.browser.keyboard import KeyboardPerson
from tests.browser.person import DESKTOP, PHONE, Person, Portal
from tests.browser.test_colleagues import link_in_mail
from tests.browser.test_files import CALLED, wait_for
from tests.browser.test_whole_path import REFERENCE
from tests.files import made

# One portal serves them all, so one process runs them all.
pytestmark = pytest.mark.xdist_group("browser")

PUPIL = "Ławniczak-O'Shea"

SignsOn = Callable[[str], Person]


@pytest.fixture(params=["phone", "large text, no script"])
def walker(
    request: pytest.FixtureRequest, browser: Browser, large_text_browser: Browser
) -> Iterator[Callable[[Portal], Person]]:
    """Gives somebody who has no mouse a browser of their own at a portal."""
    people: list[Person] = []

    def walk(portal: Portal) -> Person:
        if request.param == "phone":
            people.append(KeyboardPerson(browser, portal, size=PHONE))
        else:
            large = {"javascript": False, "large_text": True}
            people.append(KeyboardPerson(large_text_browser, portal, size=DESKTOP, **large))
        return people[-1]

    yield walk
    for one in people:
        one.close()


@pytest.fixture
def signs_on(walker: Callable[[Portal], Person], portal: Portal) -> SignsOn:
    """Signs a persona on at the portal."""
    return lambda persona: walker(portal).sign_on(persona)


@pytest.fixture
def heads_sign_on(walker: Callable[[Portal], Person], portal_of_heads: Portal) -> SignsOn:
    """Signs a persona on where a head must agree."""
    return lambda persona: walker(portal_of_heads).sign_on(persona)


def begins(senco: Person, kind: str) -> str:
    """From the front page to the first section of a new referral; its reference."""
    senco.go("/s2s/").press("Start a referral")
    senco.press("Start the referral").press("Continue")
    says_error(senco)
    senco.choose(re.compile("^No$")).press("Continue")
    senco.choose("Pupils in Year 1 or above").press("Continue")
    found = REFERENCE.search(senco.page.locator("h1").inner_text())
    assert found, senco.page.url
    senco.follow("What you need help with").press("Save and continue")
    says_error(senco)
    senco.choose(kind).press("Save and continue")
    return found.group()


def answers(person: Person, heading: str, fill: Callable[[Person], None], *errors: str) -> None:
    """Save a section: once empty, if that is an error, and once filled in."""
    expect(person.page.get_by_role("heading", level=1)).to_have_text(heading)
    if errors:
        person.press("Save and continue")
        says_error(person, *errors)
    fill(person)
    person.press("Save and continue")


def says_error(person: Person, *words: str) -> None:
    """The page says in its title and at its head that something is wrong, and what."""
    expect(person.page).to_have_title(re.compile("^Error: "))
    person.sees("There is a problem", *words)
    if person.javascript:
        expect(person.page.locator(".govuk-error-summary")).to_be_focused()


def test_a_pupil_with_files_and_a_question_from_the_council(
    signs_on: SignsOn, tmp_path: Path
) -> None:
    senco = signs_on("senco")
    reference = begins(senco, "One named pupil")
    answers(senco, "School and contact", form.school, "leader")
    answers(senco, "The pupil", lambda person: form.pupil(person, PUPIL), "surname")
    answers(senco, "Year group and SEN support", form.schooling, "year group")
    answers(senco, "Needs", form.needs, "primary need")
    answers(senco, "Why this needs outside help", form.criteria, "Choose")
    answers(senco, "What you have tried", form.tried, "Enter")
    answers(senco, "Services already involved", form.services)
    answers(senco, "Outcomes you want", form.outcomes, "Enter")
    answers(senco, "Support you want", form.support, "Choose")
    answers(senco, "Agreement of a parent or carer", form.consent, "Choose")
    answers(senco, "What the agreement covers", form.sharing, "Choose")
    answers(senco, "Practicalities", form.practicalities)
    attaches(senco, tmp_path)
    answers(senco, "Declaration", form.declaration, "Tick the box")
    sends(senco, reference, PUPIL, "=1+1 <b>She</b> runs")

    officer = signs_on("officer")
    asks(officer, reference)
    senco.go("/s2s/referrals/").follow(reference).sees("Which mornings suit you?")
    senco.follow("Practicalities").sees("What the council needs here")
    senco.fill("Days and times that suit", "Tuesday mornings").press("Save and continue")
    senco.press("Send the referral").sees("Referral sent")
    officer.go(f"/s2s/triage/{reference}/").sees("Changed since you returned it: Practicalities")
    senco.go("/s2s/referrals/").sees(reference, "With the council: decision by")


def test_training_alone(signs_on: SignsOn) -> None:
    senco = signs_on("senco")
    reference = begins(senco, "Training for staff")
    answers(senco, "School and contact", form.school, "leader")
    answers(senco, "The training", form.training, "Enter")
    answers(senco, "Outcomes you want", form.outcomes, "Enter")
    answers(senco, "Practicalities", form.practicalities)
    without_files(senco)
    answers(senco, "Declaration", form.declaration, "Tick the box")
    sends(senco, reference, "Visual timetables")


def test_a_group_begun_by_a_teacher_and_agreed_by_the_head(heads_sign_on: SignsOn) -> None:
    senco, teacher = heads_sign_on("senco"), heads_sign_on("outsider")
    reference = begins(senco, "A group or class of pupils")
    senco.go(f"/s2s/referrals/{reference}/")
    senco.follow(re.compile("Ask a colleague to fill this in.*Support you want"))
    senco.press("Send the link")
    says_error(senco, "Enter")
    senco.fill("Name of your colleague", "Oz Thackery")
    senco.fill("Their school email address", f"{reference.lower()}@school.example")
    senco.press("Send the link").sees("We have sent Oz Thackery an email")
    teacher.page.goto(link_in_mail(senco, reference))
    teacher.press("Open the section").press("Save and hand back")
    says_error(teacher, "Choose")
    form.support(teacher)
    teacher.press("Save and hand back").sees("You have handed this back")

    senco.go(f"/s2s/referrals/{reference}/").follow(re.compile("Check what Oz Thackery wrote"))
    senco.press("Save and continue").go(f"/s2s/referrals/{reference}/school")
    answers(senco, "School and contact", form.school, "leader")
    answers(senco, "The group", form.group, "Enter")
    answers(senco, "Needs", form.needs, "primary need")
    answers(senco, "Why this needs outside help", form.criteria, "Choose")
    answers(senco, "What you have tried", form.tried, "Enter")
    answers(senco, "Outcomes you want", form.outcomes, "Enter")
    answers(senco, "How parents and carers were told", form.told, "Enter")
    answers(senco, "Practicalities", form.practicalities)
    without_files(senco)
    answers(senco, "Declaration", form.declaration, "Tick the box")
    senco.follow("Ask the head to agree").press("Ask the head")
    says_error(senco, "Enter the email address")
    senco.fill("Email address of the head", "head@portal.example")
    senco.press("Ask the head").sees("asked the head")

    head = heads_sign_on("head")
    head.go("/s2s/referrals/").follow(re.compile(f"Read {reference} and say whether you agree"))
    head.sees(form.group_name(head), "£100: mainstream school, received")
    head.press("Save your answer")
    says_error(head)
    head.choose(re.compile("^Yes|^I agree")).press("Save your answer")
    senco.go(f"/s2s/referrals/{reference}/check").sees("agreed to this referral and its fee")
    sends(senco, reference, form.group_name(senco))


def attaches(senco: Person, folder: Path) -> None:
    """A plan goes with the referral, where a scanner runs; not without saying what it is."""
    if not senco.page.get_by_role("heading", name="Files").count():
        return
    (folder / "plan.pdf").write_bytes(made.pdf())
    senco.press("Add the file")
    says_error(senco, "Choose a file")
    senco.attach("Choose the file", folder / "plan.pdf").fill(CALLED, "Plan").choose(
        "Individual support plan"
    )
    senco.press("Add the file").sees("The file has been added")
    wait_for(senco, "Plan")
    senco.press("Continue")


def without_files(senco: Person) -> None:
    """No file goes with it; where no scanner runs, none is asked for."""
    if senco.page.get_by_role("heading", name="Files").count():
        senco.press("Continue without a file")


def sends(senco: Person, reference: str, *words: str) -> None:
    """The answers are checked, the fee is seen, and the referral is sent; refreshing is safe."""
    senco.sees("Check your answers", "£100: mainstream school, received", *words)
    senco.press("Send the referral").sees("Referral sent", reference)
    senco.page.reload()
    senco.sees("Referral sent", reference)


def asks(officer: Person, reference: str) -> None:
    """The officer finds it and asks about one section."""
    officer.go(f"/s2s/triage/?q={reference}").follow(reference)
    officer.press("Ask for more information").press("Send it back to the school")
    says_error(officer)
    officer.choose("Practicalities")
    officer.fill("What do you need in “Practicalities”?", "Which mornings suit you?")
    officer.press("Send it back to the school").sees("The referral is back with the school")
