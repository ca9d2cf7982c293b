"""Records that are owed: the visit is over, and no record of it has been issued (F54).

Derived, never stored. A record is due some school days after its visit, by the calendar of the
school that was visited. Nothing here names a child: a line is a reference, a school and a visit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select, tuple_
from sqlalchemy.orm import aliased

from s2s_portal import clock, working_days
from s2s_portal.database import session
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Status
from s2s_portal.models.follow_up import RecordNudge
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit, VisitKind, VisitRecord
from s2s_portal.services import calendar
from s2s_portal.services.calendar import Calendar
from s2s_portal.state import setting

Writer = aliased(Practitioner, name="writer")


@dataclass(frozen=True)
class Owed:
    """One record that is owed. `writer` writes it; `late` counts school days since it was due.

    `nudged_at` and `nudged_by` say of the last reminder; `visit_id` is the visit's own number.
    """

    visit_id: int
    reference: str
    school_name: str
    urn: int
    number: int
    kind: VisitKind
    starts_at: datetime
    writer_id: int
    writer: str
    provider_urn: int
    started: bool
    due_on: date
    late: int
    nudged_at: datetime | None
    nudged_by: str

    @property
    def is_overdue(self) -> bool:
        """Whether its day has gone by."""
        return self.late > 0


@dataclass(frozen=True)
class Page:
    """One page of what is owed, the oldest visit first, and behind which visit the next begins."""

    lines: list[Owed]
    next: int | None = None
    previous: None = None


def due_on(visited: date, dates: Calendar) -> date:
    """By when the record of a visit on that day is due at a school with these dates."""
    return dates.add_school_days(visited, int(setting("S2S_RECORD_SCHOOL_DAYS")))


def days_late(due: date, today: date, dates: Calendar) -> int:
    """How many school days have gone by since `due`; 0 until then, 1 at least once it is past."""
    if today <= due:
        return 0
    days = (due + timedelta(days=number) for number in range(1, (today - due).days + 1))
    return max(1, sum(dates.is_school_day(day) for day in days))


def of_practitioner(actor: Actor) -> list[Owed]:
    """What `actor` owes, the oldest visit first: three statements."""
    return _found(owed().where(Writer.account_id == actor.id))


def of_provider(actor: Actor) -> list[Owed]:
    """What the staff of the Complex Needs School that `actor` leads owe: three statements."""
    return _found(owed().where(Writer.provider_urn == actor.provider))


def overdue(*, after: int | None = None) -> Page:
    """A page of what is overdue in the whole county, as far as the reader sees it.

    Three statements. `after` is the number of the visit that the page before ended with.
    """
    size = int(setting("S2S_PAGE_SIZE"))
    query = owed().where(Visit.ends_at < _long_ago())
    if after is not None:
        last = aliased(Visit, name="page_before")
        place = select(last.starts_at, last.id).where(last.id == after).scalar_subquery()
        query = query.where(tuple_(Visit.starts_at, Visit.id) > place)
    rows = session().execute(query.limit(size + 1)).all()
    lines = [one for one in _lines(rows[:size]) if one.is_overdue]
    return Page(lines, rows[size - 1].visit_id if len(rows) > size else None)


def all_overdue() -> list[Owed]:
    """Everything that is overdue: for the service's own reminders."""
    return [one for one in _found(owed().where(Visit.ends_at < _long_ago())) if one.is_overdue]


def one(visit_id: int) -> Owed | None:
    """The record of that visit, if it is owed and the reader sees it."""
    found = _found(owed().where(Visit.id == visit_id))
    return found[0] if found else None


def _long_ago() -> datetime:
    """Before this moment a visit ended whose record can be overdue: no calendar is quicker."""
    day, left = clock.today(), int(setting("S2S_RECORD_SCHOOL_DAYS"))
    while left:
        day -= timedelta(days=1)
        left -= working_days.is_working_day(day)
    return clock.from_local(day)


def is_owed(now: Any) -> ColumnElement[bool]:
    """Of a visit joined to its referral and its record, if any: whether the record is owed."""
    return and_(
        Referral.status == Status.ALLOCATED,
        Visit.ends_at <= now,
        Visit.cancelled_at.is_(None),
        VisitRecord.issued_at.is_(None),
    )


def owed() -> Select[*tuple[Any, ...]]:
    """Every record that is owed, as far as the reader sees it, with the last reminder of it."""
    last = aliased(RecordNudge, name="last")
    latest = (
        select(func.max(RecordNudge.id))
        .where(RecordNudge.visit_id == Visit.id)
        .correlate(Visit)
        .scalar_subquery()
    )
    return (
        select(
            Visit.id.label("visit_id"),
            Referral.reference,
            Referral.school_name,
            Referral.urn,
            Visit.number,
            Visit.kind,
            Visit.starts_at,
            Writer.id.label("writer_id"),
            Writer.name.label("writer"),
            Writer.provider_urn,
            case((VisitRecord.id.is_(None), False), else_=True).label("started"),
            last.at.label("nudged_at"),
            last.by_name.label("nudged_by"),
        )
        .select_from(Visit)
        .join(Referral, Referral.id == Visit.referral_id)
        .outerjoin(VisitRecord, VisitRecord.visit_id == Visit.id)
        .join(Writer, Writer.id == func.coalesce(Visit.writer_id, Visit.practitioner_id))
        .outerjoin(last, last.id == latest)
        .where(is_owed(clock.now()))
        .order_by(Visit.starts_at, Visit.id)
    )


def _found(query: Select[*tuple[Any, ...]]) -> list[Owed]:
    return _lines(session().execute(query).all())


def _lines(rows: Iterable[Any]) -> list[Owed]:
    listed, today = list(rows), clock.today()
    calendars = calendar.of_several(row.urn for row in listed) if listed else {}
    found = []
    for row in listed:
        dates = calendars[row.urn]
        due = due_on(clock.local(row.starts_at).date(), dates)
        found.append(
            Owed(
                row.visit_id,
                row.reference,
                row.school_name,
                row.urn,
                row.number,
                row.kind,
                row.starts_at,
                row.writer_id,
                row.writer,
                row.provider_urn,
                row.started,
                due,
                days_late(due, today, dates),
                row.nudged_at,
                row.nudged_by or "",
            )
        )
    return found
