"""Giving an allocated referral to somebody else, or taking it back, with the reason (F41).

One transaction ends an allocation, makes the next and says what becomes of each visit. The referral
is locked first, then the staff of the next practitioner's school, as when it is first allocated.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import joinedload
from sqlalchemy.orm.attributes import flag_modified

from s2s_portal import clock, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import AlreadyAllocated, OutOfOrder, Refused
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.reallocation import AllocationEnding, SupportRole, Why
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import Step
from s2s_portal.models.visit import Visit
from s2s_portal.services import (
    allocation,
    allocation_history,
    clocks,
    notices,
    records,
    referrals,
    standing,
    supporting,
    visits,
)
from s2s_portal.services.candidate import Candidate, recommendation, rule_of
from s2s_portal.services.candidates import primary_need, ranked
from s2s_portal.services.handing import Fate, Handing
from s2s_portal.services.terms import written
from s2s_portal.services.triage import who
from s2s_portal.services.visits import spoken


def given_to(referral: Referral) -> Allocation:
    """To whom `referral` is given. Raises OutOfOrder when it is with nobody, or has ended."""
    found = referrals.open_allocation(referral)
    if referral.status is not Status.ALLOCATED or found is None:
        raise OutOfOrder(
            "Only a referral that is with a practitioner can be reallocated or taken back."
            " Nothing has been changed now."
        )
    return found


def candidates(referral: Referral, given: Allocation, need: str | None = None) -> list[Candidate]:
    """Who could have `referral` instead, best first by the service's rule."""
    found = ranked(referral, need, given.provider_urn)
    return [one for one in found if one.practitioner_id != given.practitioner_id]


def planned(referral: Referral, number: int | None = None) -> list[Visit]:
    """The visits that are still to begin, of the practitioner `number` or of everybody."""
    return [
        visit
        for visit in standing.visits(referral)
        if standing.is_coming(visit) and number in {None, visit.practitioner_id}
    ]


def owed(referral: Referral, number: int | None = None) -> list[Visit]:
    """Visits that have begun and have no issued record, for `number` or for anybody to write."""
    return [
        visit
        for visit in standing.visits(referral)
        if visits.has_begun(visit)
        and visit.cancelled_at is None
        and (visit.record is None or visit.record.issued_at is None)
        and number in {None, records.writer_of(visit)}
    ]


def reallocate(
    work: UnitOfWork,
    reference: str,
    *,
    practitioner_id: int,
    reason: str | None,
    handing: Handing,
    seen: int,
    by: Actor,
    override: bool = False,
) -> Allocation:
    """Give an allocated referral to somebody else; everybody whom it concerns is told.

    `reason` says why this practitioner; the rules about conflicts and caps are those of the first
    allocation. None, as for one of many: the service's own sentence is the reason, and whoever has
    no room is refused too. Sent twice, it is done once. Raises
    AlreadyAllocated when somebody else gave it away since version `seen`, Stale when it changed,
    OutOfOrder when it is with nobody, Refused for what a rule or a visit stands against.
    """
    _check_words(handing)
    if reason is not None and not reason.strip():
        raise Refused("Enter why you chose this practitioner", field="reason")
    referral = referrals.get(reference, lock=True)
    given = given_to(referral)
    if referral.version != seen and (given.practitioner_id, given.by_id) == (
        practitioner_id,
        by.id,
    ):
        return given  # a second press of the button
    _check_as_seen(referral, given, seen)
    if given.practitioner_id == practitioner_id:
        raise Refused(f"{given.practitioner_name} has this referral already", field="practitioner")
    person = allocation.available(work, practitioner_id)
    found = candidates(referral, given)  # counted anew, under the lock
    chosen = _chosen(found, person)
    if reason is None:
        if not chosen.has_room:
            raise Refused(f"{chosen.name} has no room for it any more", field="practitioner")
        reason = f"{recommendation(chosen, found, primary_need(referral)[1])}."
    overridden = allocation.check_limits(chosen, override=override, by=by)
    made = allocation.made(referral, person, by)
    made.reason, made.overridden, made.rule = reason, overridden, rule_of(chosen, found)
    _end(work, referral, given, handing, made, by)
    told = _visits(work, referral, given, made, handing, by)
    _records(work, referral, given, made, handing, by)
    _lead_now(work, referral, made, by)
    message = "\n".join(
        [f"{made.practitioner_name} of {made.provider_name} supports you from now on.", *told]
    )
    flag_modified(referral, "due_on")  # a page drawn before this is stale, whatever the dates
    referrals.record(work, referral, Action.REALLOCATED, by=by, message=message, note=handing.told)
    if any(visit.allocation_id == made.id for visit in planned(referral, made.practitioner_id)):
        clocks.keep(work, referral, Step.CONTACT, by=by)  # the school has a day already
    _tell(work, referral, given, made, "referral_reallocated")
    _announce(work, referral, made, by)
    return made


