"""Everything that one practitioner has, given to others, as when somebody leaves (F47, W17).

A preview proposes a successor for each case, all together, so that nobody is given more than they
have room for. Each is then reallocated in a transaction of its own, by the rules of one.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from sqlalchemy import func, select

from s2s_portal import clock, planning
from s2s_portal.database import session
from s2s_portal.models.codes import Status
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.services import candidate, plan_reading, plan_words
from s2s_portal.services.candidate import Candidate
from s2s_portal.services.plan_reading import Read, Waiting

MOST_AT_ONCE = 100
OFFERED = 6  # practitioners to choose from here; the case's own page has everybody


class Line(NamedTuple):
    """One case with the successor proposed (None: nobody has room), and why.

    `after`: their open cases when all that is proposed is done. `others` may be chosen instead.
    """

    case: Waiting
    proposed: Candidate | None
    after: int
    why: str
    others: list[Candidate]

    @property
    def offered(self) -> list[Candidate]:
        """Everybody who can be chosen here, the one proposed first."""
        return [*([self.proposed] if self.proposed else []), *self.others]

    @property
    def load_words(self) -> str:
        """The successor's open cases now and after all of it."""
        who = self.proposed
        if who is None:
            return ""
        return f"{who.open_cases} of {who.capacity} cases now, {self.after} after all of these"


class Preview(NamedTuple):
    """The first hundred cases of somebody, oldest first, and how many there are in all."""

    lines: list[Line]
    total: int


def preview(person: Practitioner) -> Preview:
    """A successor for each open case of `person`. As many statements for a hundred as for one."""
    theirs = (
        select(Allocation.referral_id)
        .join(Referral, Referral.id == Allocation.referral_id)
        .where(
            Allocation.practitioner_id == person.id,
            Allocation.ended_at.is_(None),
            Referral.status == Status.ALLOCATED,
        )
    )
    total = session().scalar(select(func.count()).select_from(theirs.subquery())) or 0
    first = theirs.order_by(Referral.received_on, Referral.id).limit(MOST_AT_ONCE)
    found = plan_reading.read(Referral.id.in_(first), leaving=person)
    chosen = _chosen(found)
    given = Counter(chosen.values())
    return Preview([_line(found, one, chosen, given) for one in found.waiting], total)


def _chosen(found: Read) -> dict[int, int]:
    """Practitioners by referral: the best for all together, or one at a time without a planner."""
    if planning.installed():
        weights = plan_reading.weights(plan_reading.rule_on(clock.today()))
        made = planning.make(plan_reading.worklist(found, {}, frozenset()), weights)
        return dict(made.chosen)
    chosen: dict[int, int] = {}
    given: Counter[int] = Counter()
    for one in found.waiting:
        for each in found.suiting(one):
            key = each.practitioner_id
            if each.has_room and given[key] < found.room_of(found.takers[key]):
                chosen[one.id] = key
                given[key] += 1
                break
    return chosen


def _line(found: Read, one: Waiting, chosen: dict[int, int], given: Counter[int]) -> Line:
    suiting = found.suiting(one)
    key = chosen.get(one.id)
    if key is None:
        kept_away = any(referral == one.id for referral, _ in found.excluded)
        why = plan_words.why_nobody(suiting, excluded=kept_away)
        return Line(one, None, 0, why, suiting[:OFFERED])
    proposed = found.candidate(one, key)
    why = candidate.recommendation(proposed, suiting, one.need_label)
    others = [each for each in suiting if each.practitioner_id != key][:OFFERED]
    return Line(one, proposed, proposed.open_cases + given[key], why, others)
