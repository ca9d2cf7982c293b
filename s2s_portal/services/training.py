"""Training that several schools share, and what each of them thought of it (F60).

The training is a visit to the school that hosts it, and that school's record is the formal one.
Other schools join with an open referral of their own. When the record is issued, each has a visit
and a record in its own referral: what was covered, the materials, and who took part of its staff.
Nothing of one school is ever in the record of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import joinedload

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotAllowed, NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.reallocation import Supporter, SupportRole
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import (
    Attendee,
    TrainingEvaluation,
    TrainingSchool,
    Visit,
    VisitKind,
    VisitRecord,
)
from s2s_portal.services import notices, referrals, visits
from s2s_portal.services.record_answers import Attending
from s2s_portal.services.terms import written

SCALE = {
    1: "1, not at all",
    2: "2, a little",
    3: "3, somewhat",
    4: "4, quite",
    5: "5, very",
}


class Joinable(NamedTuple):
    """An open referral whose school could join."""

    reference: str
    school_name: str


def schools(visit: Visit) -> Sequence[TrainingSchool]:
    """The other schools that join the training `visit`, as far as the reader sees them."""
    return (
        session()
        .scalars(
            select(TrainingSchool)
            .where(TrainingSchool.visit_id == visit.id)
            .options(joinedload(TrainingSchool.referral))
            .order_by(TrainingSchool.referral_id)
        )
        .all()
    )


def to_come(referral: Referral) -> Sequence[TrainingSchool]:
    """The trainings that the school of `referral` joins and of which it has no record yet."""
    return (
        session()
        .scalars(
            select(TrainingSchool)
            .where(TrainingSchool.referral_id == referral.id, TrainingSchool.record_id.is_(None))
            .order_by(TrainingSchool.starts_at)
        )
        .all()
    )


def joinable(visit: Visit, number: int) -> list[Joinable]:
    """Open referrals of other schools with which the practitioner `number` works.

    One of each school at most can join, so a school that does is no longer listed.
    """
    theirs = select(Allocation.referral_id).where(
        Allocation.practitioner_id == number, Allocation.ended_at.is_(None)
    )
    beside = select(Supporter.referral_id).where(
        Supporter.practitioner_id == number,
        Supporter.ended_at.is_(None),
        Supporter.role.not_in((SupportRole.SHADOWING, SupportRole.WRITING)),
    )
    joined = (
        select(Referral.urn)
        .join(TrainingSchool, TrainingSchool.referral_id == Referral.id)
        .where(TrainingSchool.visit_id == visit.id)
    )
    rows = session().execute(
        select(Referral.reference, Referral.school_name)
        .where(
            Referral.id.in_(theirs.union(beside)),
            Referral.status == Status.ALLOCATED,
            Referral.urn != visit.referral.urn,
            Referral.urn.not_in(joined),
            Referral.received_on <= clock.local(visit.starts_at).date(),
        )
        .order_by(Referral.school_name, Referral.reference)
    )
    return [Joinable(row.reference, row.school_name) for row in rows]


def check_shareable(visit: Visit, by: Actor) -> visits.Place:
    """The place of `by`, who may let schools join. Raises NotAllowed for anybody but who writes
    its record, OutOfOrder for what is no training, or when it is too late."""
    place = visits.place_to_write(visit.referral, by)
    if (visit.writer_id or visit.practitioner_id) != place.number:
        raise NotAllowed("Only the practitioner who gives this training can do this.")
    if visit.kind is not VisitKind.TRAINING:
        raise OutOfOrder("Other schools can join a training only. This visit is something else.")
    if visit.cancelled_at is not None:
        raise OutOfOrder("This training was cancelled.")
    if visit.record is not None and visit.record.issued_at is not None:
        raise OutOfOrder("The record of this training has been issued, so nobody can join it now.")
    visits.check_open(visit.referral)
    return place


def join(work: UnitOfWork, visit: Visit, reference: str, *, by: Actor) -> TrainingSchool:
    """Let the school of the open referral `reference` join the training `visit`; it is told.

    Twice is once. Raises as `check_shareable` does, and Refused for a referral that cannot.
    """
    host = referrals.get(visit.referral.reference, lock=True)
    place = check_shareable(visit, by)
    before = [one for one in schools(visit) if one.referral.reference == reference]
    if before:
        return before[0]
    if reference not in [one.reference for one in joinable(visit, place.number)]:
        raise Refused("Select a school from the list.", field="reference")
    referral = referrals.get(reference, lock=True)
    row = TrainingSchool(
        visit_id=visit.id,
        referral_id=referral.id,
        school_name=referral.school_name,
        place=host.school_name,
        starts_at=visit.starts_at,
        ends_at=visit.ends_at,
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(row)
    _tell(work, "training_joined", Action.TRAINING_JOINED, referral, row, by)
    work.flush()
    return row


def leave(work: UnitOfWork, visit: Visit, number: int, *, by: Actor) -> None:
    """Take the school of row `number` off the training `visit`; it is told.

    Raises NotFound, OutOfOrder, and Refused while the draft lists people of that school.
    """
    referrals.get(visit.referral.reference, lock=True)
    check_shareable(visit, by)
    found = [one for one in schools(visit) if one.id == number]
    if not found:
        raise NotFound()
    [row] = found
    listed = work.session.scalar(
        select(func.count()).select_from(Attendee).where(Attendee.joined_id == row.id)
    )
    if listed:
        raise Refused(
            f"The draft record lists people of {row.school_name}. Remove them there first."
        )
    referral = referrals.get(row.referral.reference, lock=True)
    _tell(work, "training_left", Action.TRAINING_LEFT, referral, row, by)
    work.session.delete(row)
    work.flush()


def follow(work: UnitOfWork, old: Visit, new: Visit | None, *, by: Actor) -> None:
    """The training `old` takes place as `new` instead, or not at all: tell the schools that join.

    For whoever supersedes or cancels a visit, in the same transaction.
    """
    for row in schools(old):
        referral = referrals.get(row.referral.reference, lock=True)
        if new is None:
            _tell(work, "training_left", Action.TRAINING_LEFT, referral, row, by)
            work.session.delete(row)
            continue
        row.visit_id, row.starts_at, row.ends_at = new.id, new.starts_at, new.ends_at
        _tell(work, "training_joined", Action.TRAINING_JOINED, referral, row, by)
    work.flush()


def _tell(
    work: UnitOfWork,
    notice: str,
    action: Action,
    referral: Referral,
    row: TrainingSchool,
    by: Actor,
) -> None:
    starts = clock.local(row.starts_at)
    when = (
        f"{written(starts.date())}, {visits.spoken(row.starts_at)} to {visits.spoken(row.ends_at)}"
    )
    said = {
        Action.TRAINING_JOINED: f"Training for staff on {when}, at {row.place}.",
        Action.TRAINING_LEFT: f"Your school does not take part: training on {when}, {row.place}.",
    }
    referrals.record(work, referral, action, by=by, message=said[action])
    if row.ends_at > clock.now():
        link = notices.link_to("s2s.referrals.show", reference=referral.reference)
        notices.tell_school(work, notice, referral, link)


def attendees(visit: Visit, record: VisitRecord, listed: Iterable[Attending]) -> list[Attendee]:
    """Rows for who took part. Raises Refused for a school that is not of this training."""
    listed = list(listed)
    joined = {one.id: one for one in schools(visit)} if listed else {}
    if any(one.joined is not None and one.joined not in joined for one in listed):
        raise Refused("Say of which school each row is: one of them no longer takes part.")
    return [
        Attendee(
            referral_id=joined[one.joined].referral_id if one.joined else record.referral_id,
            joined_id=one.joined,
            position=position,
            role=one.role,
            people=one.people,
            name=one.name,
        )
        for position, one in enumerate(listed, start=1)
    ]


def share(
    work: UnitOfWork, record: VisitRecord, visit: Visit, *, by: Actor
) -> list[tuple[Visit, Referral]]:
    """A visit and a draft record for each school that joined `visit`, with its own attendees.

    For `records.issue`, which issues them together with `record`. Raises Refused when nobody of a
    school took part, or its referral is no longer open with `by`.
    """
    joined = schools(visit) if visit.kind is VisitKind.TRAINING else []
    if not joined:
        return []
    if not record.support_given:
        raise Refused("Take the other schools off this training first: it did not take place.")
    if record.kind is not VisitKind.TRAINING:
        raise Refused("Take the other schools off first: what you recorded is no training.")
    _check_listed(record, "the school that hosts it", None)
    made = []
    for row in joined:
        people = _check_listed(record, row.school_name, row.id)
        referral = referrals.get(row.referral.reference, lock=True)
        place = visits.place_of(referral, by)
        if referral.status is not Status.ALLOCATED or place is None or not place.books:
            raise Refused(
                f"The referral of {row.school_name} is no longer open with you."
                " Take the school off this training."
            )
        theirs = _visit(work, referral, place, visit, by, row.place)
        copy = _copy(work, theirs, record)
        row.record_id = copy.id
        for one in people:
            one.record_id = copy.id
        work.flush()
        made.append((theirs, referral))
    work.session.expire(record, ["attendees"])
    return made


def _check_listed(record: VisitRecord, school: str, joined: int | None) -> list[Attendee]:
    people = [one for one in record.attendees if one.joined_id == joined]
    if not people:
        raise Refused(f"Enter who took part of {school}.")
    return people


def _visit(
    work: UnitOfWork, referral: Referral, place: visits.Place, of: Visit, by: Actor, where: str
) -> Visit:
    last = select(func.max(Visit.number)).where(Visit.referral_id == referral.id)
    made = Visit(
        referral=referral,
        number=(work.session.scalar(last) or 0) + 1,
        allocation_id=place.allocation.id,
        practitioner_id=place.number,
        kind=VisitKind.TRAINING,
        starts_at=of.starts_at,
        ends_at=of.ends_at,
        note=f"Held at {where}.",
        booked_by_id=by.id,
        booked_by_name=by.name,
    )
    work.session.add(made)
    work.flush()
    message = f"Visit {made.number}: {visits.booked(made)}.\n{made.note}"
    referrals.record(work, referral, Action.VISIT_BOOKED, by=by, message=message)
    return made


def _copy(work: UnitOfWork, visit: Visit, record: VisitRecord) -> VisitRecord:
    """The draft record of a school that joined; its time is counted at the host's alone."""
    copy = VisitRecord(
        referral_id=visit.referral_id,
        visit_id=visit.id,
        kind=VisitKind.TRAINING,
        visited_on=record.visited_on,
        started_at=record.started_at,
        finished_at=record.finished_at,
        covered=record.covered,
        resources_given=record.resources_given,
        contact_minutes=0,
        preparation_minutes=0,
        write_up_minutes=0,
        travel_minutes=0,
        miles=0,
        author_id=record.author_id,
        author_name=record.author_name,
    )
    work.session.add(copy)
    work.flush()
    return copy


