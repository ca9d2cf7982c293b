"""Colleagues on one draft, as the school sees it: a section asked of one, and the head's answer."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, head, school
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.referrals.colleague_forms import AGREE, AskForm, AskHeadForm, HeadForm
from s2s_portal.blueprints.referrals.sent import bp
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.services import (
    attachments,
    colleagues,
    drafting,
    heads,
    reading,
    sections,
    submission,
)

DONE = "s2s-success"
ASKED = f"<any({', '.join(colleagues.OFFERED)}):section>"


@bp.route(f"/<reference>/{ASKED}/colleague", methods=["GET", "POST"])
@allow(school)
def colleague(reference: str, section: str) -> ResponseReturnValue:
    """Ask a colleague to fill in one section; once asked, where that stands."""
    referral = drafting.mine(reference, by=current_actor())
    asked = colleagues.open_for(referral, section)
    if asked is None and not colleagues.may_ask(referral, section):
        return redirect(url_for(".show", reference=referral.reference))
    if asked is not None:
        return page(
            "s2s/referrals/colleague_asked.html",
            form=None,
            referral=referral,
            section=section,
            title=sections.title(referral, section),
            asked=asked,
            button=ButtonForm(),
        )
    form = AskForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                made = colleagues.ask(
                    *(work, reference, section),
                    name=form.name.data or "",
                    email=form.email.data or "",
                    message=form.message.data or "",
                    by=current_actor(),
                )
                asked_name = made.colleague_name
        except Refused as error:
            refuse(form, error)
            referral = drafting.mine(reference, by=current_actor())
        else:
            flash(f"We have sent {asked_name} an email with a link to this section.", DONE)
            return redirect(url_for(".show", reference=reference))
    return page(
        "s2s/referrals/colleague.html",
        form=form,
        referral=referral,
        section=section,
        title=sections.title(referral, section),
        about=colleagues.about(referral, section),
    )


@bp.post(f"/<reference>/{ASKED}/colleague/again")
@allow(school)
def ask_again(reference: str, section: str) -> ResponseReturnValue:
    """Send the link once more."""
    if not ButtonForm().validate_on_submit():
        raise Refused("The page had expired. Nothing has been sent.")
    with unit_of_work() as work:
        made = colleagues.send_again(work, reference, section, by=current_actor())
        name = made.colleague_name
    flash(f"We have sent {name} a new link. The one before no longer works.", DONE)
    return redirect(url_for(".colleague", reference=reference, section=section))


@bp.post(f"/<reference>/{ASKED}/colleague/stop")
@allow(school)
def ask_no_longer(reference: str, section: str) -> ResponseReturnValue:
    """Take the request back."""
    if not ButtonForm().validate_on_submit():
        raise Refused("The page had expired. Nothing has been changed.")
    with unit_of_work() as work:
        made = colleagues.withdraw(work, reference, section, by=current_actor())
        name = made.who
    flash(f"{name} is no longer asked to fill this in.", DONE)
    return redirect(url_for(".show", reference=reference))


@bp.route("/<reference>/ask-head", methods=["GET", "POST"])
@allow(school)
def ask_head(reference: str) -> ResponseReturnValue:
    """Ask the head to agree to the draft."""
    referral = drafting.mine(reference, by=current_actor())
    standing = heads.standing(referral)
    if standing is None or standing.holds or submission.missing(referral):
        return redirect(url_for(".check", reference=referral.reference))
    form = AskHeadForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                heads.ask(work, reference, email=form.email.data or "", by=current_actor())
            flash("We have asked the head. We will email the contact when they answer.", DONE)
            return redirect(url_for(".show", reference=reference))
        except Refused as error:
            refuse(form, error)
            referral = drafting.mine(reference, by=current_actor())
    return page("s2s/referrals/ask_head.html", form=form, referral=referral)


@bp.route("/<reference>/agreement", methods=["GET", "POST"])
@allow(head)
def agree(reference: str) -> ResponseReturnValue:
    """The head reads the whole draft and its fee, and agrees, or says what must change first."""
    referral = drafting.mine(reference, by=current_actor())
    standing = heads.standing(referral)
    if standing is None:
        return redirect(url_for(".show", reference=referral.reference))
    form = HeadForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                heads.decide(
                    *(work, reference),
                    agrees=form.answer.data == AGREE,
                    remark=form.remark.data or "",
                    seen=form.seen.version,
                    pence=form.fee,
                    by=current_actor(),
                )
            said = "You have agreed" if form.answer.data == AGREE else "You have not agreed yet"
            flash(f"{said}. We have emailed the contact of this referral.", DONE)
            return redirect(url_for(".show", reference=reference))
        except Refused as error:
            refuse(form, error)
            referral = drafting.mine(reference, by=current_actor())
    if request.method == "GET" or form.out_of_order:
        form.seen.data = str(referral.version)
        form.pence.data = str(sections.charge(referral).amount_pence)
    return page(
        "s2s/referrals/agree.html",
        form=form,
        referral=referral,
        parts=reading.parts(referral),
        attached=attachments.shown(referral, refused=True),
        missing=submission.missing(referral),
        sections=sections,
        statement=heads.statement(referral),
        head=heads.standing(referral),
    )
