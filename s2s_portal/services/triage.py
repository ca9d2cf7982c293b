"""Deciding on a referral: accept it and charge the fee, decline it, or send it back (F18, F71)."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm.attributes import set_committed_value

from s2s_portal import clock, money, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import AlreadyDecided, OutOfOrder, Refused, Stale
from s2s_portal.identity import Actor, current_actor
from s2s_portal.models.codes import Action, DeclineReason, Status
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.terms import ServiceTerms
from s2s_portal.services import changes, ledger, notices, referrals, sections
from s2s_portal.services.terms import written
from s2s_portal.services.visits import spoken

DECIDED = {
    Action.ACCEPTED: "accepted this referral",
    Action.DECLINED: "declined this referral",
    Action.RETURNED: "sent this referral back to the school for more information",
}

DECLINE_WORDS = {
    DeclineReason.CRITERIA: "It does not meet the criteria for this service",
    DeclineReason.CAPACITY: "No practitioner has room for it",
    DeclineReason.REDIRECT: "Another service suits it better",
    DeclineReason.DUPLICATE: "It repeats a referral that we already have",
    DeclineReason.WITHDRAWN: "The school or the parents have withdrawn it",
}


def accept(work: UnitOfWork, reference: str, *, seen: int, note: str = "", by: Actor) -> Referral:
    """Accept a referral, charge its engagement fee and tell the school, all in one transaction.

    `seen` is the version the decision was made on; `note` stays inside the service. At £0 nothing
    is posted. Raises AlreadyDecided when somebody decided first, Stale when the referral changed.
    """
    referral = _hold(work, reference, seen)
    ledger.post_charge(work, referral, by=by)
    referrals.record(work, referral, Action.ACCEPTED, by=by, message=_charged(referral), note=note)
    _tell(work, "referral_accepted", referral)
    _announce(work, referral, Action.ACCEPTED, "", by)
    return referral


def decline(
    work: UnitOfWork,
    reference: str,
    *,
    seen: int,
    message: str,
    reason: DeclineReason = DeclineReason.CRITERIA,
    note: str = "",
    by: Actor,
) -> Referral:
    """Decline a referral, tell the school why; nothing is charged.

    Raises Refused without a `message`, AlreadyDecided or Stale as `accept` does.
    """
    _needs_message(message, "Enter what you want to tell the school")
    referral = _hold(work, reference, seen)
    referral.decline_reason = reason
    told = f"{DECLINE_WORDS[reason]}.\n{message}"
    referrals.record(work, referral, Action.DECLINED, by=by, message=told, note=note)
    _tell(work, "referral_declined", referral)
    _announce(work, referral, Action.DECLINED, reason, by)
    return referral


def return_for_information(
    work: UnitOfWork,
    reference: str,
    *,
    seen: int,
    questions: Mapping[str, str],
    message: str = "",
    by: Actor,
) -> Referral:
    """Give a referral back to the school to answer `questions`; nothing is charged (F24).

    `questions` has, for each section to be opened, what is needed there: the school can change
    those sections and no other. Raises Refused without a question, or for one without words,
    AlreadyDecided or Stale as `accept` does.
    """
    if not questions:
        raise Refused("Choose at least one section that the school is to change", field="sections")
    for section, question in questions.items():
        if section not in sections.ASKABLE:
            raise Refused("Choose sections from the list", field="sections")
        if not question.strip():
            raise Refused(
                f"Enter what you need in “{sections.ASKABLE[section]}”",
                field=f"question_{section}",
            )
    referral = _hold(work, reference, seen)
    whole = referrals.get(reference, whole=True)
    if not questions.keys() <= sections.may_be_asked(whole).keys():
        raise Refused("Choose sections from the list", field="sections")
    event = referrals.record(work, referral, Action.RETURNED, by=by, message=message)
    changes.open_sections(work, whole, event, _with_what_follows(whole, questions))
    _tell(work, "referral_returned", referral)
    signals.tell(
        work,
        signals.referral_returned,
        reference=referral.reference,
        urn=referral.urn,
        by=by.id,
    )
    return referral


def opened_too(referral: Referral) -> list[str]:
    """The sections that are opened with the agreement, as they stand or fall with it."""
    return [key for key in ("sharing", "own") if key in sections.keys(referral)]


def check_undecided(referral: Referral) -> None:
    """Raise AlreadyDecided, saying who decided what and when, unless it waits for a decision."""
    if referral.status is Status.SUBMITTED:
        return
    event = _decision(referral)
    if event is None:
        raise AlreadyDecided("This referral is not waiting for a decision.")
    raise AlreadyDecided(
        f"{who(event.by_id, event.by_name)} {DECIDED[event.action]} on {when(event)}."
        " Nothing has been changed now."
    )


def check_seen(referral: Referral, seen: int) -> None:
    """Raise Stale unless the page that decides was drawn from the referral as it is now."""
    if referral.version != seen:
        raise Stale(
            "This referral has changed since you opened this page. What you typed is below and"
            " nothing has been done yet. Read the referral again before you go on."
        )


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


def _charged(referral: Referral) -> str:
    if not referral.fee_pence:
        return f"Nothing is charged. {referral.fee_verdict}."
    return f"The engagement fee has been charged. {referral.fee_verdict}."


def _hold(work: UnitOfWork, reference: str, seen: int) -> Referral:
    """Lock the referral for a decision, with its terms at hand for the charge."""
    referral = referrals.get(reference, lock=True)
    check_undecided(referral)
    check_seen(referral, seen)
    if referral.terms_id is None:
        raise OutOfOrder("This referral has no service terms, so it cannot be decided.")
    terms = work.session.get_one(ServiceTerms, referral.terms_id)
    set_committed_value(referral, "terms", terms)
    return referral


def _decision(referral: Referral) -> ReferralEvent | None:
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


def _tell(work: UnitOfWork, notice: str, referral: Referral) -> None:
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


def _with_what_follows(referral: Referral, questions: Mapping[str, str]) -> dict[str, str]:
    """The questions, and with one about the agreement the sections that stand or fall with it."""
    follows = opened_too(referral) if "consent" in questions else ()
    return {**{key: questions["consent"] for key in follows}, **questions}
