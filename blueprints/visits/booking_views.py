"""Booking a visit, moving it and cancelling it."""

from __future__ import annotations

from datetime import timedelta

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from s2s_portal import clock
from s2s_portal.access import allow, practitioner
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.visits.booking_forms import (
    BookForm,
    CancelForm,
    MoveForm,
    WhenForm,
    move_form,
)
from s2s_portal.blueprints.visits.views import DONE, bp
from s2s_portal.database import unit_of_work
from s2s_portal.errors import AskFirst, Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.visit import Visit, VisitKind
from s2s_portal.services import booking_rules, referrals, rescheduling, visits

__all__ = ["bp"]
DAYS_SHOWN = timedelta(days=28)


@bp.route("/<reference>/book", methods=["GET", "POST"])
@allow(practitioner)
def book(reference: str) -> ResponseReturnValue:
    """Book a visit; one that has been made already leads straight to its record."""
    form = BookForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                visit = visits.book(
                    work,
                    reference,
                    kind=VisitKind(form.kind.data),
                    **form.when(),
                    by=current_actor(),
                )
        except Refused as error:
            _refuse(form, error)
        else:
            return _after_booking(reference, visit)
    referral = referrals.get(reference)
    place = visits.place_to_book(referral, current_actor())
    if not form.out_of_order:
        visits.check_open(referral)
    return page(
        "s2s/visits/book.html",
        form=form,
        referral=referral,
        others=_others(form, place.number),
        others_on=form.day.data,
        kinds=visits.KIND_NAMES,
    )


def _refuse(form: WhenForm, error: Refused) -> None:
    """Put a refusal, or each thing that has to be said yes to first, onto its field."""
    if isinstance(error, AskFirst):
        for field, words in error.asks.items():
            refuse(form, Refused(form[field].ask(words), field))
    else:
        refuse(form, error)


def _others(form: WhenForm, number: int, besides: Visit | None = None) -> list[Visit]:
    """The practitioner's other visits: of the day that was typed, else of the next weeks."""
    day = form.day.data
    first = day or clock.today()
    found = booking_rules.visits_on(number, first, first if day else first + DAYS_SHOWN)
    return [one for one in found if besides is None or one.id != besides.id]


def _after_booking(reference: str, visit: Visit) -> ResponseReturnValue:
    if visits.is_over(visit):
        flash("The visit has been added. Now write its record.", DONE)
        return redirect(url_for(".record", reference=reference, number=visit.number))
    flash("The visit has been booked. The school has been told.", DONE)
    return redirect(url_for(".show", reference=reference))


@bp.route("/<reference>/<int:number>/move", methods=["GET", "POST"])
@allow(practitioner)
def move(reference: str, number: int) -> ResponseReturnValue:
    """Move a visit to another time; the one that was booked stays to be read."""
    form = move_form(visits.get(reference, number))
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                made = rescheduling.move(
                    work,
                    reference,
                    number,
                    **form.when(),
                    asked=form.asked(),
                    by=current_actor(),
                )
        except Refused as error:
            _refuse(form, error)
        else:
            if visits.is_over(made):
                return _after_booking(reference, made)
            flash("The visit has been moved. The school has been told.", DONE)
            return redirect(url_for(".show", reference=reference))
    visit = _to_move(form, reference, number)
    number_of = visits.place_to_book(visit.referral, current_actor()).number
    return page(
        "s2s/visits/move.html",
        form=form,
        visit=visit,
        others=_others(form, number_of, visit),
        others_on=form.day.data,
        kinds=visits.KIND_NAMES,
    )


@bp.route("/<reference>/<int:number>/cancel", methods=["GET", "POST"])
@allow(practitioner)
def cancel(reference: str, number: int) -> ResponseReturnValue:
    """Cancel a visit; it stays to be read, with who asked and why."""
    form = CancelForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                rescheduling.cancel(work, reference, number, asked=form.asked(), by=current_actor())
        except Refused as error:
            refuse(form, error)
        else:
            flash("The visit has been cancelled. The school has been told.", DONE)
            return redirect(url_for(".show", reference=reference))
    visit = _to_move(form, reference, number)
    return page("s2s/visits/cancel.html", form=form, visit=visit, kinds=visits.KIND_NAMES)


def _to_move(form: MoveForm | CancelForm, reference: str, number: int) -> Visit:
    """The visit as it is; what stands against moving it is on the form already, if it was sent."""
    if form.out_of_order:
        return visits.get(reference, number)
    return rescheduling.to_move(reference, number, current_actor())
