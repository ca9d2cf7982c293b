"""Sending a referral: once, complete, and with the terms and the fee of the day frozen on it."""

from __future__ import annotations

import re

from s2s_portal import clock, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import ConsentMissing, Incomplete, MayNotRefer, NotFound, Refused, Stale
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Action, Kind
from s2s_portal.models.referral import Referral
from s2s_portal.services import (
    bodies,
    changes,
    draft_rules,
    drafting,
    heads,
    intake,
    notices,
    referrals,
    repeats,
    returning,
    sections,
    terms,
)
from s2s_portal.state import setting

TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")


def missing(referral: Referral) -> list[str]:
    """The keys of the sections still to be completed. `referral` must be loaded whole."""
    return sections.missing(referral)


def submit(
    work: UnitOfWork, reference: str, *, token: str, seen: int | None = None, by: Actor
) -> Referral:
    """Send the referral to the council, or send it again after it was returned.

    `token` is the single-use token of the page with the button. However often the button is
    pressed, in however many tabs, there is one submission: a later press gives the referral as it
    stands. The first submission freezes the day of receipt, the terms, the fee and its reason;
    sending again keeps them. `seen` is the version that was checked: nothing is sent when an answer
    has changed since; None skips the question. Raises NotFound, Refused (no good token),
    MayNotRefer (of it IntakeClosed), ConsentMissing, HeadMustAgree, Incomplete (of it RepeatFound:
    the school has sent another about the same meanwhile), or Stale (also for a page from before the
    council asked for more).
    """
    if not TOKEN.fullmatch(token):
        raise Refused("Check your answers on this page, then send the referral.")
    referral = _held(reference, by)
    if not drafting.is_in_hand(referral):
        return referral
    if referral.submit_token == token:
        raise Stale(
            "That page was from before the council asked for more information."
            " Check your answers on this one, then send the referral."
        )
    if seen is not None and referral.version != seen:
        raise Stale(
            "The answers have changed since you opened this page, and nothing has been sent."
            " Check them again below, then send the referral."
        )
    _check(referral)
    repeats.check_again(work, referral)
    heads.check(work, referral, by=by)
    action = Action.RESUBMITTED if referral.submitted_at else Action.SUBMITTED
    if action is Action.SUBMITTED:
        _freeze(referral, window=intake.place(referral.establishment.setting_kind, clock.today()))
    referral.submit_token = token
    referral.declaration = drafting.declaration_words(sections.charge(referral))
    referrals.record(work, referral, action, by=by)
    if action is Action.RESUBMITTED:
        changes.close_sections(work, referral, by=by)
    notice = f"referral_{action.value}"
    link = notices.link_to("s2s.referrals.show", reference=referral.reference)
    notices.tell_school(work, notice, referral, link)
    _tell_officers(work, referral, action)
    signals.tell(
        work,
        signals.referral_submitted,
        reference=referral.reference,
        urn=referral.urn,
        by=by.id,
        again=action is Action.RESUBMITTED,
    )
    return referral


def _tell_officers(work: UnitOfWork, referral: Referral, action: Action) -> None:
    """Tell the shared mailbox, and whoever asked that the school has answered them."""
    notices.tell_officers(work, "referral_to_decide", referral)
    asked_by = returning.officer_email(referral) if action is Action.RESUBMITTED else ""
    if asked_by and asked_by != setting("S2S_OFFICER_MAILBOX"):
        link = notices.link_to("s2s.triage.show", reference=referral.reference)
        notices.tell_address(work, "referral_answered", asked_by, referral, link)


def _held(reference: str, by: Actor) -> Referral:
    """The referral, locked while it is still the school's to change, else as it stands now."""
    try:
        return drafting.in_hand(reference, by=by)
    except Stale:
        session().expire_all()
        return drafting.mine(reference, by=by)


def _check(referral: Referral) -> None:
    reason = referral.establishment.why_not_refer(setting("S2S_LOCAL_AUTHORITY"))
    if reason:
        raise MayNotRefer(reason)
    if referral.kind is Kind.PUPIL and not sections.agreed(referral):
        raise ConsentMissing(
            "A referral about a named pupil needs the agreement of a parent or carer. Complete"
            f" “{sections.title(referral, 'consent')}” before you send it."
        )
    if "own" in missing(referral):
        raise ConsentMissing(
            "The pupil is 16 or older, so they must agree themselves. Complete"
            f" “{sections.title(referral, 'own')}” before you send it."
        )
    left = missing(referral)
    if left:
        raise Incomplete(left)
    draft_rules.check_purchase_order(referral, referral.purchase_order)


def _freeze(referral: Referral, *, window: int) -> None:
    """What applies today stays with the referral, whatever changes later (MI Sheet 44/19)."""
    referral.received_on = clock.today()
    verdict = terms.verdict(referral.establishment, referral.received_on)
    referral.terms_id = verdict.terms.id
    referral.fee_pence = verdict.amount_pence
    referral.fee_verdict = verdict.words
    referral.school_name = referral.establishment.name
    referral.intake_window_id = window
    bodies.route(referral, referral.received_on)
    referral.submitted_at = clock.now()


def sent(reference: str, *, by: Actor) -> Referral:
    """The referral `reference` of a school of `by`, for its confirmation: nothing about a pupil.

    Raises NotFound, and Stale when it has not been sent.
    """
    referral = referrals.get(reference)
    if referral.urn not in by.establishments:
        raise NotFound()
    if referral.submitted_at is None:
        raise Stale("This referral has not been sent yet.")
    return referral
