"""The rules that clocks go by, by date, and what a change of them would move (F26; decision 24).

A new rule, a closure or other term dates move nothing by themselves: promises already made keep
their dates until an administrator says, with a reason, that they are to be worked out anew. What
has been broken by then stays broken, and no promise is moved to a day that has gone by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import delete, select, update
from sqlalchemy.orm import joinedload

from s2s_portal import audit, clock, jobs
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.errors import NotAllowed, NotFound, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.clocks import (
    OPEN,
    ClockChange,
    ClockKind,
    ClockState,
    CouncilClosure,
    ReferralClock,
)
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import ServiceLevel, Step, Unit
from s2s_portal.services import calendar, clock_dates, clocks
from s2s_portal.services.calendar import Calendar

MOST_LENGTH = 200
MOST_CLOSED = 31  # days: a longer closure is a slip of the pen
BATCH = 200
LOOKED_AT = 5_000  # running promises that a preview looks at


@dataclass(frozen=True)
class Move:
    """A promise that would have another date by the rules and calendars of today."""

    clock_id: int
    step: Step
    before: date
    after: date
    level_id: int | None
    calendar: str
    warn_on: date


@dataclass(frozen=True)
class Preview:
    """What working out every promise anew would do, for one step."""

    step: Step
    later: int
    earlier: int


def levels() -> list[ServiceLevel]:
    """Every rule there has been, by step, the latest first."""
    found = session().scalars(
        select(ServiceLevel).order_by(ServiceLevel.valid_from.desc(), ServiceLevel.id.desc())
    )
    order = list(Step)
    return sorted(found, key=lambda one: order.index(one.step))


def in_force(found: Sequence[ServiceLevel], day: date) -> set[int]:
    """The ids of the rules that hold on `day`, one for each step."""
    holding: dict[Step, int] = {}
    for one in found:
        if one.valid_from <= day:
            holding.setdefault(one.step, one.id)
    return set(holding.values())


def new_level(
    *, step: Step, valid_from: date, length: int, unit: Unit, warning: int, source: str, by: Actor
) -> ServiceLevel:
    """A rule as it would be; not yet kept. Raises NotAllowed, or Refused for what cannot be.

    It begins today at the earliest: the past keeps the rules that it had.
    """
    _check_administrator(by)
    if valid_from < clock.today():
        raise Refused("The first day must be today or later", field="valid_from")
    if not 1 <= length <= MOST_LENGTH:
        raise Refused(f"The length must be a number from 1 to {MOST_LENGTH}", field="length")
    if not source:
        raise Refused("Enter where this was decided", field="source")
    return ServiceLevel(
        step=step,
        valid_from=valid_from,
        length=length,
        unit=unit,
        warning=warning,
        source=source,
        by_id=by.id,
        by_name=by.name,
    )


def add_level(work: UnitOfWork, level: ServiceLevel) -> None:
    """Keep a rule that `new_level` has made."""
    work.session.add(level)
    work.flush()
    audit.wrote(work, "added", "service level", f"{level.step.value} from {level.valid_from}")


def moves(also: ServiceLevel | None = None, *, most: int = LOOKED_AT) -> list[Move]:
    """The promises not yet kept or broken that would have another date, were they made anew.

    `also` is a rule that is not kept yet. Looks at the first `most` by date.
    """
    today = clock.today()
    found = (
        session()
        .scalars(
            select(ReferralClock)
            .where(ReferralClock.state.in_(OPEN), ReferralClock.due_on >= today)
            .order_by(ReferralClock.due_on, ReferralClock.id)
            .limit(most)
            .options(joinedload(ReferralClock.changes))
        )
        .unique()
        .all()
    )
    rules = [*([also] if also else []), *levels()]
    rules.sort(key=lambda one: one.valid_from, reverse=True)  # stable: the new one stays in front
    calendars = calendar.of_several(one.urn for one in found)
    made = (_move(one, rules, calendars[one.urn], today) for one in found)
    return [move for move in made if move is not None]


def _move(
    one: ReferralClock, rules: Sequence[ServiceLevel], dates: Calendar, today: date
) -> Move | None:
    level = next(
        (rule for rule in rules if rule.step is one.step and rule.valid_from <= one.day_zero), None
    )
    if level is None or one.state is not ClockState.RUNNING:
        return None  # what stands still is worked out anew when it goes on
    stood = clocks.pauses(one.changes, today)
    due_on = clock_dates.due(one.day_zero, level.length, level.unit, dates, stood)
    after = max(due_on, today)
    if after == one.due_on:
        return None
    warned = clock_dates.warned_on(after, level.warning, dates)
    return Move(one.id, one.step, one.due_on, after, level.id, dates.version, warned)


def preview(found: Sequence[Move]) -> list[Preview]:
    """The moves counted by step."""
    return [
        Preview(
            step,
            later=sum(move.step is step and move.after > move.before for move in found),
            earlier=sum(move.step is step and move.after < move.before for move in found),
        )
        for step in Step
        if any(move.step is step for move in found)
    ]


def ask_for_new_dates(work: UnitOfWork, *, reason: str, by: Actor) -> None:
    """Have every promise worked out anew, by the worker, once this transaction stands."""
    _check_administrator(by)
    if not reason:
        raise Refused("Enter why the dates are worked out anew", field="reason")
    jobs.defer(work.session, jobs.NEW_DATES, "upkeep", reason=reason, by_id=by.id, by_name=by.name)
    audit.wrote(work, "asked for new dates of", "promises", reason[:200])


def work_out_anew(*, reason: str, by_id: str, by_name: str) -> int:
    """Give promises the dates of today's rules and calendars: what the worker runs.

    Returns how many were moved. What is broken by now is noted first, and stays. Run again, it
    finds nothing more to move.
    """
    clocks.upkeep()
    moved = 0
    found = moves(most=1_000_000)
    for start in range(0, len(found), BATCH):
        with unit_of_work() as work:
            for move in found[start : start + BATCH]:
                moved += _take(work, move, reason, by_id, by_name)
            audit.wrote(work, "moved the dates of", "promises", reason[:200])
    return moved


def _take(work: UnitOfWork, move: Move, reason: str, by_id: str, by_name: str) -> bool:
    """Move one promise, unless something has happened to it since."""
    one = work.session.get(
        ReferralClock, move.clock_id, with_for_update=True, populate_existing=True
    )
    if one is None or one.state is not ClockState.RUNNING or one.due_on != move.before:
        return False
    assert move.level_id is not None
    one.due_on, one.warn_on = move.after, move.warn_on
    one.level_id, one.calendar = move.level_id, move.calendar
    work.session.add(
        ClockChange(
            clock_id=one.id,
            referral_id=one.referral_id,
            kind=ClockKind.RECOMPUTED,
            on_day=clock.today(),
            due_on=move.after,
            reason=reason,
            by_id=by_id,
            by_name=by_name,
        )
    )
    statuses = [status for status, step in clocks.LEADING.items() if step is one.step]
    # Past the version of the referral: nobody who is deciding on it has to read it again for this.
    work.session.execute(
        update(Referral)
        .where(Referral.id == one.referral_id, Referral.status.in_(statuses))
        .values(due_on=move.after)
        .execution_options(synchronize_session=False)
    )
    work.flush()
    return True


def closed_days() -> list[CouncilClosure]:
    """The days on which the council is closed, the latest first."""
    return list(session().scalars(select(CouncilClosure).order_by(CouncilClosure.starts.desc())))


def close(
    work: UnitOfWork, *, starts: date, ends: date | None, reason: str, by: Actor
) -> CouncilClosure:
    """The council does not work from `starts` to `ends` (the same day when None).

    Raises Refused for days that are past, too many, or known already.
    """
    _check_administrator(by)
    ends = ends or starts
    if starts < clock.today():
        raise Refused("The first day must be today or later", field="starts")
    if ends < starts:
        raise Refused("The last day must not be before the first day", field="ends")
    if (ends - starts).days >= MOST_CLOSED:
        raise Refused(f"Enter {MOST_CLOSED} days at most", field="ends")
    if not reason:
        raise Refused("Enter why the council is closed", field="reason")
    taken = select(CouncilClosure.id).where(
        CouncilClosure.starts <= ends, CouncilClosure.ends >= starts
    )
    if session().scalar(taken.limit(1)) is not None:
        raise Refused("Some of these days are in the list already", field="starts")
    made = CouncilClosure(starts=starts, ends=ends, reason=reason, by_id=by.id, by_name=by.name)
    work.session.add(made)
    work.flush()
    audit.wrote(work, "closed the council on", "council closure", f"{starts} to {ends}: {reason}")
    return made


def open_again(work: UnitOfWork, number: int, *, by: Actor) -> None:
    """Take a closure out of the list. Raises NotFound, or Refused once it has begun."""
    found = work.session.get(CouncilClosure, number)
    if found is None:
        raise NotFound()
    _check_administrator(by)
    if found.starts < clock.today():
        raise Refused("These days have begun, so they stay in the list.")
    said = f"{found.starts} to {found.ends}: {found.reason}"
    work.session.execute(delete(CouncilClosure).where(CouncilClosure.id == number))
    audit.wrote(work, "took away", "council closure", said)


def _check_administrator(by: Actor) -> None:
    if not by.has(Role.ADMINISTRATOR, Role.SYSTEM):
        raise NotAllowed()
