"""The council's schools as places on a map: what stands in for an outline of the county."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import select

from s2s_portal.database import session
from s2s_portal.models.establishment import CLOSED, PROPOSED, Establishment
from s2s_portal.services.map_drawing import Point
from s2s_portal.state import setting


class Place(NamedTuple):
    """A school of the council's area, by its district."""

    district: str
    point: Point


def schools() -> list[Place]:
    """Every school of the area that is open and has a place in the register: one statement."""
    rows = session().execute(
        select(Establishment.district, Establishment.easting, Establishment.northing).where(
            Establishment.local_authority == setting("S2S_LOCAL_AUTHORITY"),
            Establishment.status_code.not_in((CLOSED, PROPOSED)),
            Establishment.easting.is_not(None),
            Establishment.northing.is_not(None),
        )
    )
    return [Place(row.district, Point(row.easting, row.northing)) for row in rows]


def point_of(place: Any) -> Point | None:
    """Where something with `easting` and `northing` is, None where the register does not say."""
    if place.easting is None or place.northing is None:
        return None
    return Point(place.easting, place.northing)
