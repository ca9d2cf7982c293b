"""What a plan is made from, and what it comes to: plain facts, without numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum


class Fit(IntEnum):
    """How a practitioner suits a referral. Of two who cover only one, the need counts more."""

    BOTH = 0  # need and phase; the phase alone where no need is named
    NEED = 1
    PHASE = 2
    NEITHER = 3  # never proposed


@dataclass(frozen=True)
class Asked:
    """A referral that waits. `days` since it was received; the rest are places in `Worklist`."""

    key: int
    days: int
    school: int  # row of `Worklist.miles`
    ask: int  # row of `Worklist.fits`: one need at one phase


@dataclass(frozen=True)
class Taker:
    """A practitioner. `load` cases are open, `room` more may be given; `capacity` at once."""

    key: int
    name: str
    provider: int  # column of `Worklist.miles`
    load: int
    capacity: int
    room: int


@dataclass(frozen=True)
class Rule:
    """What counts as how many miles: the weights of the plan.

    `contact`: this practitioner was given no referral of the school before. `full`: the case fills
    the practitioner's last place; one that fills half of the places counts half of it. `unknown`:
    the school or the provider is not on the map.
    """

    need: int
    phase: int
    contact: int
    full: int
    unknown: int


@dataclass(frozen=True)
class Worklist:
    """All that a plan needs to know.

    `miles[school][provider]` in a straight line, None where nobody knows. `fits[ask][place]`, with
    a taker's place in `takers`. `earlier[school, taker.key]` counts referrals of that school given
    to the taker before. `excluded` are pairs of keys (referral, taker) that must not meet.
    """

    asked: Sequence[Asked]
    takers: Sequence[Taker]
    miles: Sequence[Sequence[float | None]]
    fits: Sequence[Sequence[Fit]]
    earlier: Mapping[tuple[int, int], int] = field(default_factory=dict)
    excluded: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class Plan:
    """Who takes which referral, by key: planned together, and one at a time. Who is in neither
    waits on."""

    chosen: Mapping[int, int]
    by_hand: Mapping[int, int]
