"""The end of a referral: what was achieved, closing it, and opening it again (F65, F66)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import exists, select

from s2s_portal import audit, clock, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import OutOfOrder, Refused, Stale
from s2s_portal.identity import Actor
from s2s_portal.models.answer import OutcomeWanted
from s2s_portal.models.codes import Achieved, Action, Closure, Status
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import VisitRecord
from s2s_portal.services import notices, referrals, visits
from s2s_portal.services.labels import LEFT_AREA, with_council
from s2s_portal.services.referrals import check_seen

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
    seen: str | None = None,
    by: Actor,
) -> Referral:
    """Write down how far each outcome wanted was achieved; again if need be, until it is closed.

    `results` has a result and a comment for each outcome's position. The same results sent twice
    are recorded once. `seen` is the `seen_mark` of the page; None skips the question. Raises Stale
    when others have been recorded since, NotAllowed for anybody but the allocated practitioner,
    OutOfOrder when it is not open, Refused when a result is missing or there is no such outcome.
    """
    referral = referrals.get(reference, lock=True)
    visits.allocation_to(referral, by)
    visits.check_open(referral)
    wanted = outcomes(referral)
    if set(results) != {outcome.position for outcome in wanted}:
        raise Refused("Say for every outcome whether it was achieved.")
    if all((o.achieved, o.comment) == results[o.position] for o in wanted):
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
    referrals.record(work, referral, Action.OUTCOMES_RECORDED, by=by, message=_summary(wanted))
    link = notices.link_to("s2s.referrals.show", reference=referral.reference)
    notices.tell_school(work, "outcomes_recorded", referral, link)
    notices.tell_officers(work, "referral_to_close", referral)
    signals.tell(work, signals.outcomes_recorded, **_of(referral, by))
    return referral


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

    Once a visit record has been issued, every outcome wanted needs its result first. Raises Refused
    when one is missing or there is no `message`, OutOfOrder when it is not open, Stale when it
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


def reopen(work: UnitOfWork, reference: str, *, reason: str, seen: int, by: Actor) -> Referral:
    """Open a closed referral again with the same practitioner; it is never charged again.

    Raises Refused without a `reason`, OutOfOrder when it is not closed, Stale when it changed.
    """
    if not reason.strip():
        raise Refused("Enter why the referral is being reopened", field="reason")
    referral = referrals.get(reference, lock=True)
    check_closed(referral)
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


def what_is_missing(referral: Referral) -> str:
    """What the practitioner must still do before the referral can be closed; empty when nothing."""
    if referral.status is not Status.ALLOCATED:
        return ""
    started = session().scalar(
        select(
            exists().where(
                VisitRecord.referral_id == referral.id, VisitRecord.issued_at.is_not(None)
            )
        )
    )
    if not started:
        return ""
    open_ones = sum(outcome.achieved is None for outcome in outcomes(referral))
    if not open_ones:
        return ""
    called = "1 outcome has" if open_ones == 1 else f"{open_ones} outcomes have"
    return (
        f"{called} no result yet. Visits have been made, so the practitioner must record what was"
        " achieved before you can close the referral."
    )


def seen_mark(wanted: Iterable[OutcomeWanted]) -> str:
    """What a page with these outcomes carries, to tell whether others were recorded since."""
    return max((o.recorded_at.isoformat() for o in wanted if o.recorded_at), default="")


def outcomes_to_read(referral: Referral) -> list[OutcomeWanted]:
    """The outcomes for an officer to read before closing: words about a pupil, so audited."""
    audit.looked_at("referral", referral.reference)
    return outcomes(referral)


def outcomes(referral: Referral) -> list[OutcomeWanted]:
    """The outcomes that the school wanted, in its order, with their results so far."""
    return list(
        session().scalars(
            select(OutcomeWanted)
            .where(OutcomeWanted.referral_id == referral.id)
            .order_by(OutcomeWanted.position)
        )
    )


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
