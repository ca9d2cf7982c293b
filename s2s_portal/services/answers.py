"""What a referral says in each section, as plain values: what fills a form, and what tells whether
a form holds something else than what is saved."""

from __future__ import annotations

from datetime import date
from typing import Any

from s2s_portal.models.answer import Agreement, Need, OutcomeWanted, StrategyTried, Subject
from s2s_portal.models.codes import Kind
from s2s_portal.models.referral import Referral

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
    "criteria": ("criteria",),
    "practicalities": ("preferred_days", "visit_notes", "safety_notes", "purchase_order"),
    "declaration": ("declared_by",),
    "repeat": ("repeat_reason",),
}

PUPIL = ("surname", "forenames", "known_as", "date_of_birth", "sex")
SCHOOLING = ("upn", "year_group", "out_of_year", "sen_provision")
FIRST_PUPIL = (*PUPIL, *SCHOOLING)
GROUP = ("group_name", "group_size", "group_years", "sen_provision")
WHOLE = ("audience", "staff_count", "themes")
TRAINING = ("topic", "audience", "staff_count", "preferred_dates")

FIRST_AGREEMENT = (
    "agreed",
    "given_by",
    "relationship_to_pupil",
    "how",
    "obtained_by",
    "obtained_on",
)
PUPIL_AGREEMENT = (
    "agreed",
    "given_by",
    "relationship_to_pupil",
    "parental_responsibility",
    "how",
    "obtained_by",
    "obtained_on",
)
GROUP_AGREEMENT = ("how", "obtained_by", "obtained_on", "group_told")
SHARING = ("scope", "shared_with", "evidence", "evidence_file")
OWN = ("pupil_agreed", "pupil_agreed_on")


def subject_columns(referral: Referral) -> tuple[str, ...]:
    """The columns of `Subject` that the section "subject" of this referral asks."""
    if referral.kind is Kind.PUPIL:
        return FIRST_PUPIL if referral.form_version == 1 else PUPIL
    return {Kind.GROUP: GROUP, Kind.WHOLE: WHOLE, Kind.TRAINING: TRAINING}.get(
        referral.kind or Kind.PUPIL, ()
    )


def consent_columns(referral: Referral) -> tuple[str, ...]:
    """The columns of `Agreement` that the section "consent" of this referral asks."""
    if referral.form_version == 1:
        return ("group_told",) if referral.kind is Kind.GROUP else FIRST_AGREEMENT
    return GROUP_AGREEMENT if referral.kind is Kind.GROUP else PUPIL_AGREEMENT


def of(referral: Referral, section: str) -> dict[str, Any]:
    """The answers of one section, by the names that its form and its `save_` function use.

    `referral` must be loaded whole. A section not yet answered gives what is known all the same.
    """
    if section in COLUMNS:
        return {name: getattr(referral, name) for name in COLUMNS[section]}
    return {
        "kind": lambda referral: {"kind": referral.kind},
        "subject": lambda referral: _picked(referral.subject, subject_columns(referral)),
        "schooling": lambda referral: _picked(referral.subject, SCHOOLING),
        "services": _services,
        "needs": _needs,
        "tried": _first_tried if referral.form_version == 1 else _tried,
        "outcomes": _outcomes,
        "consent": lambda referral: _picked(referral.agreement, consent_columns(referral)),
        "sharing": _sharing,
        "own": lambda referral: _picked(referral.agreement, OWN),
    }[section](referral)


def put(referral: Referral, section: str, values: dict[str, Any]) -> None:
    """Let `referral` say in one section what `of` gave as `values`.

    For a section that is columns of the referral, or rows of needs, cycles or outcomes. What it
    said there before goes.
    """
    if section in COLUMNS:
        for name, value in values.items():
            setattr(referral, name, value)
    elif section == "needs":
        codes = [code for code in (values["primary"], *values["secondary"]) if code]
        referral.needs = [Need(code=code, rank=rank) for rank, code in enumerate(codes, start=1)]
    elif section == "tried":
        referral.strategies = [
            StrategyTried(position=position, **row)
            for position, row in enumerate(values["rows"], start=1)
        ]
        referral.fewer_cycles = values.get("fewer_cycles", "")
    elif section == "outcomes":
        referral.outcomes = [
            OutcomeWanted(position=position, text=text, baseline=baseline)
            for position, (text, baseline) in enumerate(values["outcomes"], start=1)
        ]
    else:
        raise KeyError(section)


def _picked(row: Subject | Agreement | None, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names} if row else {}


def _services(referral: Referral) -> dict[str, Any]:
    kept = referral.subject.services if referral.subject else []
    return {
        "rows": [
            {**row, "since": date.fromisoformat(row["since"]) if row["since"] else None}
            for row in kept
        ]
    }


def _needs(referral: Referral) -> dict[str, Any]:
    codes = [need.code for need in referral.needs]
    return {"primary": codes[0] if codes else None, "secondary": codes[1:]}


def _first_tried(referral: Referral) -> dict[str, Any]:
    return {
        "rows": [
            {name: getattr(row, name) for name in ("what", "started_on", "ended_on", "result")}
            for row in referral.strategies
        ]
    }


def _tried(referral: Referral) -> dict[str, Any]:
    names = ("assessed", "what", "delivered", "started_on", "ended_on", "result")
    rows = [{name: getattr(row, name) for name in names} for row in referral.strategies]
    return {"rows": rows, "fewer_cycles": referral.fewer_cycles}


def _outcomes(referral: Referral) -> dict[str, Any]:
    return {"outcomes": [(outcome.text, outcome.baseline) for outcome in referral.outcomes]}


def _sharing(referral: Referral) -> dict[str, Any]:
    if referral.agreement is None:
        return {}
    notice = bool(referral.agreement.privacy_notice)
    return {**_picked(referral.agreement, SHARING), "notice": notice}
