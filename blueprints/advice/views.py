"""Asking for advice without a referral: a school's pages and the officers', mostly the same."""

from __future__ import annotations

import secrets

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.fields import SelectChoice

from s2s_portal.access import allow, officer, school
from s2s_portal.blueprints import threads
from s2s_portal.blueprints.advice.forms import AskForm, CloseForm
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import MayNotRefer, Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.conversation import AdviceOutcome, AdviceStatus
from s2s_portal.models.establishment import Establishment
from s2s_portal.services import advice, advice_list, messages, starting

bp = Blueprint("advice", __name__)
DONE = "s2s-success"
NO_NEED = SelectChoice("", "No type of need in particular")


@bp.get("/")
@allow(school | officer)
def index() -> ResponseReturnValue:
    """The requests of the school, or all of them for an officer, newest first."""
    wanted = request.args.get("status", "")
    status = AdviceStatus(wanted) if wanted in set(AdviceStatus) else None
    found = advice_list.listed(
        by=current_actor(), status=status, after=request.args.get("after") or None
    )
    return page("s2s/advice/index.html", found=found, status=status)


@bp.route("/ask", methods=["GET", "POST"])
@allow(school)
def ask() -> ResponseReturnValue:
    """Ask: first for which school, where there are several."""
    form = AskForm()
    chosen = (form.urn.data if request.method == "POST" else request.args.get("urn")) or None
    place = _school(chosen)
    if place is None:
        return _ask_page(form, None)
    form.need_code.choices = [
        NO_NEED,
        *(SelectChoice(need.code, need.label) for need in advice.needs_today()),
    ]
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                made = advice.ask(
                    work,
                    place.urn,
                    topic=form.topic.data,
                    question=form.question.data,
                    need_code=form.need_code.data or None,
                    contact_name=form.contact_name.data,
                    contact_email=form.contact_email.data,
                    may_become_referral=form.may_become_referral.data,
                    token=form.token.data or "",
                    by=current_actor(),
                )
            flash(f"The council has your question. Your reference is {made.reference}.", DONE)
            return redirect(url_for(".show", reference=made.reference))
        except Refused as error:
            refuse(form, error)
            place = _school(chosen)
    return _ask_page(form, place)


def _school(chosen: str | None) -> Establishment | None:
    """The school that asks; None while one of several is still to be chosen."""
    among = starting.schools(by=current_actor())
    if chosen is None and len(among) != 1:
        return None
    offer = starting.offer(among, chosen)
    return offer.establishment if offer else None


def _ask_page(form: AskForm, place: Establishment | None) -> ResponseReturnValue:
    actor = current_actor()
    if place is not None and not form.is_submitted():
        form.urn.data, form.token.data = str(place.urn), secrets.token_urlsafe(18)
        form.contact_name.data, form.contact_email.data = actor.name, actor.email
    why_not = advice.may_ask(place.urn, by=actor) if place else ""
    return page(
        "s2s/advice/ask.html",
        form=form,
        establishment=place,
        why_not=why_not,
        schools=starting.schools(by=actor),
    )


@bp.get("/<reference>/")
@allow(school | officer)
def show(reference: str) -> ResponseReturnValue:
    """The question with its answers, whose turn it is, and what can be done."""
    return _show_page(reference, None)


def _show_page(reference: str, form: ButtonForm | None) -> ResponseReturnValue:
    actor = current_actor()
    found = advice.get(reference, by=actor)
    shown = threads.talk(found)
    answer = page(
        "s2s/advice/show.html",
        form=form,
        advice=found,
        talk=shown,
        own=advice.is_own(found, actor),
        due=advice_list.due_words(found, shown.thread.conversation),
        outcomes=advice.OUTCOME_WORDS,
        became=advice.became(found),
        history=[(advice.HAPPENED[event.action], event) for event in advice.events(found)],
    )
    return threads.read(shown, answer)


@bp.post("/<reference>/referral")
@allow(school)
def convert(reference: str) -> ResponseReturnValue:
    """Make the draft of a referral out of it, or lead to the one there is."""
    _pressed()
    try:
        with unit_of_work() as work:
            referral = advice.convert(work, reference, by=current_actor())
    except MayNotRefer as error:  # the request stays, and so can be pressed again another day
        form = ButtonForm()
        refuse(form, error)
        return _show_page(reference, form)
    return redirect(url_for("s2s.referrals.show", reference=referral.reference))


@bp.post("/<reference>/helped")
@allow(school)
def helped(reference: str) -> ResponseReturnValue:
    """Say whether the answer helped."""
    _pressed()
    with unit_of_work() as work:
        found = advice.say_whether_it_helped(
            work, reference, helped=request.form.get("helped") == "yes", by=current_actor()
        )
    flash("Thank you. The council sees what you said.", DONE)
    return redirect(url_for(".show", reference=found.reference))


def _pressed() -> None:
    if not ButtonForm().validate_on_submit():
        raise Refused("The page had expired. Go back, refresh it and try again.")


@bp.route("/<reference>/close", methods=["GET", "POST"])
@allow(officer)
def close(reference: str) -> ResponseReturnValue:
    """Answer for the last time, and say what came of it."""
    form = CloseForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                advice.close(
                    work,
                    reference,
                    outcome=AdviceOutcome(form.outcome.data),
                    text=form.text.data or "",
                    token=form.token.data or "",
                    seen=form.seen.version,
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
        else:
            flash("The request has been answered and closed. The school has been told.", DONE)
            return redirect(url_for(".show", reference=reference))
    found = advice.get(reference, by=current_actor())
    shown = messages.thread(found, by=current_actor())
    if not form.is_submitted():
        advice.check_open(found)
    if not form.is_submitted() or form.out_of_order:
        form.renew(shown)
    return page("s2s/advice/close.html", form=form, advice=found, talk=threads.Talk(shown, form))
