"""Files in a real browser: attached, refused, scanned by the real worker, and saved."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.person import Person, Portal
from tests.files import made
from tests.files.clamd import MARK, needs_clamd

# One portal serves them all, so one process runs them all.
pytestmark = [needs_clamd, pytest.mark.xdist_group("browser")]
PATIENCE = 20.0  # seconds for the worker to hear of a file and have it scanned
CALLED = "What should it be called?"


def test_a_school_attaches_files_and_has_them_once_scanned(
    browser: Browser, portal: Portal, tmp_path: Path
) -> None:
    for name, content in (
        ("plan.pdf", made.pdf()),
        ("odd.docx", made.docx(body=f"<w:t>{MARK.decode()}</w:t>")),
        ("program.exe", b"MZ"),
    ):
        (tmp_path / name).write_bytes(content)
    senco = Person(browser, portal)
    try:
        senco.sign_on("senco").starts_a_referral("One named pupil").follow("Back to the sections")
        senco.follow("Files").sees("You do not have to")
        attach(senco, tmp_path / "program.exe", "Plan for Łukasz")
        expect(senco.page.get_by_label(CALLED)).to_have_value("Plan for Łukasz")
        expect(senco.page.get_by_label("Risk assessment")).to_be_checked()
        attach(senco, tmp_path / "plan.pdf", "Plan for Łukasz").sees("The file has been added")
        attach(senco, tmp_path / "odd.docx", "An odd one").sees("The file has been added")
        wait_for(senco, "Refused: it may contain a virus")
        with senco.page.expect_download() as saved:
            senco.page.get_by_role("link", name="Plan for Łukasz").click()
        assert saved.value.path().read_bytes() == made.pdf()
        assert saved.value.suggested_filename.endswith("Risk assessment - Plan for Łukasz.pdf")
        senco.press("Remove An odd one").sees("“An odd one” has been removed")
        senco.press("Continue").sees("Declaration")
    finally:
        senco.close()


def attach(person: Person, path: Path, label: str) -> Person:
    """Fill in the form and send it."""
    person.page.set_input_files("input[type=file]", path)
    return person.fill(CALLED, label).choose("Risk assessment").press("Add the file")


def wait_for(person: Person, words: str) -> None:
    """Look again until the page says `words` and nothing waits any more."""
    until = time.monotonic() + PATIENCE
    while True:
        said = person.page.locator("main").inner_text()
        if words in said and "Being checked" not in said:
            return
        assert time.monotonic() < until, said
        time.sleep(0.3)
        person.page.goto(person.page.url)
