"""Giving an accepted referral to a practitioner, with the reason (F42)."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from s2s_portal import clock, signals
from s2s_portal.database import UnitOfWork
from s2s_portal.errors import AlreadyAllocated, OutOfOrder, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.practitioner import Allocation, Practitioner, Rule
from s2s_portal.models.referral import Referral
from s2s_portal.services import holding, notices, referrals
from s2s_portal.services.candidate import Candidate, rule_of
from s2s_portal.services.candidates import ranked
from s2s_portal.services.referrals import check_seen
from s2s_portal.services.terms import written
from s2s_portal.services.triage import who
from s2s_portal.services.visits import spoken


def candidates(referral: Referral, need: str | None = None) -> list[Candidate]:
    """The practitioners who could take `referral`, best first by the service's rule.

    `need` is the census code of its primary need, for a caller who has it at hand.
    """
    return ranked(referral, need)


def allocate(
    work: UnitOfWork,
    reference: str,
    *,
    practitioner_id: int,
    reason: str,
    seen: int,
    by: Actor,
    override: bool = False,
) -> Allocation:
    """Give an accepted referral to a practitioner; tell the school, the practitioner, the leads.

    Somebody whose cases are full may be chosen: `reason` says why. Who is excluded by a conflict of
    interest only with `override`, who is at a cap only with it and by an officer who is a programme
    manager too. Raises AlreadyAllocated naming to whom and by whom when it is with somebody,
    OutOfOrder when it is not accepted, Stale when it changed since version `seen`, Refused for a
    practitioner who takes no referrals, where `override` is missing, and where the lead of their
    school confirms release (`offers.offer`).
    """
    if not reason.strip():
        raise Refused("Enter why you chose this practitioner", field="reason")
    referral = referrals.get(reference, lock=True)
    check_unallocated(referral)
    check_seen(referral, seen)
    chosen = choose(work, referral, practitioner_id, override=override, by=by)
    if chosen.asks_lead:
        raise Refused(
            f"The lead of {chosen.practitioner.provider.name} confirms release before their staff"
            " are given a referral: ask first.",
            field="practitioner",
        )
    return give(work, referral, chosen, reason=reason, by=by)


class Chosen(NamedTuple):
    """A practitioner who may be given a referral: by which part of the rule, overriding what."""

    practitioner: Practitioner
    rule: Rule | None
    overridden: str
    asks_lead: bool = False
    distance: str = ""


def choose(
    work: UnitOfWork, referral: Referral, practitioner_id: int, *, override: bool, by: Actor
) -> Chosen:
    """Whether `by` may give them `referral`, whose row is locked: counted anew, under a lock.

    Raises Refused as `allocate` does.
    """
    practitioner = available(work, practitioner_id)
    found = ranked(referral)
    chosen = next((one for one in found if one.practitioner_id == practitioner.id), None)
    if chosen is None:
        raise Refused("This practitioner no longer takes referrals", field="practitioner")
    return Chosen(
        practitioner,
        rule_of(chosen, found),
        check_limits(chosen, override=override, by=by),
        chosen.asks_lead,
        chosen.distance_words,
    )


def give(
    work: UnitOfWork, referral: Referral, chosen: Chosen, *, reason: str, by: Actor
) -> Allocation:
    """Give `referral` to whom was chosen, and tell everybody it concerns."""
    practitioner = chosen.practitioner
    allocation = made(referral, practitioner, by)
    allocation.reason, allocation.overridden = reason, chosen.overridden
    allocation.rule = chosen.rule
    work.session.add(allocation)
    referrals.record(
        work,
        referral,
        Action.ALLOCATED,
        by=by,
        message=f"{practitioner.name} of {practitioner.provider.name} will support you.",
        note=reason,
    )
    _tell(work, referral, allocation)
    signals.tell(
        work,
        signals.allocation_made,
        reference=referral.reference,
        urn=referral.urn,
        by=by.id,
        provider_urn=practitioner.provider_urn,
    )
    return allocation


def made(referral: Referral, practitioner: Practitioner, by: Actor) -> Allocation:
    """Who has what from whom, by the names of today."""
    return Allocation(
        referral_id=referral.id,
        practitioner_id=practitioner.id,
        practitioner_name=practitioner.name,
        provider_urn=practitioner.provider_urn,
        provider_name=practitioner.provider.name,
        at=clock.now(),
        by_id=by.id,
        by_name=by.name,
    )


def check_unallocated(referral: Referral) -> None:
    """Raise AlreadyAllocated or OutOfOrder unless the referral is accepted and with nobody yet."""
    if referral.status is Status.ACCEPTED:
        holding.check_not_held(referral)
        return
    given = referrals.open_allocation(referral)
    if referral.status is Status.ALLOCATED and given is not None:
        raise AlreadyAllocated(
            f"{who(given.by_id, given.by_name)} allocated this referral to"
            f" {given.practitioner_name} of {given.provider_name} on"
            f" {written(clock.local(given.at).date())} at {spoken(given.at)}. Nothing has been"
            " changed now."
        )
    raise OutOfOrder("Only a referral that has been accepted and is with nobody can be allocated.")


def may_override_caps(by: Actor) -> bool:
    """Whether `by` may give a referral over a cap: an officer who is a programme manager too."""
    return by.has(Role.OFFICER) and by.has(Role.MANAGER)


def check_limits(chosen: Candidate, *, override: bool, by: Actor) -> str:
    """What is overridden by choosing them, in words. Raises Refused where that may not be."""
    if chosen.caps and not may_override_caps(by):
        raise Refused(
            f"{chosen.name} cannot be given another referral. {'. '.join(chosen.caps)}. Choose"
            " somebody else, or ask a programme manager who is a SEND officer too.",
            field="practitioner",
        )
    passed = [*chosen.caps, *(chosen.warnings[:1] if chosen.excluded else [])]
    if passed and not override:
        raise Refused(
            f"{chosen.name}: {'. '.join(passed)}. Tick the box below to choose them even so, and"
            " say why.",
            field="override",
        )
    return "; ".join(passed)


def available(work: UnitOfWork, practitioner_id: int) -> Practitioner:
    """The practitioner, with all practitioners of their school locked, always in the same order:
    what a cap counts cannot change until this is committed. Raises Refused for who takes none."""
    school = select(Practitioner.provider_urn).where(Practitioner.id == practitioner_id)
    work.session.execute(
        select(Practitioner.id)
        .where(Practitioner.provider_urn == school.scalar_subquery())
        .order_by(Practitioner.id)
        .with_for_update()
    )
    found = work.session.scalars(
        select(Practitioner)
        .where(
            Practitioner.id == practitioner_id, Practitioner.active, Practitioner.is_lead.is_(False)
        )
        .options(joinedload(Practitioner.provider))
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise Refused("This practitioner no longer takes referrals", field="practitioner")
    return found


def _tell(work: UnitOfWork, referral: Referral, allocation: Allocation) -> None:
    school = notices.link_to("s2s.referrals.show", reference=referral.reference)
    notices.tell_school(work, "referral_allocated", referral, school)
    case = notices.link_to("s2s.visits.show", reference=referral.reference)
    notices.tell_practitioner(work, "allocated_to_you", allocation.practitioner_id, referral, case)
    notices.tell_leads(work, "allocated_to_your_staff", allocation.provider_urn, referral, case)
