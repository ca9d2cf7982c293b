"""The cheapest flow, by OR-Tools, from referrals through practitioners: exact, on few arcs.

A worklist of 10,000 and 500 practitioners has five million pairs, and nearly all are of no use. The
flow is found on each referral's cheapest pairs; then every pair is held against the prices that
this flow puts on each practitioner. A pair that would improve it is added and the flow found anew.
When there is none, the prices prove that no plan is cheaper (linear programming duality).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

from s2s_portal.planning.costs import NEVER, Places, Priced, Whole

FIRST = 24  # pairs of each referral to begin with; a later round adds what was missing


def solve(priced: Priced) -> Places:
    """For each referral the place of its taker, or the number of takers for nobody.

    There must be a referral and a taker.
    """
    used = _cheapest(priced.pair)
    while True:
        place = over(priced, used)
        missing = _improving(priced, used, place)
        if not missing.any():
            return place
        used |= missing


def _cheapest(pair: Whole) -> NDArray[np.bool_]:
    """The FIRST cheapest pairs of each referral, of those that may be."""
    used = pair < NEVER
    if pair.shape[1] > FIRST:
        limit = np.partition(pair, FIRST - 1, axis=1)[:, FIRST - 1 : FIRST]
        used &= pair <= limit
    return used


def over(priced: Priced, used: NDArray[np.bool_]) -> Places:
    """The cheapest flow over the pairs that are `used`."""
    referrals, takers = used.shape
    end = referrals + takers
    rows, columns = (index.astype(np.int32) for index in np.nonzero(used))
    network = SimpleMinCostFlow()
    arcs = network.add_arcs_with_capacity_and_unit_cost(
        rows, columns + referrals, np.ones(len(rows), np.int64), priced.pair[used]
    )
    every = np.arange(referrals, dtype=np.int32)
    one = np.ones(referrals, np.int64)
    network.add_arcs_with_capacity_and_unit_cost(
        every, np.full_like(every, end), one, priced.nobody
    )
    _add_cases(network, priced, referrals)
    network.set_nodes_supplies(every, one)
    network.set_node_supply(end, -referrals)
    status = network.solve()
    if status != network.OPTIMAL:
        raise ArithmeticError(f"OR-Tools found no plan: {status.name}")
    given = network.flows(arcs) > 0
    place = np.full(referrals, takers, dtype=np.intp)
    place[rows[given]] = columns[given]
    return place


def _add_cases(network: SimpleMinCostFlow, priced: Priced, referrals: int) -> None:
    """An arc for each place of each taker: the flow takes the cheap ones first."""
    takers = len(priced.case)
    heads = np.repeat(
        np.arange(takers, dtype=np.int32) + np.int32(referrals), [len(c) for c in priced.case]
    )
    costs = np.concatenate(priced.case)
    network.add_arcs_with_capacity_and_unit_cost(
        heads, np.full_like(heads, referrals + takers), np.ones(len(heads), np.int64), costs
    )


def _improving(priced: Priced, used: NDArray[np.bool_], place: Places) -> NDArray[np.bool_]:
    """The pairs not `used` that are cheaper than the prices of this flow allow."""
    takers = used.shape[1]
    now = np.where(
        place < takers,
        np.take_along_axis(priced.pair, np.minimum(place, takers - 1)[:, None], axis=1)[:, 0],
        priced.nobody,
    )
    price = _prices(priced, used, place, now)
    limit = now - price[place]
    return (priced.pair - price[:takers] < limit[:, None]) & ~used & (priced.pair < NEVER)


def _prices(priced: Priced, used: NDArray[np.bool_], place: Places, now: Whole) -> Whole:
    """Prices of each taker, and of nobody, under which no move over `used` pairs pays.

    They are the lengths of shortest ways over single moves, Bellman and Ford's. The flow is
    cheapest on those pairs, so no way leads back to its start for less than nothing.
    """
    step = _moves(priced, used, place, now)
    price = np.zeros(len(step), dtype=np.int64)
    for _ in range(len(step) + 1):
        shorter = np.minimum(price, (price[:, None] + step).min(axis=0))
        if np.array_equal(shorter, price):
            return price
        price = shorter
    raise ArithmeticError("This flow is not the cheapest: a round of moves would pay.")


def _moves(priced: Priced, used: NDArray[np.bool_], place: Places, now: Whole) -> Whole:
    """What it costs to move one referral from each place to each other, the cheapest one.

    The last place is nobody. A taker with room can take one more without giving one up, at what
    that case costs: a move to nobody's place; and one fewer saves what the last case cost.
    """
    takers = used.shape[1]
    step = np.full((takers + 1, takers + 1), NEVER, dtype=np.int64)
    order = np.argsort(place, kind="stable")
    sources, starts = np.unique(place[order], return_index=True)
    change = np.where(used, priced.pair, NEVER)[order] - now[order][:, None]
    step[sources, :takers] = np.minimum.reduceat(change, starts, axis=0)
    step[sources, takers] = np.minimum.reduceat(priced.nobody[order] - now[order], starts)
    for taker, cases in enumerate(priced.case):
        held = int(np.count_nonzero(place == taker))
        if held < len(cases):
            step[taker, takers] = min(step[taker, takers], int(cases[held]))
        if held:
            step[takers, taker] = min(step[takers, taker], -int(cases[held - 1]))
    return step
