"""Evidence of agreement in an attached file: chosen, read, and gone or refused afterwards."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from s2s_portal.database import session as our_session
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import acting_as
from s2s_portal.models.attachment import FileState
from s2s_portal.services import consent, drafting
from tests import answers
from tests.client import Page
from tests.files import made
from tests.files.clamd import MARK, needs_clamd
from tests.files.conftest import Desk
from tests.world import ACTORS

pytestmark = [needs_clamd, pytest.mark.usefixtures("may_2019")]
MARKED = made.docx(body=f"<w:t>{MARK.decode()}</w:t>")
AGREED = {"label": "Signed agreement", "type": "CONS"}
IN_A_FILE = {"evidence": "", "evidence_file": "1"}


@pytest.fixture
def draft(desk: Desk) -> str:
    """A draft, complete, with a file of the right type and one of another."""
    reference = answers.complete(desk.client.sign_on("senco"))
    desk.attach(reference, **AGREED)
    desk.attach(reference)
    return reference


def choose(desk: Desk, reference: str, *, status: int = 302, **changes_: str) -> Page:
    return answers.save(
        desk.client, reference, "sharing", status=status, **{**IN_A_FILE, **changes_}
    )


def check(desk: Desk, reference: str) -> Page:
    return desk.client.get("referrals.check", reference=reference)


def test_a_file_is_chosen_and_linked(desk: Desk, draft: str) -> None:
    page = desk.client.get("referrals.section", reference=draft, section="sharing")
    options = page.all("//select[@name='evidence_file']/option")
    assert options == ["None: it is kept elsewhere", "Signed agreement"]
    choose(desk, draft)
    assert "Being checked for viruses" in check(desk, draft).words
    desk.scan(0)
    link = "//*[@id='part-sharing']//a[contains(@href, '/files/1')]"
    page = check(desk, draft)
    assert page.all(link) == ["Signed agreement"]
    assert "Still to be completed" not in page.words
    desk.client.post("referrals.submit", {"token": page.value("token")}, reference=draft)
    assert desk.client.get("referrals.show", reference=draft).all(link) == ["Signed agreement"]
    officer = desk.client.sign_on("officer").get("triage.show", reference=draft)
    assert officer.all(link) == ["Signed agreement"]
    assert desk.have(draft).get_data() == made.pdf()


def test_words_or_a_file_but_not_neither(desk: Desk, draft: str) -> None:
    page = choose(desk, draft, status=422, evidence_file="")
    assert "Enter where the evidence of their agreement is kept" in page.errors
    choose(desk, draft, evidence_file="", evidence="In the safe")
    choose(desk, draft, evidence="And the paper in the safe")
    assert "And the paper in the safe" in check(desk, draft).words


@pytest.mark.parametrize("number", ["2", "3", "0", "-1", "x", "99999"])
def test_only_a_file_that_is_agreement_and_of_this_referral(
    desk: Desk, draft: str, number: str
) -> None:
    page = choose(desk, draft, status=422, evidence_file=number)
    assert "Choose the file from the list" in page.errors


def test_the_service_and_the_database_insist(desk: Desk, draft: str) -> None:
    given = {"scope": ["INVOLVEMENT"], "evidence": "", "notice": True, "by": ACTORS["senco"]}
    for number in (2, 9):
        with acting_as(ACTORS["senco"]), pytest.raises(Refused), unit_of_work() as work:
            held = drafting.in_hand(draft, by=ACTORS["senco"])
            consent.save_sharing(work, held, evidence_file=number, **given)  # type: ignore[arg-type]
    with acting_as(ACTORS["senco"]), pytest.raises(DBAPIError, match="fk_agreement_evidence"):
        our_session().execute(text("UPDATE s2s.agreement SET evidence_file = 9"))
    our_session().rollback()


def test_without_such_a_file_the_page_says_how(desk: Desk) -> None:
    reference = answers.complete(desk.client.sign_on("senco"))
    page = desk.client.get("referrals.section", reference=reference, section="sharing")
    assert page.all("//select[@name='evidence_file']") == []
    assert "first add it on the page Files as “Agreement of a parent or carer”" in page.words
    refused = answers.save(desk.client, reference, "sharing", status=422, evidence="")
    assert "Enter where the evidence of their agreement is kept" in refused.errors


def test_when_the_file_is_removed_the_section_wants_something(desk: Desk, draft: str) -> None:
    choose(desk, draft)
    page = desk.client.post("files.remove", {"number": "1"}, reference=draft)
    gone = "The file that is the evidence of agreement has been removed."
    assert gone in desk.client.follow(page).words
    assert gone in desk.client.get("referrals.show", reference=draft).words
    assert gone in desk.client.get("referrals.section", reference=draft, section="sharing").words
    page = check(desk, draft)
    assert gone in page.words
    assert "File 1, which has been removed" in page.words
    assert "Send the referral" not in page.all("//button")
    form = {"token": "x" * 20}
    desk.client.post("referrals.submit", form, reference=draft, status=422)
    answers.save(desk.client, draft, "sharing")
    assert "Send the referral" in check(desk, draft).all("//button")


def test_when_the_scanner_refuses_it_too(desk: Desk) -> None:
    reference = answers.complete(desk.client.sign_on("senco"))
    desk.attach(reference, MARKED, name="agreed.docx", **AGREED)
    choose(desk, reference)
    desk.scan()
    assert desk.row().state is FileState.REFUSED
    page = check(desk, reference)
    assert "was refused, as it may contain a virus. Say where the evidence is now." in page.words
    assert "Check again" in desk.client.get("referrals.show", reference=reference).words
    page = choose(desk, reference, status=422)
    assert "Enter where the evidence of their agreement is kept" in page.errors


def returned(desk: Desk, reference: str, *sections: str) -> None:
    token = answers.token(desk.client, reference)
    desk.client.post("referrals.submit", {"token": token}, reference=reference)
    page = desk.client.sign_on("officer").get("triage.return_for_information", reference=reference)
    form = {f"question_{section}": "Why?" for section in sections}
    form |= {"seen": page.value("seen"), "sections": list(sections)}  # type: ignore[dict-item]
    desk.client.post("triage.return_for_information", form, reference=reference)
    desk.client.sign_on("senco")


def test_evidence_that_was_sent_stays_unless_it_is_asked_about(desk: Desk, draft: str) -> None:
    choose(desk, draft)
    returned(desk, draft, "files")
    page = desk.client.get("files.index", reference=draft)
    assert page.all("//button[@name='number']") == ["Remove The plan"]
    page = desk.client.post("files.remove", {"number": "1"}, reference=draft, status=422)
    assert "This file is the evidence of the agreement" in page.words
    desk.client.post("files.remove", {"number": "2"}, reference=draft)
    assert [row.state for row in desk.rows()] == [FileState.WAITING, FileState.REMOVED]


def test_evidence_that_is_asked_about_can_be_another_file(desk: Desk, draft: str) -> None:
    choose(desk, draft)
    returned(desk, draft, "files", "sharing")
    desk.attach(
        draft, made.pdf(lambda pdf: pdf.add_blank_page()), label="Signed by both", type="CONS"
    )
    choose(desk, draft, evidence_file="3")
    desk.client.post("files.remove", {"number": "1"}, reference=draft)
    token = answers.token(desk.client, draft)
    desk.client.post("referrals.submit", {"token": token}, reference=draft)
    page = desk.client.sign_on("officer").get("triage.show", reference=draft)
    assert "File 1: Signed agreement" in page.words
    assert "File 3: Signed by both" in page.words
