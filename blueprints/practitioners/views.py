"""Practitioners: the list, one record, its parts, its history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms.fields import SelectChoice

from s2s_portal.access import administrator, allow, lead, officer, practitioner
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.practitioners import forms
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotFound, Refused, Stale
from s2s_portal.identity import Role, current_actor
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.services import (
    caseload,
    practitioner_choices,
    practitioner_limits,
    practitioner_words,
    practitioners,
    workload,
)

bp = Blueprint("practitioners", __name__)
DONE = "s2s-success"
keeper = lead | administrator
reader = officer | keeper

Part = tuple[Callable[[Practitioner], Any], Callable[..., bool]]
PARTS: dict[str, Part] = {
    "details": (forms.details_of, practitioners.save_details),
    "cover": (forms.cover_of, practitioners.save_cover),
    "needs": (forms.needs_of, practitioners.save_needs),
    "release": (forms.release_of, practitioners.save_release),
}


@bp.get("/")
@allow(reader)
def index() -> ResponseReturnValue:
    """The practitioners: all of them, or those of the lead's school."""
    return page(
        "s2s/practitioners/index.html",
        practitioners=practitioners.listing(current_actor()),
        labels=practitioner_choices.need_types(),
        words=practitioner_words,
        may_add=current_actor().has(Role.LEAD, Role.ADMINISTRATOR),
    )


@bp.get("/workload")
@allow(officer | lead)
def team() -> ResponseReturnValue:
    """How much work everybody has in the next four school weeks, the highest first."""
    by = current_actor()
    lines = workload.team(None if by.has(Role.OFFICER) else by.provider or 0)
    return page("s2s/practitioners/workload.html", team=lines)


@bp.route("/add", methods=["GET", "POST"])
@allow(keeper)
def add() -> ResponseReturnValue:
    """Add a practitioner."""
    form, by = forms.AddForm(), current_actor()
    offered = practitioner_choices.providers(by)
    form.provider.choices = [
        *([SelectChoice("", "Choose one")] if len(offered) != 1 else []),
        *(SelectChoice(str(urn), name) for urn, name in offered.items()),
    ]
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                number = practitioners.add(
                    work,
                    name=form.name.data,
                    email=form.email.data,
                    provider_urn=int(form.provider.data),
                    by=by,
                ).id
        except Refused as error:
            refuse(form, error)
        else:
            flash("Added. Now say what they cover and when they are released.", DONE)
            return redirect(url_for(".show", number=number))
    return page("s2s/practitioners/add.html", form=form)


@bp.get("/<int:number>/")
@allow(reader | practitioner)
def show(number: int) -> ResponseReturnValue:
    """One record, part by part."""
    by = current_actor()
    row = practitioners.get(number, by)
    conflicts = (
        practitioner_limits.conflicts(number) if practitioners.reads_conflicts(by, row) else None
    )
    return page(
        "s2s/practitioners/show.html",
        person=row,
        parts=record_parts(row),
        absences=[
            [*practitioner_words.absence(one), one.id]
            for one in practitioner_limits.absences(number)
        ],
        conflicts=conflicts,
        words=practitioner_words,
        keeps=practitioners.keeps(by, row),
        open_cases=practitioners.open_cases(number) if by.has(Role.OFFICER) else None,
        form=ButtonForm(formdata=None),
    )


def record_parts(row: Practitioner) -> dict[str, practitioner_words.Pairs]:
    """The parts of a record that are changed on a page of their own, in words."""
    rows = practitioners.releases(row.id)
    return {
        "details": practitioner_words.details(row),
        "cover": practitioner_words.cover(row),
        "needs": practitioner_words.needs(row.skills, practitioner_choices.need_types()),
        "release": practitioner_words.release(rows[0] if rows else None),
    }


@bp.route("/<int:number>/<part>", methods=["GET", "POST"])
@allow(keeper)
def change(number: int, part: str) -> ResponseReturnValue:
    """Change one part; what somebody else saved meanwhile is shown beside what was typed."""
    row = practitioners.to_keep(number, current_actor())
    if part not in PARTS:
        raise NotFound()
    form_of, save = PARTS[part]
    form = form_of(row)
    if not form.is_submitted():
        form.seen.data = row.version
    newer = []
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                changed = save(
                    work, number, seen=form.seen.version, by=current_actor(), **form.given()
                )
        except Refused as error:
            refuse(form, error)
            if isinstance(error, Stale):
                newer = practitioners.changed_since(number, part, form.seen.version)
                form.seen.data = newer[0].version
        else:
            flash("Saved." if changed else "Nothing changed.", DONE)
            return redirect(url_for(".show", number=number))
    return page(
        "s2s/practitioners/change.html",
        form=form,
        person=practitioners.to_keep(number, current_actor()),
        part=part,
        title=practitioner_words.PARTS[part],
        newer=newer,
    )


@bp.get("/<int:number>/history")
@allow(reader)
def history(number: int) -> ResponseReturnValue:
    """Every change of a record, newest first."""
    row = practitioners.get(number, current_actor())
    return page(
        "s2s/practitioners/history.html",
        person=row,
        history=practitioners.history(number),
        releases=practitioners.releases(number),
        words=practitioner_words,
    )


@bp.route("/<int:number>/state", methods=["GET", "POST"])
@allow(keeper)
def state(number: int) -> ResponseReturnValue:
    """No longer active, or active again: what becomes of the open referrals is said first."""
    by = current_actor()
    row = practitioners.to_keep(number, by)
    active = not row.active
    form = ButtonForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                practitioners.switch(work, number, active=active, by=by)
        except Refused as error:
            refuse(form, error)
            row = practitioners.to_keep(number, by)
        else:
            flash("Saved.", DONE)
            hands_on = by.has(Role.OFFICER) and not active and practitioners.open_cases(number)
            target = "s2s.allocation.hand_on" if hands_on else ".show"
            return redirect(url_for(target, number=number))
    return page(
        "s2s/practitioners/state.html",
        form=form,
        person=row,
        open_cases=practitioners.open_cases(number),
        cases=caseload.of_number(number).cases if by.has(Role.LEAD) else [],
    )
