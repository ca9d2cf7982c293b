"""What a school can still do with a referral that it has sent: amend it, or take it back."""

from __future__ import annotations

import secrets
from typing import Any

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms import HiddenField
from wtforms.fields import SelectChoice
from wtforms.form import BaseForm

from s2s_portal.access import allow, school
from s2s_portal.blueprints.agreement import agreement_page
from s2s_portal.blueprints.forms import DecidingForm, Needed, Paragraphs, PickOne, S2SForm
from s2s_portal.blueprints.pages import page, pdf, refuse
from s2s_portal.blueprints.referrals.section_pages import page_of
from s2s_portal.blueprints.referrals.sending import bp
from s2s_portal.blueprints.referrals.views import section_page
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.codes import Status, Withdrawal
from s2s_portal.models.referral import Referral
from s2s_portal.services import (
    changes,
    copying,
    decided,
    drafting,
    referral_documents,
    sections,
    submission,
    withdrawing,
)

AMENDED = f"<any({', '.join(changes.AMENDABLE)}):section>"
DONE = "s2s-success"


class WithdrawForm(DecidingForm):
    """Withdraw, with the reason."""

    reason = PickOne(
        "Why are you withdrawing it?",
        "Choose why you are withdrawing the referral",
        choices=lambda: [
            SelectChoice(why.value, text) for why, text in withdrawing.words().items()
        ],
    )
    message = Paragraphs("What else should the council know? (optional)")


class CopyForm(S2SForm):
    """The button that copies; its token makes one draft, however often it is pressed."""

    token = HiddenField()


@bp.get("/<reference>/amend/")
@allow(school)
def amend_what(reference: str) -> ResponseReturnValue:
    """The sections that can be amended, and what the others need instead."""
    referral = drafting.mine(reference, by=current_actor())
    changes.check_may_amend(referral)
    return page(
        "s2s/referrals/amend.html",
        referral=referral,
        amendable=[part for part in sections.asked(referral) if part.key in changes.AMENDABLE],
        others=[part for part in sections.asked(referral) if part.key not in changes.AMENDABLE],
    )


@bp.route(f"/<reference>/amend/{AMENDED}", methods=["GET", "POST"])
@allow(school)
def amend(reference: str, section: str) -> ResponseReturnValue:
    """Change one section of a referral that has been sent, saying why."""
    referral = drafting.mine(reference, by=current_actor())
    form = _amending(referral, section)
    if form is None:
        return redirect(url_for(".amend_what", reference=referral.reference))
    if form.adjust():
        return section_page(referral, section, form, amending=True)
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                held = changes.held(reference, by=current_actor())
                given = form.given()
                given.pop("amend_reason", None)
                changes.amend(
                    work,
                    held,
                    section,
                    page_of(referral, section).save,
                    given=given,
                    reason=form.amend_reason.data,
                    seen=form.seen.data or "",
                    by=current_actor(),
                )
            flash("The referral has been amended, and those who work on it are told.", DONE)
            return redirect(url_for(".show", reference=reference))
        except Refused as error:
            refuse(form, error)
            referral = drafting.mine(reference, by=current_actor())
    elif not form.is_submitted():
        changes.check_may_amend(referral)
    return section_page(referral, section, form, amending=True)


def _amending(referral: Referral, section: str) -> Any:
    """The section's own form with a question more, and without what is on the charge already."""
    if section not in sections.keys(referral):
        return None
    form: Any = page_of(referral, section).build(referral, None)
    if "purchase_order" in form and referral.status is not Status.SUBMITTED:
        del form.purchase_order
    reason = Paragraphs(
        "Why are you changing this?",
        [Needed("Enter why you are changing this")],
        description="The council and the practitioner read it beside what has changed.",
    )
    BaseForm.__setitem__(form, "amend_reason", reason)  # which a Form leaves to its class
    form.amend_reason = form["amend_reason"]
    form.amend_reason.process(form.meta.wrap_formdata(form, None))
    return form


@bp.route("/<reference>/withdraw", methods=["GET", "POST"])
@allow(school)
def withdraw(reference: str) -> ResponseReturnValue:
    """What withdrawing does to the fee and the rest, why, and the button that does it."""
    form = WithdrawForm()
    if form.validate_on_submit():
        if form.reason.data == Withdrawal.AGREEMENT.value:
            return redirect(url_for(".agreement_withdrawn", reference=reference))
        try:
            with unit_of_work() as work:
                withdrawing.withdraw(
                    work,
                    reference,
                    reason=Withdrawal(form.reason.data),
                    message=form.message.data or "",
                    seen=form.version,
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
        else:
            flash("The referral has been withdrawn, and everybody concerned is told.", DONE)
            return redirect(url_for(".show", reference=reference))
    referral = drafting.mine(reference, by=current_actor())
    if not form.is_submitted():
        withdrawing.check_withdrawable(referral)
    if not form.is_submitted() or form.out_of_order:
        form.renew(referral.version)
    return page(
        "s2s/referrals/withdraw.html",
        form=form,
        referral=referral,
        effect=withdrawing.effect(referral),
        groups=withdrawing.GROUPS,
        words=withdrawing.words(),
    )


@bp.route("/<reference>/copy", methods=["GET", "POST"])
@allow(school)
def copy(reference: str) -> ResponseReturnValue:
    """Copy a declined referral into a new draft, where what was wrong can be put right."""
    form = CopyForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                made = copying.copy(
                    work, reference, token=form.token.data or "", by=current_actor()
                )
                begun = made.reference
        except Refused as error:
            refuse(form, error)
        else:
            return redirect(url_for(".show", reference=begun))
    referral = drafting.mine(reference, by=current_actor())
    if not form.is_submitted():
        copying.check(referral)
        form.token.data = secrets.token_urlsafe(24)
    decision = decided.current(referral)
    return page("s2s/referrals/copy.html", form=form, referral=referral, decision=decision)


@bp.get("/<reference>/referral.pdf")
@allow(school)
def document(reference: str) -> ResponseReturnValue:
    """The referral with what has changed since it was sent, as an accessible PDF."""
    referral = submission.sent(reference, by=current_actor())
    return pdf(referral.reference, referral_documents.make(reference))


@bp.route("/<reference>/agreement-withdrawn", methods=["GET", "POST"])
@allow(school)
def agreement_withdrawn(reference: str) -> ResponseReturnValue:
    """A parent or carer no longer agrees: who told whom, when; and the support stops."""
    return agreement_page(reference, back="s2s.referrals.show")
