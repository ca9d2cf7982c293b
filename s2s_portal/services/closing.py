"""The end of a referral: what was achieved, closing it, and opening it again (F64-F66)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import func, select

from s2s_portal import audit, clock, money, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NoTerms, OutOfOrder, Refused, Stale
from s2s_portal.identity import Actor
from s2s_portal.models.answer import OutcomeWanted
from s2s_portal.models.codes import Achieved, Action, Closure, Status
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.terms import Unit
from s2s_portal.services import (
    calendar,
    clock_dates,
    concluding,
    notices,
    outcome_scores,
    referrals,
    terms,
    visits,
)
from s2s_portal.services.labels import LEFT_AREA, with_council
from s2s_portal.services.outcome_scores import outcomes
from s2s_portal.services.referrals import check_seen
from s2s_portal.services.terms import written
from s2s_portal.state import setting

CLOSURE_WORDS = {
    Closure.OUTCOMES_MET: "The outcomes were achieved",
    Closure.PARTLY_MET: "The outcomes were partly achieved",
    Closure.NOT_MET: "The outcomes were not achieved, and more support is needed",
    Closure.MOVED_SCHOOL: "The pupil has moved to another school",
    Closure.LEFT_COUNTY: LEFT_AREA,
    Closure.WITHDRAWN_PARENT: "The parents or carers withdrew",
    Closure.WITHDRAWN_SCHOOL: "The school withdrew",
    Closure.NO_ENGAGEMENT: "The support could not be arranged with the school",
}

# Why a referral is closed whose outcomes all came to the same.
BY_RESULT = {
    Achieved.YES: Closure.OUTCOMES_MET,
    Achieved.PARTLY: Closure.PARTLY_MET,
    Achieved.NO: Closure.NOT_MET,
}
ACHIEVED_WORDS = {
    Achieved.YES: "Achieved",
    Achieved.PARTLY: "Partly achieved",
    Achieved.NO: "Not achieved",
}


def closure_words() -> dict[Closure, str]:
    """Why a referral was closed, in words, with the name of the council that runs the service."""
    return with_council(CLOSURE_WORDS)


def record_outcomes(
    work: UnitOfWork,
    reference: str,
    *,
    results: Mapping[int, tuple[Achieved, str]],
    scores: outcome_scores.Given | None = None,
    seen: str | None = None,
    by: Actor,
) -> Referral:
    """Write down how far each outcome wanted was achieved; again if need be, until it is closed.

    `results` has a result and a comment for each outcome's position, `scores` how it stands now, 0
    to 10, as far as that can be said. The same results sent twice are recorded once. `seen` is the
    `seen_mark` of the page; None skips the question. Raises Stale when others have been recorded
    since, NotAllowed for anybody but the allocated practitioner, OutOfOrder when it is not open,
    Refused when a result is missing or there is no such outcome.
    """
    referral = referrals.get(reference, lock=True)
    visits.allocation_to(referral, by)
    visits.check_open(referral)
    wanted = outcomes(referral)
    if set(results) != {outcome.position for outcome in wanted}:
        raise Refused("Say for every outcome whether it was achieved.")
    if not set(scores or {}) <= set(results):
        raise Refused("There is no such outcome.")
    said = outcome_scores.as_kept(referral, wanted)
    if all((o.achieved, o.comment) == results[o.position] for o in wanted) and all(
        one.end == (scores or {}).get(one.position) for one in said
    ):
        return referral
    if seen is not None and seen != seen_mark(wanted):
        raise Stale(
            "The outcomes were recorded in another window after you opened this page. What you"
            " typed is below and has not been saved. If you record it now, it replaces them."
        )
    for outcome in wanted:
        outcome.achieved, outcome.comment = results[outcome.position]
        outcome.recorded_at = clock.now()
        outcome.recorded_by_id, outcome.recorded_by_name = by.id, by.name
    outcome_scores.add_end(work, referral, results, scores or {}, by=by)
    referrals.record(work, referral, Action.OUTCOMES_RECORDED, by=by, message=_summary(wanted))
    link = notices.link_to("s2s.referrals.show", reference=referral.reference)
    notices.tell_school(work, "outcomes_recorded", referral, link)
    tell_if_ready(work, referral)
    signals.tell(work, signals.outcomes_recorded, **_of(referral, by))
    return referral


def after_outcomes(referral: Referral) -> str:
    """What happens next, once the outcomes have been recorded, in words for the practitioner."""
    if concluding.report_is_due(referral):
        return "The outcomes have been recorded. Now write the end report."
    return "The outcomes have been recorded. A SEND officer now closes the referral."


def tell_if_ready(work: UnitOfWork, referral: Referral) -> None:
    """Tell the officers that `referral` can be closed, once nothing is missing for that."""
    work.flush()
    if not what_is_missing(referral):
        notices.tell_officers(work, "referral_to_close", referral)


def close(
    work: UnitOfWork,
    reference: str,
    *,
    closure: Closure,
    message: str,
    seen: int,
    by: Actor,
) -> Referral:
    """Close a referral that is with a practitioner, and tell the school and the practitioner why.

    Once a visit has happened, every outcome wanted needs its result first, and there must be an end
    report. How it is then concluded follows from the facts (`concluding`). Raises Refused when that
    is missing or there is no `message`, OutOfOrder when it is not open, Stale when it
    changed since version `seen`.
    """
    if not message.strip():
        raise Refused("Enter what you want to tell the school", field="message")
    referral = referrals.get(reference, lock=True)
    check_open(referral)
    check_seen(referral, seen)
    problem = what_is_missing(referral)
    if problem:
        raise Refused(problem)
    referral.closure = closure
    told = f"{closure_words()[closure]}.\n{message}"
    referrals.record(work, referral, Action.CLOSED, by=by, message=told)
    _tell(work, "referral_closed", referral)
    signals.tell(work, signals.referral_closed, closure=str(closure), **_of(referral, by))
    return referral


def close_ready(
    work: UnitOfWork, reference: str, *, message: str, seen: int, by: Actor
) -> Referral:
    """Close a referral whose outcomes have been recorded, for the reason that they give (W18).

    Raises OutOfOrder where none were asked for or one has no result, and as `close` does.
    """
    wanted = outcomes(referrals.get(reference))
    found = {outcome.achieved for outcome in wanted if outcome.achieved is not None}
    if not wanted or any(outcome.achieved is None for outcome in wanted):
        raise OutOfOrder("Its outcomes have not all been recorded, so close it by itself.")
    closure = BY_RESULT[found.pop()] if len(found) == 1 else Closure.PARTLY_MET
    return close(work, reference, closure=closure, message=message, seen=seen, by=by)


def reopen(work: UnitOfWork, reference: str, *, reason: str, seen: int, by: Actor) -> Referral:
    """Open a closed referral again with the same practitioner; it is never charged again.

    Raises Refused without a `reason`, OutOfOrder when it is not closed, or for too long, Stale when
    it changed.
    """
    if not reason.strip():
        raise Refused("Enter why the referral is being reopened", field="reason")
    referral = referrals.get(reference, lock=True)
    check_reopenable(referral)
    check_seen(referral, seen)
    referral.closure = None
    told = f"{reason}\nThere is no new fee: reopening a referral is not charged."
    referrals.record(work, referral, Action.REOPENED, by=by, message=told)
    _tell(work, "referral_reopened", referral)
    signals.tell(work, signals.referral_reopened, **_of(referral, by))
    return referral


def check_open(referral: Referral) -> None:
    """Raise OutOfOrder unless the referral is with a practitioner, so that it can be closed."""
    if referral.status is Status.CLOSED:
        raise OutOfOrder("This referral has already been closed. Nothing has been changed now.")
    if referral.status is not Status.ALLOCATED:
        raise OutOfOrder("Only a referral that is with a practitioner can be closed.")


def check_closed(referral: Referral) -> None:
    """Raise OutOfOrder unless the referral is closed, so that it can be opened again."""
    if referral.status is not Status.CLOSED:
        raise OutOfOrder("Only a closed referral can be reopened. Nothing has been changed now.")


def check_reopenable(referral: Referral) -> None:
    """Raise OutOfOrder unless the referral is closed, and has not been for too long."""
    check_closed(referral)
    check_in_time(referral)


def reopen_until(referral: Referral) -> date | None:
    """The last day on which the closed `referral` can be reopened: so many weeks of its school."""
    weeks = int(setting("S2S_REOPEN_SCHOOL_WEEKS"))
    closed = session().scalar(
        select(func.max(ReferralEvent.at)).where(
            ReferralEvent.referral_id == referral.id, ReferralEvent.action == Action.CLOSED
        )
    )
    if closed is None or weeks < 1:
        return None
    day = clock.local(closed).date()
    return clock_dates.due(day, weeks, Unit.SCHOOL_WEEKS, calendar.of(referral.urn))


def check_in_time(referral: Referral) -> None:
    """Raise OutOfOrder once a referral has been closed for too long to be the same engagement."""
    until = reopen_until(referral)
    if until is not None and clock.today() > until:
        raise OutOfOrder(
            f"This referral could be reopened until {written(until)}. If the school needs more"
            f" support, it starts a new referral{_cost(referral)}."
        )


def _cost(referral: Referral) -> str:
    try:
        pence = terms.verdict(referral.establishment, clock.today()).amount_pence
    except NoTerms:
        return ""
    return f", which costs {money.pounds(pence)}" if pence else ", which costs nothing"


def what_is_missing(referral: Referral) -> str:
    """What the practitioner must still do before the referral can be closed; empty when nothing."""
    if referral.status is not Status.ALLOCATED or not concluding.has_started(referral):
        return ""
    missing, to_do = [], []
    open_ones = sum(outcome.achieved is None for outcome in outcomes(referral))
    if open_ones:
        called = "1 outcome has" if open_ones == 1 else f"{open_ones} outcomes have"
        missing.append(f"{called} no result yet")
        to_do.append("record what was achieved")
    if concluding.report_is_due(referral):
        missing.append("the end report has not been issued")
        to_do.append("issue the end report")
    if not missing:
        return ""
    said = " and ".join(missing)
    return (
        f"{said[0].upper()}{said[1:]}. Visits have been made, so the practitioner must"
        f" {' and '.join(to_do)} before you can close the referral."
    )


def seen_mark(wanted: Iterable[OutcomeWanted]) -> str:
    """What a page with these outcomes carries, to tell whether others were recorded since."""
    return max((o.recorded_at.isoformat() for o in wanted if o.recorded_at), default="")


def outcomes_to_read(referral: Referral) -> list[OutcomeWanted]:
    """The outcomes for an officer to read before closing: words about a pupil, so audited."""
    audit.looked_at("referral", referral.reference)
    return outcomes(referral)


def _summary(wanted: list[OutcomeWanted]) -> str:
    counted = Counter(outcome.achieved for outcome in wanted)
    return (
        ", ".join(
            f"{words.lower()}: {counted[achieved]}" for achieved, words in ACHIEVED_WORDS.items()
        ).capitalize()
        + "."
    )


def _of(referral: Referral, by: Actor) -> dict[str, Any]:
    """What every signal about a referral brings."""
    return {"reference": referral.reference, "urn": referral.urn, "by": by.id}


def _tell(work: UnitOfWork, notice: str, referral: Referral) -> None:
    link = notices.link_to("s2s.referrals.show", reference=referral.reference)
    notices.tell_school(work, notice, referral, link)
    allocation = referrals.open_allocation(referral)
    if allocation is not None:
        link = notices.link_to("s2s.visits.show", reference=referral.reference)
        notices.tell_practitioner(work, notice, allocation.practitioner_id, referral, link)