def can_evaluate(record: VisitRecord, by: Actor) -> bool:
    """Whether `by` is of the school that `record` is for, and it can say what it thought of it."""
    referral = record.visit.referral
    return (
        record.kind is VisitKind.TRAINING
        and bool(record.support_given)
        and by.has(Role.REFERRER)
        and referral.urn in by.establishments
        and referral.status is Status.ALLOCATED
    )


def evaluate(
    work: UnitOfWork, record: VisitRecord, *, useful: int, confident: int, words: str, by: Actor
) -> None:
    """Keep what the school thought of the training of `record`, 1 to 5; its last word holds.

    The practitioner is told the first time. Raises NotFound for anybody but the school, OutOfOrder
    for what is no training or once the referral is closed, Refused for a number off the scale.
    """
    referral = referrals.get(record.visit.referral.reference)
    if not by.has(Role.REFERRER) or referral.urn not in by.establishments:
        raise NotFound()
    if not can_evaluate(record, by):
        raise OutOfOrder("Only a training is evaluated, and only while the referral is open.")
    for field, value in (("useful", useful), ("confident", confident)):
        if value not in SCALE:
            raise Refused("Select a number from 1 to 5.", field=field)
    said = {"useful": useful, "confident": confident, "words": words}
    done = {"at": clock.now(), "by_id": by.id, "by_name": by.name}
    key = {"record_id": record.id, "referral_id": referral.id}
    kept = insert(TrainingEvaluation).values(**key, **said, **done)
    before = work.session.scalar(
        select(func.count())
        .select_from(TrainingEvaluation)
        .where(TrainingEvaluation.record_id == record.id)
    )
    work.session.execute(kept.on_conflict_do_update(index_elements=["record_id"], set_=said | done))
    number = record.visit.number
    audit.wrote(work, "evaluated", "training", f"{referral.reference} visit {number}")
    if before:
        return
    message = f"The school has said what it thought of the training, visit {number}."
    referrals.record(work, referral, Action.TRAINING_EVALUATED, by=by, message=message)
    given = work.session.scalar(
        select(Allocation.practitioner_id).where(
            Allocation.referral_id == referral.id, Allocation.ended_at.is_(None)
        )
    )
    if given is not None:
        link = notices.link_to("s2s.visits.read", reference=referral.reference, number=number)
        notices.tell_practitioner(work, "training_evaluated", given, referral, link)
