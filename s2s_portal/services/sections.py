"""The nine sections of a referral, and which of them still want something."""

from __future__ import annotations

from dataclasses import dataclass

from s2s_portal import clock
from s2s_portal.models.referral import Kind, Referral
from s2s_portal.services import openings, terms

NSA = "NSA"  # census: SEN Support without a specialist assessment, so with provision K alone


@dataclass(frozen=True)
class Section:
    """One short page of the referral form."""

    key: str
    title: str


SECTIONS = (
    Section("school", "School and contact"),
    Section("subject", "Pupil or group"),
    Section("needs", "Needs"),
    Section("tried", "What you have tried"),
    Section("outcomes", "Outcomes you want"),
    Section("support", "Support you want"),
    Section("consent", "Agreement of parents or carers"),
    Section("practicalities", "Practicalities"),
    Section("declaration", "Declaration"),
)
TITLES = {section.key: section.title for section in SECTIONS}


@dataclass(frozen=True)
class Charge:
    """What a referral costs: the amount in pence, and the reason in words."""

    amount_pence: int
    words: str


def charge(referral: Referral) -> Charge:
    """The fee and its reason: as frozen when the referral was first sent, else as of today."""
    if referral.fee_pence is not None:
        return Charge(referral.fee_pence, referral.fee_verdict)
    verdict = terms.verdict(referral.establishment, clock.today())
    return Charge(verdict.amount_pence, verdict.words)


def missing(referral: Referral) -> list[str]:
    """The keys of the sections that must be completed before the referral can be sent.

    Of a returned referral only those that are open: the school could not complete another.
    `referral` must be loaded whole.
    """
    return [
        section.key
        for section in SECTIONS
        if openings.is_open(referral, section.key) and not complete(referral, section.key)
    ]


def complete(referral: Referral, section: str) -> bool:
    """Whether a section is answered, and what it says still stands."""
    if section not in referral.answered:
        return False
    if section == "needs":
        return nsa_fits(referral) and bool(referral.needs)
    if section == "consent":
        return agreed(referral)
    if section == "declaration":
        # A fee that changed since is a fee that nobody has agreed to.
        pence = referral.answered[section].get("pence")
        return bool(pence == charge(referral).amount_pence)
    return True


def agreed(referral: Referral) -> bool:
    """Whether a parent or carer has agreed (a named pupil), or how they were told is said."""
    agreement = referral.agreement
    if agreement is None:
        return False
    return bool(agreement.group_told) if referral.kind is Kind.GROUP else agreement.agreed


def nsa_fits(referral: Referral) -> bool:
    """Whether NSA, if chosen, goes with SEN Support (school census rule; domain.md 3.2)."""
    subject = referral.subject
    chosen = any(need.code == NSA for need in referral.needs)
    return not chosen or (subject is not None and subject.sen_provision == "K")


def state_words(referral: Referral, section: str) -> str:
    """The status of a section on the task list."""
    asked = openings.state_words(referral, section)
    if complete(referral, section):
        return asked or "Completed"
    if section not in referral.answered:
        return "Not started"
    return "Not agreed yet" if section == "consent" else "Check again"


def next_after(referral: Referral, section: str) -> str | None:
    """The next section to complete after `section`, going round; None when nothing is left."""
    left = set(missing(referral)) - {section}
    keys = [part.key for part in SECTIONS]
    here = keys.index(section)
    return next((key for key in keys[here + 1 :] + keys[:here] if key in left), None)
