"""Practitioners who join in a case that somebody else leads: added, and ended, with the reason."""

from __future__ import annotations

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms.fields import SelectChoice

from s2s_portal.access import allow, lead, officer
from s2s_portal.blueprints.allocation.moving_forms import EndSupportForm, SupporterForm
from s2s_portal.blueprints.allocation.views import bp
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import Role, current_actor
from s2s_portal.services import referrals, standing, supporting

__all__ = ["bp"]
DONE = "s2s-success"


def _case(reference: str) -> str:
    """Where whoever is acting reads the case."""
    if current_actor().has(Role.OFFICER):
        return url_for("s2s.triage.show", reference=reference)
    return url_for("s2s.visits.show", reference=reference)


@bp.route("/<reference>/supporters/add", methods=["GET", "POST"])
@allow(officer | lead)
def add_supporter(reference: str) -> ResponseReturnValue:
    """Add somebody who visits too, learns, or advises; a lead chooses among their own staff."""
    by = current_actor()
    referral = referrals.get(reference)
    form = SupporterForm()
    if not form.is_submitted():
        supporting.check_open(referral)
    found = supporting.may_join(referral, by)
    form.practitioner.choices = [SelectChoice(str(one.practitioner_id), one.name) for one in found]
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                name = supporting.add(
                    work,
                    reference,
                    practitioner_id=int(form.practitioner.data),
                    role=form.chosen_role,
                    reason=form.reason.data,
                    by=by,
                ).practitioner_name
        except Refused as error:
            refuse(form, error)
            referral = referrals.get(reference)
        else:
            flash(f"{name} joins in. They, the practitioner and the school have been told.", DONE)
            return redirect(_case(reference))
    return page(
        "s2s/allocation/add_supporter.html",
        form=form,
        referral=referral,
        given=standing.practitioner(referral),
        candidates=found,
        back=_case(reference),
    )


@bp.route("/<reference>/supporters/<int:number>/end", methods=["GET", "POST"])
@allow(officer | lead)
def end_supporter(reference: str, number: int) -> ResponseReturnValue:
    """Somebody no longer joins in, and no longer sees the case."""
    by = current_actor()
    found = supporting.get(reference, number, by)
    form = EndSupportForm()
    name = found.practitioner_name
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                supporting.end(work, reference, number, reason=form.reason.data, by=by)
        except Refused as error:
            refuse(form, error)
        else:
            flash(f"{name} no longer joins in. Everybody concerned has been told.", DONE)
            return redirect(
                _case(reference) if by.has(Role.OFFICER) else url_for("s2s.visits.index")
            )
    return page(
        "s2s/allocation/end_supporter.html",
        form=form,
        referral=referrals.get(reference),
        supporter=supporting.get(reference, number, by),
        support_words=supporting.ROLE_WORDS,
        back=_case(reference),
    )
