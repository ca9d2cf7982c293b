"""When a practitioner is not there, and where they are not to be sent (F37)."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, Refused
from s2s_portal.identity import Actor
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import (
    Absence,
    AbsenceKind,
    Conflict,
    ConflictKind,
    ConflictWeight,
)
from s2s_portal.services import practitioner_words, practitioners

LONGEST_ABSENCE = 400  # days


def absences(number: int) -> list[Absence]:
    """The absences of a practitioner, the latest first."""
    return list(
        session().scalars(
            select(Absence)
            .where(Absence.practitioner_id == number)
            .order_by(Absence.starts.desc(), Absence.id.desc())
        )
    )


def conflicts(number: int) -> list[Conflict]:
    """The conflicts of interest of a practitioner with their establishments, by name."""
    return list(
        session().scalars(
            select(Conflict)
            .join(Conflict.establishment)
            .where(Conflict.practitioner_id == number)
            .options(joinedload(Conflict.establishment))
            .order_by(Establishment.name, Conflict.id)
        )
    )


def add_absence(
    work: UnitOfWork, number: int, *, starts: date, ends: date | None, kind: AbsenceKind, by: Actor
) -> None:
    """Say that a practitioner is not there from `starts` to `ends` (None: on that one day).

    Raises Refused for an end before the start, more than 400 days, or days already in another.
    """
    last = ends or starts
    if last < starts:
        raise Refused("The last day must not be before the first", field="ends")
    if (last - starts).days >= LONGEST_ABSENCE:
        raise Refused(f"An absence must be {LONGEST_ABSENCE} days or shorter", field="ends")
    row = practitioners.hold(work, number, by)
    for other in absences(number):
        if other.starts <= last and starts <= other.ends:
            days = practitioner_words.days_between(other.starts, other.ends)
            raise Refused(f"There is an absence on these days already: {days}", field="starts")
    made = Absence(
        practitioner_id=number,
        starts=starts,
        ends=last,
        kind=kind,
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(made)
    practitioners.note(work, row, "absences", [], [practitioner_words.absence(made)], by)


def remove_absence(work: UnitOfWork, number: int, absence: int, *, by: Actor) -> None:
    """Take an absence off again; the history keeps it. Raises NotFound when it is not there."""
    row = practitioners.hold(work, number, by)
    made = work.session.get(Absence, absence)
    if made is None or made.practitioner_id != number:
        raise NotFound()
    work.session.delete(made)
    practitioners.note(work, row, "absences", [practitioner_words.absence(made)], [], by)


def add_conflict(
    work: UnitOfWork,
    number: int,
    *,
    urn: int,
    kind: ConflictKind,
    weight: ConflictWeight,
    reason: str,
    starts: date | None,
    ends: date | None,
    by: Actor,
) -> None:
    """Say that a practitioner is not, or not without asking, sent to the establishment `urn`.

    Raises Refused for an establishment that is not in the register or has one already, an end
    before the start, and an empty reason.
    """
    if not reason.strip():
        raise Refused("Enter the reason", field="reason")
    if starts and ends and ends < starts:
        raise Refused("The last day must not be before the first", field="ends")
    row = practitioners.hold(work, number, by)
    school = session().get(Establishment, urn)
    if school is None:
        raise Refused("There is no establishment with this URN in the register", field="urn")
    if any(other.urn == urn for other in conflicts(number)):
        raise Refused(f"There is one with {school.name} already: remove it first", field="urn")
    made = Conflict(
        practitioner_id=number,
        urn=urn,
        kind=kind,
        weight=weight,
        reason=reason,
        starts=starts,
        ends=ends,
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(made)
    words = practitioner_words.conflict(made, school.name)
    practitioners.note(work, row, "conflicts", [], [words], by)


def remove_conflict(work: UnitOfWork, number: int, conflict: int, *, by: Actor) -> None:
    """Take a conflict off again; the history keeps it. Raises NotFound when it is not there."""
    row = practitioners.hold(work, number, by)
    made = work.session.get(Conflict, conflict)
    if made is None or made.practitioner_id != number:
        raise NotFound()
    school = session().get_one(Establishment, made.urn)
    words = practitioner_words.conflict(made, school.name)
    work.session.delete(made)
    practitioners.note(work, row, "conflicts", [words], [], by)
