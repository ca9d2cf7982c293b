"""Booking visits to a school, and finding them again (MI Sheet 44/19; F49)."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from s2s_portal import clock, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotAllowed, NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.reallocation import SupportRole
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit, VisitKind
from s2s_portal.services import booking_rules, notices, referrals, standing
from s2s_portal.services.booking_rules import Wanted
from s2s_portal.services.calendar_files import REQUEST
from s2s_portal.services.labels import spoken
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
    agreed_day: str = "",
    enough_time: str = "",
    by: Actor,
) -> Visit:
    """Book a visit on `day` from `starts` to `ends`, wall-clock times in Norfolk (F51).

    A day gone by is allowed: the visit was made before it was entered. The same booking sent twice
    is one visit. Raises NotFound or NotAllowed when the referral is not allocated to `by`,
    OutOfOrder when it is not open, Refused for times that cannot be, AskFirst for what `by` has to
    say yes to first (`agreed_day` and `enough_time` are the words they said it to).
    """
    referral = referrals.get(reference, lock=True)
    place = place_to_book(referral, by)
    check_open(referral)
    wanted = Wanted(kind, day, starts, ends, note, agreed_day, enough_time)
    visit, is_new = add(work, referral, place, wanted, by)
    if is_new:
        _tell(work, referral, visit, by)
    return visit


def add(
    work: UnitOfWork,
    referral: Referral,
    place: Place,
    wanted: Wanted,
    by: Actor,
    replaces: Visit | None = None,
) -> tuple[Visit, bool]:
    """A row for the visit that is wanted, and whether it is new; nobody is told yet.

    It may take the place of another one, which is cancelled already. The caller holds the referral.
    """
    booking_rules.check(referral, wanted)
    clash = overlapping(place.number, wanted.starts_at, wanted.ends_at)
    if clash is not None:
        if (clash.referral_id, clash.starts_at, clash.ends_at, clash.kind) == (
            referral.id,
            wanted.starts_at,
            wanted.ends_at,
            wanted.kind,
        ):
            return clash, False
        raise Refused(
            f"You have another visit that day from {spoken(clash.starts_at)}"
            f" to {spoken(clash.ends_at)}.",
            field="starts",
        )
    unusual = booking_rules.ask(referral, place.number, wanted)
    visit = Visit(
        referral=referral,
        number=_next_number(referral),
        allocation_id=place.allocation.id,
        practitioner_id=place.number,
        kind=wanted.kind,
        starts_at=wanted.starts_at,
        ends_at=wanted.ends_at,
        note=wanted.note,
        unusual_day=unusual.day,
        short_of_time=unusual.way,
        replaces_id=replaces.id if replaces else None,
        first_number=replaces.chain if replaces else None,
        moves=replaces.moves + 1 if replaces else 0,
        booked_by_id=by.id,
        booked_by_name=by.name,
    )
    work.session.add(visit)
    work.flush()
    return visit, True


def told(visit: Visit) -> str:
    """What the history says of a visit that is booked: when, and whatever is unusual about it."""
    lines = [f"Visit {visit.number}: {booked(visit)}."]
    if visit.unusual_day:
        lines.append(f"Agreed with the school: {visit.unusual_day}")
    return "\n".join([*lines, visit.note] if visit.note else lines)


def _tell(work: UnitOfWork, referral: Referral, visit: Visit, by: Actor) -> None:
    """Write the booking into the history; a visit already over needs no mail to announce it."""
    referrals.record(work, referral, Action.VISIT_BOOKED, by=by, message=told(visit))
    if not is_over(visit):
        notices.tell_of_visit(work, "visit_booked", visit, referral, REQUEST)
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
                booking_rules.takes_place(),
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
