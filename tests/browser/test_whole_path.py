"""One referral goes all the way, in a real browser: from a school's first page to its closing.

Walked by each person in turn, with JavaScript and without. Every page passed is checked by axe at
1280 and at 320 pixels (`Person.look`).
"""

from __future__ import annotations

import csv
import io
import os
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from s2s_portal import clock
from s2s_portal.services.year_groups import school_year
from tests.browser.person import Person, Portal
from tests.shared import GIAS

# One portal serves them all, so one process runs them all.
pytestmark = pytest.mark.xdist_group("browser")

REAL_SCHOOL = 120795  # Caister Junior School, a maintained junior school
REFERENCE = re.compile(r"S2S-\d\d-[0-9A-Z]{4}")
PUPIL = "Żółkiewska-O'Neill"


@pytest.mark.parametrize("javascript", [True, False], ids=["with-js", "without-js"])
def test_one_referral_goes_all_the_way(
    browser: Browser, portal: Portal, javascript: bool, tmp_path: Path
) -> None:
    people: list[Person] = []

    def person(persona: str, urn: int | None = None) -> Person:
        people.append(Person(browser, portal, javascript=javascript).sign_on(persona, urn=urn))
        return people[-1]

    try:
        school = REAL_SCHOOL if GIAS.exists() or os.environ.get("CI") else None
        senco = person("senco", school)
        reference = refers(senco)
        officer = person("officer")
        accepts(officer, reference)
        charged(officer, reference)
        allocates(officer, reference)
        practitioner = person("practitioner")
        visits_and_records(practitioner, reference)
        reads_and_acknowledges(senco, reference, tmp_path)
        adds(practitioner, reference)
        finance = person("finance")
        urn = pulls_and_collects(finance, reference, tmp_path, school)
        assert_balance_is_nil(finance, urn)
        records_outcomes(practitioner, reference)
        closes_and_reopens(officer, reference)
        assert_charged_once(finance, urn, reference)
        has_mail(portal, reference, senco)
    finally:
        for one in people:
            one.close()


