"""The clocks of a referral: what is promised by when, standing still, kept and broken (F26).

What happens to a referral moves its clocks: `follow`, which `referrals.record` calls. What makes a
clock stand still calls `pause`, and `resume` when it goes on. A promise that was broken is kept as
a row, by the daily job and whenever somebody reads the referral, and nothing moves it afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import exists, select

from s2s_portal import audit, clock, references
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.identity import SYSTEM, Actor, current_actor
from s2s_portal.models.clocks import (
    OPEN,
    ClockBreach,
    ClockKind,
    ClockState,
    ReferralClock,
)
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import Step
from s2s_portal.models.visit import Visit, VisitRecord
from s2s_portal.services import clock_dates, service_levels
from s2s_portal.services.clock_rows import (
    When,
    Why,
    begin,
    end,
    find,
    is_broken,
    note,
    open_of,
    pauses,
    set_dates,
    standing,
    write,
)


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
    **dict.fromkeys(
        (Action.DECLINED, Action.ADVISED, Action.REDIRECTED, Action.WAITING_LISTED),
        Effect(meets=DECIDED, stops=ALL),
    ),
    Action.DECISION_UNDONE: Effect(stops=ALL, starts=(Step.DECISION,)),
    Action.UNANSWERED: Effect(stops=ALL),
    Action.RETURN_REOPENED: Effect(starts=(Step.ANSWER,)),
    # Given to another practitioner, the school is to hear from that one.
    Action.ALLOCATED: Effect(
        meets=(Step.ALLOCATION,), stops=(Step.CONTACT,), starts=(Step.CONTACT, Step.FIRST_VISIT)
    ),
    # A promise that was broken stays so: the clock that it was of ends, and another begins.
    Action.REALLOCATED: Effect(stops=(Step.CONTACT,), starts=(Step.CONTACT,)),
    Action.TAKEN_BACK: Effect(stops=ALL, starts=(Step.ALLOCATION,)),
    Action.VISIT_BOOKED: Effect(meets=(Step.CONTACT,)),
    Action.OUTCOMES_RECORDED: Effect(starts=(Step.CLOSURE,)),
    Action.CLOSED: Effect(meets=(Step.CLOSURE,), stops=ALL),
    Action.REOPENED: Effect(starts=(Step.CONTACT,)),
    Action.WITHDRAWN: Effect(stops=ALL),
    Action.AGREEMENT_WITHDRAWN: Effect(stops=ALL),
    # The promise was the council's, not the team's: it goes on, and what was broken stays broken.
    Action.HANDED_OVER: Effect(),
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

    With a new status (`moved`) comes the date that the referral itself shows. It is known before
    anything is written, as a school may change its referral once, and the status with the date.
    """
    effect, when = EFFECTS.get(action), When(referral, at)
    if moved or action is Action.REALLOCATED:
        referral.due_on = _to_come(referral, effect or Effect(), when)
    if effect is None and action not in VISITED:
        return
    work.flush()
    if action in VISITED:
        _visits(work, referral, by)
    if effect is not None:
        _take(work, referral, effect, when, by)


def _to_come(referral: Referral, effect: Effect, when: When) -> date | None:
    """The promise that the school is told first, as it will be once `effect` has been taken."""
    step = LEADING.get(referral.status)
    if step is None:
        return None
    going = [one for one in open_of(referral) if one.step is step and step not in effect.stops]
    if not going:
        level = service_levels.on(step, when.day) if step in effect.starts else None
        if level is None:
            return None
        return clock_dates.due(when.day, level.length, level.unit, when.dates)
    [one] = going
    if standing(one.changes) - {effect.resumes}:
        return None
    if one.state is ClockState.RUNNING or one.breach is not None:
        return one.due_on
    stood = pauses(one.changes, when.day)
    return clock_dates.due(one.day_zero, one.level.length, one.level.unit, when.dates, stood)


def _take(work: UnitOfWork, referral: Referral, effect: Effect, when: When, by: Actor) -> None:
    for one in open_of(referral) if effect.meets or effect.stops else []:
        if one.step in effect.meets:
            end(work, one, ClockState.MET, when.at, by)
        elif one.step in effect.stops:
            end(work, one, ClockState.STOPPED, when.at, by)
    work.flush()
    if effect.pauses:
        _pause(work, referral, effect.pauses, when, by)
    if effect.resumes:
        _resume(work, referral, effect.resumes, when, by)
    if effect.starts:
        _start(work, referral, effect.starts, when, by)
    work.flush()


def pause(work: UnitOfWork, referral: Referral, why: Why, *, by: Actor | None = None) -> None:
    """Let every clock of `referral` but the school's own stand still from now on.

    The caller writes down what happened (`referrals.record`). Twice for one reason is once.
    """
    work.flush()
    _pause(work, referral, why, When(referral, clock.now()), by or current_actor())
    referral.due_on = _leading(referral)


