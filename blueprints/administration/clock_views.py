"""For the administrator: service levels, closures of the council, and what they would move."""

from __future__ import annotations

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from s2s_portal import clock
from s2s_portal.access import administrator, allow
from s2s_portal.blueprints.administration.clock_forms import ClosureForm, LevelForm, NewDatesForm
from s2s_portal.blueprints.administration.views import DONE, bp
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.services import clock_rules
from s2s_portal.services.clock_rules import Preview
from s2s_portal.services.service_levels import (
    PARTY_WORDS,
    STEP_HINTS,
    STEP_WORDS,
    WAITS_FOR,
    length_words,
)


@bp.route("/service-levels", methods=["GET", "POST"])
@allow(administrator)
def service_levels() -> ResponseReturnValue:
    """Every service level by date, and the form that adds one once its effect has been seen."""
    form = LevelForm()
    seen: list[Preview] | None = None
    if form.validate_on_submit():
        try:
            level = clock_rules.new_level(**form.given(), by=current_actor())
            if form.agreed.data == form.said():
                with unit_of_work() as work:
                    clock_rules.add_level(work, level)
                flash("The service level has been added. No date has been moved.", DONE)
                return redirect(url_for(".service_levels"))
            seen = clock_rules.preview(clock_rules.moves(level))
            form.agreed.data = form.said()
        except Refused as error:
            refuse(form, error)
    found = clock_rules.levels()
    return page(
        "s2s/administration/service_levels.html",
        form=form,
        levels=found,
        holding=clock_rules.in_force(found, clock.today()),
        seen=seen,
        steps=STEP_WORDS,
        hints=STEP_HINTS,
        waits={step: PARTY_WORDS[party] for step, party in WAITS_FOR.items()},
        length_words=length_words,
    )


@bp.route("/service-levels/new-dates", methods=["GET", "POST"])
@allow(administrator)
def new_dates() -> ResponseReturnValue:
    """Which promises have another date by the rules and calendars of today; have them moved."""
    form = NewDatesForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                clock_rules.ask_for_new_dates(work, reason=form.reason.data, by=current_actor())
        except Refused as error:
            refuse(form, error)
        else:
            flash("The dates are being worked out anew. Look again in a few minutes.", DONE)
            return redirect(url_for(".new_dates"))
    return page(
        "s2s/administration/new_dates.html",
        form=form,
        seen=clock_rules.preview(clock_rules.moves()),
        steps=STEP_WORDS,
    )


@bp.route("/closures", methods=["GET", "POST"])
@allow(administrator)
def closures() -> ResponseReturnValue:
    """The days on which the council is closed; add some."""
    form = ClosureForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                clock_rules.close(work, **form.given(), by=current_actor())
        except Refused as error:
            refuse(form, error)
        else:
            flash("Added. No date that was promised has been moved.", DONE)
            return redirect(url_for(".closures"))
    return _closures(form)


@bp.post("/closures/<int:number>/remove")
@allow(administrator)
def remove_closure(number: int) -> ResponseReturnValue:
    """Take a closure out of the list."""
    form = ButtonForm()
    if form.validate():
        try:
            with unit_of_work() as work:
                clock_rules.open_again(work, number, by=current_actor())
        except Refused as error:
            refuse(form, error)
        else:
            flash("Taken out of the list. No date that was promised has been moved.", DONE)
            return redirect(url_for(".closures"))
    said = ClosureForm(formdata=None)
    said.form_errors = [*form.form_errors]
    return _closures(said)


def _closures(form: ClosureForm) -> ResponseReturnValue:
    return page(
        "s2s/administration/closures.html",
        form=form,
        button=ButtonForm(formdata=None),
        closures=clock_rules.closed_days(),
        today=clock.today(),
    )
