"""The plan of visits, proposed and answered; attempts to reach a school that does not answer."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, practitioner, school
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.visits.booking_forms import AttemptForm, PlanAnswerForm, plan_form
from s2s_portal.blueprints.visits.views import DONE, bp
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused, Stale
from s2s_portal.identity import current_actor
from s2s_portal.models.contact import HowTried
from s2s_portal.models.visit_plan import PlanSays
from s2s_portal.services import contact_attempts, referrals, visit_plans, visits

__all__ = ["bp"]


@bp.route("/<reference>/plan", methods=["GET", "POST"])
@allow(practitioner)
def plan(reference: str) -> ResponseReturnValue:
    """Propose the visits that the school is to agree to, or a change of them."""
    referral = referrals.get(reference)
    visits.allocation_to(referral, current_actor())
    plans = visit_plans.of(referral)
    form = plan_form(plans[-1] if plans else None)
    wanted = request.form.get("rows", "")
    if wanted:
        form.change_rows(wanted)
    elif form.validate_on_submit():
        try:
            with unit_of_work() as work:
                visit_plans.propose(
                    work,
                    reference,
                    rows=form.written(),
                    why=form.why.data or "",
                    seen=form.seen.version,
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
        else:
            flash("The plan has been sent. The school has been asked whether it agrees.", DONE)
            return redirect(url_for(".show", reference=reference))
    referral = referrals.get(reference)
    plans = visit_plans.of(referral)
    if form.out_of_order:
        form.seen.data = str(plans[-1].version if plans else 0)
    else:
        visits.check_open(referral)
    return page(
        "s2s/visits/plan.html",
        form=form,
        referral=referral,
        plan=visit_plans.counts(plans),
        most=visit_plans.MOST_ROWS,
    )


@bp.route("/<reference>/plan/answer", methods=["GET", "POST"])
@allow(school)
def answer_plan(reference: str) -> ResponseReturnValue:
    """The school agrees to the plan of visits, or asks for a change."""
    form = PlanAnswerForm()
    referral, latest = visit_plans.to_answer(reference, current_actor())
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                visit_plans.answer(
                    work,
                    reference,
                    version=form.seen.version,
                    says=PlanSays(form.says.data),
                    words=form.words.data or "",
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
            if isinstance(error, Stale):
                form.says.data = None  # of the plan that is shown now nothing has been said
        else:
            flash("Thank you. The practitioner has been told.", DONE)
            return redirect(url_for("s2s.referrals.show", reference=reference))
    referral, latest = visit_plans.to_answer(reference, current_actor())
    form.seen.data = str(latest.version)
    return page(
        "s2s/visits/answer_plan.html",
        form=form,
        referral=referral,
        plan=latest,
        kinds=visits.KIND_NAMES,
    )


@bp.route("/<reference>/attempt", methods=["GET", "POST"])
@allow(practitioner)
def attempt(reference: str) -> ResponseReturnValue:
    """Write down that the school did not answer; after three times an officer is told."""
    form = AttemptForm()
    if form.validate_on_submit() and form.tried_on.data is not None:
        try:
            with unit_of_work() as work:
                contact_attempts.note(
                    work,
                    reference,
                    tried_on=form.tried_on.data,
                    how=HowTried(form.how.data),
                    words=form.note.data or "",
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
        else:
            flash(_noted(reference), DONE)
            return redirect(url_for(".show", reference=reference))
    referral = referrals.get(reference)
    place = visits.place_to_book(referral, current_actor())
    if not form.out_of_order:
        visits.check_open(referral)
    return page(
        "s2s/visits/attempt.html",
        form=form,
        referral=referral,
        attempts=contact_attempts.since_answered(referral, place.allocation),
        how_words=contact_attempts.HOW_WORDS,
    )


def _noted(reference: str) -> str:
    referral = referrals.get(reference)
    place = visits.place_to_book(referral, current_actor())
    number = len(contact_attempts.since_answered(referral, place.allocation))
    if number < contact_attempts.ENOUGH:
        left = contact_attempts.ENOUGH - number
        return f"Your attempt is kept. After {left} more the SEND officers are told."
    return (
        "Your attempt is kept. The SEND officers have been told that you cannot reach the school."
    )
