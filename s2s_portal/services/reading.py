"""A whole referral to read: its answers as titled parts, each with labelled lines.

Used wherever a referral is shown: check answers, the school's page, triage, the practitioner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from s2s_portal.models.answer import Subject
from s2s_portal.models.attachment import FileState
from s2s_portal.models.codes import Kind, Support
from s2s_portal.models.referral import Referral
from s2s_portal.services import first_form_reading, form_versions, labels
from s2s_portal.services.labels import date_words

Lines = list[tuple[str, str]]
EVIDENCE = "Attached evidence"  # pages put a link to the file in its place


@dataclass(frozen=True)
class Part:
    """One section as read: `lines` are (label, what was answered); text keeps its line breaks."""

    key: str
    title: str
    lines: Lines


def parts(referral: Referral, *, with_upn: bool = True) -> list[Part]:
    """Every section of `referral` (loaded whole) that has something in it, by its own form.

    `with_upn=False` leaves out the UPN for readers who do not need it to do their work.
    """
    form = form_versions.of(referral)
    found = [
        Part(key, form.title(referral.kind, key), part_lines(referral, key))
        for key in form_versions.with_repeat(referral, form.asked[referral.kind or Kind.PUPIL])
    ]
    if not with_upn:
        found = [
            Part(part.key, part.title, [line for line in part.lines if line[0] != "UPN"])
            for part in found
        ]
    return [part for part in found if part.lines]


def part_lines(referral: Referral, section: str) -> Lines:
    """The lines of one section that are not empty."""
    readers = first_form_reading.READERS if referral.form_version == 1 else {}
    reader = readers.get(section) or READERS[section]
    return [(label, text) for label, text in reader(referral) if text]


def _kind(referral: Referral) -> Lines:
    return [("Help for", labels.KINDS[referral.kind] if referral.kind else "")]


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
    if referral.subject is None or referral.kind is None:
        return []
    return SUBJECTS[referral.kind](referral.subject)


def _pupil(subject: Subject) -> Lines:
    return [
        ("Legal surname", subject.surname),
        ("Forenames", subject.forenames),
        ("Known as", subject.known_as),
        ("Date of birth", date_words(subject.date_of_birth)),
        ("Sex", labels.SEXES.get(subject.sex, "")),
    ]


def _group(subject: Subject) -> Lines:
    return [
        ("Group", subject.group_name),
        ("Number of pupils", str(subject.group_size or "")),
        ("Year groups", subject.group_years),
        ("SEN provision", labels.PROVISIONS.get(subject.sen_provision, "")),
    ]


def _whole(subject: Subject) -> Lines:
    themes = [label for code, label in labels.THEMES.items() if code in subject.themes]
    return [
        ("Which staff or phase", subject.audience),
        ("Number of staff", str(subject.staff_count or "")),
        ("Themes", "\n".join(themes)),
    ]


def _training(subject: Subject) -> Lines:
    return [
        ("Topic", subject.topic),
        ("Who it is for", subject.audience),
        ("Number of people", str(subject.staff_count or "")),
        ("Dates that suit", subject.preferred_dates),
    ]


SUBJECTS: dict[Kind, Callable[[Subject], Lines]] = {
    Kind.PUPIL: _pupil,
    Kind.GROUP: _group,
    Kind.WHOLE: _whole,
    Kind.TRAINING: _training,
}


def _schooling(referral: Referral) -> Lines:
    subject = referral.subject
    if subject is None:
        return []
    return [
        ("UPN", subject.upn),
        ("Year group", labels.YEAR_GROUPS.get(subject.year_group, "")),
        ("Taught out of their year group", "Yes" if subject.out_of_year else ""),
        ("SEN provision", labels.PROVISIONS.get(subject.sen_provision, "")),
    ]


def _repeat(referral: Referral) -> Lines:
    if not referral.repeat_reason:
        return []
    return [
        ("Earlier referrals", "\n".join(referral.repeats)),
        ("Why another", referral.repeat_reason),
    ]


def _needs(referral: Referral) -> Lines:
    if not referral.needs:
        return []
    written = [f"{need.type.label} ({need.code})" for need in referral.needs]
    return [("Primary need", written[0]), ("Other needs", "\n".join(written[1:]))]


def _criteria(referral: Referral) -> Lines:
    chosen = [label for code, label in labels.CRITERIA.items() if code in referral.criteria]
    return [("Why outside help is needed", "\n".join(chosen))]


def _tried(referral: Referral) -> Lines:
    cycles = [
        (
            f"Cycle {row.position}",
            f"{date_words(row.started_on)} to {date_words(row.ended_on)}\n"
            f"Assessed: {row.assessed}\nPlanned: {row.what}\nDone: {row.delivered}\n"
            f"Review: {row.result}",
        )
        for row in referral.strategies
    ]
    return [*cycles, ("Why there are fewer than two cycles", referral.fewer_cycles)]


def _services(referral: Referral) -> Lines:
    if referral.subject is None or "services" not in referral.answered:
        return []
    return [
        (
            labels.SERVICES.get(row["code"], ""),
            "\n".join(
                text
                for text in (
                    row["name"],
                    f"Since {date_words(date.fromisoformat(row['since']))}" if row["since"] else "",
                    "Involved now" if row["current"] else "No longer involved",
                )
                if text
            ),
        )
        for row in referral.subject.services
    ] or [("Services", "No other service is involved")]


def _outcomes(referral: Referral) -> Lines:
    return [
        (
            f"Outcome {row.position}",
            row.text if row.baseline is None else f"{row.text}\nNow: {row.baseline} out of 10",
        )
        for row in referral.outcomes
    ]


def _support(referral: Referral) -> Lines:
    asked = [labels.SUPPORT[kind] for kind in Support if kind.value in referral.support]
    return [("Support asked for", "\n".join(asked)), ("Reason for the referral", referral.reason)]


def _consent(referral: Referral) -> Lines:
    agreement = referral.agreement
    if agreement is None:
        return []
    if referral.kind is Kind.GROUP:
        return [
            ("How they were told", labels.HOW_TOLD.get(agreement.how, "")),
            ("Told by", agreement.obtained_by),
            ("Date", date_words(agreement.obtained_on)),
            ("More about it", agreement.group_told),
            ("Privacy notice given", agreement.privacy_notice),
        ]
    if not agreement.agreed:
        return [("Agreement", "Not agreed yet")]
    return [
        ("Agreement", "A parent or carer has agreed"),
        ("Given by", agreement.given_by),
        ("Relationship to the pupil", agreement.relationship_to_pupil),
        ("Has parental responsibility", _yes_or_no(agreement.parental_responsibility)),
        ("How it was given", labels.HOW_AGREED.get(agreement.how, "")),
        ("Obtained by", agreement.obtained_by),
        ("Date", date_words(agreement.obtained_on)),
    ]


def _yes_or_no(said: bool | None) -> str:
    return "" if said is None else "Yes" if said else "No"


def _sharing(referral: Referral) -> Lines:
    agreement = referral.agreement
    if agreement is None or "sharing" not in referral.answered:
        return []
    covers = [label for code, label in labels.SCOPES.items() if code in agreement.scope]
    return [
        ("What was agreed", "\n".join(covers)),
        ("Services to share with", agreement.shared_with),
        ("Where the evidence is kept", agreement.evidence),
        (EVIDENCE, _evidence(referral)),
        ("Privacy notice given", agreement.privacy_notice),
    ]


def _evidence(referral: Referral) -> str:
    """The attached file that is the evidence, and what has become of it."""
    number = referral.agreement.evidence_file if referral.agreement else None
    if number is None:
        return ""
    row = next((row for row in referral.files if row.number == number), None)
    if row is None:
        return f"File {number}, which has been removed"
    refused = row.state is FileState.REFUSED
    return f"File {number}" + (
        ", which was refused: it may contain a virus" if refused else f": {row.label}"
    )


def _own(referral: Referral) -> Lines:
    agreement = referral.agreement
    if agreement is None or agreement.pupil_agreed is None:
        return []
    return [
        ("The pupil agrees", "Yes" if agreement.pupil_agreed else "Not yet"),
        ("Date", date_words(agreement.pupil_agreed_on)),
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
    "kind": _kind,
    "school": _school,
    "subject": _subject,
    "schooling": _schooling,
    form_versions.REPEAT: _repeat,
    "needs": _needs,
    "criteria": _criteria,
    "tried": _tried,
    "services": _services,
    "outcomes": _outcomes,
    "support": _support,
    "consent": _consent,
    "sharing": _sharing,
    "own": _own,
    "practicalities": _practicalities,
    "declaration": _declaration,
}
