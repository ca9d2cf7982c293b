"""A practitioner's day and week, and the sheet that goes in the car."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, practitioner
from s2s_portal.blueprints.pages import link_of_visitor, page
from s2s_portal.blueprints.visits.views import bp
from s2s_portal.identity import current_actor
from s2s_portal.services import caseload, day, follow_up_lists, records_due, visits
from s2s_portal.services.follow_up_lists import Pile

__all__ = ["bp"]


@bp.get("/day/")
@allow(practitioner)
def your_day() -> ResponseReturnValue:
    """Today, or the day that the address names, with its week and all that is due."""
    actor = current_actor()
    on = day.day_asked_for(request.args.get("on", ""))
    week = day.week(actor, on)
    return page(
        "s2s/visits/day.html",
        link=link_of_visitor(),
        on=on,
        today=week.day_of(on),
        week=week,
        new=day.new_to(actor, caseload.of_practitioner(actor)),
        owed=records_due.of_practitioner(actor),
        listing=follow_up_lists.listing(Pile.OVERDUE, by=actor),
        kinds=visits.KIND_NAMES,
    )


@bp.get("/day/sheet")
@allow(practitioner)
def car_sheet() -> ResponseReturnValue:
    """The same visits on paper: a day's, or with `span=week` a week's. No child is on it."""
    on = day.day_asked_for(request.args.get("on", ""))
    week = day.week(current_actor(), on)
    whole = request.args.get("span") == "week"
    one = week.day_of(on)
    return page(
        "s2s/visits/car.html",
        on=on,
        week=week,
        whole=whole,
        days=week.days if whole else [one] if one else [],
    )
