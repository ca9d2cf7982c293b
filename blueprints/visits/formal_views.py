"""Around an issued record: addenda, that the school has read it, what it disputes, and concerns.

Each page is read with the person's own eyes first, so that of what is not theirs nothing is found;
only then does the service act in their name.
"""

from __future__ import annotations

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, officer, practitioner, school
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.visits import kept_typing
from s2s_portal.blueprints.visits.formal_forms import (
    AnsweringForm,
    DisputeForm,
    SafeguardingForm,
    SettleForm,
    TellOfficerForm,
)
from s2s_portal.blueprints.visits.offers import bp
from s2s_portal.blueprints.visits.views import DONE
from s2s_portal.database import in_the_name_of, unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import Role, current_actor
from s2s_portal.models.visit import Visit, VisitRecord
from s2s_portal.services import concerns, records, replies, reply_reading, visits

__all__ = ["bp"]


@bp.post("/<reference>/<int:number>/record/copy")
@allow(practitioner)
def keep(reference: str, number: int) -> ResponseReturnValue:
    """Keep what has been typed into a record and not saved, for its writer alone."""
    return kept_typing.keep(reference, number)


@bp.route("/<reference>/<int:number>/addendum", methods=["GET", "POST"])
@allow(practitioner)
@kept_typing.gives_back(AnsweringForm)
def addendum(reference: str, number: int) -> ResponseReturnValue:
    """Add to an issued record, which itself stays as it is; perhaps in answer to the school."""
    form = AnsweringForm()
    found = records.get(reference, number)
    visits.place_to_write(found.visit.referral, current_actor())
    form.offer(reply_reading.open_replies(found))
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                records.add_addendum(
                    work, found, text=form.text.data, answers=form.answered, by=current_actor()
                )
        except Refused as error:
            refuse(form, error)
        else:
            flash("The addendum has been added. The school has been told.", DONE)
            return redirect(url_for(".read", reference=reference, number=number))
    return page("s2s/visits/addendum.html", form=form, reference=reference, number=number)


@bp.post("/<reference>/<int:number>/acknowledge")
@allow(school)
def acknowledge(reference: str, number: int) -> ResponseReturnValue:
    """The school has read it; a second time is told who did so first."""
    record = records.get(reference, number)
    disputed = bool(reply_reading.open_replies(record))
    if ButtonForm().validate_on_submit():
        try:
            with unit_of_work() as work:
                records.acknowledge(work, record, by=current_actor())
            flash("Thank you. The practitioner has been told that you have read this record.", DONE)
            if disputed:
                flash("What you dispute stays open, and stays with the record.", DONE)
        except OutOfOrder as error:
            flash(str(error), DONE)
    return redirect(url_for(".read", reference=reference, number=number))


