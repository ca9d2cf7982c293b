"""A referral while it is in the school's hands: started, and saved section by section.

Each `save_` function takes a referral that `in_hand` has locked and loaded, and replaces one
section. `seen` is the section's `seen_mark` from when the form was drawn: when a colleague has
saved something else since, `Stale` is raised and nothing changes; None skips the question.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import object_session

from s2s_portal import audit, clock, references
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import IntakeClosed, MayNotRefer, NotFound, Stale
from s2s_portal.identity import Actor
from s2s_portal.models.answer import Need
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.referral import Referral
from s2s_portal.services import (
    answers,
    draft_rules,
    establishments,
    form_versions,
    intake,
    openings,
    referrals,
    sections,
)
from s2s_portal.state import setting

ATTEMPTS = 5  # at a reference that nobody has yet


def start(work: UnitOfWork, urn: int, *, token: str | None = None, by: Actor) -> Referral:
    """Begin a draft for the school `urn`, with the contact filled in from `by`.

    `token` names one passage through the questions that come first: however often it comes, it
    gives one draft. Raises NotFound unless `by` acts for that school, MayNotRefer when it may not
    refer, IntakeClosed when no request is taken now.
    """
    if urn not in by.establishments:
        raise NotFound()
    establishment = establishments.get(urn)
    reason = establishment.why_not_refer(setting("S2S_LOCAL_AUTHORITY"))
    if reason:
        raise MayNotRefer(reason)
    here = intake.standing(establishment.setting_kind, clock.today())
    if not here.is_open:
        raise IntakeClosed(f"{here.why_closed} {here.next_words}")
    return _begin(work, establishment, token, by)


def _begun(token: str | None) -> Referral | None:
    """The draft that this passage through the questions has already given."""
    if token is None:
        return None
    return session().scalars(select(Referral).where(Referral.start_token == token)).one_or_none()


def _begin(
    work: UnitOfWork, establishment: Establishment, token: str | None, by: Actor
) -> Referral:
    # Row-level security hides other schools' references: only the unique key knows them all.
    for _attempt in range(ATTEMPTS):
        referral = Referral(
            reference=references.new(clock.today()),
            urn=establishment.urn,
            created_by_id=by.id,
            created_by_name=by.name,
            created_by_email=by.email,
            contact_name=by.name,
            contact_email=by.email,
            start_token=token,
            answered={},
            form_version=form_versions.current(clock.today()).number,
        )
        wrote = work.wrote
        try:
            with work.session.begin_nested():
                work.session.add(referral)
                work.flush()
        except IntegrityError:
            begun = _begun(token)  # a second press of the button, a moment earlier
            if begun is not None:
                work.wrote = wrote  # what was flushed has been taken back
                return begun
            continue
        referral.establishment = establishment
        referrals.record(work, referral, Action.STARTED, by=by)
        return referral
    raise RuntimeError("No free reference was found.")


def mine(reference: str, *, by: Actor, only: Collection[str] | None = None) -> Referral:
    """The referral `reference`, whole, if it is of a school `by` acts for; else NotFound.

    With `only`, for a page of those sections: whole but for the rows of others.
    """
    sections_ = None if only is None else frozenset(only)
    referral = referrals.get(reference, whole=True, sections=sections_)
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
            if referral.submitted_at
            else "This draft was not sent in time, so what it said has been deleted."
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
    save_columns(work, referral, "school", given, by=by, seen=seen)


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
    if settled(referral, "needs", {"primary": primary, "secondary": others}, seen):
        return
    referral.needs.clear()
    work.flush()
    referral.needs.extend(
        Need(code=code, rank=rank) for rank, code in enumerate([primary, *others], start=1)
    )
    note(work, referral, "needs", by)


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
    save_columns(work, referral, "support", given, by=by, seen=seen)


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
    save_columns(work, referral, "practicalities", given, by=by, seen=seen)


def save_declaration(
    work: UnitOfWork, referral: Referral, *, declared_by: str, by: Actor, seen: str | None = None
) -> None:
    """Who declares, and to what words: the fee that was agreed to is noted with it."""
    charge = sections.charge(referral)
    given = {"declared_by": declared_by}
    agreed_pence = referral.answered.get("declaration", {}).get("pence")
    if agreed_pence == charge.amount_pence and settled(referral, "declaration", given, seen):
        return
    referral.declared_by = declared_by
    referral.declaration = declaration_words(charge)
    note(work, referral, "declaration", by, pence=charge.amount_pence)


def declaration_words(charge: sections.Charge) -> str:
    """What the school declares, with the fee and the reason for it (F6)."""
    return (
        "What this referral says is true as far as I know. A senior leader of the school has"
        " agreed to it. The school agrees to pay the engagement fee if the referral is accepted."
        f" The fee is {charge.words}."
    )


def save_columns(
    work: UnitOfWork,
    referral: Referral,
    section: str,
    given: Mapping[str, Any],
    *,
    by: Actor,
    seen: str | None,
) -> None:
    """Save a section whose answers are columns of the referral itself."""
    if settled(referral, section, given, seen):
        return
    for name, value in given.items():
        setattr(referral, name, value)
    note(work, referral, section, by)


def settled(referral: Referral, section: str, given: Mapping[str, Any], seen: str | None) -> bool:
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


def note(work: UnitOfWork, referral: Referral, section: str, by: Actor, **more: object) -> None:
    """Write down that `section` has been saved, by whom and when, and audit it."""
    entry = {"at": clock.now().isoformat(), "by": by.name, **more}
    referral.answered = {**referral.answered, section: entry}
    # The end of a draft is put off, and notice of it taken back (`drafts`).
    referral.saved_on = clock.today()
    referral.reminded_on = referral.expires_on = None
    if object_session(referral) is not None:  # what a colleague is asked for is kept elsewhere
        audit.wrote(work, f"saved {section} of", "referral", referral.reference)


def forget(referral: Referral, dropped: Iterable[str]) -> None:
    """Take it that these sections have not been answered."""
    gone = set(dropped)
    referral.answered = {key: v for key, v in referral.answered.items() if key not in gone}