def refers(senco: Person) -> str:
    """A SENCo fills in every section, sees the fee and its reason, and sends the referral once."""
    senco.go("/s2s/referrals/start").sees("£100: mainstream school, received", "MI Sheet 44/19")
    senco.press("Start the referral").sees("at risk of harm now")
    senco.press("Continue")
    expect(senco.page).to_have_title(re.compile("^Error: "))
    senco.choose(re.compile("^No$")).press("Continue").sees("Whom do you want help with?")
    senco.choose("Pupils in Year 1 or above").press("Continue")
    found = REFERENCE.search(senco.page.locator("h1").inner_text())
    assert found, senco.page.url
    reference = found.group()
    today = clock.today()
    before = today - timedelta(days=100)

    section(senco, reference, "kind").choose("One named pupil").press("Save and continue")
    senco.fill("Name of the contact", "Sam O'Brien").choose("SENCo")
    senco.fill("Email address of the contact", "senco@portal.example")
    senco.fill("Senior leader who agreed", "Hana Head")
    senco.date("Date they agreed", today.day, today.month, today.year)
    senco.press("Save and continue")

    section(senco, reference, "subject")
    senco.fill("Legal surname", PUPIL).fill("Forenames", "Zosia").fill("Known as", "Zo")
    # Another child in each walk: the second would be a repeat of the first.
    senco.date("Date of birth", 2 if senco.javascript else 3, 9, school_year(today) - 9)
    senco.choose("Female")
    senco.press("Save and continue")

    section(senco, reference, "schooling")
    senco.page.get_by_label("Year group they are taught in").select_option(label="Year 5")
    senco.choose("SEN Support").fill("Unique pupil number", "A801200005001")
    senco.press("Save and continue")
    expect(senco.page).to_have_title(re.compile("^Error: "))
    senco.sees("There is a problem")
    upn = "U926200119001" if senco.javascript else "H926200119002"
    senco.fill("Unique pupil number", upn).press("Save and continue")
    senco.sees("is usually in Year 4 now")
    senco.page.get_by_label("Year group they are taught in").select_option(label="Year 4")
    senco.press("Save and continue")

    section(senco, reference, "needs")
    senco.page.get_by_role("group", name="Primary need").get_by_label(
        "Social, emotional and mental health"
    ).check()
    senco.press("Save and continue")

    section(senco, reference, "criteria").choose("The needs are complex")
    senco.press("Save and continue")

    section(senco, reference, "tried")
    senco.fill("Assess: what you found", "Leaves class twice a week")
    senco.fill("Plan: what you planned", "Now and next board")
    senco.fill("Do: who did it, and how often", "Class teacher, each morning")
    senco.date("When it started", before.day, before.month, before.year)
    senco.date("When it was reviewed", today.day, today.month, today.year)
    senco.fill("Review: what came of it", "Settles faster; still leaves class twice a week")
    senco.press("Save and continue").sees("Enter 2 cycles, or say why there are fewer")
    senco.fill("If there are fewer than 2 cycles", "She joined us in the spring")
    senco.press("Save and continue")

    section(senco, reference, "services")
    senco.page.get_by_label("Service", exact=True).select_option(label="Paediatrician")
    senco.choose("They are involved now").press("Save and continue")

    section(senco, reference, "outcomes")
    senco.fill("Outcome 1", "Stays in class all morning")
    senco.page.get_by_label("Outcome 1 now").select_option(value="3")
    senco.press("Save and continue")

    section(senco, reference, "support").choose("Observation of the pupil or group")
    senco.fill("Why you are making this referral", "=1+1 <b>She</b> runs; 'we' are stuck 🙂")
    senco.press("Save and continue")

    section(senco, reference, "consent")
    senco.page.get_by_role("group", name="Has a parent or carer agreed?").get_by_label(
        "Yes"
    ).first.check()
    senco.fill("Who agreed", "A Parent").fill("Their relationship to the pupil", "mother")
    senco.page.get_by_role("group", name="Do they have parental responsibility?").get_by_label(
        "Yes"
    ).check()
    senco.choose("In writing, signed").fill("Who obtained the agreement", "Sam O'Brien")
    senco.date("Date they agreed", today.day, today.month, today.year).press("Save and continue")

    section(senco, reference, "sharing").choose("A practitioner may work with the pupil")
    senco.fill("Where the evidence", "In the SEN file").choose("They have been given the privacy")
    senco.press("Save and continue")

    section(senco, reference, "practicalities")
    senco.fill("Days and times that suit", "Tuesdays").press("Save and continue")

    section(senco, reference, "declaration").fill("Your name", "Sam O'Brien")
    senco.choose("I make this declaration").press("Save and continue")

    senco.go(f"/s2s/referrals/{reference}/check")
    senco.sees("£100: mainstream school, received", PUPIL, "=1+1 <b>She</b> runs")
    send = senco.page.get_by_role("button", name="Send the referral")
    if senco.javascript:
        send.dblclick()
    else:
        send.click()
    senco.page.wait_for_url("**/submitted")
    senco.look()
    senco.sees("Referral sent", reference)
    senco.page.reload()
    senco.sees("Referral sent", reference)
    senco.page.go_back()
    senco.go(f"/s2s/referrals/{reference}/").sees("With the council")
    return reference


def section(person: Person, reference: str, key: str) -> Person:
    """Go to a section of the draft."""
    return person.go(f"/s2s/referrals/{reference}/{key}")


def accepts(officer: Person, reference: str) -> None:
    """The officer finds it on the worklist, opens it and accepts it."""
    officer.go(f"/s2s/triage/?q={reference}").follow(reference)
    officer.sees(PUPIL, "£100: mainstream school").press("Accept")
    officer.sees("£100").choose("A visit, and follow-up each term")
    for box in officer.page.locator("input[name=checks]").all():
        box.check()
    officer.press("Continue").sees("What the school will read", "charged to")
    officer.press("Accept the referral").sees("accepted", "A visit, and follow-up each term")


