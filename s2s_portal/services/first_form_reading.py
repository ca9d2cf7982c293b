"""The first form's own questions and labels, as long as there are referrals that were asked them.

What a section here does not differ in is read by `reading`. Never change what this says.
"""

from __future__ import annotations

from collections.abc import Callable

from s2s_portal.models.codes import Kind
from s2s_portal.models.referral import Referral
from s2s_portal.services import labels
from s2s_portal.services.labels import date_words

Lines = list[tuple[str, str]]


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


def _tried(referral: Referral) -> Lines:
    return [
        (
            f"Tried {row.position}",
            f"{row.what}\n{date_words(row.started_on)} to "
            f"{date_words(row.ended_on) or 'now'}\nResult: {row.result}",
        )
        for row in referral.strategies
    ]


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


READERS: dict[str, Callable[[Referral], Lines]] = {
    "subject": _subject,
    "tried": _tried,
    "consent": _consent,
}
