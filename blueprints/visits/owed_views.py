"""Records that are overdue in the county, and the button that reminds whoever owes one."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, lead, officer
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page
from s2s_portal.blueprints.visits.views import DONE, bp
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Stale
from s2s_portal.identity import Role, current_actor
from s2s_portal.services import nudging, records_due, visits

__all__ = ["bp"]
LONGEST = 18  # digits of a number that a column can hold


@bp.get("/records-owed/")
@allow(officer)
def records_owed() -> ResponseReturnValue:
    """What is overdue in the county, the oldest visit first."""
    given = request.args.get("after", "")
    after = int(given) if given.isascii() and given.isdecimal() and len(given) <= LONGEST else None
    return page(
        "s2s/visits/records_owed.html",
        listing=records_due.overdue(after=after),
        button=ButtonForm(),
        may_nudge=nudging.may_nudge_now(),
        kinds=visits.KIND_NAMES,
    )


@bp.post("/<reference>/<int:number>/remind")
@allow(officer | lead)
def remind(reference: str, number: int) -> ResponseReturnValue:
    """Remind whoever owes the record of a visit; a second time that day says who did so first."""
    actor = current_actor()
    if ButtonForm().validate_on_submit():
        try:
            with unit_of_work() as work:
                owed = nudging.nudge(work, reference, number, by=actor)
            flash(f"{owed.writer} gets an email, and their lead a copy.", DONE)
        except Stale as error:
            flash(str(error), DONE)
    return redirect(url_for(".records_owed" if actor.has(Role.OFFICER) else ".index"))
