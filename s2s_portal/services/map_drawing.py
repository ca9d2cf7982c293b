"""Where things go in a picture: from metres on the national grid to units of an SVG. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import cos, hypot, sin
from typing import NamedTuple

ROUNDS = 100  # after which circles that still overlap stay as they are
EDGE = 10.0  # units between the outermost thing and the frame
APART = 3.0  # units between two circles


class Point(NamedTuple):
    """A place: metres east and north on the national grid."""

    easting: int
    northing: int


class Circle(NamedTuple):
    """A circle in units of the picture."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Frame:
    """A picture with north at the top: `scale` units for each metre."""

    width: float
    height: float
    scale: float
    west: float  # metres, at the left edge
    north: float  # metres, at the top

    @classmethod
    def around(
        cls, points: Iterable[Point], *, width: float, height: float, margin: float
    ) -> Frame:
        """The frame in which all of `points` (at least one) are as large as they can be, in its
        middle, with `margin` units left around them."""
        found = list(points)
        easts, norths = [one.easting for one in found], [one.northing for one in found]
        across, up = max(easts) - min(easts), max(norths) - min(norths)
        scale = min((width - 2 * margin) / max(across, 1000), (height - 2 * margin) / max(up, 1000))
        return cls(
            width=width,
            height=height,
            scale=scale,
            west=(min(easts) + max(easts)) / 2 - width / scale / 2,
            north=(min(norths) + max(norths)) / 2 + height / scale / 2,
        )

    def place(self, point: Point) -> tuple[float, float]:
        """Where a point is, in units from the left and from the top."""
        return (
            round((point.easting - self.west) * self.scale, 1),
            round((self.north - point.northing) * self.scale, 1),
        )

    def has(self, x: float, y: float, edge: float = 0) -> bool:
        """Whether a place is in the picture, `edge` units at least from its edges."""
        return edge <= x <= self.width - edge and edge <= y <= self.height - edge

    def dots(self, points: Iterable[Point]) -> str:
        """All of `points` as one path of dots, for a stroke with round ends."""
        places = {self.place(one) for one in points}
        return "".join(f"M{x:g} {y:g}h0" for x, y in sorted(places))


def spread(frame: Frame, circles: Sequence[Circle]) -> list[Circle]:
    """The circles, moved apart until none covers another, or as far as the frame lets them.

    The same circles always give the same picture.
    """
    places = [(one.x, one.y) for one in circles]
    for _ in range(ROUNDS):
        moved = False
        for (i, one), (j, other) in combinations(enumerate(circles), 2):
            step = _step(places[i], places[j], one.radius + other.radius + APART, i + j)
            if step is not None:
                moved = True
                places[i] = (places[i][0] - step[0], places[i][1] - step[1])
                places[j] = (places[j][0] + step[0], places[j][1] + step[1])
        places = [
            _within(frame, place, one.radius) for place, one in zip(places, circles, strict=True)
        ]
        if not moved:
            break
    return [
        Circle(round(x, 1), round(y, 1), one.radius)
        for (x, y), one in zip(places, circles, strict=True)
    ]


def _step(
    one: tuple[float, float], other: tuple[float, float], wanted: float, turn: int
) -> tuple[float, float] | None:
    """How far each of two moves so that they are `wanted` apart; None when they are."""
    across, down = other[0] - one[0], other[1] - one[1]
    there = hypot(across, down)
    if there >= wanted - 0.01:
        return None
    if there < 0.01:  # on one spot: any direction, but always the same
        across, down, there = cos(turn), sin(turn), 1.0
        return across * wanted / 2, down * wanted / 2
    half = (wanted - there) / 2
    return across / there * half, down / there * half


def _within(frame: Frame, place: tuple[float, float], radius: float) -> tuple[float, float]:
    edge = radius + EDGE
    return (
        min(max(place[0], edge), frame.width - edge),
        min(max(place[1], edge), frame.height - edge),
    )
