"""What a lead sees of the staff of their Complex Needs School."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from s2s_portal import clock
from s2s_portal.access import allow, lead
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import link_of_visitor, page
from s2s_portal.blueprints.visits.views import bp
from s2s_portal.identity import current_actor
from s2s_portal.services import calendar, nudging, periods, records_due, staff, visits

__all__ = ["bp"]


@bp.get("/staff/")
@allow(lead)
def your_staff() -> ResponseReturnValue:
    """Cases, visits and what is owed; days released and used, in a month, a term or a year."""
    actor, today = current_actor(), clock.today()
    dates, provider = calendar.of(), staff.provider_of(actor)
    asked = request.args.get("period", "")
    span = periods.find(asked, today, dates) or periods.month_of(today)
    owed = records_due.of_provider(actor)
    return page(
        "s2s/visits/staff.html",
        link=link_of_visitor(),
        span=span,
        periods=periods.offered(today, dates),
        people=staff.people(provider, span, owed),
        coming=staff.this_week(provider),
        answered=staff.releases(provider, span),
        staff_owed=owed,
        button=ButtonForm(),
        may_nudge=nudging.may_nudge_now(),
        kinds=visits.KIND_NAMES,
    )
