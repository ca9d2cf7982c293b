"""Offering an accepted referral to a practitioner, who is asked before it is theirs (F39).

Whatever holds for an allocation holds for an offer, and while it is open it takes room as one does.
The referral stays accepted and with nobody; at most one offer of it is open. The answers are in
`offer_answers`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Text, literal, select, union_all

from s2s_portal import clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, Refused, Stale
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Action
from s2s_portal.models.decision import Decision, SupportLevel
from s2s_portal.models.offer import CaseRequest, Ended, Offer
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import Unit
from s2s_portal.models.workload import CASE
from s2s_portal.services import (
    allocation,
    calendar,
    candidates,
    clock_dates,
    notices,
    offer_words,
    practitioner_choices,
    practitioners,
    referrals,
    workload,
)
from s2s_portal.services.allocation import Chosen
from s2s_portal.services.terms import written
from s2s_portal.services.triage import who
from s2s_portal.services.visits import spoken
from s2s_portal.state import setting


def offer(
    work: UnitOfWork,
    reference: str,
    *,
    practitioner_id: int,
    reason: str,
    seen: int,
    by: Actor,
    override: bool = False,
) -> Offer:
    """Ask a practitioner whether they take an accepted referral; they and, where that is wanted,
    the lead of their school are told.

    Raises OutOfOrder naming to whom it is offered already, Refused for somebody whose account is
    not tied, who could not answer; and as `allocation.allocate` does.
    """
    if not reason.strip():
        raise Refused("Enter why you chose this practitioner", field="reason")
    referral = referrals.get(reference, lock=True)
    allocation.check_unallocated(referral)
    _check_not_offered(referral)
    referrals.check_seen(referral, seen)
    chosen = allocation.choose(work, referral, practitioner_id, override=override, by=by)
    name = chosen.practitioner.name
    if chosen.practitioner.account_id is None:
        raise Refused(
            f"{name} has no account here yet, so cannot answer. Choose somebody else, or allocate"
            " the referral without asking.",
            field="practitioner",
        )
    made = _made(referral, chosen, by)
    made.reason = reason
    work.session.add(made)
    note = f"To {name} of {made.provider_name}, to be answered by {written(made.due_on)}. {reason}"
    referrals.record(work, referral, Action.OFFERED, by=by, note=note)
    link = notices.link_to("s2s.visits.offer", number=made.id)
    notices.tell_practitioner(work, "offered_to_you", made.practitioner_id, referral, link)
    if made.needs_release:
        link = notices.link_to("s2s.visits.release", number=made.id)
        notices.tell_leads(work, "offer_to_release", made.provider_urn, referral, link)
    return made


def withdraw(work: UnitOfWork, reference: str, *, comment: str, seen: int, by: Actor) -> Offer:
    """Take the open offer of a referral back; the practitioner is told.

    Raises Refused without a `comment`, OutOfOrder when no offer is open, Stale when the open one is
    not that numbered `seen`.
    """
    if not comment.strip():
        raise Refused("Enter why you withdraw the offer", field="comment")
    referral = referrals.get(reference, lock=True)
    made = open_of(referral)
    check_offered(referral, made)
    if made is None or made.id != seen:
        raise Stale(
            "Another offer of this referral has been made since you opened this page. Nothing has"
            " been changed now."
        )
    end(made, Ended.WITHDRAWN, by)
    made.comment = comment
    note = f"To {made.practitioner_name}. {comment}"
    referrals.record(work, referral, Action.OFFER_WITHDRAWN, by=by, note=note)
    link = notices.link_to("s2s.visits.index")
    notices.tell_practitioner(work, "offer_ended", made.practitioner_id, referral, link)
    return made


def check_offered(referral: Referral, made: Offer | None) -> None:
    """Raise OutOfOrder, saying what became of the last one, unless an offer is open."""
    if made is not None:
        return
    last = session().scalars(
        select(Offer).where(Offer.referral_id == referral.id).order_by(Offer.id.desc()).limit(1)
    )
    before = last.first()
    if before is None:
        raise OutOfOrder("This referral is not on offer. Nothing has been changed now.")
    raise OutOfOrder(
        f"{before.practitioner_name}: {offer_words.became(offer_words.past(before))}. Nothing has"
        " been changed now."
    )


def open_of(referral: Referral) -> Offer | None:
    """The offer of `referral` that waits for an answer, or None."""
    return (
        session()
        .scalars(
            select(Offer)
            .where(Offer.referral_id == referral.id, Offer.ended_at.is_(None))
            .execution_options(populate_existing=True)
        )
        .one_or_none()
    )


def end(made: Offer, how: Ended, by: Actor) -> None:
    """The offer is over: how, when and by whom."""
    made.ended, made.ended_at = how, clock.now()
    made.ended_by_id, made.ended_by_name = by.id, by.name


def mine() -> list[Offer]:
    """The offers that wait for the acting practitioner, the first to be answered first."""
    return _open(Offer.practitioner_id == practitioners.OWN, Offer.accepted_at.is_(None))


def to_release() -> list[Offer]:
    """The offers that wait for the acting lead to confirm release, in the same order."""
    led = practitioner_choices.LED
    return _open(Offer.provider_urn == led, Offer.needs_release, Offer.released_at.is_(None))


def _open(*where: object) -> list[Offer]:
    found = session().scalars(
        select(Offer)
        .where(Offer.ended_at.is_(None), *where)  # type: ignore[arg-type]
        .order_by(Offer.due_on, Offer.id)
    )
    return list(found)


def get(number: int, *, own: bool | None = None) -> Offer:
    """The offer numbered `number`: any that may be seen, or with `own` one to the acting
    practitioner, without it one to the staff whom the acting person leads. Raises NotFound.
    """
    query = select(Offer).where(Offer.id == number).execution_options(populate_existing=True)
    if own is not None:
        query = query.where(
            Offer.practitioner_id == practitioners.OWN
            if own
            else Offer.provider_urn == practitioner_choices.LED
        )
    found = session().scalars(query).one_or_none()
    if found is None:
        raise NotFound()
    return found


class Facts(NamedTuple):
    """What a practitioner needs to decide about an offer, beside the offer itself."""

    load: str
    words: str


def facts(made: Offer) -> Facts:
    """The workload of whom it is offered to: now and with this referral, and how it comes about."""
    today = clock.today()
    query, _cases = workload.base(today, but=literal(made.referral_id))
    row = session().execute(query.where(Practitioner.id == made.practitioner_id)).one()
    days, weigh = workload.windows({row.provider_urn}, today), workload.weights(today)
    now = workload.load(row, days[row.provider_urn], weigh)
    return Facts(now.change(weigh.of(made.tier)), now.words)


def lines(references: Iterable[str]) -> dict[str, list[str]]:
    """For a list: to whom each referral is offered, and who asks for it. One statement."""
    wanted = list(references)
    if not wanted:
        return {}
    offered = select(
        Offer.reference, Offer.practitioner_name, Offer.due_on, literal("", Text).label("why")
    ).where(Offer.reference.in_(wanted), Offer.ended_at.is_(None))
    asked = select(
        CaseRequest.reference,
        CaseRequest.practitioner_name,
        literal(None, Offer.due_on.type).label("due_on"),
        CaseRequest.why,
    ).where(CaseRequest.reference.in_(wanted), CaseRequest.ended_at.is_(None))
    found: dict[str, list[str]] = {}
    for row in session().execute(union_all(offered, asked)):
        words = (
            f"Offered to {row.practitioner_name}, answer by {written(row.due_on)}"
            if row.due_on
            else f"Asked for by {row.practitioner_name}"
        )
        found.setdefault(row.reference, []).append(words)
    return found


def _check_not_offered(referral: Referral) -> None:
    made = open_of(referral)
    if made is None:
        return
    raise OutOfOrder(
        f"{who(made.by_id, made.by_name)} offered this referral to {made.practitioner_name} of"
        f" {made.provider_name} on {written(clock.local(made.at).date())} at {spoken(made.at)}."
        " Nothing has been changed now."
    )


def _made(referral: Referral, chosen: Chosen, by: Actor) -> Offer:
    """What is offered to whom, as it is today, and by when it is to be answered."""
    practitioner, dates = chosen.practitioner, calendar.of()
    length, today = setting("S2S_OFFER_WORKING_DAYS"), clock.today()
    due_on = clock_dates.due(today, length, Unit.WORKING_DAYS, dates)
    remind_on = clock_dates.warned_on(due_on, 1, dates)
    level = _level(referral)
    return Offer(
        referral_id=referral.id,
        practitioner_id=practitioner.id,
        practitioner_name=practitioner.name,
        provider_urn=practitioner.provider_urn,
        provider_name=practitioner.provider.name,
        rule=chosen.rule,
        overridden=chosen.overridden,
        officer_email=by.email,
        reference=referral.reference,
        school_name=referral.school_name,
        phase=referral.establishment.phase_name or "",
        need=candidates.primary_need(referral)[1],
        level=level.label,
        tier=level.tier,
        distance=chosen.distance,
        due_on=due_on,
        remind_on=remind_on if remind_on > today else due_on,
        needs_release=chosen.asks_lead,
        by_id=by.id,
        by_name=by.name,
    )


class _Level(NamedTuple):
    label: str = ""
    tier: int | None = None


def _level(referral: Referral) -> _Level:
    """At which level the referral was accepted: the label, and what workload is weighed by."""
    row = (
        session()
        .execute(
            select(SupportLevel.label, SupportLevel.code)
            .join(Decision, Decision.level_id == SupportLevel.id)
            .where(Decision.referral_id == referral.id)
            .order_by(Decision.event_id.desc())
            .limit(1)
        )
        .one_or_none()
    )
    if row is None:
        return _Level()
    tier = session().scalar(select(CASE.c.tier).where(CASE.c.id == referral.id))
    return _Level(row.label, tier)
