"""What a SENCo types into each section: an invented pupil, as the browser sends it."""

from __future__ import annotations

from typing import Any

from tests.client import Client, Page

SECTIONS: dict[str, dict[str, Any]] = {
    "school": {
        "contact_name": "Sam O'Brien-Łukasz",
        "contact_role": "SENCO",
        "contact_email": "senco@school.example",
        "contact_phone": "01603 000000",
        "leader_name": "Hana Head",
        "leader_agreed_on": ["10", "5", "2019"],
    },
    "subject": {
        "kind": "pupil",
        "surname": "Canary-Ólafsdóttir",
        "forenames": "Zosia",
        "known_as": "Zo",
        "date_of_birth": ["2", "9", "2010"],
        "sex": "F",
        "upn": "h801 2000 01001",
        "year_group": "3",
        "sen_provision": "K",
    },
    "needs": {"primary": "SEMH", "secondary": ["ASD", "SLCN"]},
    "tried": {
        "rows-0-what": "A calm corner",
        "rows-0-started_on": ["7", "1", "2019"],
        "rows-0-ended_on": ["29", "3", "2019"],
        "rows-0-result": "Fewer incidents in the morning",
        "rows-1-what": "",
        "rows-1-started_on": ["", "", ""],
        "rows-1-ended_on": ["", "", ""],
        "rows-1-result": "",
    },
    "outcomes": {"outcome_1": "Joins in at carpet time", "outcome_2": "Asks for help"},
    "support": {"support": ["ADV", "OBS"], "reason": "=1+1 is <b>hard</b>\nand so is lunch"},
    "consent": {
        "agreed": "yes",
        "given_by": "A Parent",
        "relationship_to_pupil": "Mother",
        "how": "SIGNED",
        "obtained_by": "Sam O'Brien-Łukasz",
        "obtained_on": ["13", "5", "2019"],
    },
    "practicalities": {"preferred_days": "Tuesdays"},
    "declaration": {"declared_by": "Hana Head", "agree": "y"},
}
GROUP = {
    "kind": "group",
    "group_name": "Year 2 phonics",
    "group_size": "8",
    "group_years": "Year 2",
    "sen_provision": "K",
}
GROUP_TOLD = {"group_told": "A letter home on 1 May"}


def start(client: Client, **form: Any) -> str:
    """Start a referral as whoever is signed on, past the questions; its reference."""
    urn = client.get("referrals.start").value("urn")
    page = screened(client, client.post("referrals.start", {"urn": urn, **form}))
    return page.location.rstrip("/").rpartition("/")[2]


def screened(client: Client, page: Page) -> Page:
    """Answer the questions that come before a draft, from the redirect to the first of them."""
    for question, answer in (("safety", "no"), ("about", "older")):
        if f"/start/{question}" in page.location:
            page = client.send(page.location, {"answer": answer})
    return page


def seen(client: Client, reference: str, section: str) -> dict[str, str]:
    """The hidden mark of a section's form as it is drawn now."""
    kind = {"kind": "pupil"} if section == "subject" else {}
    page = client.get("referrals.section", reference=reference, section=section, **kind)
    return {"seen": page.value("seen")}


def save(
    client: Client, reference: str, section: str, *, status: int = 302, **changes: Any
) -> Page:
    """Draw a section's form, fill it in with the answers above and `changes`, and send it."""
    form = {**SECTIONS[section], **seen(client, reference, section), **changes}
    return client.post(
        "referrals.section", form, reference=reference, section=section, status=status
    )


def complete(client: Client, **changes: dict[str, Any]) -> str:
    """Start a referral and complete every section; its reference."""
    reference = start(client)
    for section in SECTIONS:
        save(client, reference, section, **changes.get(section, {}))
    return reference


def token(client: Client, reference: str) -> str:
    """The single-use token of the check page as it is drawn now."""
    return client.get("referrals.check", reference=reference).value("token")


def submitted(client: Client, **changes: dict[str, Any]) -> str:
    """A whole referral, sent; its reference."""
    reference = complete(client, **changes)
    client.post("referrals.submit", {"token": token(client, reference)}, reference=reference)
    return reference
