"""Deciding on a referral, once: accept it at a level and charge the fee, or one of the others.

What the school reads is settled before (`decision_words`), so that what the officer saw is what is
kept. Sending it back is in `returning`, taking a decision back in `undoing`.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm.attributes import set_committed_value

from s2s_portal import clock, money, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import AlreadyDecided, OutOfOrder, Refused
from s2s_portal.identity import Actor, current_actor
from s2s_portal.models.codes import ACTION_OF, UNDECIDED, Action, Status, Way
from s2s_portal.models.decision import Decision
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.terms import ServiceTerms
from s2s_portal.services import (
    checklist,
    decision_lists,
    decision_words,
    holding,
    ledger,
    notices,
    referrals,
)
from s2s_portal.services.decision_words import Choice
from s2s_portal.services.terms import written
from s2s_portal.services.visits import spoken

DECIDED = {
    Action.ACCEPTED: "accepted this referral",
    Action.DECLINED: "declined this referral",
    Action.ADVISED: "gave advice on this referral, without a visit",
    Action.REDIRECTED: "sent this referral on to another service",
    Action.WAITING_LISTED: "put this referral on the waiting list",
    Action.RETURNED: "sent this referral back to the school for more information",
}


def accept(
    work: UnitOfWork,
    reference: str,
    *,
    seen: int,
    level: str,
    message: str | None = None,
    ticked: Collection[str] = (),
    override: str = "",
    note: str = "",
    by: Actor,
) -> Referral:
    """Accept a referral at a level, charge its fee and tell the school, all in one transaction.

    `seen` is the version the decision was made on, `level` a code of `decision_lists.levels`,
    `message` what the school reads (None: the standard text); `ticked` are the points of the
    checklist that the officer has seen to, `override` why others are left open; `note` stays inside
    the service. At £0 nothing is posted. Raises AlreadyDecided when somebody decided first, Stale
    when the referral changed, Refused without a level, a message or the checklist.
    """
    referral = held(work, reference, seen)
    chosen = decision_lists.level(level)
    told = _told(Way.ACCEPT, chosen, referral, message)
    checklist.check(referral, ticked, override)
    ledger.post_charge(work, referral, by=by)
    event = _write(work, referral, Way.ACCEPT, told, note=note, by=by, level_id=chosen.id)
    checklist.keep(work, referral, event, ticked=ticked, override=override)
    return referral


def decide(
    work: UnitOfWork,
    reference: str,
    *,
    way: Way,
    code: str,
    seen: int,
    message: str | None = None,
    note: str = "",
    by: Actor,
) -> Referral:
    """Decline, advise without a visit, send on to another service, or put on the waiting list.

    `code` is a reason of that `way` or, to redirect, the other service; `message` is what the
    school reads (None: the standard text). Nothing is charged. Raises as `accept` does, and
    OutOfOrder for what waits already.
    """
    if way not in (Way.DECLINE, Way.ADVISE, Way.REDIRECT, Way.WAIT):
        raise Refused("Choose what you decide")
    referral = held(work, reference, seen)
    if way is Way.WAIT and referral.status is Status.WAITING:
        raise OutOfOrder("This referral is on the waiting list already. Nothing has been changed.")
    if way is Way.REDIRECT:
        service = decision_lists.service(code)
        told = _told(way, service, referral, message)
        _write(work, referral, way, told, note=note, by=by, service_id=service.id, reason=code)
        return referral
    reason = decision_lists.reason(way, code)
    told = _told(way, reason, referral, message)
    _write(work, referral, way, told, note=note, by=by, reason_id=reason.id, reason=code)
    return referral


def _told(way: Way, choice: Choice, referral: Referral, message: str | None) -> str:
    told = decision_words.standard(way, choice, referral) if message is None else message
    _needs_message(told, "Enter what you want to tell the school")
    return told


def _write(
    work: UnitOfWork,
    referral: Referral,
    way: Way,
    message: str,
    *,
    note: str,
    by: Actor,
    reason: str = "",
    **chosen: int,
) -> ReferralEvent:
    """Write the decision down with the row it was made with, tell the school and listeners."""
    action = ACTION_OF[way]
    event = referrals.record(work, referral, action, by=by, message=message, note=note)
    work.flush()
    work.session.add(
        Decision(event_id=event.id, referral_id=referral.id, officer_email=by.email, **chosen)
    )
    tell(work, notice_of(way), referral)
    _announce(work, referral, action, reason, by)
    return event


def check_undecided(referral: Referral) -> None:
    """Raise AlreadyDecided, saying who decided what and when, unless it waits for a decision."""
    if referral.status in UNDECIDED:
        holding.check_not_held(referral)
        return
    event = last_decision(referral)
    if event is None:
        raise AlreadyDecided("This referral is not waiting for a decision.")
    raise AlreadyDecided(
        f"{who(event.by_id, event.by_name)} {DECIDED[event.action]} on {when(event)}."
        " Nothing has been changed now."
    )


def made_meanwhile(referral: Referral) -> ReferralEvent | None:
    """The decision that somebody has made, for a page that came too late; None while it waits."""
    return None if referral.status in UNDECIDED else last_decision(referral)


def notice_of(way: Way) -> str:
    """The mail that tells the school of a decision: a key of `notices.SUBJECTS`."""
    return f"referral_{ACTION_OF[way].value}"


def who(person_id: str, name: str) -> str:
    """Who did something, as the acting person reads it: `You`, or the name at the time."""
    return "You" if person_id == current_actor().id else name


def when(event: ReferralEvent) -> str:
    """When something happened, in words: `14 May 2019 at 9:05am`."""
    return f"{written(clock.local(event.at).date())} at {spoken(event.at)}"


def fee_words(referral: Referral) -> str:
    """What accepting the referral costs, and whom, before it is done."""
    if not referral.fee_pence:
        return f"Nothing will be charged. {referral.fee_verdict}."
    return (
        f"{money.pounds(referral.fee_pence)} will be charged to {referral.school_name} as soon as"
        f" you accept. Why: {referral.fee_verdict}."
    )


def held(work: UnitOfWork, reference: str, seen: int) -> Referral:
    """Lock the referral for a decision, with its terms at hand for the charge."""
    referral = referrals.get(reference, lock=True)
    check_undecided(referral)
    referrals.check_seen(referral, seen)
    if referral.terms_id is None:
        raise OutOfOrder("This referral has no service terms, so it cannot be decided.")
    terms = work.session.get_one(ServiceTerms, referral.terms_id)
    set_committed_value(referral, "terms", terms)
    return referral


def last_decision(referral: Referral) -> ReferralEvent | None:
    return (
        session()
        .scalars(
            select(ReferralEvent)
            .where(ReferralEvent.referral_id == referral.id, ReferralEvent.action.in_(DECIDED))
            .order_by(ReferralEvent.id.desc())
            .limit(1)
        )
        .first()
    )


def _needs_message(message: str, problem: str) -> None:
    if not message.strip():
        raise Refused(problem, field="message")


def tell(work: UnitOfWork, notice: str, referral: Referral) -> None:
    link = notices.link_to("s2s.referrals.show", reference=referral.reference)
    notices.tell_school(work, notice, referral, link)


def _announce(
    work: UnitOfWork, referral: Referral, decision: Action, reason: str, by: Actor
) -> None:
    signals.tell(
        work,
        signals.referral_decided,
        reference=referral.reference,
        urn=referral.urn,
        by=by.id,
        decision=str(decision),
        reason=str(reason),
    )
