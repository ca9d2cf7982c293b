"""The end of the form: check the answers, send them once, and the confirmation."""

from __future__ import annotations

import secrets

from flask import redirect, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, school
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.referrals.forms import SubmitForm
from s2s_portal.blueprints.referrals.views import ROWS, bp
from s2s_portal.database import unit_of_work
from s2s_portal.errors import OutOfOrder, Refused, RepeatFound
from s2s_portal.identity import current_actor
from s2s_portal.models.codes import Status
from s2s_portal.services import (
    attachments,
    colleagues,
    contributions,
    drafting,
    form_versions,
    heads,
    openings,
    reading,
    repeats,
    sections,
    standing,
    submission,
)


@bp.get("/<reference>/check")
@allow(school)
def check(reference: str) -> ResponseReturnValue:
    """Everything that was answered, the fee and its reason, and the button that sends it."""
    return _check_page(reference, SubmitForm())


def _check_page(reference: str, form: SubmitForm) -> ResponseReturnValue:
    referral = drafting.mine(reference, by=current_actor(), only=ROWS)
    if not drafting.is_in_hand(referral):
        return redirect(url_for(".show", reference=referral.reference))
    form.token.data, form.seen.data = secrets.token_urlsafe(24), str(referral.version)
    charge = sections.charge(referral)
    return page(
        "s2s/referrals/check.html",
        form=form,
        referral=referral,
        parts=reading.parts(referral),
        attached=attachments.shown(referral, refused=True),
        evidence=attachments.evidence(referral),
        files_offered=attachments.offered(),
        missing=submission.missing(referral),
        sections=sections,
        asked=openings.asked(referral),
        charge=charge,
        declaration=drafting.declaration_words(charge),
        unused=colleagues.open_ones(referral),
        titled=contributions.title,
        head=heads.standing(referral),
    )


@bp.post("/<reference>/submit")
@allow(school)
def submit(reference: str) -> ResponseReturnValue:
    """Send it: once, however often the button is pressed."""
    form = SubmitForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                submission.submit(
                    work,
                    reference,
                    token=form.token.data or "",
                    seen=form.seen.version if form.seen.data else None,
                    by=current_actor(),
                )
            return redirect(url_for(".submitted", reference=reference))
        except RepeatFound:
            with unit_of_work() as work:
                held = drafting.in_hand(reference, by=current_actor())
                repeats.note_found(work, held)
            return redirect(url_for(".section", reference=reference, section=form_versions.REPEAT))
        except Refused as error:
            refuse(form, error)
    return _check_page(reference, form)


@bp.get("/<reference>/submitted")
@allow(school)
def submitted(reference: str) -> ResponseReturnValue:
    """The confirmation: it can be refreshed, and come back to."""
    try:
        referral = submission.sent(reference, by=current_actor())
    except OutOfOrder:
        return redirect(url_for(".show", reference=reference))
    if referral.status is Status.RETURNED:
        return redirect(url_for(".show", reference=reference))
    return page("s2s/referrals/submitted.html", referral=referral, standing=standing)
