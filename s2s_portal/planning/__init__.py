"""Planning a whole worklist: who takes which referral, so that all together wait and travel least.

Pure: it knows no Flask, no database and no pupil. `make` takes plain facts and gives an assignment.
The arithmetic needs the extra `plan` (OR-Tools and numpy); `installed` says whether it is there,
and nothing here imports it before a plan is asked for.
"""

from __future__ import annotations

from importlib.util import find_spec

from s2s_portal.planning.problem import Asked, Fit, Plan, Rule, Taker, Worklist

__all__ = ["Asked", "Fit", "Plan", "Rule", "Taker", "Worklist", "installed", "make"]

NEEDED = ("numpy", "ortools")


def installed() -> bool:
    """Whether what plans are made with is installed: the extra `plan`."""
    return all(find_spec(name) is not None for name in NEEDED)


def make(worklist: Worklist, rule: Rule) -> Plan:
    """The best plan for `worklist` by `rule`, and beside it what one at a time would come to.

    The same facts give the same plan, in whatever order they come. Raises ImportError without the
    extra `plan`.
    """
    from s2s_portal.planning import by_hand, costs, flow

    if not worklist.asked or not worklist.takers:
        return Plan(chosen={}, by_hand={})
    # In one order always: the solver may take either of two equally good plans.
    asked = sorted(worklist.asked, key=lambda one: (-one.days, one.key))
    takers = sorted(worklist.takers, key=lambda one: one.key)
    facts = costs.read(worklist, asked, takers)
    chosen = flow.solve(costs.priced(facts, rule))
    in_turn = by_hand.one_at_a_time(facts)
    return Plan(
        chosen={
            one.key: takers[place].key
            for one, place in zip(asked, chosen.tolist(), strict=True)
            if place < len(takers)
        },
        by_hand={
            one.key: takers[place].key
            for one, place in zip(asked, in_turn, strict=True)
            if place is not None
        },
    )
