"""The plan of visits: proposed by the practitioner, answered by the school, version by version.

What counts is the latest version that the school has agreed to, or one with as many visits or more
that it has not answered yet: a plan may rise at once, and never falls without a reason and the
school's yes (F50).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from s2s_portal import signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import AlreadyDecided, NotAllowed, NotFound, Refused, Stale
from s2s_portal.identity import Actor, Role
from s2s_portal.models.codes import Action
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Attendance, Visit, VisitKind
from s2s_portal.models.visit_plan import PlanAnswer, PlannedVisits, PlanSays, VisitPlan
from s2s_portal.services import notices, referrals, standing, visits

MOST_ROWS = 12
MOST_VISITS = 20  # in one row
MOST_IN_ALL = 99
MONTHS_AHEAD = MONTHS_BACK = 24


@dataclass(frozen=True)
class PlanRow:
    """So many visits of a kind, roughly in the month that begins on a day."""

    kind: VisitKind
    number: int
    month: date


def of(referral: Referral) -> Sequence[VisitPlan]:
    """Every version of the plan, the first one first, with its rows and what the school said."""
    return (
        session()
        .scalars(
            select(VisitPlan)
            .where(VisitPlan.referral_id == referral.id)
            .order_by(VisitPlan.version)
            .options(selectinload(VisitPlan.rows), joinedload(VisitPlan.answer))
            .execution_options(populate_existing=True)
        )
        .all()
    )


def counts(plans: Sequence[VisitPlan]) -> VisitPlan | None:
    """The version that counts now, as the rule above says; None when none does."""
    found: VisitPlan | None = None
    for plan in plans:
        if plan.answer is None:
            if found is None or plan.total >= found.total:
                found = plan
        elif plan.answer.says is PlanSays.AGREED:
            found = plan
    return found


def made(rows: Sequence[Visit]) -> int:
    """How many of these visits have been made.

    One that is over counts, until its issued record says that it did not happen: the same for
    every reader, whoever may read drafts.
    """
    return sum(
        visits.is_over(visit) and visit.cancelled_at is None and _happened(visit) for visit in rows
    )


def _happened(visit: Visit) -> bool:
    record = visit.record
    if record is None or record.issued_at is None:
        return True
    return record.attendance is Attendance.HAPPENED


def propose(
    work: UnitOfWork,
    reference: str,
    *,
    rows: Sequence[PlanRow],
    why: str,
    seen: int,
    by: Actor,
) -> VisitPlan:
    """A new version of the plan, for the school to answer. Sent twice it is one version.

    Raises NotAllowed for anybody but whoever leads the case, OutOfOrder when it is not open, Stale
    when there is a newer version than `seen`, Refused for fewer visits without a reason, or fewer
    than have been made.
    """
    referral = referrals.get(reference, lock=True)
    visits.allocation_to(referral, by)
    visits.check_open(referral)
    plans = of(referral)
    latest = plans[-1] if plans else None
    if latest is not None and latest.answer is None and _is_same(latest, rows, why, by):
        return latest
    if (latest.version if latest else 0) != seen:
        raise Stale(
            "This plan has changed since you opened this page. What you typed is below and nothing"
            " has been done yet. Look at the plan again before you go on."
        )
    total = sum(row.number for row in rows)
    fewer_than = _check_total(referral, counts(plans), total, why)
    plan = VisitPlan(
        referral_id=referral.id,
        version=seen + 1,
        total=total,
        fewer_than=fewer_than,
        why=why.strip(),
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(plan)
    work.flush()
    work.session.add_all(
        PlannedVisits(plan_id=plan.id, referral_id=referral.id, position=position, **vars(row))
        for position, row in enumerate(rows, 1)
    )
    message = f"Version {plan.version}: {number_words(total)}."
    referrals.record(
        work, referral, Action.PLAN_PROPOSED, by=by, message="\n".join([message, plan.why]).strip()
    )
    link = notices.link_to("s2s.visits.answer_plan", reference=reference)
    notices.tell_school(work, "plan_proposed", referral, link)
    return plan


def _check_total(referral: Referral, before: VisitPlan | None, total: int, why: str) -> int | None:
    """How many visits the plan had so far, if it is to have fewer now."""
    if not 1 <= total <= MOST_IN_ALL:
        raise Refused(f"A plan has from 1 to {MOST_IN_ALL} visits.", field="rows")
    already = made(
        session()
        .scalars(
            select(Visit).where(Visit.referral_id == referral.id).options(joinedload(Visit.record))
        )
        .all()
    )
    if total < already:
        raise Refused(
            f"{number_words(already).capitalize()} have been made already: plan at least as many.",
            field="rows",
        )
    if before is None or total >= before.total:
        return None
    if not why.strip():
        raise Refused(
            f"The plan had {number_words(before.total)} and now has {total}: say why there are"
            " fewer.",
            field="why",
        )
    return before.total


def _is_same(plan: VisitPlan, rows: Sequence[PlanRow], why: str, by: Actor) -> bool:
    return (plan.by_id, plan.why, [PlanRow(r.kind, r.number, r.month) for r in plan.rows]) == (
        by.id,
        why.strip(),
        list(rows),
    )


def number_words(number: int) -> str:
    """So many visits in words: `1 visit`, `4 visits`."""
    return f"{number} visit{'' if number == 1 else 's'}"


def to_answer(reference: str, by: Actor) -> tuple[Referral, VisitPlan]:
    """The referral and the version that its school is to answer, for a page.

    Raises NotFound when there is no plan, NotAllowed for anybody but the school.
    """
    referral = referrals.get(reference)
    _check_school(referral, by)
    plans = of(referral)
    if not plans:
        raise NotFound()
    return referral, plans[-1]


def _check_school(referral: Referral, by: Actor) -> None:
    if not (by.has(Role.REFERRER) and referral.urn in by.establishments):
        raise NotAllowed()


def answer(
    work: UnitOfWork, reference: str, *, version: int, says: PlanSays, words: str, by: Actor
) -> PlanAnswer:
    """What the school says of version `version`; its practitioner is told.

    Raises AlreadyDecided when somebody has answered it, Stale when there is a newer version,
    Refused for a change without words.
    """
    referral = referrals.get(reference)
    _check_school(referral, by)
    visits.check_open(referral)  # first: what is over a school cannot hold, and would not find
    referral = referrals.get(reference, lock=True)
    plans = of(referral)
    if not plans or plans[-1].version != version:
        raise Stale("The practitioner has proposed another plan meanwhile. Look at that one.")
    plan = plans[-1]
    if plan.answer is not None:
        raise AlreadyDecided(f"{plan.answer.by_name} has answered this plan already.")
    visits.check_open(referral)
    if says is PlanSays.CHANGE and not words.strip():
        raise Refused("Say what should change", field="words")
    said = PlanAnswer(
        plan_id=plan.id,
        referral_id=referral.id,
        says=says,
        words=words.strip(),
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(said)
    agreed = says is PlanSays.AGREED
    message = f"Version {plan.version}: {number_words(plan.total)}."
    referrals.record(
        work,
        referral,
        Action.PLAN_AGREED if agreed else Action.PLAN_CHANGE_ASKED,
        by=by,
        message="\n".join([message, said.words]).strip(),
    )
    _tell_practitioner(work, referral, "plan_agreed" if agreed else "plan_change_asked")
    if agreed:
        signals.tell(
            work,
            signals.visit_plan_agreed,
            reference=referral.reference,
            urn=referral.urn,
            by=by.id,
            plan=plan.version,
        )
    return said


def _tell_practitioner(work: UnitOfWork, referral: Referral, notice: str) -> None:
    given = standing.practitioner(referral)  # the school sees no practitioner's own row
    if given is not None:
        link = notices.link_to("s2s.visits.show", reference=referral.reference)
        notices.tell_practitioner(work, notice, given.practitioner_id, referral, link)
