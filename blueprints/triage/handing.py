"""Handing a referral over to the other team before it is decided."""

from __future__ import annotations

from flask import flash, redirect
from flask.typing import ResponseReturnValue
from wtforms.fields import SelectChoice

from s2s_portal.access import allow, officer
from s2s_portal.blueprints.forms import DecidingForm, Paragraphs, PickOne
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.triage import way_back
from s2s_portal.blueprints.triage.notes import bp
from s2s_portal.blueprints.triage.views import DONE
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.body import Handed
from s2s_portal.services import handing_over, referrals, triage

REASONS = [SelectChoice(why.value, words) for why, words in handing_over.HANDED_WORDS.items()]


class HandOverForm(DecidingForm):
    """To which team, and why."""

    to = PickOne("Which team gets it?", "Choose which team gets it", choices=[])
    reason = PickOne("Why?", "Choose why you hand it over", choices=REASONS)
    note = Paragraphs("Note for officers (optional)")


@bp.route("/<reference>/hand-over", methods=["GET", "POST"])
@allow(officer)
def hand_over(reference: str) -> ResponseReturnValue:
    """Hand the referral over; whoever does may not see it afterwards, so the list comes next."""
    referral = referrals.get(reference)
    form = HandOverForm()
    form.to.choices = [SelectChoice(*pair) for pair in handing_over.to_others(referral).items()]
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                team = handing_over.hand_over(
                    work,
                    reference,
                    to=form.to.data,
                    reason=Handed(form.reason.data),
                    note=form.note.data or "",
                    seen=form.version,
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
            referral = referrals.get(reference)
        else:
            flash(f"{reference} is now with the {team}, which has been told.", DONE)
            return redirect(way_back.to_list())
    elif not form.is_submitted():
        handing_over.check(referral)
    if not form.is_submitted() or form.out_of_order:
        form.renew(referral.version)
    return page(
        "s2s/triage/hand_over.html",
        form=form,
        referral=referral,
        handed_on=way_back.handed_on(),
        decided=triage.made_meanwhile(referral) if form.out_of_order else None,
    )
