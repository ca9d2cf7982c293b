"""What an officer would come to by going through the list: each referral to its first choice."""

from __future__ import annotations

from math import isnan

import numpy as np

from s2s_portal.planning.costs import NEVER, Facts, Whole
from s2s_portal.planning.problem import Fit

FAR = 999_999  # tenths of a mile: after everybody whose distance is known
MOST = 9_999  # times of earlier contact that are told apart


def one_at_a_time(facts: Facts) -> list[int | None]:
    """For each referral in turn the place of the first in its ranked table who has room left.

    The table's rule is `services.candidate.order`; the plan and this may choose the same pairs.
    """
    left = np.array([max(taker.room, 0) for taker in facts.takers], dtype=np.int64)
    found: list[int | None] = []
    for row in ranked(facts):
        free = np.where(left > 0, row, NEVER)
        best = int(free.argmin())
        if free[best] >= NEVER:
            found.append(None)
        else:
            left[best] -= 1
            found.append(best)
    return found


def ranked(facts: Facts) -> Whole:
    """One number for each pair, smaller for who comes first in the table: fit, distance to a tenth
    of a mile, earlier contact, name, key. NEVER or more for a pair that must not be."""
    takers = len(facts.takers)
    names = sorted(range(takers), key=lambda place: (facts.takers[place].name, place))
    by_name = np.empty(takers, dtype=np.int64)
    by_name[names] = np.arange(takers)
    tenths = [[_tenths(miles) for miles in row] for row in facts.miles.tolist()]
    near = np.array(tenths, dtype=np.int64).reshape(facts.miles.shape)[:, facts.providers]
    by_school = near * (MOST + 1) + MOST - np.minimum(facts.earlier, MOST)
    by_school = by_school * (takers + 1) + by_name
    weight = np.array([int(fit) for fit in Fit], dtype=np.int64) * (FAR + 1) * (MOST + 1)
    weight *= takers + 1
    weight[Fit.NEITHER] = NEVER
    return facts.of_pairs(by_school, weight[facts.fits])


def _tenths(miles: float) -> int:
    """As the table rounds it, Python's way: numpy's differs at some halves."""
    return FAR if isnan(miles) else min(round(round(miles, 1) * 10), FAR)
