"""One referral all the way, from a school's first page to its reopening, in whatever host.

Written once: a host gives `signed_on`, which opens a browser and signs somebody on by the host's
own form. Everything else is read off the pages.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.answers import SECTIONS
from tests.hosts.visitor import Visitor
from tests.world import SCHOOL

SignedOn = Callable[[str], Visitor]

PUPIL = "Canary-Ólafsdóttir"
REFERENCE = re.compile(r"S2S-\d\d-[0-9A-Z]{4}")
# What the worker has sent when the path has been walked.
SUBJECTS = (
    "has been received",
    "has been accepted",
    "has a practitioner",
    "has been allocated to you",
    "a visit record is ready to read",
    "has been closed",
    "has been reopened",
)


@dataclass
class Walked:
    """What a walk leaves to look at: the referral's reference and the PDF of its record."""

    reference: str
    document: bytes


def walk(signed_on: SignedOn) -> Walked:
    """Walk the whole path. It is 14 May 2019 for the pages; real commits, real tokens."""
    senco, officer = signed_on("senco"), signed_on("officer")
    practitioner, finance = signed_on("practitioner"), signed_on("finance")
    reference = refers(senco)
    accepts(officer, reference)
    allocates(officer, reference)
    visits_and_records(practitioner, reference)
    document = reads_and_acknowledges(senco, reference)
    records_outcomes(practitioner, reference)
    pulls_and_collects(finance, reference)
    closes_and_reopens(officer, reference)
    charged_once(finance, reference)
    return Walked(reference, document)


def refers(senco: Visitor) -> str:
    """The SENCo fills in every section, sees the fee and its reason, and sends it."""
    senco.front().follow("Start a referral")
    senco.sees("£100: mainstream school, received 14 May 2019, MI Sheet 44/19")
    senco.begin()
    found = REFERENCE.search(senco.page.h1)
    assert found, senco.page.h1
    reference = found.group()
    senco.front(f"/referrals/{reference}/kind").press("Save and continue", kind="pupil")
    for section, answers in SECTIONS.items():
        senco.front(f"/referrals/{reference}/{section}")
        typed = {name.replace("-", "__"): value for name, value in answers.items()}
        if section == "schooling":
            typed.pop("upn")
            senco.press("Save and continue", status=422, upn="A801200005001", **typed)
            assert senco.page.value("upn") == "A801200005001"
            typed["upn"] = "H801200001001"
        senco.press("Save and continue", **typed)
    senco.sees("Check your answers", PUPIL, "£100").press("Send the referral")
    senco.sees("Referral sent", reference)
    return reference


def accepts(officer: Visitor, reference: str) -> None:
    """The officer finds it on the worklist and accepts it; the fee is in the ledger."""
    officer.front("/triage/").follow(reference)
    officer.sees(PUPIL).follow("Accept")
    officer.press("Continue", status=200, choice="2", checks=["evidence", "duplicates"])
    officer.sees("What the school will read", "£100").press("Accept the referral")
    officer.sees("The referral has been accepted", "ledger entry")


def allocates(officer: Visitor, reference: str) -> None:
    """The officer chooses the practitioner out of the table, and says why."""
    officer.front(f"/allocation/{reference}/").sees("Pat Practitioner", "miles")
    (label,) = officer.page.document.xpath("//label[contains(., 'Pat Practitioner')]")
    (choice,) = officer.page.document.xpath(f"//input[@id='{label.get('for')}']/@value")
    officer.press("Allocate the referral", practitioner=choice, reason="Nearest with a place")
    officer.sees("Pat Practitioner")


def visits_and_records(practitioner: Visitor, reference: str) -> None:
    """The practitioner finds it new, adds a visit that is over, drafts its record and issues it."""
    practitioner.front("/visits/").sees("New to you", reference)
    practitioner.front(f"/visits/{reference}/book")
    practitioner.press(
        "Book the visit", kind="OBS", day=["14", "5", "2019"], starts="9:30", ends="10:45am"
    )
    practitioner.sees("Now write its record").press(
        "Check and issue",
        people_met="Class teacher and SENCo",
        pupil_seen="yes",
        observed="Calm with the class teacher.\nLess calm at midday.",
        discussed="<script>alert(1)</script> {{ 7*7 }}",
        recommendations__0__strategy="A quiet start",
        recommendations__0__owner="Teaching assistant",
        recommendations__0__by_when=["14", "6", "2019"],
    )
    practitioner.sees("{{ 7*7 }}").press("Issue the record").sees("A quiet start")


def reads_and_acknowledges(senco: Visitor, reference: str) -> bytes:
    """The school reads the record, downloads it, and says that it has read it; the PDF."""
    senco.front(f"/visits/{reference}/1/").sees("A quiet start", "Less calm at midday.")
    document = senco.download("Download the record of visit 1 (PDF)")
    assert document.startswith(b"%PDF-")
    senco.press("I have read this record").sees("read")
    return document


def records_outcomes(practitioner: Visitor, reference: str) -> None:
    """The practitioner says how far each outcome was reached."""
    practitioner.front(f"/visits/{reference}/outcomes")
    practitioner.press(
        "Record the outcomes",
        achieved_1="partly",
        comment_1="Four mornings in five",
        achieved_2="achieved",
        comment_2="Without a prompt",
    )


def pulls_and_collects(finance: Visitor, reference: str) -> None:
    """Finance pulls what is due, reads its file, and marks it collected; never a child."""
    finance.front("/finance/").sees(reference)
    finance.front("/finance/pulls").press("Make a pull").sees("£100")
    assert PUPIL not in finance.page.words
    (name,) = [link for link in finance.page.all("//main//a") if link.endswith("ledger.csv")]
    text = finance.download(name).decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text))
    assert {reference, "100.00"} <= set(row.values())
    finance.follow("Mark as collected")
    finance.press(
        "Mark as collected", finance_reference="JNL-0042", collected_on=["14", "5", "2019"]
    )
    finance.sees("JNL-0042").front(f"/finance/schools/{SCHOOL}").sees("Owed now £0")


def closes_and_reopens(officer: Visitor, reference: str) -> None:
    """The officer closes it, and opens it again with a reason."""
    officer.front(f"/triage/{reference}/").follow("Close this referral")
    officer.press("Close the referral", closure="PARTLY_MET", message="Thank you. We close it now.")
    officer.sees("closed").follow("Reopen this referral")
    officer.press("Reopen the referral", reason="The school asked for one more visit.")
    officer.sees("open again")


def charged_once(finance: Visitor, reference: str) -> None:
    """A reopened referral is not charged again."""
    finance.front(f"/finance/schools/{SCHOOL}").sees("Owed now £0")
    charges = finance.page.all(f"//tr[contains(., '{reference}')][contains(., 'MI Sheet 44/19')]")
    assert len(charges) == 1, charges
