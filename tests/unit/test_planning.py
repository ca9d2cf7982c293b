"""Planning a worklist: nobody does better than the plan, in whatever order the facts come.

Three oracles that share no code with it: every assignment there is, for the smallest lists; the
network simplex of networkx over every pair, for larger ones; the table's own order, one at a time.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2s_portal import planning
from s2s_portal.planning import Asked, Fit, Plan, Rule, Taker, Worklist, costs, flow
from s2s_portal.services import candidate
from s2s_portal.services.candidate import Candidate

RULE = Rule(need=200, phase=100, contact=2, full=5, unknown=50)


def invented(seed: int, referrals: int, takers: int, *, scarce: bool = False) -> Worklist:
    """A worklist drawn at random, the same for the same seed."""
    draw = random.Random(seed)
    schools, providers, asks = 6, 4, 5
    room = (0, 1) if scarce else (0, 1, 2, 3)
    made = [
        Taker(
            key=100 + number,
            name=draw.choice(["Ann", "Bo", "Cy"]),
            provider=draw.randrange(providers),
            load=(load := draw.randrange(4)),
            capacity=load + (left := draw.choice(room)),
            room=left,
        )
        for number in range(takers)
    ]
    keys = range(10, 10 + referrals)
    return Worklist(
        asked=[
            Asked(key, draw.randrange(4), draw.randrange(schools), draw.randrange(asks))
            for key in keys
        ],
        takers=made,
        miles=[
            [draw.choice([None, 0.0, 0.05, 0.25, draw.uniform(0, 60)]) for _ in range(providers)]
            for _ in range(schools)
        ],
        fits=[[draw.choice(list(Fit)) for _ in range(takers)] for _ in range(asks)],
        earlier={
            (draw.randrange(schools), draw.choice(made).key): draw.randrange(1, 4)
            for _ in range(takers)
        },
        excluded=frozenset(
            (draw.choice(keys), draw.choice(made).key) for _ in range(referrals // 3)
        ),
    )


small = st.builds(
    invented,
    st.integers(0, 10**6),
    st.integers(1, 5),
    st.integers(1, 3),
    scarce=st.booleans(),
)


def pair_cost(worklist: Worklist, one: Asked, taker: Taker, rule: Rule = RULE) -> int | None:
    """Hundredths of a mile that a pair counts, by the words of the rule; None: it must not be."""
    fit = worklist.fits[one.ask][worklist.takers.index(taker)]
    if fit is Fit.NEITHER or (one.key, taker.key) in worklist.excluded:
        return None
    miles = worklist.miles[one.school][taker.provider]
    cost = round(100 * (rule.unknown if miles is None else miles))
    cost += {Fit.BOTH: 0, Fit.NEED: rule.phase, Fit.PHASE: rule.need}[fit] * 100
    return cost + (0 if worklist.earlier.get((one.school, taker.key)) else rule.contact * 100)


def worth(worklist: Worklist, chosen: Mapping[int, int]) -> tuple[int, list[int], int] | None:
    """How good an assignment is, smaller is better: how many wait on, then for how long the longest
    of them have waited, then hundredths of miles. None: it must not be."""
    cost, takers = 0, {taker.key: taker for taker in worklist.takers}
    for one in worklist.asked:
        if one.key in chosen:
            pair = pair_cost(worklist, one, takers[chosen[one.key]])
            if pair is None:
                return None
            cost += pair
    for key, number in Counter(chosen.values()).items():
        taker = takers[key]
        if number > taker.room:
            return None
        cost += sum(
            (taker.load + 1 + more) * RULE.full * 100 // taker.capacity for more in range(number)
        )
    left = sorted((one.days for one in worklist.asked if one.key not in chosen), reverse=True)
    return len(left), left, cost


@settings(max_examples=150, deadline=None)
@given(small)
def test_no_assignment_is_better_of_all_there_are(worklist: Worklist) -> None:
    keys = [taker.key for taker in worklist.takers]
    every = (
        worth(worklist, {one.key: who for one, who in zip(worklist.asked, row, strict=True) if who})
        for row in product([0, *keys], repeat=len(worklist.asked))
    )
    best = min(found for found in every if found is not None)
    assert worth(worklist, planning.make(worklist, RULE).chosen) == best


def simplex(priced: costs.Priced) -> int:
    """The least that all referrals can cost together, by networkx over every pair."""
    network = networkx.MultiDiGraph()
    referrals, takers = priced.pair.shape
    network.add_node("end", demand=referrals)
    for row in range(referrals):
        network.add_node(("r", row), demand=-1)
        network.add_edge(("r", row), "end", capacity=1, weight=int(priced.nobody[row]))
        for column in range(takers):
            if priced.pair[row, column] < costs.NEVER:
                weight = int(priced.pair[row, column])
                network.add_edge(("r", row), ("t", column), capacity=1, weight=weight)
    for column, cases in enumerate(priced.case):
        for cost in cases.tolist():
            network.add_edge(("t", column), "end", capacity=1, weight=cost)
    return int(networkx.network_simplex(network)[0])


def total(priced: costs.Priced, place: list[int]) -> int:
    """What an assignment costs by the same numbers."""
    takers = priced.pair.shape[1]
    pairs = sum(
        int(priced.pair[row, column] if column < takers else priced.nobody[row])
        for row, column in enumerate(place)
    )
    held = Counter(place)
    return pairs + sum(int(cases[: held[n]].sum()) for n, cases in enumerate(priced.case))


def numbers(worklist: Worklist) -> costs.Priced:
    """A worklist as the flow is given it."""
    return costs.priced(costs.read(worklist, worklist.asked, worklist.takers), RULE)


@pytest.mark.parametrize("scarce", [True, False])
@pytest.mark.parametrize("first", [1, 3, 24])
@pytest.mark.parametrize("seed", range(4))
def test_as_cheap_as_an_independent_solver_over_every_pair(
    monkeypatch: pytest.MonkeyPatch, seed: int, first: int, scarce: bool
) -> None:
    """Also when so few pairs are tried at first that most of the good ones come in later."""
    monkeypatch.setattr(flow, "FIRST", first)
    priced = numbers(invented(seed, 70, 28, scarce=scarce))
    assert total(priced, flow.solve(priced).tolist()) == simplex(priced)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_the_same_plan_in_whatever_order_the_facts_come(seed: int, order: random.Random) -> None:
    worklist = invented(seed, 12, 6)
    places = list(range(len(worklist.takers)))
    order.shuffle(places)
    shuffled = replace(
        worklist,
        asked=order.sample(worklist.asked, len(worklist.asked)),
        takers=[worklist.takers[place] for place in places],
        fits=[[row[place] for place in places] for row in worklist.fits],
        earlier=dict(order.sample(sorted(worklist.earlier.items()), len(worklist.earlier))),
    )
    first, second = planning.make(worklist, RULE), planning.make(shuffled, RULE)
    assert dict(first.chosen) == dict(second.chosen)
    # One at a time goes by the list's own order, which is by days and then by key.
    assert dict(first.by_hand) == dict(second.by_hand)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_one_at_a_time_is_what_the_table_says_for_each(seed: int) -> None:
    worklist = invented(seed, 15, 5)
    given_to: Counter[int] = Counter()
    expected = {}
    for one in sorted(worklist.asked, key=lambda each: (-each.days, each.key)):
        table = sorted((row for row in _table(worklist, one, given_to)), key=candidate.order)
        free = next((row for row in table if row.has_room), None)
        if free is not None:
            expected[one.key] = free.practitioner_id
            given_to[free.practitioner_id] += 1
    assert dict(planning.make(worklist, RULE).by_hand) == expected


def _table(worklist: Worklist, one: Asked, given_to: Counter[int]) -> list[Candidate]:
    covers = {Fit.BOTH: (True, True), Fit.NEED: (True, False), Fit.PHASE: (False, True)}
    found = []
    for taker in worklist.takers:
        if pair_cost(worklist, one, taker) is None:
            continue
        need, phase = covers[worklist.fits[one.ask][worklist.takers.index(taker)]]
        found.append(
            Candidate(
                practitioner_id=taker.key,
                name=taker.name,
                provider_name="",
                miles=worklist.miles[one.school][taker.provider],
                covers_need=need,
                covers_phase=phase,
                open_cases=taker.load + given_to[taker.key],
                capacity=taker.capacity,
                earlier=worklist.earlier.get((one.school, taker.key), 0),
            )
        )
    return found


def plain(
    *takers: Taker,
    days: tuple[int, ...] = (1,),
    miles: tuple[float | None, ...] = (5.0, 5.0, 5.0),
    fits: tuple[Fit, ...] = (Fit.BOTH, Fit.BOTH, Fit.BOTH),
    **more: object,
) -> Worklist:
    """Referrals 1, 2, ... of one school for one need; each taker is of a provider of their own."""
    return Worklist(
        asked=[Asked(number, wait, 0, 0) for number, wait in enumerate(days, start=1)],
        takers=takers,
        miles=[list(miles[: len(takers)])],
        fits=[list(fits[: len(takers)])],
        **more,  # type: ignore[arg-type]
    )


def taker(key: int, load: int = 0, capacity: int = 4, **more: int) -> Taker:
    return Taker(key, f"T{key}", key - 1, load, capacity, more.get("room", capacity - load))


@pytest.mark.parametrize(
    ("worklist", "who"),
    [
        (plain(taker(1), taker(2), miles=(5.0, 4.9)), 2),
        (plain(taker(1), taker(2), miles=(99.9, 1.0), fits=(Fit.BOTH, Fit.NEED)), 1),
        (plain(taker(1), taker(2), miles=(99.9, 1.0), fits=(Fit.NEED, Fit.PHASE)), 1),
        (plain(taker(1), taker(2), miles=(6.0, 5.0), earlier={(0, 1): 1}), 1),
        (plain(taker(1), taker(2), miles=(7.1, 5.0), earlier={(0, 1): 1}), 2),
        (plain(taker(1, load=3), taker(2), miles=(5.0, 6.0)), 2),
        (plain(taker(1, load=3), taker(2), miles=(1.0, 6.0)), 1),
        (plain(taker(1), taker(2), miles=(None, 49.0)), 2),
        (plain(taker(1), taker(2), miles=(None, 51.0)), 1),
        (plain(taker(1), taker(2), miles=(1.0, 60.0), excluded=frozenset({(1, 1)})), 2),
        (plain(taker(1, room=0), taker(2), miles=(1.0, 60.0)), 2),
    ],
    ids=[
        "nearer",
        "phase before miles",
        "need before phase",
        "knows the school",
        "knows it but too far",
        "less full",
        "fuller but much nearer",
        "unknown counts as 50",
        "unknown before farther",
        "excluded",
        "no room",
    ],
)
def test_what_the_weights_mean(worklist: Worklist, who: int) -> None:
    assert planning.make(worklist, RULE).chosen == {1: who}


def test_a_later_rule_gives_another_plan() -> None:
    worklist = plain(taker(1), taker(2), miles=(30.0, 1.0), fits=(Fit.BOTH, Fit.NEED))
    assert planning.make(worklist, RULE).chosen == {1: 1}
    assert planning.make(worklist, replace(RULE, phase=10)).chosen == {1: 2}


def test_who_has_waited_longer_comes_first_however_far_it_is() -> None:
    worklist = Worklist(
        asked=[Asked(1, 3, 0, 0), Asked(2, 4, 1, 0)],
        takers=[taker(1, room=1)],
        miles=[[0.1], [90.0]],
        fits=[[Fit.BOTH]],
    )
    assert planning.make(worklist, RULE).chosen == {2: 1}


def test_two_with_a_place_each_rather_than_one_nearer() -> None:
    """One at a time the first takes the only practitioner whom the second could have."""
    worklist = Worklist(
        asked=[Asked(1, 4, 0, 0), Asked(2, 3, 0, 1)],
        takers=[taker(1, room=1), taker(2, room=1)],
        miles=[[1.0, 90.0]],
        fits=[[Fit.BOTH, Fit.BOTH], [Fit.BOTH, Fit.NEITHER]],
    )
    assert planning.make(worklist, RULE) == Plan(chosen={1: 2, 2: 1}, by_hand={1: 1})


@pytest.mark.parametrize(
    "worklist",
    [
        Worklist(asked=[], takers=[taker(1)], miles=[], fits=[]),
        Worklist(asked=[Asked(1, 1, 0, 0)], takers=[], miles=[[]], fits=[[]]),
        plain(taker(1), fits=(Fit.NEITHER,)),
        plain(taker(1, room=-2)),
    ],
    ids=["nothing waits", "nobody is there", "nobody covers it", "over capacity"],
)
def test_nothing_to_plan_is_an_empty_plan(worklist: Worklist) -> None:
    assert planning.make(worklist, RULE) == Plan(chosen={}, by_hand={})


def test_it_is_installed_only_when_both_parts_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert planning.installed()
    for missing in planning.NEEDED:
        monkeypatch.setattr(planning, "find_spec", lambda name, gone=missing: name != gone or None)
        assert not planning.installed()