def resume(work: UnitOfWork, referral: Referral, why: Why, *, by: Actor | None = None) -> None:
    """Let the clocks that stood still because of `why` go on; each has a new last day.

    It is as many days later as were lost, the first and the last day of the pause among them.
    """
    work.flush()
    _resume(work, referral, why, When(referral, clock.now()), by or current_actor())
    referral.due_on = _leading(referral)


def keep(work: UnitOfWork, referral: Referral, step: Step, *, by: Actor) -> None:
    """Let the clock of `step` end as kept now, if it goes: what it promised is there already."""
    work.flush()
    for one in open_of(referral):
        if one.step is step:
            end(work, one, ClockState.MET, clock.now(), by)
    work.flush()
    referral.due_on = _leading(referral)


def of(referral: Referral) -> list[ReferralClock]:
    """Every clock of `referral`, in the order they were started, with what happened to each."""
    return find(ReferralClock.referral_id == referral.id)


def has_broken(found: Iterable[ReferralClock]) -> bool:
    """Whether a promise among `found` is broken and nobody has noted it yet."""
    today = clock.today()
    return any(is_broken(one, today) and one.breach is None for one in found)


def note_broken(reference: str) -> None:
    """Keep what whoever reads the referral `reference` finds broken, in a transaction of its own.

    Nothing is pending in the session; what was read before is read again. Looks with the reader's
    own eyes, so of a referral that is not theirs nothing is noted.
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
            note(work, today, found)


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
        return note(work, clock.today(), None)


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


def _pause(work: UnitOfWork, referral: Referral, why: Why, when: When, by: Actor) -> None:
    day = when.today
    for one in open_of(referral):
        if one.step is Step.ANSWER or why in standing(one.changes):
            continue
        if is_broken(one, day) and one.breach is None:
            note(work, day, referral.id)
        one.state = ClockState.PAUSED
        write(work, one, ClockKind.PAUSED, day, why, by)
    work.flush()


def _resume(work: UnitOfWork, referral: Referral, why: Why, when: When, by: Actor) -> None:
    for one in open_of(referral):
        if why not in standing(one.changes):
            continue
        rest = standing(one.changes) - {why}
        if not rest:
            one.state = ClockState.RUNNING
            if one.breach is None:
                set_dates(one, one.level, when.dates, pauses(one.changes, when.day))
        write(work, one, ClockKind.RESUMED, when.day, why, by)
    work.flush()


def _start(
    work: UnitOfWork, referral: Referral, steps: Iterable[Step], when: When, by: Actor
) -> None:
    going = {one.step for one in open_of(referral)}
    for step in steps:
        level = None if step in going else service_levels.on(step, when.day)
        if level is not None:
            begin(work, referral, level, when, by)
    work.flush()


def _with_visits_over() -> list[int]:
    """The referrals, with a practitioner, of visits that are over and have no clock yet."""
    return list(
        session().scalars(
            select(Visit.referral_id)
            .join(Referral, Referral.id == Visit.referral_id)
            .where(
                Referral.status == Status.ALLOCATED,
                Visit.ends_at <= clock.now(),
                Visit.cancelled_at.is_(None),
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
        select(Visit.id, Visit.ends_at, VisitRecord.issued_at, VisitRecord.support_given)
        .outerjoin(VisitRecord, VisitRecord.visit_id == Visit.id)
        .where(
            Visit.referral_id == referral.id,
            Visit.ends_at <= clock.now(),
            Visit.cancelled_at.is_(None),
        )
        .order_by(Visit.ends_at)
    )
    made = over.all()
    if not made:
        return
    lost = [row.ends_at for row in made if row.issued_at is not None and not row.support_given]
    came = [row.ends_at for row in made if row.issued_at is None or row.support_given]
    _promise_again(work, referral, lost, by)
    mine = of(referral)
    for one in mine:
        after = [ended for ended in came if ended >= one.started_at]
        if one.step is Step.FIRST_VISIT and one.state in OPEN and after:
            end(work, one, ClockState.MET, after[0], by)
    clocked = {one.visit_id: one for one in mine if one.step is Step.RECORD}
    for row in made:
        record = clocked.get(row.id)
        if record is None:
            when = When(referral, row.ends_at)
            level = service_levels.on(Step.RECORD, when.day)
            if level is None:
                continue
            record = begin(work, referral, level, when, by, row.id)
            session().refresh(record, ["breach"])
        if row.issued_at is not None and record.state in OPEN:
            end(work, record, ClockState.MET, row.issued_at, by)
    work.flush()


def _promise_again(
    work: UnitOfWork, referral: Referral, lost: Sequence[datetime], by: Actor
) -> None:
    """A first visit that was taken for made did not happen, says its record: the promise is open.

    A clock that has ended stays so; another begins that counts from the same day.
    """
    if not lost or referral.status is not Status.ALLOCATED:
        return
    last = next((one for one in reversed(of(referral)) if one.step is Step.FIRST_VISIT), None)
    if last is not None and last.state is ClockState.MET and last.ended_at in lost:
        begin(work, referral, last.level, When(referral, last.started_at), by)
        work.flush()
