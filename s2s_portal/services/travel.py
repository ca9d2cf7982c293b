"""How far it is to a school and back, as a first guess that whoever drove puts right (F59)."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import select

from s2s_portal.database import session
from s2s_portal.models.establishment import Establishment, miles_between
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit
from s2s_portal.services.record_parts import OUTLINES

WINDING = 1.3  # miles by road for one as the crow flies
PACE = 2.0  # minutes for a mile on county roads: 30 miles an hour


class Journey(NamedTuple):
    """There and back: minutes, and miles to one decimal."""

    minutes: int
    miles: Decimal


def guess(visit: Visit) -> Journey | None:
    """The journey of a visit from the practitioner's school; None where nobody travels, or where
    the register does not say where either is. The visit's referral must be loaded."""
    if not OUTLINES[visit.kind].travels:
        return None
    places = select(Establishment.easting, Establishment.northing)
    provider = select(Practitioner.provider_urn).where(Practitioner.id == visit.practitioner_id)
    there = (
        session()
        .execute(
            places.where(
                Establishment.urn
                == select(Referral.urn).where(Referral.id == visit.referral_id).scalar_subquery()
            )
        )
        .one_or_none()
    )
    home = (
        session()
        .execute(places.where(Establishment.urn == provider.scalar_subquery()))
        .one_or_none()
    )
    if there is None or home is None:
        return None
    crow = miles_between(there, home)
    if crow is None:
        return None
    road = crow * WINDING * 2
    return Journey(5 * round(road * PACE / 5), Decimal(str(round(road, 1))))
