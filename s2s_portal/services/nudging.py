"""Reminding a practitioner of a record that they owe: by a lead, an officer, or the service (W16).

Once a working day for each record, whoever does it, and it is written down who and when. What a
person sends is copied to the lead; what the service sends by itself only once it is long overdue.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from sqlalchemy.dialects.postgresql import insert

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder, Stale
from s2s_portal.identity import SYSTEM, Actor, Role
from s2s_portal.models.follow_up import RecordNudge
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.visit import Visit
from s2s_portal.services import calendar, notices, records, records_due, referrals, visits
from s2s_portal.services.calendar import Calendar
from s2s_portal.services.records_due import Owed
from s2s_portal.services.terms import written
from s2s_portal.state import setting

EVERY = timedelta(days=7)  # between the service's own reminders of one record
NOTICE = "record_owed"


def nudge(work: UnitOfWork, reference: str, number: int, *, by: Actor) -> Owed:
    """Remind whoever owes the record of visit `number`, with a copy to their lead.

    Raises NotFound for a visit that is not the reader's to see, and for a lead where the writer is
    of another school; OutOfOrder when no record is owed, Stale a second time that working day.
    """
    if not by.has(Role.OFFICER, Role.LEAD):
        raise NotFound()
    visit = visits.get(reference, number)
    if not by.has(Role.OFFICER) and not _is_of_their_staff(visit, by):
        raise NotFound()
    owed = records_due.one(visit.id)
    if owed is None:
        raise OutOfOrder(
            "No record of this visit is owed now: it has been issued, or the visit is not over."
        )
    if not _send(work, owed, copied=True, by=by):
        raise Stale(_before(owed))
    return owed


def _is_of_their_staff(visit: Visit, by: Actor) -> bool:
    """Whether whoever writes the record is of the school that `by` leads."""
    writer = session().get(Practitioner, records.writer_of(visit))
    return writer is not None and writer.provider_urn == by.provider


def may_nudge_now() -> Callable[[Owed], bool]:
    """To ask of any number of records whether nobody has reminded of them on this working day.

    Two statements, however many there are.
    """
    dates = calendar.of()
    now = _working_day(clock.today(), dates)

    def may(owed: Owed) -> bool:
        if owed.nudged_at is None:
            return True
        return _working_day(clock.local(owed.nudged_at).date(), dates) != now

    return may


def _before(owed: Owed) -> str:
    if owed.nudged_at is None:
        return "Somebody else has just reminded them. You can again on the next working day."
    there = clock.local(owed.nudged_at)
    return (
        f"{owed.nudged_by} reminded them on {written(there.date())} at"
        f" {visits.spoken(owed.nudged_at)}. You can again on the next working day."
    )


def _working_day(day: date, dates: Calendar) -> date:
    """`day`, or the working day before it: a weekend counts with its Friday."""
    while not dates.is_working_day(day):
        day -= timedelta(days=1)
    return day


def _send(work: UnitOfWork, owed: Owed, *, copied: bool, by: Actor) -> bool:
    """Whether it was the first of the working day: the row is what says so."""
    visit = session().get_one(Visit, owed.visit_id)
    added = work.session.scalar(
        insert(RecordNudge)
        .values(
            referral_id=visit.referral_id,
            visit_id=visit.id,
            on_day=_working_day(clock.today(), calendar.of()),
            copied=copied,
            at=clock.now(),
            by_id=by.id,
            by_name=by.name,
        )
        .on_conflict_do_nothing()
        .returning(RecordNudge.id)
    )
    if added is None:
        return False
    referral = referrals.get(owed.reference)
    link = notices.link_to("s2s.visits.show", reference=owed.reference)
    lead = owed.provider_urn if copied else None
    notices.tell_practitioner(work, NOTICE, owed.writer_id, referral, link, copy_to=lead)
    audit.wrote(work, "reminded of", "visit record", f"{owed.reference} visit {owed.number}")
    return True


def remind_all() -> int:
    """What the job of the morning does: how many reminders of overdue records it asked for.

    None on a day off. Of each record one a week, and none within a week of a person's own.
    """
    if not calendar.of().is_working_day(clock.today()):
        return 0
    sent = 0
    with unit_of_work() as work:
        for owed in records_due.all_overdue():
            if _is_quiet(owed):
                continue
            copied = owed.late > int(setting("S2S_RECORD_LEAD_SCHOOL_DAYS"))
            sent += _send(work, owed, copied=copied, by=SYSTEM)
    return sent


def _is_quiet(owed: Owed) -> bool:
    if owed.nudged_at is None:
        return False
    return clock.local(owed.nudged_at).date() > clock.today() - EVERY
