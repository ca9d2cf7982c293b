"""A referral while it is in the school's hands: started, and saved section by section.

Each `save_` function takes a referral that `in_hand` has locked and loaded, and replaces one
section. `seen` is the section's `seen_mark` from when the form was drawn: when a colleague has
saved something else since, `Stale` is raised and nothing changes; None skips the question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy.exc import IntegrityError

from s2s_portal import audit, clock, references
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import MayNotRefer, NotFound, Refused, Stale
from s2s_portal.identity import Actor
from s2s_portal.models.referral import (
    Action,
    Agreement,
    Kind,
    Need,
    OutcomeWanted,
    Referral,
    Status,
    StrategyTried,
    Subject,
)
from s2s_portal.services import (
    answers,
    draft_rules,
    establishments,
    openings,
    referrals,
    sections,
)
from s2s_portal.state import setting

ATTEMPTS = 5  # at a reference that nobody has yet


def start(work: UnitOfWork, urn: int, *, by: Actor) -> Referral:
    """Begin a draft for the school `urn`, with the contact filled in from `by`.

    Raises NotFound unless `by` acts for that school, MayNotRefer when it may not refer.
    """
    if urn not in by.establishments:
        raise NotFound()
    establishment = establishments.get(urn)
    reason = establishment.why_not_refer(setting("S2S_LOCAL_AUTHORITY"))
    if reason:
        raise MayNotRefer(reason)
    referral = _with_reference(work, urn, by)
    referral.establishment = establishment
    referrals.record(work, referral, Action.STARTED, by=by)
    return referral


def _with_reference(work: UnitOfWork, urn: int, by: Actor) -> Referral:
    # Row-level security hides other schools' references: only the unique key knows them all.
    for _attempt in range(ATTEMPTS):
        referral = Referral(
            reference=references.new(clock.today()),
            urn=urn,
            created_by_id=by.id,
            created_by_name=by.name,
            contact_name=by.name,
            contact_email=by.email,
            answered={},
        )
        try:
            with work.session.begin_nested():
                work.session.add(referral)
                work.flush()
        except IntegrityError:
            continue
        return referral
    raise RuntimeError("No free reference was found.")


def mine(reference: str, *, by: Actor) -> Referral:
    """The referral `reference`, whole, if it is of a school `by` acts for; else NotFound."""
    referral = referrals.get(reference, whole=True)
    if referral.urn not in by.establishments:
        raise NotFound()
    return referral


def is_in_hand(referral: Referral) -> bool:
    """Whether the school may still change it: a draft, or returned for information."""
    return referral.status in {Status.DRAFT, Status.RETURNED}


def in_hand(reference: str, *, by: Actor) -> Referral:
    """The referral `reference`, whole and locked, to be changed by its school.

    Raises NotFound as `mine` does, Stale when it has been sent in the meantime.
    """
    try:
        referral = referrals.get(reference, whole=True, lock=True)
    except NotFound:
        # The database lets a school lock only what it may change: is it sent, or not there?
        session().expire_all()
        referral = mine(reference, by=by)
    if referral.urn not in by.establishments:
        raise NotFound()
    if not is_in_hand(referral):
        raise Stale(
            "This referral has been sent, so it can no longer be changed here."
            " What you typed has not been saved."
        )
    return referral


def seen_mark(referral: Referral, section: str) -> str:
    """What a form of `section` carries to tell whether somebody has saved it since."""
    return str(referral.answered.get(section, {}).get("at", ""))


def save_school(
    work: UnitOfWork,
    referral: Referral,
    *,
    contact_name: str,
    contact_role: str,
    contact_email: str,
    contact_phone: str,
    leader_name: str,
    leader_agreed_on: date,
    by: Actor,
    seen: str | None = None,
) -> None:
    """Whom to speak to, and which senior leader agreed to the referral, when."""
    given = {
        "contact_name": contact_name,
        "contact_role": contact_role,
        "contact_email": contact_email,
        "contact_phone": contact_phone,
        "leader_name": leader_name,
        "leader_agreed_on": leader_agreed_on,
    }
    _save_columns(work, referral, "school", given, by=by, seen=seen)


def save_subject(
    work: UnitOfWork,
    referral: Referral,
    *,
    kind: Kind,
    by: Actor,
    seen: str | None = None,
    **given: Any,
) -> None:
    """Whom it is about: the names of `answers.PUPIL` or `answers.GROUP`, as `kind` says.

    A change of kind drops the agreement, which was for somebody else. Raises Refused for a birth
    after something that is said to have happened to the pupil, or a UPN that is none; and for what
    no longer fits a section that is closed, once the referral has been sent.
    """
    if kind is Kind.PUPIL:
        draft_rules.check_pupil(referral, given)
    if referral.submitted_at:
        _check_fits_what_was_sent(referral, kind, given["sen_provision"])
    if _settled(referral, "subject", {"kind": kind, **given}, seen):
        return
    if referral.kind not in {None, kind}:
        referral.agreement = None
        _forget(referral, "consent")
    referral.kind = kind
    if referral.subject is not None:
        referral.subject = None
        work.flush()
    referral.subject = Subject(**given)
    _note(work, referral, "subject", by)


def _check_fits_what_was_sent(referral: Referral, kind: Kind, provision: str) -> None:
    if kind is not referral.kind:
        raise Refused(
            "You sent this referral about "
            f"{'one pupil' if referral.kind is Kind.PUPIL else 'a group'}, and that cannot be"
            " changed. Withdraw it and send another instead."
        )
    nsa = any(need.code == sections.NSA for need in referral.needs)
    if nsa and provision != "K" and not openings.is_open(referral, "needs"):
        raise Refused(
            "The needs you sent say NSA, which is only for pupils on SEN Support. First change"
            f" “{sections.TITLES['needs']}”.",
            "sen_provision",
        )


def save_needs(
    work: UnitOfWork,
    referral: Referral,
    *,
    primary: str,
    secondary: Iterable[str] = (),
    by: Actor,
    seen: str | None = None,
) -> None:
    """The primary need and up to four others, by census code (domain.md 3.2).

    Raises Refused for a code twice, too many, one not in use today, or NSA without provision K.
    """
    others = list(secondary)
    draft_rules.check_needs(referral, primary, others)
    if _settled(referral, "needs", {"primary": primary, "secondary": others}, seen):
        return
    referral.needs.clear()
    work.flush()
    referral.needs.extend(
        Need(code=code, rank=rank) for rank, code in enumerate([primary, *others], start=1)
    )
    _note(work, referral, "needs", by)


def save_tried(
    work: UnitOfWork,
    referral: Referral,
    *,
    rows: list[draft_rules.Strategy],
    by: Actor,
    seen: str | None = None,
) -> None:
    """What the school has tried, one row or more. Raises Refused for a row before the birth."""
    draft_rules.check_tried(referral, rows)
    if _settled(referral, "tried", {"rows": [vars(row) for row in rows]}, seen):
        return
    referral.strategies.clear()
    work.flush()
    referral.strategies.extend(
        StrategyTried(position=position, **vars(row)) for position, row in enumerate(rows, start=1)
    )
    _note(work, referral, "tried", by)


def save_outcomes(
    work: UnitOfWork,
    referral: Referral,
    *,
    outcomes: list[str],
    by: Actor,
    seen: str | None = None,
) -> None:
    """The one to four outcomes that the school wants."""
    if not 1 <= len(outcomes) <= draft_rules.MOST_OUTCOMES:
        raise Refused(f"Enter between 1 and {draft_rules.MOST_OUTCOMES} outcomes", "outcome_1")
    if _settled(referral, "outcomes", {"outcomes": outcomes}, seen):
        return
    referral.outcomes.clear()
    work.flush()
    referral.outcomes.extend(
        OutcomeWanted(position=position, text=text)
        for position, text in enumerate(outcomes, start=1)
    )
    _note(work, referral, "outcomes", by)


def save_support(
    work: UnitOfWork,
    referral: Referral,
    *,
    support: list[str],
    reason: str,
    by: Actor,
    seen: str | None = None,
) -> None:
    """The kinds of support asked for (values of `Support`; MI Sheet 44/19), and why."""
    given = {"support": list(support), "reason": reason}
    _save_columns(work, referral, "support", given, by=by, seen=seen)


def save_consent(
    work: UnitOfWork, referral: Referral, *, by: Actor, seen: str | None = None, **given: Any
) -> None:
    """Agreement to the service's involvement: the names of `answers.PUPIL_AGREEMENT` for a named
    pupil, `group_told` for a group. The version of the privacy notice is frozen with it.

    "Not agreed yet" may be saved, not sent. Raises Refused when whom it is about is not known.
    """
    if referral.kind is None:
        raise Refused("First say whether the referral is about a pupil or a group.")
    if given.get("obtained_on"):
        draft_rules.check_after_birth(
            referral, given["obtained_on"], "Agreement must have been given", "obtained_on"
        )
    if _settled(referral, "consent", given, seen):
        return
    if referral.agreement is not None:
        referral.agreement = None
        work.flush()
    given.setdefault("agreed", True)
    notice = setting("S2S_PRIVACY_NOTICE_VERSION") if given["agreed"] else ""
    referral.agreement = Agreement(**given, privacy_notice=notice)
    _note(work, referral, "consent", by)


def save_practicalities(
    work: UnitOfWork,
    referral: Referral,
    *,
    preferred_days: str = "",
    visit_notes: str = "",
    safety_notes: str = "",
    purchase_order: str = "",
    by: Actor,
    seen: str | None = None,
) -> None:
    """What a visitor should know; a purchase order only where the school is invoiced."""
    given = {
        "preferred_days": preferred_days,
        "visit_notes": visit_notes,
        "safety_notes": safety_notes,
        "purchase_order": "" if referral.establishment.is_maintained else purchase_order,
    }
    draft_rules.check_purchase_order(referral, given["purchase_order"])
    _save_columns(work, referral, "practicalities", given, by=by, seen=seen)


def save_declaration(
    work: UnitOfWork, referral: Referral, *, declared_by: str, by: Actor, seen: str | None = None
) -> None:
    """Who declares, and to what words: the fee that was agreed to is noted with it."""
    charge = sections.charge(referral)
    given = {"declared_by": declared_by}
    agreed_pence = referral.answered.get("declaration", {}).get("pence")
    if agreed_pence == charge.amount_pence and _settled(referral, "declaration", given, seen):
        return
    referral.declared_by = declared_by
    referral.declaration = declaration_words(charge)
    _note(work, referral, "declaration", by, pence=charge.amount_pence)


def declaration_words(charge: sections.Charge) -> str:
    """What the school declares, with the fee and the reason for it (F6)."""
    return (
        "What this referral says is true as far as I know. A senior leader of the school has"
        " agreed to it. The school agrees to pay the engagement fee if the referral is accepted."
        f" The fee is {charge.words}."
    )


def _save_columns(
    work: UnitOfWork,
    referral: Referral,
    section: str,
    given: Mapping[str, Any],
    *,
    by: Actor,
    seen: str | None,
) -> None:
    if _settled(referral, section, given, seen):
        return
    for name, value in given.items():
        setattr(referral, name, value)
    _note(work, referral, section, by)


def _settled(referral: Referral, section: str, given: Mapping[str, Any], seen: str | None) -> bool:
    """Whether there is nothing to do, as the very same is saved (a second press of the button).

    Raises SectionClosed when a sent referral is not open there, Stale when something else has been
    saved since the form was drawn.
    """
    openings.check_open(referral, section)
    if section in referral.answered and answers.of(referral, section) == dict(given):
        return True
    if seen is None or seen == seen_mark(referral, section):
        return False
    who = referral.answered.get(section, {}).get("by", "Somebody")
    raise Stale(
        f"{who} saved this section while you had it open. What they saved is shown on this page,"
        " and what you typed is still here. Save again to replace theirs with yours."
    )


def _note(work: UnitOfWork, referral: Referral, section: str, by: Actor, **more: object) -> None:
    entry = {"at": clock.now().isoformat(), "by": by.name, **more}
    referral.answered = {**referral.answered, section: entry}
    audit.wrote(work, f"saved {section} of", "referral", referral.reference)


def _forget(referral: Referral, section: str) -> None:
    referral.answered = {key: v for key, v in referral.answered.items() if key != section}
