"""The page on which a school or an officer writes down that a parent no longer agrees."""

from __future__ import annotations

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import StopValidation

from s2s_portal import clock
from s2s_portal.blueprints.forms import DayField, DecidingForm, Line, Needed, Paragraphs
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotFound, Refused
from s2s_portal.identity import Role, current_actor
from s2s_portal.services import referrals, withdrawing


def not_to_come(_form: object, field: DayField) -> None:
    """Refuse a day that has not come yet."""
    if field.data and field.data > clock.today():
        raise StopValidation("The day they said so must be today or in the past")


class AgreementWithdrawnForm(DecidingForm):
    """Who no longer agrees, whom they told, and on which day."""

    withdrawn_by = Line(
        "Who no longer agrees?",
        [Needed("Enter who no longer agrees")],
        description="Their name, and what they are to the pupil. For example, A Parent, mother.",
    )
    told_to = Line("Whom did they tell?", [Needed("Enter whom they told")])
    told_on = DayField(
        "When did they say so?",
        [Needed("Enter the day they said so"), not_to_come],
        description="For example, 27 3 2019",
    )
    comment = Paragraphs("What else should be written down? (optional)")


def agreement_page(reference: str, *, back: str) -> ResponseReturnValue:
    """Ask who told whom, or write it down and stop the support; `back` is where it leads to."""
    form = AgreementWithdrawnForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                withdrawing.withdraw_agreement(
                    work,
                    reference,
                    withdrawn_by=form.withdrawn_by.data,
                    told_to=form.told_to.data,
                    told_on=form.told_on.data or clock.today(),
                    comment=form.comment.data or "",
                    seen=form.version,
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
        else:
            flash("The support has been stopped, and everybody concerned is told.", "s2s-success")
            return redirect(url_for(back, reference=reference))
    referral = referrals.get(reference)
    actor = current_actor()
    if not actor.has(Role.OFFICER) and referral.urn not in actor.establishments:
        raise NotFound()
    if not form.is_submitted():
        withdrawing.check_withdrawable(referral)
        withdrawing.check_pupil(referral)
    if not form.is_submitted() or form.out_of_order:
        form.renew(referral.version)
    return page(
        "s2s/components/agreement_withdrawn.html",
        form=form,
        referral=referral,
        fee=withdrawing.effect(referral).fee,
        back=url_for(back, reference=reference),
    )
