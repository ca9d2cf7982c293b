"""The answers to an offer: the practitioner's, and the lead's where they confirm release (F39).

Both act before the referral is theirs to read, so the caller opens the transaction with
`database.in_the_name_of`; whether an answer is theirs to give is looked at here, by the same rule
as the database shows them the offer.
"""

from __future__ import annotations

from sqlalchemy import or_, select

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import SYSTEM, Actor, Role
from s2s_portal.models.codes import Action
from s2s_portal.models.offer import Ended, Offer, Refusal
from s2s_portal.models.referral import Referral
from s2s_portal.services import allocation, candidates, notices, offer_words, offers, referrals
from s2s_portal.services.terms import written


def accept(work: UnitOfWork, number: int, *, by: Actor) -> Offer:
    """Take what was offered to `by`. It is allocated in this transaction, or as soon as the lead
    has confirmed release.

    The reason, and the name behind the allocation, are the officer's who offered it. Pressed twice
    it is one acceptance. Raises NotFound for an offer to somebody else, OutOfOrder for one that
    waits no longer, or where what holds for them has changed since.
    """
    made, referral = _held(number, own=True)
    if made.accepted_by_id == by.id and made.ended in {None, Ended.ACCEPTED}:
        return made
    check_open(made)
    made.accepted_at, made.accepted_by_id, made.accepted_by_name = clock.now(), by.id, by.name
    referrals.record(work, referral, Action.OFFER_ACCEPTED, by=by)
    _complete(work, made, referral, by)
    return made


def release(work: UnitOfWork, number: int, *, by: Actor) -> Offer:
    """The lead confirms that their member of staff is released for what was offered to them.

    Raises NotFound for the staff of another school, OutOfOrder as `accept` does.
    """
    made, referral = _held(number, own=False)
    _check_asked(made)
    if made.released_by_id == by.id and made.ended in {None, Ended.ACCEPTED}:
        return made
    check_open(made)
    made.released_at, made.released_by_id, made.released_by_name = clock.now(), by.id, by.name
    referrals.record(work, referral, Action.OFFER_RELEASED, by=by)
    _complete(work, made, referral, by)
    return made


def decline(
    work: UnitOfWork, number: int, *, refusal: Refusal, comment: str = "", by: Actor
) -> Offer:
    """Do not take what was offered to `by`: back to the officers, with the reason.

    Raises Refused for another reason without words; NotFound and OutOfOrder as `accept` does.
    """
    if refusal is Refusal.OTHER and not comment.strip():
        raise Refused("Enter why you do not take it", field="comment")
    made, referral = _held(number, own=True)
    check_open(made)
    if made.accepted_at is not None:
        raise OutOfOrder("You have accepted this offer. Ask the officer if that was a mistake.")
    made.refusal, made.comment = refusal, comment
    why = f"{made.practitioner_name}: {offer_words.why(refusal, comment)}."
    _back(work, made, referral, Ended.DECLINED, why, by)
    return made


def keep(work: UnitOfWork, number: int, *, comment: str, by: Actor) -> Offer:
    """The lead does not release their member of staff. Raises Refused without a reason."""
    if not comment.strip():
        raise Refused("Enter why you do not release them", field="comment")
    made, referral = _held(number, own=False)
    _check_asked(made)
    check_open(made)
    if made.released_at is not None:
        raise OutOfOrder("Release has been confirmed. Ask the officer if that was a mistake.")
    made.comment = comment
    _back(work, made, referral, Ended.NOT_RELEASED, f"Not released: {comment}", by)
    return made


def check_open(made: Offer) -> None:
    """Raise OutOfOrder, saying what became of it, unless the offer can be answered today."""
    if made.ended is not None:
        raise OutOfOrder(offer_words.over(made))
    if made.due_on < clock.today():
        raise OutOfOrder(
            f"This offer could be answered until {written(made.due_on)}. Nothing has been changed"
            " now."
        )


