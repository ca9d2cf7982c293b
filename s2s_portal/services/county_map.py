"""The work of the county by area: where the referrals are, and how full those are who could help.

An area is a district of the register. Referrals count where their school is, practitioners where
the Complex Needs School is that lends them. Numbers only: nothing here leads to a referral.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from string import ascii_uppercase
from typing import NamedTuple

from sqlalchemy import func, select

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.models.establishment import Establishment
from s2s_portal.services import county_places, workload, workload_measured
from s2s_portal.services.county_places import Place
from s2s_portal.services.map_drawing import Circle, Frame, Point, spread
from s2s_portal.services.workload import Load

WIDTH, HEIGHT = 400.0, 300.0
MARGIN = 24.0
SMALLEST, LARGEST = 26.0, 46.0  # radius of an area's circle
SLANT = 0.8  # how far along the slope of a circle a second number hangs on it
UNKNOWN = "District not known"
COUNTS = func.s2s.district_measure().table_valued("district", "open", "with_nobody", name="counted")


class Area(NamedTuple):
    """One district. `loads` are those of the practitioners based there, all times in minutes."""

    letter: str
    name: str
    open: int
    with_nobody: int
    loads: tuple[Load, ...]

    @property
    def available(self) -> int:
        """Minutes of release that are left in four school weeks."""
        return sum(one.available or 0 for one in self.loads)

    @property
    def hours(self) -> str:
        """The same in hours: `34.5`."""
        return f"{self.available / 60:.1f}".removesuffix(".0")

    @property
    def hours_unknown(self) -> int:
        """Practitioners for whom no hours were ever entered: their work is in no percentage."""
        return sum(one.available is None for one in self.loads)

    @property
    def percent(self) -> int | None:
        """The work of those whose hours are known, of their hours; None without any hours."""
        if not self.available:
            return None
        done = sum(one.minutes for one in self.loads if one.available is not None)
        return round(100 * done / self.available)

    @property
    def is_over(self) -> bool:
        """Whether there is more work than there are hours, or work and no hours."""
        if self.percent is not None:
            return self.percent > workload.FULL
        return any(one.minutes for one in self.loads if one.available is not None)

    @property
    def workload_words(self) -> str:
        """`84%`, or why there is no number."""
        if not self.loads:
            return "Nobody based here"
        if self.percent is not None:
            return f"{self.percent}%"
        return "Hours not known" if self.hours_unknown == len(self.loads) else "No hours left"


class Bubble(NamedTuple):
    """An area as a circle: the more open referrals, the larger."""

    area: Area
    at: Circle

    @property
    def nobody_x(self) -> float:
        """Where the number of those with nobody is: on the edge, above on the right."""
        return round(self.at.x + self.at.radius * SLANT, 1)

    @property
    def nobody_y(self) -> float:
        """The same, from the top."""
        return round(self.at.y - self.at.radius * SLANT, 1)


@dataclass(frozen=True)
class Picture:
    """What is drawn."""

    frame: Frame
    bubbles: list[Bubble]
    dots: str


@dataclass(frozen=True)
class CountyMap:
    """The areas by name; `picture` is None when the register has no places."""

    areas: list[Area]
    picture: Picture | None
    summary: list[str]


def of_today() -> CountyMap:
    """The county's work as it is now. Six statements, however much there is."""
    places = county_places.schools()
    areas = _areas({one.district for one in places})
    return CountyMap(areas, _picture(areas, places), summary(areas))


def summary(areas: Sequence[Area]) -> list[str]:
    """What the map shows, in sentences."""
    total = sum(one.open for one in areas)
    if not total:
        said = ["There is no open referral."]
    else:
        most = max(one.open for one in areas)
        where = _named([one.name for one in areas if one.open == most])
        said = [f"{_times(total, 'referral')} open; the most, {most}, in {where}."]
        nobody = sum(one.with_nobody for one in areas)
        if nobody:
            parts = [f"{one.with_nobody} in {one.name}" for one in areas if one.with_nobody]
            have = "has" if nobody == 1 else "have"
            said.append(f"{nobody} accepted {have} nobody yet: {_named(parts)}.")
        else:
            said.append("Every accepted referral has a practitioner.")
    over = [f"{one.name} ({one.workload_words})" for one in areas if one.is_over]
    if over:
        said.append(f"More work than hours for the practitioners based in {_named(over)}.")
    elif any(one.percent is not None for one in areas):
        said.append("In no area have the practitioners more work than hours.")
    return said


def _areas(districts: set[str]) -> list[Area]:
    counted = {row.district: row for row in session().execute(select(COUNTS))}
    based: dict[str, list[Load]] = {}
    for district, load in _loads():
        based.setdefault(district, []).append(load)
    names = sorted(districts | counted.keys() | based.keys(), key=lambda name: (not name, name))
    return [
        Area(
            letter=_letter(place),
            name=name or UNKNOWN,
            open=counted[name].open if name in counted else 0,
            with_nobody=counted[name].with_nobody if name in counted else 0,
            loads=tuple(based.get(name, ())),
        )
        for place, name in enumerate(names)
    ]


def _loads() -> list[tuple[str, Load]]:
    """The load of each practitioner, with the district of their school."""
    today = clock.today()
    found, weigh = workload_measured.people(today), workload.weights(today)
    rows = session().execute(
        select(Establishment.urn, Establishment.district).where(
            Establishment.urn.in_({one.provider_urn for one in found})
        )
    )
    districts = {row.urn: row.district for row in rows}
    return [(districts[one.provider_urn], one.load(weigh)) for one in found]


def _picture(areas: Sequence[Area], places: Sequence[Place]) -> Picture | None:
    if not places:
        return None
    points = [one.point for one in places]
    frame = Frame.around(points, width=WIDTH, height=HEIGHT, margin=MARGIN)
    middles = _middles(places)
    drawn = [one for one in areas if one.name in middles]
    most = max((one.open for one in drawn), default=0)
    circles = [Circle(*frame.place(middles[one.name]), _radius(one.open, most)) for one in drawn]
    bubbles = [Bubble(*pair) for pair in zip(drawn, spread(frame, circles), strict=True)]
    return Picture(frame, bubbles, frame.dots(points))


def _middles(places: Sequence[Place]) -> dict[str, Point]:
    """The middle of the schools of each district that has a name."""
    counts: Counter[str] = Counter(one.district for one in places)
    return {
        name: Point(
            sum(one.point.easting for one in places if one.district == name) // number,
            sum(one.point.northing for one in places if one.district == name) // number,
        )
        for name, number in counts.items()
        if name
    }


def _radius(count: int, most: int) -> float:
    """So that areas compare as the numbers do, as far as the letters in them leave room."""
    if not most:
        return SMALLEST
    return round(max(SMALLEST, LARGEST * sqrt(count / most)), 1)


def _letter(place: int) -> str:
    """`A` to `Z`, then `AA`."""
    times, which = divmod(place, len(ascii_uppercase))
    return (ascii_uppercase[times - 1] if times else "") + ascii_uppercase[which]


def _named(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _times(number: int, what: str) -> str:
    return f"{number} {what} is" if number == 1 else f"{number} {what}s are"
