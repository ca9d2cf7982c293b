"""One section for a colleague who was asked to fill it in: its link, its page, and nothing else."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, signed_on
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.referrals.fields import SectionForm
from s2s_portal.blueprints.referrals.section_pages import page_of
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.colleague import Contribution
from s2s_portal.services import contributions, reading

bp = Blueprint("contributions", __name__)
DONE = "s2s-success"
HAND_BACK = "hand-back"


@bp.route("/link/<token>", methods=["GET", "POST"])
@allow(signed_on)
def link(token: str) -> ResponseReturnValue:
    """Who asks for what; a press of the button opens it for this account, and for no other."""
    form = ButtonForm()
    offer = contributions.offer(token)
    if offer.is_tied:
        return redirect(url_for(".show", number=offer.number))
    if form.validate_on_submit():
        with unit_of_work() as work:
            number = contributions.tie(work, token, by=current_actor())
        return redirect(url_for(".show", number=number))
    return page("s2s/contributions/link.html", form=form, offer=offer)


@bp.route("/<int:number>/", methods=["GET", "POST"])
@allow(signed_on)
def show(number: int) -> ResponseReturnValue:
    """The section: saved as often as they like, then handed back."""
    asked = contributions.mine(number, by=current_actor())
    if asked.handed_back_at is not None and request.method == "GET":
        return _handed_back(asked)
    sketch = contributions.as_asked(asked)
    form = page_of(sketch, asked.section).build(sketch, None)
    if form.adjust():
        return _section(asked, form)
    if form.validate_on_submit():
        done = request.form.get("then") == HAND_BACK
        try:
            with unit_of_work() as work:
                held = contributions.save(
                    work, number, seen=form.seen.data or "", by=current_actor(), **form.given()
                )
                if done:
                    contributions.hand_back(work, held)
            flash("Saved and handed back." if done else "Saved.", DONE)
            return redirect(url_for(".show", number=number))
        except Refused as error:
            refuse(form, error)
            asked = contributions.mine(number, by=current_actor())
    return _section(asked, form)


def _handed_back(asked: Contribution) -> ResponseReturnValue:
    sketch = contributions.as_asked(asked)
    return page(
        "s2s/contributions/handed_back.html",
        asked=asked,
        title=contributions.title(asked),
        lines=reading.part_lines(sketch, asked.section),
    )


def _section(asked: Contribution, form: SectionForm) -> ResponseReturnValue:
    sketch = contributions.as_asked(asked)
    if form.out_of_order:
        form.seen.data = sketch.answered.get(asked.section, {}).get("at", "")
    return page(
        f"s2s/referrals/sections/{page_of(sketch, asked.section).template}.html",
        form=form,
        referral=sketch,
        section=asked.section,
        title=contributions.title(asked),
        declaration="",
        saved_by_another=reading.part_lines(sketch, asked.section) if form.out_of_order else [],
        copy=None,
        in_hand=False,
        button=None,
        amending=False,
        asked=None,
        filled=None,
        waiting=None,
        contribution=asked,
    )
