"""Booking visits to a school, and finding them again (MI Sheet 44/19; F49)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import joinedload

from s2s_portal import clock, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotAllowed, NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.reallocation import SupportRole
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit, VisitKind, VisitRecord
from s2s_portal.services import notices, referrals, standing
from s2s_portal.services.terms import written

KIND_NAMES: dict[VisitKind, str] = {
    VisitKind.VISIT: "Visit to the school",
    VisitKind.OBSERVATION: "Observation",
    VisitKind.ADVICE: "Advice to staff",
    VisitKind.MODELLING: "Modelling strategies",
    VisitKind.TRAINING: "Training for staff",
    VisitKind.RESOURCES: "Making resources",
    VisitKind.PLAN_REVIEW: "Review of the support plan",
    VisitKind.MEETING: "Meeting",
    VisitKind.REVERSE_VISIT: "School staff visit the Complex Needs School",
    VisitKind.SIGNPOSTING: "Signposting to other services",
    VisitKind.FOLLOW_UP: "Follow-up visit",
}

NOT_THEIRS = "Only a practitioner this referral is allocated to, or who joins in, can do this."
LONGEST_AHEAD = timedelta(days=365)
BOOKING_LOCK = 5_201  # namespace of the advisory locks that put one person's bookings in order


def get(reference: str, number: int) -> Visit:
    """Visit `number` of the referral `reference`, with its referral and record.

    Raises NotFound when there is none or it is not the acting person's to see.
    """
    referral = referrals.get(reference)
    visit = (
        session()
        .scalars(
            select(Visit)
            .where(Visit.referral_id == referral.id, Visit.number == number)
            .options(joinedload(Visit.referral), joinedload(Visit.record))
        )
        .one_or_none()
    )
    if visit is None:
        raise NotFound()
    return visit


def booked(visit: Visit) -> str:
    """A visit in words: `Observation on 20 May 2019, 9:30am to 11:00am`."""
    starts, ends = clock.local(visit.starts_at), clock.local(visit.ends_at)
    return (
        f"{KIND_NAMES[visit.kind]} on {written(starts.date())}, {spoken(starts)} to {spoken(ends)}"
    )


def spoken(instant: datetime) -> str:
    """The time of day of `instant` in Norfolk, as people say it: `9:30am`, `midday`."""
    there = clock.local(instant)
    if (there.hour, there.minute) == (12, 0):
        return "midday"
    return f"{there.hour % 12 or 12}:{there.minute:02d}{'am' if there.hour < 12 else 'pm'}"


class Place(NamedTuple):
    """Where somebody stands in a case: under which allocation, and what they do beside its lead.

    `number` is the practitioner's; `role` None: they lead it.
    """

    allocation: Allocation
    number: int
    role: SupportRole | None

    @property
    def books(self) -> bool:
        """Whether they book visits of their own."""
        return self.role not in {SupportRole.SHADOWING, SupportRole.WRITING}

    @property
    def writes(self) -> bool:
        """Whether they write records of visits."""
        return self.role is not SupportRole.SHADOWING


def place_of(referral: Referral, by: Actor) -> Place | None:
    """Where `by` stands in the case as a practitioner; None for a lead, and for anybody else."""
    allocation = referrals.open_allocation(referral)
    if allocation is not None and allocation.practitioner.account_id == by.id:
        return Place(allocation, allocation.practitioner_id, None)
    for one in referrals.supporters(referral) if by.has(Role.PRACTITIONER) else []:
        if one.practitioner is not None and one.practitioner.account_id == by.id:
            given = standing.practitioner(referral)  # its practitioner may be another school's
            return Place(given, one.practitioner_id, one.role) if given else None
    return None


def place_to_book(referral: Referral, by: Actor) -> Place:
    """The place of `by`. Raises NotAllowed for a lead, and for who reads or only writes."""
    place = place_of(referral, by)
    if place is None or not place.books:
        raise NotAllowed(NOT_THEIRS)
    return place


def place_to_write(referral: Referral, by: Actor) -> Place:
    """The place of `by`. Raises NotAllowed for a lead, and for who reads only."""
    place = place_of(referral, by)
    if place is None or not place.writes:
        raise NotAllowed(NOT_THEIRS)
    return place


def allocation_to(referral: Referral, by: Actor) -> Allocation:
    """The open allocation of `referral` to `by`, who leads it.

    Raises NotAllowed for a lead or anybody else who may only read.
    """
    allocation = referrals.open_allocation(referral)
    if allocation is None or allocation.practitioner.account_id != by.id:
        raise NotAllowed("Only the practitioner this referral is allocated to can do this.")
    return allocation


def book(
    work: UnitOfWork,
    reference: str,
    *,
    kind: VisitKind,
    day: date,
    starts: time,
    ends: time,
    note: str = "",
    by: Actor,
) -> Visit:
    """Book a visit on `day` from `starts` to `ends`, wall-clock times in Norfolk.

    A day gone by is allowed: the visit was made before it was entered. The same booking sent twice
    is one visit. Raises NotFound or NotAllowed when the referral is not allocated to `by`,
    OutOfOrder when it is not open, Refused for times that cannot be.
    """
    referral = referrals.get(reference, lock=True)
    place = place_to_book(referral, by)
    check_open(referral)
    _check_day(referral, day)
    starts_at = clock.from_local(day, starts.hour, starts.minute)
    ends_at = clock.from_local(day, ends.hour, ends.minute)
    if ends_at <= starts_at:  # instants: in the night that the clocks change, the wall may differ
        raise Refused("The end time must be later than the start time.", field="ends")
    clash = overlapping(place.number, starts_at, ends_at)
    if clash is not None:
        if (clash.referral_id, clash.starts_at, clash.ends_at, clash.kind) == (
            referral.id,
            starts_at,
            ends_at,
            kind,
        ):
            return clash
        raise Refused(
            f"You have another visit that day from {spoken(clash.starts_at)}"
            f" to {spoken(clash.ends_at)}.",
            field="starts",
        )
    visit = Visit(
        referral=referral,
        number=_next_number(referral),
        allocation_id=place.allocation.id,
        practitioner_id=place.number,
        kind=kind,
        starts_at=starts_at,
        ends_at=ends_at,
        note=note,
        booked_by_id=by.id,
        booked_by_name=by.name,
    )
    work.session.add(visit)
    _tell(work, referral, visit, by)
    return visit


def _tell(work: UnitOfWork, referral: Referral, visit: Visit, by: Actor) -> None:
    """Write the booking into the history; a visit already over needs no mail to announce it."""
    message = f"Visit {visit.number}: {booked(visit)}."
    if visit.note:
        message += f"\n{visit.note}"
    referrals.record(work, referral, Action.VISIT_BOOKED, by=by, message=message)
    if not is_over(visit):
        link = notices.link_to("s2s.referrals.show", reference=referral.reference)
        notices.tell_school(work, "visit_booked", referral, link)
    signals.tell(
        work,
        signals.visit_booked,
        reference=referral.reference,
        urn=referral.urn,
        by=by.id,
        visit=visit.number,
        kind=str(visit.kind),
    )


def is_over(visit: Visit) -> bool:
    """Whether the visit has ended, so that its record is due."""
    return visit.ends_at <= clock.now()


def has_begun(visit: Visit) -> bool:
    """Whether the visit has begun: before that no record of it can be written."""
    return visit.starts_at <= clock.now()


def check_open(referral: Referral) -> None:
    """Raise OutOfOrder unless the referral is with a practitioner now."""
    if referral.status is Status.WITHDRAWN:
        raise OutOfOrder("This referral has been withdrawn, so the support has stopped.")
    referrals.must_be(
        referral,
        {Status.ALLOCATED},
        OutOfOrder(
            "This referral is not open, so nothing can be added to it."
            " If more visits are needed, ask the SEND officer to reopen it."
        ),
    )


def _check_day(referral: Referral, day: date) -> None:
    if referral.received_on and day < referral.received_on:
        raise Refused(
            f"The visit must be on or after {written(referral.received_on)},"
            " when the referral was received.",
            field="day",
        )
    latest = clock.today() + LONGEST_AHEAD
    if day > latest:
        raise Refused(f"The visit must be on or before {written(latest)}.", field="day")


def overlapping(practitioner_id: int, starts_at: datetime, ends_at: datetime) -> Visit | None:
    """A visit that somebody makes in that time, if there is one; their bookings wait meanwhile."""
    session().execute(select(func.pg_advisory_xact_lock(BOOKING_LOCK, practitioner_id)))
    return (
        session()
        .scalars(
            select(Visit)
            .join(Visit.referral)
            .where(
                Visit.practitioner_id == practitioner_id,
                Visit.starts_at < ends_at,
                Visit.ends_at > starts_at,
                Visit.cancelled_at.is_(None),
                # What was booked for a referral that has since been withdrawn does not take place.
                or_(
                    Referral.status != Status.WITHDRAWN,
                    exists().where(VisitRecord.visit_id == Visit.id),
                ),
            )
            .order_by(Visit.starts_at)
            .limit(1)
        )
        .first()
    )


def _next_number(referral: Referral) -> int:
    """The next number within the referral, whose row the caller holds."""
    last = session().scalar(select(func.max(Visit.number)).where(Visit.referral_id == referral.id))
    return (last or 0) + 1
