"""The clocks of a referral: what is promised by when, standing still, kept and broken (F26).

What happens to a referral moves its clocks: `follow`, which `referrals.record` calls. What makes a
clock stand still calls `pause`, and `resume` when it goes on. A promise that was broken is kept as
a row, by the daily job and whenever somebody reads the referral, and nothing moves it afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import exists, func, select
from sqlalchemy.orm import joinedload

from s2s_portal import audit, clock, references
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.identity import SYSTEM, Actor, current_actor
from s2s_portal.models.clocks import (
    OPEN,
    ClockBreach,
    ClockChange,
    ClockKind,
    ClockState,
    ReferralClock,
)
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import ServiceLevel, Step
from s2s_portal.models.visit import Visit, VisitRecord
from s2s_portal.services import calendar, clock_dates, service_levels
from s2s_portal.services.calendar import Calendar
from s2s_portal.services.clock_dates import Pause


class Why(StrEnum):
    """Why a clock stands still; one that does for two reasons goes on when both have gone."""

    RETURNED = "returned"
    HELD = "held"


@dataclass(frozen=True)
class Effect:
    """What an action does to the clocks of its referral, in this order."""

    meets: tuple[Step, ...] = ()
    stops: tuple[Step, ...] = ()
    pauses: Why | None = None
    resumes: Why | None = None
    starts: tuple[Step, ...] = ()


TAKEN_UP = (Step.ACKNOWLEDGEMENT,)
DECIDED = (Step.ACKNOWLEDGEMENT, Step.DECISION)
ALL = tuple(Step)
EFFECTS: dict[Action, Effect] = {
    Action.SUBMITTED: Effect(starts=DECIDED),
    Action.ASSIGNED: Effect(meets=TAKEN_UP),
    Action.RETURNED: Effect(meets=TAKEN_UP, pauses=Why.RETURNED, starts=(Step.ANSWER,)),
    Action.RESUBMITTED: Effect(meets=(Step.ANSWER,), resumes=Why.RETURNED, starts=(Step.DECISION,)),
    Action.ACCEPTED: Effect(meets=DECIDED, stops=ALL, starts=(Step.ALLOCATION,)),
    Action.DECLINED: Effect(meets=DECIDED, stops=ALL),
    # Given to another practitioner, the school is to hear from that one.
    Action.ALLOCATED: Effect(
        meets=(Step.ALLOCATION,), stops=(Step.CONTACT,), starts=(Step.CONTACT, Step.FIRST_VISIT)
    ),
    Action.VISIT_BOOKED: Effect(meets=(Step.CONTACT,)),
    Action.OUTCOMES_RECORDED: Effect(starts=(Step.CLOSURE,)),
    Action.CLOSED: Effect(meets=(Step.CLOSURE,), stops=ALL),
    Action.REOPENED: Effect(starts=(Step.CONTACT,)),
    Action.WITHDRAWN: Effect(stops=ALL),
    Action.AGREEMENT_WITHDRAWN: Effect(stops=ALL),
}
# After these, visits that are over may have left a promise to write, or one that was kept.
VISITED = frozenset({Action.RECORD_ISSUED, Action.OUTCOMES_RECORDED, Action.CLOSED})

# The promise that a school is told first, by where its referral stands: `referral.due_on`.
LEADING = {
    Status.SUBMITTED: Step.DECISION,
    Status.ACCEPTED: Step.ALLOCATION,
    Status.ALLOCATED: Step.CONTACT,
}


def follow(
    work: UnitOfWork, referral: Referral, action: Action, at: datetime, *, moved: bool, by: Actor
) -> None:
    """Move the clocks of `referral` on: `action` has just happened to it, at the instant `at`.

    With a new status (`moved`) comes the date that the referral itself shows.
    """
    effect = EFFECTS.get(action)
    if effect is None and action not in VISITED:
        return
    work.flush()
    if action in VISITED:
        _visits(work, referral, by)
    if effect is not None:
        _take(work, referral, effect, at, by)
    if moved:
        referral.due_on = _leading(referral)


def _take(work: UnitOfWork, referral: Referral, effect: Effect, at: datetime, by: Actor) -> None:
    kept = _open(referral) if effect.meets or effect.stops else []
    for one in kept:
        if one.step in effect.meets:
            _end(work, one, ClockState.MET, at, by)
        elif one.step in effect.stops:
            _end(work, one, ClockState.STOPPED, at, by)
    work.flush()
    if effect.pauses:
        _pause(work, referral, effect.pauses, at, by)
    if effect.resumes:
        _resume(work, referral, effect.resumes, at, by)
    if effect.starts:
        _start(work, referral, effect.starts, at, by)
    work.flush()


def pause(work: UnitOfWork, referral: Referral, why: Why, *, by: Actor | None = None) -> None:
    """Let every clock of `referral` but the school's own stand still from now on.

    The caller writes down what happened (`referrals.record`). Twice for one reason is once.
    """
    work.flush()
    _pause(work, referral, why, clock.now(), by or current_actor())
    referral.due_on = _leading(referral)


def resume(work: UnitOfWork, referral: Referral, why: Why, *, by: Actor | None = None) -> None:
    """Let the clocks that stood still because of `why` go on; each has a new last day.

    It is as many days later as were lost, the first and the last day of the pause among them.
    """
    work.flush()
    _resume(work, referral, why, clock.now(), by or current_actor())
    referral.due_on = _leading(referral)


def of(referral: Referral) -> list[ReferralClock]:
    """Every clock of `referral`, in the order they were started, with what happened to each."""
    return _clocks(ReferralClock.referral_id == referral.id)


def note_broken(reference: str) -> None:
    """Keep what whoever reads the referral `reference` finds broken, in a transaction of its own.

    Called before the page is read: nothing is pending in the session. Looks with the reader's own
    eyes, so of a referral that is not theirs nothing is noted.
    """
    today = clock.today()
    found = session().scalar(
        select(ReferralClock.referral_id)
        .join(Referral, Referral.id == ReferralClock.referral_id)
        .outerjoin(ReferralClock.breach)
        .where(
            Referral.reference == (references.parse(reference) or ""),
            ReferralClock.state == ClockState.RUNNING,
            ReferralClock.due_on < today,
            ClockBreach.clock_id.is_(None),
        )
        .limit(1)
    )
    if found is not None:
        with unit_of_work() as work:
            _note(work, today, found)


def is_broken(one: ReferralClock, today: date) -> bool:
    """Whether a running clock has run out before `today`; a pause is no breach."""
    return one.state is ClockState.RUNNING and one.due_on < today


def upkeep() -> int:
    """What the hourly job does: visits that are over, then every promise that has been broken.

    Returns how many were noted. Run again, it changes nothing.
    """
    for number in _with_visits_over():
        with unit_of_work() as work:
            held = work.session.get_one(Referral, number, with_for_update=True)
            _visits(work, held, SYSTEM)
            audit.wrote(work, "followed up visits of", "referral", held.reference)
    with unit_of_work() as work:
        return _note(work, clock.today(), None)


def _note(work: UnitOfWork, day: date, referral_id: int | None) -> int:
    """Write down what was broken before `day`; the database does it, once for each clock."""
    noted: int = work.session.scalar(select(func.s2s.note_breaches(day, referral_id))) or 0
    if noted:
        work.wrote = True
        audit.wrote(work, "noted", "broken promise", str(referral_id or "all"))
    return noted


def _clocks(*where: object) -> list[ReferralClock]:
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


def _open(referral: Referral) -> list[ReferralClock]:
    return _clocks(ReferralClock.referral_id == referral.id, ReferralClock.state.in_(OPEN))


def _leading(referral: Referral) -> date | None:
    step = LEADING.get(referral.status)
    if step is None:
        return None
    return session().scalar(
        select(ReferralClock.due_on).where(
            ReferralClock.referral_id == referral.id,
            ReferralClock.step == step,
            ReferralClock.state == ClockState.RUNNING,
        )
    )


def _write(
    work: UnitOfWork, one: ReferralClock, kind: ClockKind, day: date, reason: str, by: Actor
) -> None:
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


def _end(work: UnitOfWork, one: ReferralClock, state: ClockState, at: datetime, by: Actor) -> None:
    """Kept, or of no use any more: on the day of `at`, which may be too late."""
    day = clock.local(at).date()
    if is_broken(one, day) and one.breach is None:
        _note(work, day, one.referral_id)
    one.state, one.ended_at = state, at
    _write(work, one, ClockKind(state.value), day, "", by)


def _pause(work: UnitOfWork, referral: Referral, why: Why, at: datetime, by: Actor) -> None:
    day = clock.local(at).date()
    for one in _open(referral):
        if one.step is Step.ANSWER or why in standing(one.changes):
            continue
        if is_broken(one, day) and one.breach is None:
            _note(work, day, referral.id)
        one.state = ClockState.PAUSED
        _write(work, one, ClockKind.PAUSED, day, why, by)
    work.flush()


def _resume(work: UnitOfWork, referral: Referral, why: Why, at: datetime, by: Actor) -> None:
    waiting = [one for one in _open(referral) if why in standing(one.changes)]
    if not waiting:
        return
    dates = calendar.of(referral.urn)
    day = dates.day_received(clock.local(at))
    for one in waiting:
        rest = standing(one.changes) - {why}
        if not rest:
            one.state = ClockState.RUNNING
            if one.breach is None:
                _set_dates(one, one.level, dates, pauses(one.changes, day))
        _write(work, one, ClockKind.RESUMED, day, why, by)
    work.flush()


def _start(
    work: UnitOfWork, referral: Referral, steps: Iterable[Step], at: datetime, by: Actor
) -> None:
    dates = calendar.of(referral.urn)
    day = dates.day_received(clock.local(at))
    going = {one.step for one in _open(referral)}
    for step in steps:
        level = None if step in going else service_levels.on(step, day)
        if level is not None:
            _begin(work, referral, level, dates, day, at, by)
    work.flush()


def _begin(
    work: UnitOfWork,
    referral: Referral,
    level: ServiceLevel,
    dates: Calendar,
    day: date,
    at: datetime,
    by: Actor,
    visit_id: int | None = None,
) -> ReferralClock:
    one = ReferralClock(
        referral_id=referral.id,
        urn=referral.urn,
        step=level.step,
        visit_id=visit_id,
        started_at=at,
        day_zero=day,
        state=ClockState.RUNNING,
    )
    _set_dates(one, level, dates, ())
    work.session.add(one)
    work.flush()
    _write(work, one, ClockKind.STARTED, day, "", by)
    return one


def _set_dates(
    one: ReferralClock, level: ServiceLevel, dates: Calendar, stood: Sequence[Pause]
) -> None:
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


def _with_visits_over() -> list[int]:
    """The referrals, with a practitioner, of visits that are over and have no clock of their own."""
    return list(
        session().scalars(
            select(Visit.referral_id)
            .join(Referral, Referral.id == Visit.referral_id)
            .where(
                Referral.status == Status.ALLOCATED,
                Visit.ends_at <= clock.now(),
                ~exists().where(ReferralClock.visit_id == Visit.id),
            )
            .distinct()
        )
    )


def _visits(work: UnitOfWork, referral: Referral, by: Actor) -> None:
    """Of each visit that is over: the first keeps a promise, and its record is promised.

    The promise of a record counts from the day of the visit, whenever that is noticed, and is kept
    on the day on which the record was issued.
    """
    over = session().execute(
        select(Visit.id, Visit.ends_at, VisitRecord.issued_at)
        .outerjoin(VisitRecord, VisitRecord.visit_id == Visit.id)
        .where(Visit.referral_id == referral.id, Visit.ends_at <= clock.now())
        .order_by(Visit.ends_at)
    )
    made = over.all()
    if not made:
        return
    mine = of(referral)
    for one in mine:
        after = [row.ends_at for row in made if row.ends_at >= one.started_at]
        if one.step is Step.FIRST_VISIT and one.state in OPEN and after:
            _end(work, one, ClockState.MET, after[0], by)
    dates = calendar.of(referral.urn)
    clocked = {one.visit_id: one for one in mine if one.step is Step.RECORD}
    for row in made:
        record = clocked.get(row.id)
        if record is None:
            day = dates.day_received(clock.local(row.ends_at))
            level = service_levels.on(Step.RECORD, day)
            if level is None:
                continue
            record = _begin(work, referral, level, dates, day, row.ends_at, by, row.id)
            session().refresh(record, ["breach"])
        if row.issued_at is not None and record.state in OPEN:
            _end(work, record, ClockState.MET, row.issued_at, by)
    work.flush()
