"""Agreement to the service's involvement: not the legal basis, and nothing is sent without it.

One row holds all of it: who agreed (section "consent"), to what (section "sharing"), and from 16
the pupil (section "own"). For a group it says how the parents and carers were told.
"""

from __future__ import annotations

from typing import Any

from s2s_portal.database import UnitOfWork
from s2s_portal.errors import Refused
from s2s_portal.identity import Actor
from s2s_portal.models.answer import Agreement
from s2s_portal.models.codes import Kind
from s2s_portal.models.referral import Referral
from s2s_portal.services import draft_rules, labels, sections
from s2s_portal.services.drafting import forget, note, settled
from s2s_portal.state import setting


def save_consent(
    work: UnitOfWork, referral: Referral, *, by: Actor, seen: str | None = None, **given: Any
) -> None:
    """Who agreed and how: the names of `answers.consent_columns`.

    "Not agreed yet" may be saved, not sent; it drops what the agreement was to cover. Where the
    privacy notice is not asked about on a page of its own, its version is frozen here. Raises
    Refused when whom it is about is not known, or for a day before the pupil's birth.
    """
    if referral.kind is None:
        raise Refused("First say what you need help with.")
    if given.get("obtained_on"):
        draft_rules.check_after_birth(
            referral, given["obtained_on"], "Agreement must have been given", "obtained_on"
        )
    if settled(referral, "consent", given, seen):
        return
    row = _row(referral, agreed=given.get("agreed", True))
    for name, value in given.items():
        setattr(row, name, value)
    if not row.agreed:
        row.scope, row.shared_with, row.evidence, row.privacy_notice = [], "", "", ""
        row.evidence_file = None
        row.pupil_agreed = row.pupil_agreed_on = None
        forget(referral, ("sharing", "own"))
    elif referral.form_version == 1 or referral.kind is Kind.GROUP:
        row.privacy_notice = setting("S2S_PRIVACY_NOTICE_VERSION")
    note(work, referral, "consent", by)


def save_sharing(
    work: UnitOfWork,
    referral: Referral,
    *,
    scope: list[str],
    shared_with: str = "",
    evidence: str,
    evidence_file: int | None = None,
    notice: bool,
    by: Actor,
    seen: str | None = None,
) -> None:
    """What was agreed to, where the evidence is, and that the privacy notice was given.

    The evidence is said in words, or is the attached file of that number, or both. The version of
    the notice is frozen with it. Raises Refused unless a parent or carer agreed to involvement and
    had the notice, when nobody is named with whom to share, or when there is no such evidence.
    """
    if not sections.agreed(referral):
        raise Refused("First say in the section before this one that a parent or carer has agreed.")
    if sections.INVOLVEMENT not in scope or not set(scope) <= set(labels.SCOPES):
        raise Refused(
            "A parent or carer must agree that a practitioner may work with the pupil: choose that,"
            " or ask them",
            "scope",
        )
    if "SHARING" in scope and not shared_with:
        raise Refused("Enter the services to share with", "shared_with")
    _check_evidence(referral, evidence, evidence_file)
    if not notice:
        raise Refused("Give them the privacy notice, then tick the box", "notice")
    covers = [code for code in labels.SCOPES if code in scope]
    shared_with = shared_with if "SHARING" in scope else ""
    where = {"evidence": evidence, "evidence_file": evidence_file}
    given = {"scope": covers, "shared_with": shared_with, **where, "notice": True}
    if settled(referral, "sharing", given, seen):
        return
    row = _row(referral, agreed=True)
    row.scope, row.shared_with = covers, shared_with
    row.evidence, row.evidence_file = evidence, evidence_file
    row.privacy_notice = setting("S2S_PRIVACY_NOTICE_VERSION")
    note(work, referral, "sharing", by)


def _check_evidence(referral: Referral, evidence: str, file: int | None) -> None:
    if file is not None and file not in {row.number for row in sections.evidence_files(referral)}:
        raise Refused("Choose the file from the list", "evidence_file")
    if file is None and not evidence.strip():
        raise Refused("Enter where the evidence of their agreement is kept", "evidence")


def save_own(
    work: UnitOfWork, referral: Referral, *, by: Actor, seen: str | None = None, **given: Any
) -> None:
    """The agreement of a pupil of 16 or more: the names of `answers.OWN`; "not yet" is False."""
    if referral.agreement is None or not sections.agreed(referral):
        raise Refused("First say that a parent or carer has agreed.")
    if given["pupil_agreed_on"]:
        draft_rules.check_after_birth(
            referral, given["pupil_agreed_on"], "They must have agreed", "pupil_agreed_on"
        )
    if settled(referral, "own", given, seen):
        return
    referral.agreement.pupil_agreed = given["pupil_agreed"]
    referral.agreement.pupil_agreed_on = given["pupil_agreed_on"]
    note(work, referral, "own", by)


def _row(referral: Referral, *, agreed: bool) -> Agreement:
    if referral.agreement is None:
        referral.agreement = Agreement(agreed=agreed, scope=[])
    return referral.agreement
