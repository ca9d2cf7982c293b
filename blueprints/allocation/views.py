"""Accepted referrals that are with nobody yet, and the choice of a practitioner."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.fields import SelectChoice

from s2s_portal.access import allow, officer
from s2s_portal.blueprints.allocation.forms import AllocateForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.codes import Support
from s2s_portal.services import (
    allocation,
    candidate,
    candidates,
    labels,
    offer_words,
    offers,
    referrals,
    worklist,
)
from s2s_portal.services.candidate import Candidate
from s2s_portal.services.terms import written
from s2s_portal.services.worklist_wanted import Pile, Place, Sort, Wanted
from s2s_portal.state import setting

bp = Blueprint("allocation", __name__)


@bp.get("/")
@allow(officer)
def index() -> ResponseReturnValue:
    """Accepted referrals without a practitioner, each with its age, due soonest first."""
    wanted = Wanted(
        pile=Pile.ACCEPTED,
        sort=Sort.DUE,
        after=Place.parse(request.args.get("after", "")),
        before=Place.parse(request.args.get("before", "")),
    )
    listing = worklist.listing(wanted)
    on_offer = offers.lines(line.reference for line in listing.lines)
    return page("s2s/allocation/index.html", listing=listing, on_offer=on_offer)


@bp.route("/<reference>/", methods=["GET", "POST"])
@allow(officer)
def allocate(reference: str) -> ResponseReturnValue:
    """The candidates with the reasons for each; choose one and say why."""
    referral = referrals.get(reference)
    form = AllocateForm()
    if not form.is_submitted():
        allocation.check_unallocated(referral)
        form.renew(referral.version)
    need, need_label = candidates.primary_need(referral)
    found = allocation.candidates(referral, need)
    form.practitioner.choices = [SelectChoice(str(one.practitioner_id), one.name) for one in found]
    if form.validate_on_submit():
        try:
            done = (_ask if "ask" in request.form else _give)(reference, form)
        except Refused as error:
            refuse(form, error)
            referral = referrals.get(reference)
            if form.out_of_order:
                form.renew(referral.version)
        else:
            flash(done, "s2s-success")
            return redirect(url_for("s2s.triage.show", reference=reference))
    return page(
        "s2s/allocation/allocate.html",
        form=form,
        referral=referral,
        candidates=found,
        recommended=recommended(found, need_label),
        on_offer=offers.open_of(referral),
        offer_stands=offer_words.stands,
        days=setting("S2S_OFFER_WORKING_DAYS"),
        asks_override=any(one.excluded or one.caps for one in found),
        need=need_label,
        support=[labels.SUPPORT[Support(kind)] for kind in referral.support],
    )


def recommended(found: list[Candidate], need_label: str) -> str:
    """Whom the service's rule puts first and why; empty when nobody can be sent without asking."""
    first = found[0] if found else None
    if first is None or first.excluded or first.caps or first.turned_down:
        return ""
    return f"{first.name}: {candidate.recommendation(first, found, need_label)}."


def _give(reference: str, form: AllocateForm) -> str:
    """Allocate as the form says; in words, who has the referral now."""
    with unit_of_work() as work:
        made = allocation.allocate(work, reference, **_chosen(form))
        name = made.practitioner_name
    return f"{name} has the referral. They, their lead and the school have been told."


def _ask(reference: str, form: AllocateForm) -> str:
    """Offer it as the form says; in words, who has been asked."""
    with unit_of_work() as work:
        made = offers.offer(work, reference, **_chosen(form))
        name, due_on = made.practitioner_name, written(made.due_on)
    return f"{name} has been asked, to answer by {due_on}. The school has not been told anything."


def _chosen(form: AllocateForm) -> dict[str, Any]:
    return {
        "practitioner_id": int(form.practitioner.data),
        "reason": form.reason.data,
        "seen": form.version,
        "override": form.override.data,
        "by": current_actor(),
    }
