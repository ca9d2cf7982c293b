"""A referral's school and the schools of those who could take it, as a picture and in words.

The picture and the table beside it say the same; neither says anything of a child. Places are those
of the national register, distances are straight lines, and nothing is asked of another service.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select

from s2s_portal.database import session
from s2s_portal.models.establishment import METRES_IN_A_MILE, Establishment
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.services import county_places
from s2s_portal.services.candidate import Candidate
from s2s_portal.services.map_drawing import Circle, Frame, Point, spread

WIDTH, HEIGHT = 400.0, 340.0
MARGIN = 30.0
MARK = 15.0  # radius of a numbered mark
STAR = 12.0  # what the star of the referral’s school takes up
RINGS = (5, 10, 20)  # miles
NEAREST_EDGE = 3  # miles around the school that are in the picture whatever else is
MOST_MARKS = 20  # more numbers than this cannot be read on a phone


class Mark(NamedTuple):
    """A Complex Needs School: `words` are the numbers of its practitioners, shortened."""

    words: str
    is_first: bool
    x: float
    y: float
    at: Circle  # where the numbers are, joined to the school by a line


class Ring(NamedTuple):
    """A circle of so many miles around the school, and where its words are."""

    miles: int
    radius: float
    x: float
    y: float


class Line(NamedTuple):
    """A candidate with the number they have in the table of the referral."""

    number: int
    candidate: Candidate
    town: str
    is_drawn: bool


@dataclass(frozen=True)
class Picture:
    """What is drawn. `school_x` and `school_y` are the referral's school."""

    frame: Frame
    school_x: float
    school_y: float
    rings: list[Ring]
    marks: list[Mark]
    dots: str


@dataclass(frozen=True)
class ReferralMap:
    """`picture` is None when the register has no place for the school or for any of the others."""

    school: Establishment
    lines: list[Line]
    picture: Picture | None
    summary: str


class _Provider(NamedTuple):
    urn: int
    town: str
    point: Point | None


def of(school: Establishment, found: Sequence[Candidate]) -> ReferralMap:
    """The map of the candidates `found`, in their order, for a referral of `school`.

    Two statements, however many there are.
    """
    providers = _providers(one.practitioner_id for one in found)
    here = county_places.point_of(school)
    numbered = list(enumerate(found, start=1))
    groups: dict[Point, list[int]] = {}
    for number, one in numbered:
        provider = providers.get(one.practitioner_id)
        if provider and provider.point:
            groups.setdefault(provider.point, []).append(number)
    drawn = dict(list(groups.items())[:MOST_MARKS])
    marked = {number for numbers in drawn.values() for number in numbers}
    lines = [
        Line(
            number,
            one,
            providers[one.practitioner_id].town if one.practitioner_id in providers else "",
            number in marked and here is not None,
        )
        for number, one in numbered
    ]
    return ReferralMap(
        school=school,
        lines=lines,
        picture=_picture(here, drawn) if here and drawn else None,
        summary=summary(found),
    )


def summary(found: Sequence[Candidate]) -> str:
    """What the map shows, in a sentence or two."""
    known = [one for one in found if one.miles is not None]
    if not known:
        return "How far away the practitioners are is not known."
    nearest = min(known, key=lambda one: (round(one.miles or 0, 1), found.index(one)))
    words = (
        f"The nearest practitioner is {nearest.name} of {nearest.provider_name},"
        f" {nearest.distance_words} away."
    )
    within = [
        f"{sum((one.miles or 0) <= miles for one in known)} within {miles} miles" for miles in RINGS
    ]
    count = "1 practitioner" if len(found) == 1 else f"{len(found)} practitioners"
    return f"{words} Of {count}, {', '.join(within[:-1])} and {within[-1]}."


def _picture(here: Point, groups: dict[Point, list[int]]) -> Picture:
    reach = round(NEAREST_EDGE * METRES_IN_A_MILE)
    around = [
        Point(here.easting + east * reach, here.northing + north * reach)
        for east, north in ((1, 1), (-1, -1))
    ]
    frame = Frame.around([*groups, *around], width=WIDTH, height=HEIGHT, margin=MARGIN)
    x, y = frame.place(here)
    # The school itself is one of the circles, so that no number covers it; it is drawn where it is.
    places = spread(frame, [Circle(x, y, STAR), *(Circle(*frame.place(p), MARK) for p in groups)])
    marks = [
        Mark(_numbers(numbers), 1 in numbers, *frame.place(point), at)
        for (point, numbers), at in zip(groups.items(), places[1:], strict=True)
    ]
    dots = frame.dots(one.point for one in county_places.schools())
    return Picture(frame, x, y, _rings(frame, x, y), marks, dots)


def _numbers(numbers: Sequence[int]) -> str:
    """`3`, or `3+` for the first of several at one school."""
    return f"{numbers[0]}+" if len(numbers) > 1 else str(numbers[0])


def _rings(frame: Frame, x: float, y: float) -> list[Ring]:
    found = []
    for miles in RINGS:
        radius = miles * METRES_IN_A_MILE * frame.scale
        half = radius * 0.7071
        ways = ((0, -radius), (0, radius), (-radius, 0), (radius, 0))
        corners = ((-half, -half), (half, half), (half, -half), (-half, half))
        seen = [(x + dx, y + dy) for dx, dy in (*ways, *corners) if frame.has(x + dx, y + dy, 32)]
        if seen:
            found.append(Ring(miles, round(radius, 1), round(seen[0][0], 1), round(seen[0][1], 1)))
    return found


def _providers(practitioners: Iterable[int]) -> dict[int, _Provider]:
    rows = session().execute(
        select(
            Practitioner.id,
            Establishment.urn,
            Establishment.town,
            Establishment.easting,
            Establishment.northing,
        )
        .join(Establishment, Establishment.urn == Practitioner.provider_urn)
        .where(Practitioner.id.in_(list(practitioners)))
    )
    return {row.id: _Provider(row.urn, row.town, county_places.point_of(row)) for row in rows}
