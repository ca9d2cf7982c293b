"""A whole referral to read: its answers as titled parts, each with labelled lines.

Used wherever a referral is shown: check answers, the school's page, triage, the practitioner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from s2s_portal.models.referral import Kind, Referral, Support
from s2s_portal.services import labels
from s2s_portal.services.labels import date_words
from s2s_portal.services.sections import SECTIONS

Lines = list[tuple[str, str]]


@dataclass(frozen=True)
class Part:
    """One section as read: `lines` are (label, what was answered); text keeps its line breaks."""

    key: str
    title: str
    lines: Lines


def parts(referral: Referral, *, with_upn: bool = True) -> list[Part]:
    """Every section of `referral` (loaded whole) that has something in it.

    `with_upn=False` leaves out the UPN for readers who do not need it to do their work.
    """
    found = [Part(part.key, part.title, part_lines(referral, part.key)) for part in SECTIONS]
    if not with_upn:
        found = [
            Part(part.key, part.title, [line for line in part.lines if line[0] != "UPN"])
            for part in found
        ]
    return [part for part in found if part.lines]


def part_lines(referral: Referral, section: str) -> Lines:
    """The lines of one section that are not empty."""
    return [(label, text) for label, text in READERS[section](referral) if text]


def _school(referral: Referral) -> Lines:
    return [
        ("School", referral.school_name or referral.establishment.name),
        ("Contact", referral.contact_name),
        ("Role", labels.CONTACT_ROLES.get(referral.contact_role, "")),
        ("Email", referral.contact_email),
        ("Telephone", referral.contact_phone),
        ("Senior leader who agreed", referral.leader_name),
        ("Agreed on", date_words(referral.leader_agreed_on)),
    ]


def _subject(referral: Referral) -> Lines:
    subject = referral.subject
    if subject is None:
        return []
    provision = ("SEN provision", labels.PROVISIONS.get(subject.sen_provision, ""))
    if referral.kind is Kind.GROUP:
        return [
            ("Who it is about", "A group of pupils"),
            ("Group", subject.group_name),
            ("Number of pupils", str(subject.group_size or "")),
            ("Year groups", subject.group_years),
            provision,
        ]
    return [
        ("Who it is about", "One pupil"),
        ("Legal surname", subject.surname),
        ("Forenames", subject.forenames),
        ("Known as", subject.known_as),
        ("Date of birth", date_words(subject.date_of_birth)),
        ("Sex", labels.SEXES.get(subject.sex, "")),
        ("UPN", subject.upn),
        ("Year group", labels.YEAR_GROUPS.get(subject.year_group, "")),
        ("Taught out of their year group", "Yes" if subject.out_of_year else ""),
        provision,
    ]


def _needs(referral: Referral) -> Lines:
    if not referral.needs:
        return []
    written = [f"{need.type.label} ({need.code})" for need in referral.needs]
    return [("Primary need", written[0]), ("Other needs", "\n".join(written[1:]))]


def _tried(referral: Referral) -> Lines:
    return [
        (
            f"Tried {row.position}",
            f"{row.what}\n{date_words(row.started_on)} to "
            f"{date_words(row.ended_on) or 'now'}\nResult: {row.result}",
        )
        for row in referral.strategies
    ]


def _outcomes(referral: Referral) -> Lines:
    return [(f"Outcome {row.position}", row.text) for row in referral.outcomes]


def _support(referral: Referral) -> Lines:
    asked = [labels.SUPPORT[kind] for kind in Support if kind.value in referral.support]
    return [("Support asked for", "\n".join(asked)), ("Reason for the referral", referral.reason)]


def _consent(referral: Referral) -> Lines:
    agreement = referral.agreement
    if agreement is None:
        return []
    if referral.kind is Kind.GROUP:
        return [("How parents and carers were told", agreement.group_told)]
    if not agreement.agreed:
        return [("Agreement", "Not agreed yet")]
    return [
        ("Agreement", "A parent or carer has agreed"),
        ("Given by", agreement.given_by),
        ("Relationship to the pupil", agreement.relationship_to_pupil),
        ("How it was given", labels.HOW_AGREED.get(agreement.how, "")),
        ("Obtained by", agreement.obtained_by),
        ("Date", date_words(agreement.obtained_on)),
        ("Privacy notice given", agreement.privacy_notice),
    ]


def _practicalities(referral: Referral) -> Lines:
    return [
        ("Days that suit", referral.preferred_days),
        ("Arriving at the school", referral.visit_notes),
        ("Safety", referral.safety_notes),
        ("Purchase order number", referral.purchase_order),
    ]


def _declaration(referral: Referral) -> Lines:
    return [("Declared by", referral.declared_by), ("Declaration", referral.declaration)]


READERS: dict[str, Callable[[Referral], Lines]] = {
    "school": _school,
    "subject": _subject,
    "needs": _needs,
    "tried": _tried,
    "outcomes": _outcomes,
    "support": _support,
    "consent": _consent,
    "practicalities": _practicalities,
    "declaration": _declaration,
}
