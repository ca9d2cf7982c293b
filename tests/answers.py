"""What a SENCo types into each section: invented people, as the browser sends it."""

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
        "surname": "Canary-Ólafsdóttir",
        "forenames": "Zosia",
        "known_as": "Zo",
        "date_of_birth": ["2", "9", "2010"],
        "sex": "F",
    },
    "schooling": {"upn": "h801 2000 01001", "year_group": "3", "sen_provision": "K"},
    "needs": {"primary": "SEMH", "secondary": ["ASD", "SLCN"]},
    "criteria": {"criteria": ["COMPLEX", "CYCLES"]},
    "tried": {
        "rows-0-assessed": "Leaves class twice a morning",
        "rows-0-what": "A calm corner",
        "rows-0-delivered": "Class teacher, each morning",
        "rows-0-started_on": ["7", "1", "2019"],
        "rows-0-ended_on": ["29", "3", "2019"],
        "rows-0-result": "Fewer incidents in the morning",
        "rows-1-assessed": "",
        "rows-1-what": "",
        "rows-1-delivered": "",
        "rows-1-started_on": ["", "", ""],
        "rows-1-ended_on": ["", "", ""],
        "rows-1-result": "",
        "fewer_cycles": "She joined us in January",
    },
    "services": {
        "rows-0-code": "SALT",
        "rows-0-name": "Tia Therapist",
        "rows-0-since": ["3", "9", "2018"],
        "rows-0-current": "y",
    },
    "outcomes": {
        "outcome_1": "Joins in at carpet time",
        "baseline_1": "2",
        "outcome_2": "Asks for help",
        "baseline_2": "0",
    },
    "support": {"support": ["ADV", "OBS"], "reason": "=1+1 is <b>hard</b>\nand so is lunch"},
    "consent": {
        "agreed": "yes",
        "given_by": "A Parent",
        "relationship_to_pupil": "Mother",
        "parental_responsibility": "yes",
        "how": "SIGNED",
        "obtained_by": "Sam O'Brien-Łukasz",
        "obtained_on": ["13", "5", "2019"],
    },
    "sharing": {
        "scope": ["INVOLVEMENT", "SHARING"],
        "shared_with": "The speech and language therapist",
        "evidence": "Signed form in the SEN file",
        "notice": "y",
    },
    "practicalities": {"preferred_days": "Tuesdays"},
    "declaration": {"declared_by": "Hana Head", "agree": "y"},
}
GROUP = {
    "group_name": "Year 2 phonics",
    "group_size": "8",
    "group_years": "Year 2",
    "sen_provision": "K",
}
GROUP_TOLD = {
    "how": "LETTER",
    "obtained_by": "Sam O'Brien-Łukasz",
    "obtained_on": ["1", "5", "2019"],
    "group_told": "",
    "notice": "y",
}
WHOLE = {"audience": "All Key Stage 2 staff", "staff_count": "14", "themes": ["SEMH", "TEACH"]}
TRAINING = {
    "topic": "Visual timetables",
    "audience": "Teaching assistants",
    "staff_count": "9",
    "preferred_dates": "Any Tuesday after half term",
}
# What the first form asked, where it differs.
FIRST: dict[str, dict[str, Any]] = {
    "school": SECTIONS["school"],
    "subject": {**SECTIONS["subject"], **SECTIONS["schooling"]},
    "needs": SECTIONS["needs"],
    "tried": {
        "rows-0-what": "A calm corner",
        "rows-0-started_on": ["7", "1", "2019"],
        "rows-0-ended_on": ["", "", ""],
        "rows-0-result": "Fewer incidents in the morning",
    },
    "outcomes": {"outcome_1": "Joins in at carpet time", "outcome_2": "Asks for help"},
    "support": SECTIONS["support"],
    "consent": {k: v for k, v in SECTIONS["consent"].items() if k != "parental_responsibility"},
    "practicalities": SECTIONS["practicalities"],
    "declaration": SECTIONS["declaration"],
}
OWN = {"pupil_agreed": "yes", "pupil_agreed_on": ["13", "5", "2019"]}


def _without(*sections: str, **instead: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {key: instead.get(key, form) for key, form in SECTIONS.items() if key not in sections}


PUPIL_ONLY = ("schooling", "services", "sharing")
KINDS: dict[str, dict[str, dict[str, Any]]] = {
    "first": FIRST,
    "pupil": SECTIONS,
    "group": _without(*PUPIL_ONLY, subject=GROUP, consent=GROUP_TOLD),
    "whole": _without(*PUPIL_ONLY, "needs", "criteria", "tried", "consent", subject=WHOLE),
    "training": _without(
        *PUPIL_ONLY, "needs", "criteria", "tried", "consent", "support", subject=TRAINING
    ),
}


def start(client: Client, kind: str | None = "pupil", **form: Any) -> str:
    """Start a referral of a kind (None: not chosen yet) as whoever is signed on; its reference."""
    urn = client.get("referrals.start").value("urn")
    page = screened(client, client.post("referrals.start", {"urn": urn, **form}))
    reference = page.location.rstrip("/").rpartition("/")[2]
    if kind is not None:
        choose(client, reference, kind)
    return reference


def choose(client: Client, reference: str, kind: str) -> Page:
    """Choose what the referral is for, agreeing to whatever that deletes."""
    drawn = client.get("referrals.kind", reference=reference)
    form = {"kind": kind, "seen": drawn.value("seen"), "csrf_token": client.token}
    page = Page(
        client.open(client.url("referrals.kind", reference=reference), method="POST", data=form)
    )
    if page.status != 200:
        return page
    again = {"kind": kind, "seen": page.value("seen"), "told": page.value("told")}
    return client.post("referrals.kind", again, reference=reference)


def screened(client: Client, page: Page) -> Page:
    """Answer the questions that come before a draft, from the redirect to the first of them."""
    for question, answer in (("safety", "no"), ("about", "older")):
        if f"/start/{question}" in page.location:
            page = client.send(page.location, {"answer": answer})
    return page


def seen(client: Client, reference: str, section: str) -> dict[str, str]:
    """The hidden mark of a section's form as it is drawn now."""
    page = client.get("referrals.section", reference=reference, section=section)
    return {"seen": page.value("seen")}


def save(
    client: Client,
    reference: str,
    section: str,
    answers: dict[str, Any] | None = None,
    *,
    status: int = 302,
    **changes: Any,
) -> Page:
    """Draw a section's form, fill it in with `answers` (or those above) and `changes`, send it."""
    typed = SECTIONS[section] if answers is None else answers
    form = {**typed, **seen(client, reference, section), **changes}
    return client.post(
        "referrals.section", form, reference=reference, section=section, status=status
    )


def complete(client: Client, kind: str = "pupil", **changes: dict[str, Any]) -> str:
    """Start a referral of a kind and complete every section; its reference.

    `first` is a pupil by the first form, for a day on which that was in use.
    """
    reference = start(client, "pupil" if kind == "first" else kind)
    for section, form in KINDS[kind].items():
        save(client, reference, section, form, **changes.get(section, {}))
    return reference


def token(client: Client, reference: str) -> str:
    """The single-use token of the check page as it is drawn now."""
    return client.get("referrals.check", reference=reference).value("token")


def submitted(client: Client, kind: str = "pupil", **changes: dict[str, Any]) -> str:
    """A whole referral, sent; its reference."""
    reference = complete(client, kind, **changes)
    client.post("referrals.submit", {"token": token(client, reference)}, reference=reference)
    return reference
