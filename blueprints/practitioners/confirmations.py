"""Whether the lead of a school confirms release before its staff are given a referral."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page
from s2s_portal.blueprints.practitioners.views import DONE, bp, keeper
from s2s_portal.database import unit_of_work
from s2s_portal.identity import current_actor
from s2s_portal.services import lead_confirmations

__all__ = ["bp"]


@bp.route("/confirmation/<int:urn>/", methods=["GET", "POST"])
@allow(keeper)
def confirmation(urn: int) -> ResponseReturnValue:
    """How it is, and a button to change it."""
    by = current_actor()
    name = lead_confirmations.provider_name(urn, by)
    form = ButtonForm()
    if form.validate_on_submit():
        confirms = request.form.get("confirms") == "yes"
        with unit_of_work() as work:
            changed = lead_confirmations.say(work, urn, confirms=confirms, by=by)
        flash("Saved." if changed else "Nothing changed.", DONE)
        return redirect(url_for(".confirmation", urn=urn))
    last = lead_confirmations.last(urn)
    return page(
        "s2s/practitioners/confirmation.html",
        form=form,
        provider=name,
        last=last,
        confirms=bool(last and last.confirms),
    )