def charged(officer: Person, reference: str) -> None:
    """The fee is in the ledger, and accepting again is refused in words."""
    officer.go(f"/s2s/triage/{reference}/").sees("ledger entry")
    officer.page.goto(f"{officer.portal.url}/s2s/triage/{reference}/accept")
    expect(officer.page.locator("body")).to_contain_text(re.compile("accepted", re.IGNORECASE))


def allocates(officer: Person, reference: str) -> None:
    """The officer chooses the persona practitioner out of the table, and says why."""
    officer.go(f"/s2s/allocation/{reference}/").sees("open cases", "miles")
    name = officer.page.locator("label", has_text=practitioner_name(officer)).first
    name.click()
    officer.fill("Why this practitioner", "Covers the need and is nearest")
    officer.press("Allocate the referral").sees("allocated")


def practitioner_name(officer: Person) -> str:
    """What the persona practitioner is called."""
    from s2s_portal.reference_portal.personas import PERSONAS

    return PERSONAS["practitioner"].name


def visits_and_records(practitioner: Person, reference: str) -> None:
    """The practitioner sees it as new, books a visit that is over, drafts and issues the record."""
    practitioner.go("/s2s/visits/").sees("New to you", reference)
    practitioner.go(f"/s2s/visits/{reference}/book").choose("Observation")
    today = clock.today()
    practitioner.date("Date of the visit", today.day, today.month, today.year)
    at = free_minute(practitioner)
    practitioner.fill("Start time", f"00:{at:02d}").fill("End time", f"00:{at + 1:02d}")
    practitioner.press("Book the visit")
    practitioner.go(f"/s2s/visits/{reference}/1/record")
    practitioner.fill("Who did you meet?", "Class teacher and SENCo").choose("Yes")
    practitioner.fill("What did you observe?", "Calm at first; left when the room grew loud.")
    practitioner.fill("What did you discuss?", "A quiet start to the day.")
    practitioner.press("Save draft").sees("saved")
    practitioner.go(f"/s2s/visits/{reference}/1/record")
    practitioner.fill("What should be done", "Start the day in the library")
    practitioner.fill("Who does it", "Teaching assistant")
    soon = today + timedelta(days=28)
    practitioner.date("By when", soon.day, soon.month, soon.year)
    practitioner.press("Check and issue").sees("Calm at first", "cannot be changed")
    practitioner.press("Issue the record").sees("Start the day in the library")


def free_minute(practitioner: Person) -> int:
    """A minute after midnight that is over, and that no other walk of this test uses."""
    if clock.local(clock.now()).hour == 0:
        time.sleep(max(0, 62 * 5 - clock.local(clock.now()).minute * 60))
    return 0 if practitioner.javascript else 2


def reads_and_acknowledges(senco: Person, reference: str, folder: Path) -> None:
    """The school reads the record, downloads it as PDF, and says that it has."""
    senco.go(f"/s2s/visits/{reference}/1/").sees("Start the day in the library")
    with senco.page.expect_download() as download:
        senco.page.get_by_role("link", name=re.compile("Download")).click()
    path = folder / "record.pdf"
    download.value.save_as(path)
    assert path.read_bytes().startswith(b"%PDF-")
    assert reference in download.value.suggested_filename
    senco.press("I have read this record").sees("read")


def adds(practitioner: Person, reference: str) -> None:
    """An issued record is only ever added to."""
    practitioner.go(f"/s2s/visits/{reference}/1/").follow("Write an addendum")
    practitioner.fill("What do you want to add?", "The library opens at 8:40am.")
    practitioner.press(re.compile("addendum", re.IGNORECASE)).sees("The library opens at 8:40am.")