@bp.route("/<reference>/<int:number>/dispute", methods=["GET", "POST"])
@allow(school)
def dispute(reference: str, number: int) -> ResponseReturnValue:
    """The school says which part is wrong; too late, it is told whom to write to instead."""
    record = records.get(reference, number)
    form = DisputeForm()
    form.offer(reply_reading.disputable(record, record.visit.referral.urn))
    if form.validate_on_submit():
        try:
            with in_the_name_of(current_actor()) as work:
                replies.dispute(
                    work,
                    reference,
                    number,
                    part=form.part.data,
                    text=form.text.data,
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
        else:
            flash("Your reply is attached to the record. The practitioner has been told.", DONE)
            return redirect(url_for(".read", reference=reference, number=number))
    record = records.get(reference, number)
    return page(
        "s2s/visits/dispute.html",
        form=form,
        record=record,
        visit=record.visit,
        referral=record.visit.referral,
        last_day=reply_reading.until(record, record.visit.referral.urn),
        still_open=reply_reading.still_open(record, record.visit.referral.urn),
    )


@bp.route("/<reference>/<int:number>/replies/<int:row>/settle", methods=["GET", "POST"])
@allow(school | officer)
def settle(reference: str, number: int, row: int) -> ResponseReturnValue:
    """The school says that what it disputed is settled; or an officer does, with words."""
    _reply_of(records.get(reference, number), row)
    form = SettleForm()
    if form.validate_on_submit():
        try:
            with in_the_name_of(current_actor()) as work:
                replies.settle(
                    work, reference, number, row, words=form.words.data or "", by=current_actor()
                )
        except Refused as error:
            refuse(form, error)
        else:
            flash("It is settled. The practitioner has been told.", DONE)
            return redirect(url_for(".read", reference=reference, number=number))
    record = records.get(reference, number)
    actor = current_actor()
    return page(
        "s2s/visits/settle.html",
        form=form,
        record=record,
        visit=record.visit,
        reply=_reply_of(record, row),
        part_of=reply_reading.part_of,
        is_school=actor.has(Role.REFERRER) and record.visit.referral.urn in actor.establishments,
    )


def _reply_of(record: VisitRecord, row: int) -> object:
    for one in record.replies:
        if one.number == row:
            return one
    raise NotFound()


@bp.get("/disputed/")
@allow(officer)
def disputed() -> ResponseReturnValue:
    """For officers: records of which a school disputes a fact, and the last that were settled."""
    waiting = reply_reading.disputes(settled=False)
    return page(
        "s2s/visits/disputed.html",
        disputes=waiting,
        unanswered=reply_reading.waits(waiting),
        settled=reply_reading.disputes(settled=True),
        at_most=reply_reading.SHOWN,
    )


@bp.route("/<reference>/<int:number>/safeguarding", methods=["GET", "POST"])
@allow(practitioner)
@kept_typing.gives_back(SafeguardingForm)
def safeguarding(reference: str, number: int) -> ResponseReturnValue:
    """Whether there was a safeguarding concern and that it has been passed on: for officers."""
    visit = _own_visit(reference, number)
    form = SafeguardingForm()
    if form.validate_on_submit():
        concerned = form.concerned.data == "yes"
        try:
            with unit_of_work() as work:
                concerns.answer(
                    work,
                    reference,
                    number,
                    concerned=concerned,
                    passed_to=form.whom if concerned else (),
                    passed_at=form.when if concerned else None,
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
        else:
            told = " The SEND officers have been told." if concerned else ""
            flash(f"Your answer is kept for the SEND officers alone.{told}", DONE)
            return _back_to(visit)
    visit = _own_visit(reference, number)
    return page(
        "s2s/visits/safeguarding.html",
        form=form,
        visit=visit,
        said=concerns.latest(visit),
        whom=concerns.whom,
    )


@bp.route("/<reference>/<int:number>/tell-officer", methods=["GET", "POST"])
@allow(practitioner)
@kept_typing.gives_back(TellOfficerForm)
def tell_officer(reference: str, number: int) -> ResponseReturnValue:
    """Tell the officers of a concern about the work; no school reads it."""
    visit = _own_visit(reference, number)
    form = TellOfficerForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                concerns.tell(work, reference, number, words=form.words.data, by=current_actor())
        except Refused as error:
            refuse(form, error)
        else:
            flash("The SEND officers have been told. The school does not read it.", DONE)
            return _back_to(visit)
    visit = _own_visit(reference, number)
    return page(
        "s2s/visits/tell_officer.html",
        form=form,
        visit=visit,
        told=[one for one in concerns.of_visit(visit) if one.words],
    )


def _own_visit(reference: str, number: int) -> Visit:
    visit = visits.get(reference, number)
    visits.place_to_write(visit.referral, current_actor())
    return visit


def _back_to(visit: Visit) -> ResponseReturnValue:
    """The record if it has been issued, the draft if one is begun, else the case."""
    reference = visit.referral.reference
    if visit.record is None:
        return redirect(url_for(".show", reference=reference))
    page_of = ".read" if visit.record.issued_at else ".record"
    return redirect(url_for(page_of, reference=reference, number=visit.number))
