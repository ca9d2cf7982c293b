"""Schools that join a training, what they thought of it, and the time that a record says."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, practitioner, school
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.visits.offers import bp
from s2s_portal.blueprints.visits.training_forms import EvaluationForm, JoinForm, TimeForm
from s2s_portal.blueprints.visits.views import DONE
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotFound, Refused
from s2s_portal.identity import current_actor
from s2s_portal.services import activity_time, records, training, visits

__all__ = ["bp"]


@bp.route("/<reference>/<int:number>/training", methods=["GET", "POST"])
@allow(practitioner)
def training_schools(reference: str, number: int) -> ResponseReturnValue:
    """The other schools that join a training: one more, or one less."""
    visit = visits.get(reference, number)
    place = training.check_shareable(visit, current_actor())
    form = JoinForm()
    form.offer(training.joinable(visit, place.number))
    gone = request.form.get("leave", "")
    if gone.isdecimal() and len(gone) < 19:
        if ButtonForm().validate_on_submit() and _leaves(form, reference, number, int(gone)):
            return redirect(url_for(".training_schools", reference=reference, number=number))
    elif form.validate_on_submit():
        try:
            with unit_of_work() as work:
                training.join(work, visit, form.reference.data, by=current_actor())
        except Refused as error:
            refuse(form, error)
        else:
            told = "" if visits.is_over(visit) else " It has been told when and where."
            flash(f"The school joins.{told}", DONE)
            return redirect(url_for(".training_schools", reference=reference, number=number))
    return page(
        "s2s/visits/training.html",
        form=form,
        visit=visits.get(reference, number),
        joined=training.schools(visit),
    )


def _leaves(form: JoinForm, reference: str, number: int, row: int) -> bool:
    try:
        with unit_of_work() as work:
            training.leave(work, visits.get(reference, number), row, by=current_actor())
    except Refused as error:
        refuse(form, error)
        return False
    flash("The school no longer takes part.", DONE)
    return True


@bp.route("/<reference>/<int:number>/evaluation", methods=["GET", "POST"])
@allow(school)
def evaluation(reference: str, number: int) -> ResponseReturnValue:
    """What the school thought of a training; again if need be, until its referral is closed."""
    record = records.get(reference, number)
    if not training.can_evaluate(record, current_actor()):
        raise NotFound()
    said = record.evaluation
    form = EvaluationForm(
        data={"useful": str(said.useful), "confident": str(said.confident), "words": said.words}
        if said
        else None
    )
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                training.evaluate(
                    work,
                    record,
                    useful=int(form.useful.data),
                    confident=int(form.confident.data),
                    words=form.words.data or "",
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
        else:
            flash("Thank you. The practitioner and the council can read your answers.", DONE)
            return redirect(url_for(".read", reference=reference, number=number))
    return page("s2s/visits/evaluation.html", form=form, reference=reference, number=number)


@bp.route("/<reference>/<int:number>/time", methods=["GET", "POST"])
@allow(practitioner)
def time(reference: str, number: int) -> ResponseReturnValue:
    """Put right the time that an issued record says; the record itself stays as it is."""
    record = records.get(reference, number)
    activity_time.check_correctable(record, current_actor())
    form = TimeForm(obj=activity_time.of_record(record))
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                activity_time.correct(
                    work,
                    record,
                    to=form.spent(),
                    reason=form.reason.data or "",
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
        else:
            flash("The time has been corrected.", DONE)
            return redirect(url_for(".read", reference=reference, number=number))
    return page("s2s/visits/time.html", form=form, reference=reference, number=number)
