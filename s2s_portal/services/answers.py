"""What a referral says in each section, as plain values: what fills a form, and what tells whether
a form holds something else than what is saved."""

from __future__ import annotations

from typing import Any

from s2s_portal.models.referral import Agreement, Kind, Referral, Subject

COLUMNS = {
    "school": (
        "contact_name",
        "contact_role",
        "contact_email",
        "contact_phone",
        "leader_name",
        "leader_agreed_on",
    ),
    "support": ("support", "reason"),
    "practicalities": ("preferred_days", "visit_notes", "safety_notes", "purchase_order"),
}

PUPIL = (
    "surname",
    "forenames",
    "known_as",
    "date_of_birth",
    "sex",
    "upn",
    "year_group",
    "out_of_year",
    "sen_provision",
)
GROUP = ("group_name", "group_size", "group_years", "sen_provision")
PUPIL_AGREEMENT = (
    "agreed",
    "given_by",
    "relationship_to_pupil",
    "how",
    "obtained_by",
    "obtained_on",
)


def of(referral: Referral, section: str) -> dict[str, Any]:
    """The answers of one section, by the names that its form and its `save_` function use.

    `referral` must be loaded whole. A section not yet answered gives what is known all the same.
    """
    if section in COLUMNS:
        return {name: getattr(referral, name) for name in COLUMNS[section]}
    return {
        "subject": _subject,
        "needs": _needs,
        "tried": _tried,
        "outcomes": _outcomes,
        "consent": _consent,
        "declaration": _declaration,
    }[section](referral)


def _picked(row: Subject | Agreement | None, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names} if row else {}


def _subject(referral: Referral) -> dict[str, Any]:
    if referral.kind is None:
        return {}
    names = PUPIL if referral.kind is Kind.PUPIL else GROUP
    return {"kind": referral.kind, **_picked(referral.subject, names)}


def _needs(referral: Referral) -> dict[str, Any]:
    codes = [need.code for need in referral.needs]
    return {"primary": codes[0] if codes else None, "secondary": codes[1:]}


def _tried(referral: Referral) -> dict[str, Any]:
    return {
        "rows": [
            {name: getattr(row, name) for name in ("what", "started_on", "ended_on", "result")}
            for row in referral.strategies
        ]
    }


def _outcomes(referral: Referral) -> dict[str, Any]:
    return {"outcomes": [outcome.text for outcome in referral.outcomes]}


def _consent(referral: Referral) -> dict[str, Any]:
    if referral.kind is Kind.GROUP:
        return _picked(referral.agreement, ("group_told",))
    return _picked(referral.agreement, PUPIL_AGREEMENT)


def _declaration(referral: Referral) -> dict[str, Any]:
    return {"declared_by": referral.declared_by}
