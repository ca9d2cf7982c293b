"""A plan for the whole worklist, for an officer to judge: it allocates nothing (F45, F48).

Beside it stands what allocating one at a time would come to today: each referral, oldest first, to
the first in its ranked table who has room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from s2s_portal import clock, planning
from s2s_portal.models.terms import PlanRule
from s2s_portal.planning import Fit
from s2s_portal.services import plan_reading, plan_words
from s2s_portal.services.candidate import Candidate
from s2s_portal.services.plan_reading import Read, Waiting
from s2s_portal.services.plan_words import Side

MOST_AT_ONCE = 25  # referrals allocated in one go, so that nobody waits for long or loses track
OFFERED = 6  # practitioners to choose from in the plan; the referral's own page has everybody


class Choices(NamedTuple):
    """What an officer has decided: practitioners by reference, and references to leave out."""

    chosen: Mapping[str, int] = {}
    left_out: Collection[str] = ()


class Line(NamedTuple):
    """A referral with the practitioner proposed for it.

    `after`: their open cases when all of the plan is done. `because` says why not another, and
    `reason` all there is to say for them. `by_hand`: who would have the referral one at a time.
    `others` may be chosen instead, best first.
    """

    waiting: Waiting
    proposed: Candidate
    is_chosen: bool
    after: int
    because: str
    reason: str
    by_hand: Candidate | None
    others: list[Candidate]

    @property
    def load_words(self) -> str:
        """Open cases now and after: `2 of 4 now, 3 of 4 after`."""
        capacity = self.proposed.capacity
        words = f"{self.proposed.open_cases} of {capacity} now, {self.after} of {capacity} after"
        return f"{words}: over capacity" if self.after > capacity else words


class Without(NamedTuple):
    """A referral that the plan gives nobody, and why."""

    waiting: Waiting
    why: str
    by_hand: Candidate | None


@dataclass(frozen=True)
class Proposal:
    """A plan. `lines` and `without` are the oldest of each; the figures are of all."""

    rule: PlanRule
    lines: list[Line]
    without: list[Without]
    left_out: list[Waiting]
    plan: Side
    by_hand: Side
    practitioners: int

    @property
    def figures(self) -> list[tuple[str, str, str]]:
        """What is compared, in words: a label, the plan, one at a time."""
        return plan_words.figures(self.plan, self.by_hand)

    @property
    def saving(self) -> str:
        """What the plan is worth, in a sentence or two."""
        return plan_words.saving(self.plan, self.by_hand)


def can_plan() -> bool:
    """Whether the extra `plan` is installed."""
    return planning.installed()


def propose(choices: Choices, *, most: int) -> Proposal:
    """The best plan for all that waits, around what the officer has decided.

    At most `most` lines, and as many without anybody. A choice for what waits no longer, or of
    somebody who takes no referrals any more, is passed over. As many statements for ten thousand
    as for one.
    """
    rule = plan_reading.rule_on(clock.today())
    drawn = _draw(rule, choices)
    left_out = {one.id for one in drawn.found.waiting if one.reference in choices.left_out}
    return Proposal(
        rule=rule,
        lines=list(islice(drawn.lines(), most)),
        without=list(islice(drawn.without(), most)),
        left_out=[one for one in drawn.found.waiting if one.id in left_out],
        plan=drawn.side(drawn.plan),
        by_hand=drawn.side(drawn.by_hand),
        practitioners=len(drawn.found.takers),
    )


def look_at(choices: Choices, wanted: Mapping[str, int]) -> list[Line]:
    """The referrals of `wanted` with the practitioner wanted for each, oldest first.

    Where the plan has come to propose somebody else since, it counts as the officer's choice. What
    no longer waits is left out, and who no longer takes referrals.
    """
    drawn = _draw(plan_reading.rule_on(clock.today()), choices)
    return [
        drawn.choosing(one, wanted[one.reference]).line(one)
        for one in drawn.found.waiting
        if wanted.get(one.reference) in drawn.found.takers
    ]


def _draw(rule: PlanRule, choices: Choices) -> Drawn:
    """Plan all that waits, around what the officer has decided."""
    found = plan_reading.read()
    left_out = frozenset(one.id for one in found.waiting if one.reference in choices.left_out)
    chosen = {
        one.id: choices.chosen[one.reference]
        for one in found.waiting
        if choices.chosen.get(one.reference) in found.takers and one.id not in left_out
    }
    made = planning.make(plan_reading.worklist(found, chosen, left_out), plan_reading.weights(rule))
    return Drawn(
        found=found,
        asked=[one for one in found.waiting if one.id not in left_out],
        plan={**made.chosen, **chosen},
        by_hand={**made.by_hand, **chosen},
        chosen=chosen,
    )


@dataclass(frozen=True)
class Drawn:
    """A plan with what it was made from: says what there is to say of each referral.

    `plan`, `by_hand` and `chosen` are practitioners by referral, by id.
    """

    found: Read
    asked: Sequence[Waiting]
    plan: Mapping[int, int]
    by_hand: Mapping[int, int]
    chosen: Mapping[int, int]

    @cached_property
    def given(self) -> Counter[int]:
        """How many referrals the plan gives each practitioner."""
        return Counter(self.plan.values())

    def choosing(self, one: Waiting, who: int) -> Drawn:
        """The same, with somebody chosen by the officer where the plan has somebody else."""
        if self.plan.get(one.id) == who:
            return self
        return replace(self, plan={**self.plan, one.id: who}, chosen={**self.chosen, one.id: who})

    def lines(self) -> Iterator[Line]:
        """Referrals with somebody, oldest first."""
        return (self.line(one) for one in self.asked if one.id in self.plan)

    def without(self) -> Iterator[Without]:
        """Referrals with nobody, oldest first."""
        for one in self.asked:
            if one.id not in self.plan:
                suiting = self.found.suiting(one)
                kept_away = any(referral == one.id for referral, _ in self.found.excluded)
                declined = any(referral == one.id for referral, _ in self.found.turned_down)
                why = plan_words.why_nobody(suiting, excluded=kept_away, declined=declined)
                yield Without(one, why, self.one_at_a_time(one))

    def line(self, one: Waiting) -> Line:
        """What there is to say of a referral that has somebody."""
        who = self.plan[one.id]
        proposed = self.found.candidate(one, who)
        suiting = self.found.suiting(one)
        after = proposed.open_cases + self.given[who]
        is_chosen = one.id in self.chosen
        because = plan_words.CHOSEN
        if not is_chosen:
            alone = next((each for each in suiting if each.has_room), None)
            gone = alone is not None and self._has_given_all(alone)
            because = plan_words.because(proposed, alone, gone=gone)
        return Line(
            waiting=one,
            proposed=proposed,
            is_chosen=is_chosen,
            after=after,
            because=because,
            reason=plan_words.reason(proposed, after, because),
            by_hand=self.one_at_a_time(one),
            others=[each for each in suiting if each.practitioner_id != who][:OFFERED],
        )

    def _has_given_all(self, candidate: Candidate) -> bool:
        """Whether the plan leaves somebody no place."""
        taker = self.found.takers[candidate.practitioner_id]
        return self.given[taker.id] >= self.found.room_of(taker)

    def one_at_a_time(self, one: Waiting) -> Candidate | None:
        """Who would have it one at a time."""
        who = self.by_hand.get(one.id)
        return None if who is None else self.found.candidate(one, who)

    def side(self, assigned: Mapping[int, int]) -> Side:
        """What an assignment comes to."""
        miles = [
            self.found.miles(one, assigned[one.id]) for one in self.asked if one.id in assigned
        ]
        waiting = [one.days for one in self.asked if one.id not in assigned]
        given = Counter(assigned.values())
        return Side(
            given=len(miles),
            miles=sum(there for there in miles if there is not None),
            unknown=miles.count(None),
            both=sum(
                self.found.fit(one, assigned[one.id]) is Fit.BOTH
                for one in self.asked
                if one.id in assigned
            ),
            full=sum(
                given[key] >= self.found.room_of(taker) for key, taker in self.found.takers.items()
            ),
            waiting=len(waiting),
            days=sum(waiting),
        )
