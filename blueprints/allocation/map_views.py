"""Maps, drawn here and without anything from the internet: one referral's, and the county's."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, manager, officer
from s2s_portal.blueprints.allocation.views import bp
from s2s_portal.blueprints.pages import page
from s2s_portal.identity import Role, current_actor
from s2s_portal.services import allocation, county_map, referral_map, referrals

__all__ = ["bp"]


@bp.get("/<reference>/map")
@allow(officer)
def referral_places(reference: str) -> ResponseReturnValue:
    """The school of a referral and the schools of those who could take it, numbered as there."""
    referral = referrals.get(reference)
    allocation.check_unallocated(referral)
    found = referral_map.of(referral.establishment, allocation.candidates(referral))
    return page("s2s/allocation/map.html", referral=referral, map=found)


@bp.get("/areas")
@allow(officer | manager)
def areas() -> ResponseReturnValue:
    """Where the open work of the county is, and where there are hours for it."""
    return page(
        "s2s/allocation/areas.html",
        map=county_map.of_today(),
        is_officer=current_actor().has(Role.OFFICER),
    )
