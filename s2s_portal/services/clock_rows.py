"""The rows of the clocks: found, begun, written about and ended. `clocks` says when (F26)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.identity import Actor
from s2s_portal.models.clocks import OPEN, ClockChange, ClockKind, ClockState, ReferralClock
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import ServiceLevel
from s2s_portal.services import calendar, clock_dates
from s2s_portal.services.calendar import Calendar
from s2s_portal.services.clock_dates import Pause


class Why(StrEnum):
    """Why a clock stands still; one that does for two reasons goes on when both have gone."""

    RETURNED = "returned"
    HELD = "held"


class When:
    """The instant of what happens: the day it falls on, and the working day it counts from."""

    def __init__(self, referral: Referral, at: datetime) -> None:
        self.urn, self.at = referral.urn, at
        self.today = clock.local(at).date()

    @cached_property
    def dates(self) -> Calendar:
        """The calendar of the school."""
        return calendar.of(self.urn)

    @cached_property
    def day(self) -> date:
        """The working day on which it counts as received: day 0."""
        return self.dates.day_received(clock.local(self.at))


def is_broken(one: ReferralClock, today: date) -> bool:
    """Whether a running clock has run out before `today`; a pause is no breach."""
    return one.state is ClockState.RUNNING and one.due_on < today


def note(work: UnitOfWork, day: date, referral_id: int | None) -> int:
    """Write down what was broken before `day`; the database does it, once for each clock."""
    noted: int = work.session.scalar(select(func.s2s.note_breaches(day, referral_id))) or 0
    if noted:
        work.wrote = True
        audit.wrote(work, "noted", "broken promise", str(referral_id or "all"))
    return noted


def find(*where: object) -> list[ReferralClock]:
    """The clocks that `where` says, in the order they were started, with all about each."""
    found = session().scalars(
        select(ReferralClock)
        .where(*where)  # type: ignore[arg-type]
        .options(
            joinedload(ReferralClock.level),
            joinedload(ReferralClock.breach),
            joinedload(ReferralClock.changes),
        )
        .order_by(ReferralClock.id)
        .execution_options(populate_existing=True)
    )
    return list(found.unique())


def open_of(referral: Referral) -> list[ReferralClock]:
    """The clocks of a referral that run or stand still."""
    return find(ReferralClock.referral_id == referral.id, ReferralClock.state.in_(OPEN))


def write(
    work: UnitOfWork, one: ReferralClock, kind: ClockKind, day: date, reason: str, by: Actor
) -> None:
    """Write down what has happened to a clock."""
    work.session.add(
        ClockChange(
            clock_id=one.id,
            referral_id=one.referral_id,
            kind=kind,
            on_day=day,
            due_on=one.due_on,
            reason=reason,
            by_id=by.id,
            by_name=by.name,
        )
    )


def end(work: UnitOfWork, one: ReferralClock, state: ClockState, at: datetime, by: Actor) -> None:
    """Kept, or of no use any more: on the day of `at`, which may be too late."""
    day = clock.local(at).date()
    if is_broken(one, day) and one.breach is None:
        note(work, day, one.referral_id)
    one.state, one.ended_at = state, at
    write(work, one, ClockKind(state.value), day, "", by)


def begin(
    work: UnitOfWork,
    referral: Referral,
    level: ServiceLevel,
    when: When,
    by: Actor,
    visit_id: int | None = None,
) -> ReferralClock:
    """A new clock by the rule `level`, counting from the day of `when`."""
    one = ReferralClock(
        referral_id=referral.id,
        urn=referral.urn,
        step=level.step,
        visit_id=visit_id,
        started_at=when.at,
        day_zero=when.day,
        state=ClockState.RUNNING,
    )
    set_dates(one, level, when.dates, ())
    work.session.add(one)
    work.flush()
    write(work, one, ClockKind.STARTED, when.day, "", by)
    return one


def set_dates(
    one: ReferralClock, level: ServiceLevel, dates: Calendar, stood: Sequence[Pause]
) -> None:
    """The last day of a clock, and from when it is due soon, by a rule and a calendar."""
    one.level_id, one.calendar = level.id, dates.version
    one.due_on = clock_dates.due(one.day_zero, level.length, level.unit, dates, stood)
    one.warn_on = clock_dates.warned_on(one.due_on, level.warning, dates)


def standing(changes: Iterable[ClockChange]) -> set[str]:
    """The reasons for which a clock with these changes stands still now."""
    found: set[str] = set()
    for change in changes:
        if change.kind is ClockKind.PAUSED:
            found.add(change.reason)
        elif change.kind is ClockKind.RESUMED:
            found.discard(change.reason)
    return found


def pauses(changes: Iterable[ClockChange], until: date) -> list[Pause]:
    """The days on which a clock with these changes stood still; what lasts ends on `until`."""
    since: dict[str, date] = {}
    found = []
    for change in changes:
        if change.kind is ClockKind.PAUSED:
            since[change.reason] = change.on_day
        elif change.kind is ClockKind.RESUMED and change.reason in since:
            found.append(Pause(since.pop(change.reason), change.on_day))
    return [*found, *(Pause(day, until) for day in since.values())]