def upkeep() -> int:
    """What the hourly job does: offers that were not answered lapse, others are brought to mind.

    Each in a transaction of its own; run again, it changes nothing. Returns how many it saw to.
    """
    done = 0
    today = clock.today()
    for number in (
        session()
        .scalars(
            select(Offer.id)
            .where(
                Offer.ended_at.is_(None),
                or_(
                    Offer.due_on < today,
                    (Offer.remind_on <= today) & Offer.reminded_on.is_(None),
                ),
            )
            .order_by(Offer.id)
        )
        .all()
    ):
        with unit_of_work() as work:
            made, referral = _held(number)
            if made.ended is not None:
                continue
            if made.due_on < today:
                why = f"{made.practitioner_name}, by {written(made.due_on)}."
                _back(work, made, referral, Ended.LAPSED, why, SYSTEM)
            elif made.reminded_on is None:
                made.reminded_on = today
                _remind(work, made, referral)
            done += 1
    return done


def _held(number: int, own: bool | None = None) -> tuple[Offer, Referral]:
    """The offer and its referral, the referral locked first. Raises NotFound as `offers.get`."""
    made = offers.get(number, own=own)
    referral = referrals.get(made.reference, lock=True)
    return session().get_one(Offer, number, with_for_update=True, populate_existing=True), referral


def _check_asked(made: Offer) -> None:
    """Raise NotFound unless the lead is asked at all."""
    if not made.needs_release:
        raise NotFound()


def _complete(work: UnitOfWork, made: Offer, referral: Referral, by: Actor) -> None:
    """Allocate once everybody who is asked has said yes; until then nothing else happens."""
    if not made.is_complete:
        return
    # A cap that was overridden for the offer was overridden by somebody with the right to.
    roles = {Role.OFFICER, *([Role.MANAGER] if made.overridden else [])}
    officer = Actor(made.by_id, made.by_name, made.officer_email, frozenset(roles))
    try:
        chosen = allocation.choose(
            work, referral, made.practitioner_id, override=bool(made.overridden), by=officer
        )
    except Refused as error:
        raise OutOfOrder(
            f"The referral can no longer be given to {made.practitioner_name}, as what holds for"
            f" them has changed since it was offered. Ask {made.by_name}. Nothing has been changed"
            " now."
        ) from error
    offers.end(made, Ended.ACCEPTED, by)
    work.flush()
    chosen = chosen._replace(rule=made.rule, overridden=made.overridden)
    allocation.give(work, referral, chosen, reason=made.reason, by=officer)
    _tell_officer(work, "offer_accepted", made, referral)


def _back(
    work: UnitOfWork, made: Offer, referral: Referral, how: Ended, why: str, by: Actor
) -> None:
    """The offer has come to nothing: the officers are told why, and who comes next by the rule."""
    offers.end(made, how, by)
    work.flush()
    action = Action.OFFER_LAPSED if how is Ended.LAPSED else Action.OFFER_DECLINED
    referrals.record(work, referral, action, by=by, note=f"{why}\n{_next(referral)}")
    notice = "offer_lapsed" if how is Ended.LAPSED else "offer_declined"
    _tell_officer(work, notice, made, referral)


def _next(referral: Referral) -> str:
    """Who comes first now, by the service's rule."""
    for one in candidates.ranked(referral):
        if not (one.excluded or one.caps or one.turned_down):
            return f"Next by the service’s rule: {one.name} of {one.provider_name}."
    return "Nobody else can be recommended."


def _tell_officer(work: UnitOfWork, notice: str, made: Offer, referral: Referral) -> None:
    """Tell the officer who offered it; without an address, the officers' mailbox."""
    if made.officer_email:
        link = notices.link_to("s2s.triage.show", reference=referral.reference)
        notices.tell_address(work, notice, made.officer_email, referral, link)
    else:
        notices.tell_officers(work, notice, referral)


def _remind(work: UnitOfWork, made: Offer, referral: Referral) -> None:
    """Bring it to mind, to whoever has not answered yet."""
    audit.wrote(work, "reminded of an offer of", "referral", referral.reference)
    if made.accepted_at is None:
        link = notices.link_to("s2s.visits.offer", number=made.id)
        notices.tell_practitioner(work, "offer_due", made.practitioner_id, referral, link)
    if made.needs_release and made.released_at is None:
        link = notices.link_to("s2s.visits.release", number=made.id)
        notices.tell_leads(work, "offer_to_release", made.provider_urn, referral, link)
