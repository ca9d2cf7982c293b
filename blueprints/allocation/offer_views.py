"""An offer that is taken back, and a practitioner who asks for a referral and is told no."""

from __future__ import annotations

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, officer
from s2s_portal.blueprints.allocation.forms import RefuseRequestForm, WithdrawOfferForm
from s2s_portal.blueprints.allocation.views import bp
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.services import case_requests, offer_words, offers, referrals

__all__ = ["bp"]
DONE = "s2s-success"


@bp.route("/<reference>/offer/withdraw", methods=["GET", "POST"])
@allow(officer)
def withdraw_offer(reference: str) -> ResponseReturnValue:
    """Take back the offer that waits for an answer."""
    form = WithdrawOfferForm()
    referral = referrals.get(reference)
    if not form.is_submitted():
        made = offers.open_of(referral)
        offers.check_offered(referral, made)
        form.seen.data = made.id if made else 0
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                offers.withdraw(
                    work,
                    reference,
                    comment=form.comment.data,
                    seen=form.seen.version,
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
            referral = referrals.get(reference)
        else:
            flash("The offer has been withdrawn. The practitioner has been told.", DONE)
            return redirect(url_for(".allocate", reference=reference))
    made = offers.open_of(referral)
    if form.out_of_order:
        form.seen.data = made.id if made else 0
    return page(
        "s2s/allocation/withdraw_offer.html",
        form=form,
        referral=referral,
        stands=offer_words.stands(made) if made else "",
    )


@bp.route("/<reference>/requests/<int:number>", methods=["GET", "POST"])
@allow(officer)
def refuse_request(reference: str, number: int) -> ResponseReturnValue:
    """Say no to a practitioner who asks for this referral."""
    form = RefuseRequestForm()
    referral = referrals.get(reference)
    asked = case_requests.of(referral, number)
    if not form.is_submitted():
        case_requests.check_open(asked)
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                case_requests.refuse(
                    work, reference, number, comment=form.comment.data, by=current_actor()
                )
        except Refused as error:
            refuse(form, error)
            referral = referrals.get(reference)
            asked = case_requests.of(referral, number)
        else:
            flash("They have been told. The referral is still with nobody.", DONE)
            return redirect(url_for(".allocate", reference=reference))
    return page("s2s/allocation/refuse_request.html", form=form, referral=referral, asked=asked)