def _chosen(found: list[Candidate], person: Practitioner) -> Candidate:
    """The candidate that `person` is. Raises Refused for who cannot be given it from here."""
    chosen = next((one for one in found if one.practitioner_id == person.id), None)
    if chosen is None:
        raise Refused("This practitioner no longer takes referrals", field="practitioner")
    if chosen.asks_lead:
        raise Refused(
            f"The lead of {person.provider.name} confirms release before their staff are given a"
            " referral: take it back and ask first",
            field="practitioner",
        )
    return chosen


def take_back(
    work: UnitOfWork, reference: str, *, handing: Handing, seen: int, by: Actor
) -> Referral:
    """Take an allocated referral back: it is accepted, with nobody yet, and waits for somebody.

    Planned visits are cancelled and supporters no longer see it. Raises as `reallocate` does, and
    OutOfOrder while a record is owed, as then nobody could write it.
    """
    _check_words(handing)
    referral = referrals.get(reference, lock=True)
    given = given_to(referral)
    _check_as_seen(referral, given, seen)
    check_nothing_owed(referral)
    _end(work, referral, given, handing, None, by)
    told = [_cancel(visit, by) for visit in planned(referral)]
    beside = referrals.supporters(referral)
    for one in beside:
        supporting.close(one, "The referral was taken back", by)
    message = "\n".join(
        [f"{given.practitioner_name} no longer supports you. We look for somebody else.", *told]
    )
    referrals.record(work, referral, Action.TAKEN_BACK, by=by, message=message, note=handing.told)
    for one in beside:
        _to_visits(work, referral, one.practitioner_id, "support_ended_for_you")
    _tell(work, referral, given, None, "referral_taken_back")
    return referral


def check_nothing_owed(referral: Referral) -> None:
    """Raise OutOfOrder while a record of a visit is still to be issued."""
    waiting = owed(referral)
    if waiting:
        raise OutOfOrder(
            f"{visits.booked(waiting[0])}: no record of this visit has been issued, and with nobody"
            " on the referral nobody could write it. Wait for the record, or reallocate the"
            " referral, where it can be handed over."
        )


def _check_words(handing: Handing) -> None:
    if handing.why is Why.OTHER and not handing.words.strip():
        raise Refused("Enter the reason", field="words")


def _check_as_seen(referral: Referral, given: Allocation, seen: int) -> None:
    """Raise AlreadyAllocated naming both when it went to somebody else since `seen`."""
    if referral.version == seen:
        return
    before = allocation_history.ended_for(given)
    if before is not None:
        raise AlreadyAllocated(
            f"{who(given.by_id, given.by_name)} reallocated this referral from"
            f" {before.practitioner_name} to {given.practitioner_name} of {given.provider_name} on"
            f" {written(clock.local(given.at).date())} at {spoken(given.at)}. Nothing has been"
            " changed now. What you typed is below."
        )
    referrals.check_seen(referral, seen)


def _end(
    work: UnitOfWork,
    referral: Referral,
    given: Allocation,
    handing: Handing,
    following: Allocation | None,
    by: Actor,
) -> None:
    """End an allocation before the next begins, as only one may be open at a time."""
    given.ended_at, given.ended_reason = clock.now(), handing.told
    work.flush()
    if following is not None:
        work.session.add(following)
        work.flush()
    work.session.add(
        AllocationEnding(
            allocation_id=given.id,
            referral_id=referral.id,
            next_id=following.id if following else None,
            why=handing.why,
            words=handing.words.strip(),
            hand_over=handing.hand_over.strip(),
            at=clock.now(),
            by_id=by.id,
            by_name=by.name,
        )
    )
    work.flush()