def pulls_and_collects(finance: Person, reference: str, folder: Path, school: int | None) -> int:
    """Finance pulls what is due, checks the CSV and XLSX, and marks it collected."""
    finance.go("/s2s/finance/").sees(reference)
    nothing_about_a_child(finance)
    finance.go("/s2s/finance/pulls").press("Make a pull").sees("£")
    nothing_about_a_child(finance)
    rows = list(csv.DictReader(io.StringIO(download(finance, "csv", folder).decode("utf-8-sig"))))
    mine = [row for row in rows if reference in row.values()]
    assert len(mine) == 1, rows
    assert "100.00" in mine[0].values()
    assert PUPIL not in str(rows)
    assert download(finance, "xlsx", folder).startswith(b"PK")
    finance.press("Mark as collected").fill("Finance’s reference", "JNL-0042")
    today = clock.today()
    finance.date("Day of collection", today.day, today.month, today.year)
    finance.press("Mark as collected").sees("JNL-0042")
    urns = [int(value) for value in mine[0].values() if value.isdigit() and len(value) == 6]
    return school or urns[0]


def download(finance: Person, kind: str, folder: Path) -> bytes:
    """Download the ledger file of a kind from the page of a pull."""
    with finance.page.expect_download() as found:
        finance.page.locator(f"a[href$='.{kind}']").first.click()
    path = folder / f"pull.{kind}"
    found.value.save_as(path)
    return path.read_bytes()


def nothing_about_a_child(finance: Person) -> None:
    """No page of Finance names a pupil or a need."""
    words = finance.page.locator("body").inner_text()
    for canary in (PUPIL, "Zosia", "Social, emotional", "SEMH"):
        assert canary not in words


def assert_balance_is_nil(finance: Person, urn: int) -> None:
    """What the school owes is nothing now."""
    finance.go(f"/s2s/finance/schools/{urn}").sees("£0")


def records_outcomes(practitioner: Person, reference: str) -> None:
    """The practitioner says how far each outcome was reached."""
    practitioner.go(f"/s2s/visits/{reference}/outcomes")
    practitioner.page.locator("input[name=achieved_1][value=partly]").check()
    practitioner.fill("Comment on outcome 1", "Four mornings in five")
    practitioner.press("Record the outcomes")


def closes_and_reopens(officer: Person, reference: str) -> None:
    """The officer closes the referral, and opens it again with a reason."""
    officer.go(f"/s2s/triage/{reference}/").press("Close this referral")
    officer.page.locator("input[type=radio][value=PARTLY_MET]").check()
    officer.page.locator("textarea").first.fill("Thank you. We close this referral now.")
    officer.press(re.compile("Close")).sees("closed")
    officer.go(f"/s2s/triage/{reference}/").press("Reopen this referral")
    officer.page.locator("textarea").first.fill("The school asked for one more visit.")
    officer.press(re.compile("Reopen")).sees("reopened")


def assert_charged_once(finance: Person, urn: int, reference: str) -> None:
    """A reopened referral is not charged again."""
    finance.go(f"/s2s/finance/schools/{urn}").sees("£0")
    charges = finance.page.locator("tr", has_text=reference).filter(
        has_text=re.compile("charge", re.IGNORECASE)
    )
    assert charges.count() == 1


def has_mail(portal: Portal, reference: str, senco: Person) -> None:
    """The mails have arrived over SMTP, with the reference and nothing about a child."""
    until = time.monotonic() + 20
    words = ""
    while time.monotonic() < until:
        senco.page.goto(f"{portal.url}/mailbox")
        words = senco.page.locator("body").inner_text()
        if f"Referral {reference} has been closed" in words:
            break
        time.sleep(0.5)
    senco.look()
    for subject in (
        "has been received",
        "has been accepted",
        "has a practitioner",
        "has been allocated to you",
        "a visit record is ready to read",
        "has been closed",
        "has been reopened",
    ):
        assert reference in words
        assert subject in words
    assert PUPIL not in words
    assert "Zosia" not in words
