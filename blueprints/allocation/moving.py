"""A referral goes from one practitioner to another, or back to nobody."""

from __future__ import annotations

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms.fields import SelectChoice

from s2s_portal.access import allow, officer
from s2s_portal.blueprints.allocation.moving_forms import (
    AskForm,
    ReallocateForm,
    TakeBackForm,
    reallocate_form,
)
from s2s_portal.blueprints.allocation.views import bp, recommended
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import OutOfOrder, Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral
from s2s_portal.services import (
    allocation_history,
    candidates,
    reallocating,
    referrals,
    visits,
)

__all__ = ["bp"]
DONE = "s2s-success"


@bp.route("/<reference>/reallocate", methods=["GET", "POST"])
@allow(officer)
def reallocate(reference: str) -> ResponseReturnValue:
    """Give a referral to somebody else: why, to whom, and what becomes of each visit."""
    referral = referrals.get(reference)
    given = referrals.open_allocation(referral)
    form = _form(referral, given)
    if not form.is_submitted():
        reallocating.given_to(referral)
        form.renew(referral.version)
    _offer(form, referral, given)
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                made = reallocating.reallocate(
                    work,
                    reference,
                    practitioner_id=int(form.practitioner.data),
                    reason=form.reason.data,
                    handing=form.all_of_it(),
                    seen=form.version,
                    override=form.override.data,
                    by=current_actor(),
                )
                name = made.practitioner_name
        except Refused as error:
            refuse(form, error)
        else:
            flash(f"{name} has the referral now. Everybody concerned has been told.", DONE)
            return redirect(url_for("s2s.triage.show", reference=reference))
    return _page(form, reference)


def _form(referral: Referral, given: Allocation | None) -> ReallocateForm:
    number = given.practitioner_id if given else 0
    planned = reallocating.planned(referral, number)
    return reallocate_form(
        planned,
        [visits.booked(visit) for visit in planned],
        writer=given.practitioner_name if given else "",
        writes=bool(given and given.practitioner.active),
        owes=bool(reallocating.owed(referral, number)),
    )


def _offer(form: ReallocateForm, referral: Referral, given: Allocation | None) -> None:
    need, form.need_label = candidates.primary_need(referral)
    form.found = reallocating.candidates(referral, given, need) if given else []
    form.practitioner.choices = [
        SelectChoice(str(one.practitioner_id), one.name) for one in form.found
    ]


def _page(form: ReallocateForm, reference: str) -> ResponseReturnValue:
    """The page as it is now; after a refusal with what was typed, and what changed meanwhile."""
    referral = referrals.get(reference)
    given = referrals.open_allocation(referral)
    if form.errors:  # since it was drawn visits may have been booked, and another may have it
        fresh = _form(referral, given)
        fresh.form_errors, fresh.out_of_order = form.form_errors, form.out_of_order
        for field in form:
            if field.name in fresh:
                fresh[field.name].errors = field.errors
        form = fresh
        if form.out_of_order:
            form.renew(referral.version)
        _offer(form, referral, given)
    return page(
        "s2s/allocation/reallocate.html",
        form=form,
        referral=referral,
        given=given,
        owed=[
            visits.booked(one)
            for one in reallocating.owed(referral, given.practitioner_id if given else 0)
        ],
        turns=allocation_history.of(referral),
        candidates=form.found,
        recommended=recommended(form.found, form.need_label),
        asks_override=any(one.excluded or one.caps for one in form.found),
        need=form.need_label,
        button=AskForm(formdata=None),
    )


@bp.post("/<reference>/ask-hand-over")
@allow(officer)
def ask_hand_over(reference: str) -> ResponseReturnValue:
    """Ask whoever has the referral for a hand-over note before it goes to somebody else."""
    form = AskForm()
    if form.validate_on_submit():
        with unit_of_work() as work:
            name = allocation_history.ask(work, reference, seen=form.version, by=current_actor())
        flash(f"{name} has been asked for a hand-over note, by email.", DONE)
    return redirect(url_for(".reallocate", reference=reference))


@bp.route("/<reference>/take-back", methods=["GET", "POST"])
@allow(officer)
def take_back(reference: str) -> ResponseReturnValue:
    """Take a referral back without a successor: it waits for a practitioner again."""
    referral = referrals.get(reference)
    form = TakeBackForm()
    form.why.label.text = "Why do you take it back?"
    form.why.message = "Choose why you take it back"
    if not form.is_submitted():
        reallocating.given_to(referral)
        reallocating.check_nothing_owed(referral)
        form.renew(referral.version)
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                reallocating.take_back(
                    work,
                    reference,
                    handing=form.handing(),
                    seen=form.version,
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
            referral = referrals.get(reference)
            if isinstance(error, OutOfOrder):
                form.renew(referral.version)
        else:
            flash("The referral waits for a practitioner again. Everybody has been told.", DONE)
            return redirect(url_for("s2s.triage.show", reference=reference))
    return page(
        "s2s/allocation/take_back.html",
        form=form,
        referral=referral,
        given=referrals.open_allocation(referral),
        planned=[visits.booked(one) for one in reallocating.planned(referral)],
    )
