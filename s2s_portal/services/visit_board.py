"""What the page of a case says of its visits: moved from where, planned how many, cancelled how.

The same facts for the practitioner, the officer and the school, each as far as they may see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.models.codes import Status
from s2s_portal.models.contact import ContactAttempt
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import AskedBy, Visit
from s2s_portal.models.visit_plan import VisitPlan
from s2s_portal.services import contact_attempts, rescheduling, standing, visit_plans
from s2s_portal.services.booking_rules import months_after
from s2s_portal.services.labels import spoken
from s2s_portal.services.terms import written
from s2s_portal.services.visits import Place

COUNTED_MONTHS = 12
WHO_ASKED = {
    AskedBy.SCHOOL: "by the school",
    AskedBy.PRACTITIONER: "by the practitioner",
    AskedBy.SERVICE: "by the council",
}


@dataclass(frozen=True)
class Board:
    """Everything about the visits of a case that is no visit itself.

    `lines` has sentences for each visit, by its number; `movable` the numbers of those that the
    reader can move or cancel; `plan` the version that counts and `latest` the last one proposed;
    `attempts` those to reach the school, as far as the reader may know of them.
    """

    visits: Sequence[Visit]
    lines: dict[int, list[str]]
    movable: frozenset[int]
    made: int
    plans: Sequence[VisitPlan]
    plan: VisitPlan | None
    attempts: Sequence[ContactAttempt]
    is_open: bool

    @property
    def latest(self) -> VisitPlan | None:
        """The last version that was proposed."""
        return self.plans[-1] if self.plans else None

    @property
    def waits(self) -> bool:
        """Whether the school has still to answer the last version."""
        return self.is_open and self.latest is not None and self.latest.answer is None

    @property
    def progress(self) -> str:
        """How far the plan has come: `2 of 4 visits made`; empty without a plan."""
        if self.plan is None:
            return ""
        return f"{self.made} of {visit_plans.number_words(self.plan.total)} made"


def of_school(referral: Referral) -> Board:
    """The board of `referral` for its school, which is told of no attempts to reach it."""
    return of(referral, standing.visits(referral), inside=False)


def of(
    referral: Referral,
    visits: Sequence[Visit],
    place: Place | None = None,
    *,
    inside: bool = True,
) -> Board:
    """The board of `referral`, whose visits with their records are `visits`, for its reader.

    `place` is where a practitioner stands in the case; `inside` whether they are of the service.
    """
    given = standing.was_given(referral)
    plans = visit_plans.of(referral) if given else []
    is_open = referral.status is Status.ALLOCATED
    return Board(
        visits=visits,
        lines=lines(visits),
        movable=_movable(visits, place) if is_open else frozenset(),
        made=visit_plans.made(visits),
        plans=plans,
        plan=visit_plans.counts(plans),
        attempts=contact_attempts.of(referral) if given and inside else [],
        is_open=is_open,
    )


def lines(visits: Sequence[Visit]) -> dict[int, list[str]]:
    """Of each visit, by its number, where it was moved from or to, and who asked for it and why."""
    by_id = {visit.id: visit for visit in visits}
    said: dict[int, list[str]] = {visit.number: [] for visit in visits}
    for visit in visits:
        if visit.unusual_day:
            said[visit.number].append(f"Agreed with the school: {visit.unusual_day}")
        before = by_id.get(visit.replaces_id or 0)
        if before is not None:
            reason = rescheduling.reason(before)
            said[visit.number].append(f"Moved from {_moment(before)}, {reason}")
            said[before.number].append(f"Moved: it is now visit {visit.number}, {_moment(visit)}")
    replaced = {visit.replaces_id for visit in visits}
    for visit in visits:
        if visit.asked_by is not None and visit.id not in replaced:
            said[visit.number].append(f"Cancelled, {rescheduling.reason(visit)}")
        if visit.short_notice:
            said[visit.number].append("At short notice")
    return said


def _moment(visit: Visit) -> str:
    return f"{written(clock.local(visit.starts_at).date())} at {spoken(visit.starts_at)}"


def _movable(visits: Sequence[Visit], place: Place | None) -> frozenset[int]:
    if place is None or not place.books:
        return frozenset()
    return frozenset(
        visit.number
        for visit in visits
        if visit.practitioner_id == place.number
        and visit.cancelled_at is None
        and not rescheduling.why_not(visit)
    )


def short_notice_words(referral: Referral) -> str:
    """How often visits to this school were moved or cancelled at short notice, and by whose wish.

    Of the last twelve months, and of what the acting officer may see; empty when it was never.
    """
    today = clock.today()
    since = clock.from_local(months_after(today, -COUNTED_MONTHS))
    rows = session().execute(
        select(Visit.asked_by, func.count())
        .join(Visit.referral)
        .where(
            Referral.urn == referral.urn,
            Visit.short_notice.is_(True),
            Visit.cancelled_at >= since,
        )
        .group_by(Visit.asked_by)
    )
    found: Counter[AskedBy] = Counter({who: number for who, number in rows if who is not None})
    total = sum(found.values())
    if not total:
        return ""
    each = ", ".join(f"{found[who]} {words}" for who, words in WHO_ASKED.items() if found[who])
    return (
        f"{visit_plans.number_words(total)} to this school moved or cancelled at short notice in"
        f" the last {COUNTED_MONTHS} months, asked for: {each}."
    )
