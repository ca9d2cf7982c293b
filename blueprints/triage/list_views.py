"""The worklist: its piles and filters, the lists an officer keeps, and who looks after what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, officer
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page, refuse, waiting_for_me
from s2s_portal.blueprints.triage import way_back
from s2s_portal.blueprints.triage.list_forms import AssignForm, KeepForm, TakeForm
from s2s_portal.blueprints.triage.views import DONE, bp
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.codes import Status
from s2s_portal.models.worklist import Officer, SavedList
from s2s_portal.services import (
    offers,
    officers,
    referrals,
    several,
    standing,
    worklist,
    worklist_choices,
)
from s2s_portal.services.labels import SHORT_KINDS
from s2s_portal.services.worklist_wanted import PILE_WORDS, SORT_WORDS, WHEN_WORDS, Wanted


@bp.get("/")
@allow(officer)
def index() -> ResponseReturnValue:
    """The worklist: the list that is in the address, the one an officer begins with, or what waits
    for a decision."""
    me, kept = officers.at_work(current_actor())
    begin = next((one.query for one in kept if one.is_default), "")
    if begin and not request.args:
        return redirect(_address(Wanted.parse(begin)))
    return _list(Wanted.of(request.args), KeepForm(formdata=None), me, kept)


def _list(
    wanted: Wanted, form: KeepForm, me: Officer, kept: list[SavedList]
) -> ResponseReturnValue:
    offered = worklist_choices.offered()
    dates = offered.office
    if wanted.team not in offered.teams:
        # Whoever is in one team has its queue alone, which is then read from an index of its own.
        wanted = replace(wanted, team=next(iter(offered.teams)) if len(offered.teams) == 1 else "")
    listing = worklist.listing(wanted, dates=dates, needs=offered.needs)
    waits = [line.reference for line in listing.lines if line.status == Status.ACCEPTED]
    if not form.is_submitted():
        form.query.data = wanted.query
    return page(
        "s2s/triage/index.html",
        form=form,
        button=ButtonForm(formdata=None),
        wanted=wanted,
        listing=listing,
        on_offer=offers.lines(waits),
        counts=worklist.counts(dates, wanted.team),
        offered=offered,
        kinds=SHORT_KINDS,
        words=PILE_WORDS,
        sorts=SORT_WORDS,
        whens=WHEN_WORDS,
        colour=standing.colour_of,
        kept=kept,
        me=me,
        waiting=waiting_for_me("s2s.messages.index"),
        bulk=several.WORDS,
        all_ticked=request.args.get("tick") == "all",
    )


@bp.post("/lists")
@allow(officer)
def keep() -> ResponseReturnValue:
    """Keep the list that was shown."""
    form = KeepForm()
    wanted = Wanted.parse(form.query.data or "")
    if form.validate():
        try:
            with unit_of_work() as work:
                officers.keep_list(work, name=form.name.data, wanted=wanted, by=current_actor())
        except Refused as error:
            refuse(form, error)
        else:
            flash(f"“{form.name.data}” is now one of your lists.", DONE)
            return redirect(_address(wanted))
    return _list(wanted, form, *officers.at_work(current_actor()))


@bp.post("/lists/<int:number>/delete")
@allow(officer)
def delete_list(number: int) -> ResponseReturnValue:
    """Delete a list that was kept."""

    def act(work: UnitOfWork) -> None:
        officers.delete_list(work, number, by=current_actor())

    return _pressed(act, "The list has been deleted. No referral has been changed.")


@bp.post("/lists/<int:number>/begin")
@allow(officer)
def begin_with(number: int) -> ResponseReturnValue:
    """Begin with a list from now on, or no longer."""

    def act(work: UnitOfWork) -> None:
        officers.begin_with(work, number, by=current_actor())

    return _pressed(act, "Changed what you begin with.")


@bp.post("/daily-list")
@allow(officer)
def daily_list() -> ResponseReturnValue:
    """Ask for the daily list by mail, or end it."""
    wanted = request.form.get("wanted") == "yes"

    def act(work: UnitOfWork) -> None:
        officers.switch_digest(work, wanted=wanted, by=current_actor())

    done = "You get the list by email each working day." if wanted else "You get no more emails."
    return _pressed(act, done)


def _pressed(act: Callable[[UnitOfWork], None], done: str) -> ResponseReturnValue:
    """Do what a button of the worklist asks for, then show the list it was pressed on."""
    form = ButtonForm()
    wanted = Wanted.parse(request.form.get("query", ""))
    if form.validate():
        try:
            with unit_of_work() as work:
                act(work)
        except Refused as error:
            refuse(form, error)
        else:
            flash(done, DONE)
            return redirect(_address(wanted))
    said = KeepForm(formdata=None)
    said.form_errors = [*form.form_errors, *(text for field in form for text in field.errors)]
    said.query.data = wanted.query
    return _list(wanted, said, *officers.at_work(current_actor()))


@bp.route("/<reference>/officer", methods=["GET", "POST"])
@allow(officer)
def assign(reference: str) -> ResponseReturnValue:
    """Choose the officer who looks after a referral."""
    officers.note(current_actor())
    form = AssignForm()
    referral = referrals.get(reference)
    form.offer(officers.offered([referral.body]))
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                officers.assign(
                    work,
                    reference,
                    officer=int(form.officer.data),
                    seen=form.seen.version,
                    note=form.note.data or "",
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
        else:
            return _assigned(reference)
        referral = referrals.get(reference)
    held = officers.of(referral)
    if not form.is_submitted() or form.out_of_order:
        form.seen.data = held.id if held else 0
    return page(
        "s2s/triage/assign.html",
        form=form,
        referral=referral,
        held=held,
        handed_on=way_back.handed_on(),
    )


@bp.post("/<reference>/take")
@allow(officer)
def take(reference: str) -> ResponseReturnValue:
    """Look after a referral oneself, by one press."""
    me = officers.note(current_actor())
    form = TakeForm()
    if form.validate():
        with unit_of_work() as work:
            officers.assign(
                work, reference, officer=me.id, seen=form.seen.version, by=current_actor()
            )
    return redirect(way_back.shown(reference))  # whose page says who looks after it


def _assigned(reference: str) -> ResponseReturnValue:
    held = officers.of(referrals.get(reference))
    flash(f"{held.officer_name if held else 'Nobody'} looks after this referral.", DONE)
    return redirect(way_back.shown(reference))


def _address(wanted: Wanted) -> str:
    return f"{url_for('.index')}?{wanted.query}"
