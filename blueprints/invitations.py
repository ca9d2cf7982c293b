"""Where an invitation's link leads: the person who holds it ties their own account."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, signed_on
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page
from s2s_portal.database import unit_of_work
from s2s_portal.identity import current_actor
from s2s_portal.services import invitations

bp = Blueprint("invitations", __name__)
DONE = "s2s-success"


@bp.route("/<token>", methods=["GET", "POST"])
@allow(signed_on)
def show(token: str) -> ResponseReturnValue:
    """Say who is linked to what; a press of the button does it. Refusals say why."""
    form = ButtonForm()
    invited = invitations.invited(token)
    if form.validate_on_submit():
        with unit_of_work() as work:
            invitations.accept(work, token, by=current_actor())
        flash(
            "Your account has been linked. You see the referrals that are allocated to you.", DONE
        )
        return redirect(url_for("s2s.visits.index"))
    return page("s2s/invitations/show.html", form=form, invited=invited)
