"""Absences and conflicts of interest: rows that are added and taken off again."""

from __future__ import annotations

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.practitioners.forms import AbsenceForm, ConflictForm
from s2s_portal.blueprints.practitioners.views import DONE, bp, keeper
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.services import practitioner_limits, practitioners

__all__ = ["bp"]


@bp.route("/<int:number>/absences/add", methods=["GET", "POST"])
@allow(keeper)
def add_absence(number: int) -> ResponseReturnValue:
    """Say when somebody is not there."""
    person = practitioners.to_keep(number, current_actor())
    form = AbsenceForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                practitioner_limits.add_absence(work, number, **form.given(), by=current_actor())
        except Refused as error:
            refuse(form, error)
            person = practitioners.to_keep(number, current_actor())
        else:
            flash("The absence has been added.", DONE)
            return redirect(url_for(".show", number=number))
    return page("s2s/practitioners/absence.html", form=form, person=person)


@bp.post("/<int:number>/absences/<int:row>/remove")
@allow(keeper)
def remove_absence(number: int, row: int) -> ResponseReturnValue:
    """Take an absence off."""
    practitioners.to_keep(number, current_actor())
    if ButtonForm().validate_on_submit():
        with unit_of_work() as work:
            practitioner_limits.remove_absence(work, number, row, by=current_actor())
        flash("The absence has been removed. The history keeps it.", DONE)
    return redirect(url_for(".show", number=number))


@bp.route("/<int:number>/conflicts/add", methods=["GET", "POST"])
@allow(keeper)
def add_conflict(number: int) -> ResponseReturnValue:
    """Say where somebody is not, or not without asking, to be sent."""
    person = practitioners.to_keep(number, current_actor())
    form = ConflictForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                practitioner_limits.add_conflict(work, number, **form.given(), by=current_actor())
        except Refused as error:
            refuse(form, error)
            person = practitioners.to_keep(number, current_actor())
        else:
            flash("The conflict of interest has been added.", DONE)
            return redirect(url_for(".show", number=number))
    return page("s2s/practitioners/conflict.html", form=form, person=person)


@bp.post("/<int:number>/conflicts/<int:row>/remove")
@allow(keeper)
def remove_conflict(number: int, row: int) -> ResponseReturnValue:
    """Take a conflict of interest off."""
    practitioners.to_keep(number, current_actor())
    if ButtonForm().validate_on_submit():
        with unit_of_work() as work:
            practitioner_limits.remove_conflict(work, number, row, by=current_actor())
        flash("The conflict of interest has been removed. The history keeps it.", DONE)
    return redirect(url_for(".show", number=number))