def _visits(
    work: UnitOfWork,
    referral: Referral,
    given: Allocation,
    made: Allocation,
    handing: Handing,
    by: Actor,
) -> list[str]:
    """Hand over or cancel each planned visit; what the school is told of each."""
    told = []
    for visit in planned(referral):
        if visit.practitioner_id == given.practitioner_id:
            if handing.fate(visit) is Fate.CANCEL:
                told.append(_cancel(visit, by))
                continue
            _check_free(visit, made)
            visit.practitioner_id = made.practitioner_id
            told.append(
                f"Visit {visit.number}, {visits.booked(visit)}: {made.practitioner_name} comes."
            )
        visit.allocation_id = made.id  # a supporter's goes on, under whoever leads now
    work.flush()
    return told


def _check_free(visit: Visit, made: Allocation) -> None:
    clash = visits.overlapping(made.practitioner_id, visit.starts_at, visit.ends_at)
    if clash is not None and clash.id != visit.id:
        raise Refused(
            f"{made.practitioner_name} has another visit on"
            f" {written(clock.local(clash.starts_at).date())} from {spoken(clash.starts_at)} to"
            f" {spoken(clash.ends_at)}, so visit {visit.number} cannot be handed over. Cancel it,"
            " or choose somebody else.",
            field=f"visit_{visit.number}",
        )


def _cancel(visit: Visit, by: Actor) -> str:
    visit.cancelled_at, visit.cancelled_by_id, visit.cancelled_by_name = (
        clock.now(),
        by.id,
        by.name,
    )
    return f"Visit {visit.number}, {visits.booked(visit)}, does not take place."


def _records(
    work: UnitOfWork,
    referral: Referral,
    given: Allocation,
    made: Allocation,
    handing: Handing,
    by: Actor,
) -> None:
    """Who writes the records that are owed: whoever made the visit, or whoever has the case now."""
    left = owed(referral, given.practitioner_id)
    if not left:
        return
    if not handing.records_stay:
        for visit in left:
            visit.writer_id = made.practitioner_id
        work.flush()
        return
    person = session().scalars(
        select(Practitioner)
        .where(Practitioner.id == given.practitioner_id)
        .options(joinedload(Practitioner.provider))
    )
    writer = person.one()
    if not writer.active:
        raise Refused(
            f"{writer.name} is no longer active, so they cannot finish a record: hand it over",
            field="records",
        )
    reason = f"Visits made before {written(clock.today())} have no issued record yet"
    work.session.add(supporting.row(referral, writer, SupportRole.WRITING, reason, by))
    _to_visits(work, referral, writer.id, "records_to_finish")


def _lead_now(work: UnitOfWork, referral: Referral, made: Allocation, by: Actor) -> None:
    """Whoever supported the case and leads it now supports it no longer."""
    for one in referrals.supporters(referral):
        if one.practitioner_id == made.practitioner_id:
            supporting.close(one, "They lead the case now", by)
    work.flush()


def _tell(
    work: UnitOfWork, referral: Referral, given: Allocation, made: Allocation | None, school: str
) -> None:
    """Tell the school, whoever had the referral and whoever has it now, and their leads."""
    link = notices.link_to("s2s.referrals.show", reference=referral.reference)
    notices.tell_school(work, school, referral, link)
    _to_visits(work, referral, given.practitioner_id, "no_longer_yours")
    leads = {given.provider_urn: "no_longer_with_your_staff"}
    if made is not None:
        case = notices.link_to("s2s.visits.show", reference=referral.reference)
        notices.tell_practitioner(work, "allocated_to_you", made.practitioner_id, referral, case)
        leads[made.provider_urn] = "allocated_to_your_staff"
    _to_leads(work, referral, leads.items())


def _to_leads(work: UnitOfWork, referral: Referral, told: Iterable[tuple[int, str]]) -> None:
    link = notices.link_to("s2s.visits.index")
    for urn, notice in told:
        notices.tell_leads(work, notice, urn, referral, link)


def _to_visits(work: UnitOfWork, referral: Referral, number: int, notice: str) -> None:
    """Tell a practitioner, with a link to their own page: the case may be theirs no more."""
    notices.tell_practitioner(work, notice, number, referral, notices.link_to("s2s.visits.index"))


def _announce(work: UnitOfWork, referral: Referral, made: Allocation, by: Actor) -> None:
    signals.tell(
        work,
        signals.allocation_made,
        reference=referral.reference,
        urn=referral.urn,
        by=by.id,
        provider_urn=made.provider_urn,
    )
