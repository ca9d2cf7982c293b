"""From plain facts to whole numbers: what each pair costs, in hundredths of a mile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2s_portal.planning.problem import Asked, Fit, Rule, Taker, Worklist

Whole = NDArray[np.int64]
Places = NDArray[np.intp]
PARTS = 100  # of a mile
NEVER = 2**60  # no pair costs so much, and a few of them can still be added


@dataclass(frozen=True)
class Facts:
    """The facts of a worklist as tables, with a column for each of `takers`.

    What goes by the school has a row for each school, what goes by need and phase a row for each
    ask; `schools` and `asks` say which rows are a referral's. `miles` has a column for each
    provider; `providers` says which is a taker's. `excluded` are the rows and columns of pairs that
    must not meet.
    """

    takers: Sequence[Taker]
    days: Whole
    schools: Places
    asks: Places
    providers: Places
    miles: NDArray[np.float64]  # nan: not known
    earlier: Whole
    fits: Whole
    excluded: tuple[Places, Places]

    def of_pairs(self, by_school: Whole, by_ask: Whole) -> Whole:
        """One number for each pair, the sum of its two parts; NEVER or more where it must not be.

        `by_ask` has NEVER itself where a practitioner covers neither need nor phase.
        """
        pairs = np.take(by_school, self.schools, axis=0)
        pairs += np.take(by_ask, self.asks, axis=0)
        pairs[self.excluded] = NEVER
        return pairs


def read(worklist: Worklist, asked: Sequence[Asked], takers: Sequence[Taker]) -> Facts:
    """The facts of `worklist`, in the order of `asked` and `takers`."""
    places = {taker.key: place for place, taker in enumerate(worklist.takers)}
    columns = _places(places[taker.key] for taker in takers)
    return Facts(
        takers=takers,
        days=np.array([one.days for one in asked], dtype=np.int64),
        schools=_places(one.school for one in asked),
        asks=_places(one.ask for one in asked),
        providers=_places(one.provider for one in takers),
        miles=_table(worklist.miles, np.float64),
        earlier=_earlier(worklist, takers),
        fits=_table(worklist.fits, np.int64)[:, columns],
        excluded=_excluded(worklist, asked, takers),
    )


def _places(found: Any) -> Places:
    return np.array(list(found), dtype=np.intp)


def _table(rows: Sequence[Sequence[Any]], kind: type) -> NDArray[Any]:
    return np.array(rows, dtype=kind).reshape(len(rows), len(rows[0]) if rows else 0)


def _earlier(worklist: Worklist, takers: Sequence[Taker]) -> Whole:
    found = np.zeros((len(worklist.miles), len(takers)), dtype=np.int64)
    columns = {taker.key: column for column, taker in enumerate(takers)}
    for (school, key), times in worklist.earlier.items():
        if key in columns:
            found[school, columns[key]] = times
    return found


def _excluded(
    worklist: Worklist, asked: Sequence[Asked], takers: Sequence[Taker]
) -> tuple[Places, Places]:
    rows = {one.key: row for row, one in enumerate(asked)}
    columns = {taker.key: column for column, taker in enumerate(takers)}
    found = [
        (rows[referral], columns[taker])
        for referral, taker in worklist.excluded
        if referral in rows and taker in columns
    ]
    return _places(row for row, _ in found), _places(column for _, column in found)


@dataclass(frozen=True)
class Priced:
    """What the flow is made from.

    `pair[referral, taker]`, NEVER or more where it must not be; `nobody[referral]`;
    `case[taker]`, what one case more costs, then the next: never falling, one for each place.
    """

    pair: Whole
    nobody: Whole
    case: Sequence[Whole]


def priced(facts: Facts, rule: Rule) -> Priced:
    """What each pair, each further case and each referral without anybody costs."""
    known = np.where(np.isnan(facts.miles), rule.unknown, facts.miles)
    by_school = np.rint(known * PARTS).astype(np.int64)[:, facts.providers]
    by_school += (facts.earlier == 0) * (rule.contact * PARTS)
    weights = {Fit.BOTH: 0, Fit.NEED: rule.phase, Fit.PHASE: rule.need}
    weight = np.array([weights.get(fit, 0) * PARTS for fit in Fit], dtype=np.int64)
    weight[Fit.NEITHER] = NEVER
    case = [_cases(one, rule) for one in facts.takers]
    dearest = (
        int(by_school.max(initial=0))
        + int(weight[: Fit.NEITHER].max())
        + max((int(costs.max(initial=0)) for costs in case), default=0)
    )
    return Priced(
        pair=facts.of_pairs(by_school, weight[facts.fits]),
        nobody=_nobody(facts.days, (len(facts.takers) + 1) * dearest + 1),
        case=case,
    )


def _cases(taker: Taker, rule: Rule) -> Whole:
    """What each further case costs whoever has `load` already: more, the fuller they are."""
    filled = taker.load + 1 + np.arange(max(taker.room, 0), dtype=np.int64)
    return filled * (rule.full * PARTS) // max(taker.capacity, 1)


def _nobody(days: Whole, step: int) -> Whole:
    """So dear that nobody is left out to save miles, nor for a referral that came later.

    Giving one referral more a place, or changing who of two goes without, moves at most one
    referral at each practitioner: a chain that came back to somebody could leave out the round. So
    what it can save is below `step`, the dearest pair and case for each of them and the newcomer.
    Each longer wait costs a whole step more: that decides first, and miles among equals
    (decision 26).
    """
    _days, rank = np.unique(days, return_inverse=True)
    return step * (1 + rank.astype(np.int64))
