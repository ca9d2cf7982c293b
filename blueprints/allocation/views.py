"""Accepted referrals that are with nobody yet, and the choice of a practitioner."""

from __future__ import annotations

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
from s2s_portal.services import allocation, candidate, candidates, labels, referrals, worklist
from s2s_portal.services.candidate import Candidate
from s2s_portal.services.worklist_wanted import Pile, Place, Sort, Wanted

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
    return page("s2s/allocation/index.html", listing=worklist.listing(wanted))


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
            name = _give(reference, form)
        except Refused as error:
            refuse(form, error)
            referral = referrals.get(reference)
            if form.out_of_order:
                form.renew(referral.version)
        else:
            flash(
                f"{name} has the referral. They, their lead and the school have been told.",
                "s2s-success",
            )
            return redirect(url_for("s2s.triage.show", reference=reference))
    return page(
        "s2s/allocation/allocate.html",
        form=form,
        referral=referral,
        candidates=found,
        recommended=recommended(found, need_label),
        asks_override=any(one.excluded or one.caps for one in found),
        need=need_label,
        support=[labels.SUPPORT[Support(kind)] for kind in referral.support],
    )


def recommended(found: list[Candidate], need_label: str) -> str:
    """Whom the service's rule puts first and why; empty when nobody can be sent without asking."""
    first = found[0] if found else None
    if first is None or first.excluded or first.caps:
        return ""
    return f"{first.name}: {candidate.recommendation(first, found, need_label)}."


def _give(reference: str, form: AllocateForm) -> str:
    """Allocate as the form says; the name of who has the referral now."""
    with unit_of_work() as work:
        made = allocation.allocate(
            work,
            reference,
            practitioner_id=int(form.practitioner.data),
            reason=form.reason.data,
            seen=form.version,
            override=form.override.data,
            by=current_actor(),
        )
        return made.practitioner_name
