"""The practitioner's journey: what is mine, book a visit, write its record, say what was achieved.

A lead reads what the staff of the Complex Needs School do; schools and officers read issued
records.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, lead, officer, practitioner, school
from s2s_portal.blueprints import threads
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import link_of_visitor, page, pdf, refuse
from s2s_portal.blueprints.visits.forms import (
    AddendumForm,
    BookForm,
    HandOverForm,
    IssueForm,
    RecordForm,
    outcomes_form,
    record_form,
)
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder, RecordIssued, Refused, Stale
from s2s_portal.identity import Role, current_actor
from s2s_portal.models.visit import Visit, VisitKind
from s2s_portal.services import (
    allocation_history,
    attachments,
    case_requests,
    caseload,
    changes,
    closing,
    handing,
    offers,
    reading,
    records,
    referrals,
    standing,
    supporting,
    visits,
    waiting_messages,
)
from s2s_portal.services.links import Link
from s2s_portal.services.record_answers import answers_of, missing

bp = Blueprint("visits", __name__)
DONE = "s2s-success"
readers = school | officer | practitioner | lead


@bp.get("/")
@allow(practitioner | lead)
def index() -> ResponseReturnValue:
    """What is new, due, coming and open; for a lead, of the whole Complex Needs School."""
    actor = current_actor()
    link = link_of_visitor()
    tied = link is Link.TIED
    mine = caseload.of_practitioner(actor) if tied and actor.has(Role.PRACTITIONER) else None
    school = caseload.of_provider(actor) if tied and actor.has(Role.LEAD) else None
    return page(
        "s2s/visits/index.html",
        offers=offers.mine() if mine is not None else [],
        to_release=offers.to_release() if school is not None else [],
        asked=case_requests.mine() if mine is not None else [],
        mine=mine,
        school=school,
        link=link,
        kinds=visits.KIND_NAMES,
        waiting=waiting_messages.count(by=actor),
    )


@bp.get("/<reference>/")
@allow(practitioner | lead)
def show(reference: str) -> ResponseReturnValue:
    """The case: what the school asked for, and every visit with its record."""
    referral = referrals.get(reference, whole=True)
    allocation = standing.practitioner(referral)
    if allocation is None:
        raise NotFound()
    place = visits.place_of(referral, current_actor())
    shown = threads.talk(referral)
    answer = page(
        "s2s/visits/show.html",
        referral=referral,
        allocation=allocation,
        parts=reading.parts(referral, with_upn=False),
        attached=attachments.shown(referral),
        visits=standing.visits(referral),
        place=place,
        turns=allocation_history.of(referral),
        supporters=referrals.supporters(referral),
        support_words=supporting.ROLE_WORDS,
        writer_of=records.writer_of,
        why_words=handing.WHY_WORDS,
        kinds=visits.KIND_NAMES,
        is_due=visits.has_begun,
        may_finish=records.may_finish(referral),
        changes=changes.log(referral),
        talk=shown,
    )
    return threads.read(shown, answer)


@bp.route("/<reference>/book", methods=["GET", "POST"])
@allow(practitioner)
def book(reference: str) -> ResponseReturnValue:
    """Book a visit; one that has been made already leads straight to its record."""
    form = BookForm()
    if form.validate_on_submit():
        day, starts, ends = form.when()
        try:
            with unit_of_work() as work:
                visit = visits.book(
                    work,
                    reference,
                    kind=VisitKind(form.kind.data),
                    day=day,
                    starts=starts,
                    ends=ends,
                    note=form.note.data or "",
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
        else:
            return _after_booking(reference, visit)
    referral = referrals.get(reference)
    visits.place_to_book(referral, current_actor())
    if not form.out_of_order:
        visits.check_open(referral)
    return page("s2s/visits/book.html", form=form, referral=referral)


def _after_booking(reference: str, visit: Visit) -> ResponseReturnValue:
    if visits.is_over(visit):
        flash("The visit has been added. Now write its record.", DONE)
        return redirect(url_for(".record", reference=reference, number=visit.number))
    flash("The visit has been booked. The school has been told.", DONE)
    return redirect(url_for(".show", reference=reference))


@bp.route("/<reference>/<int:number>/record", methods=["GET", "POST"])
@allow(practitioner)
def record(reference: str, number: int) -> ResponseReturnValue:
    """Write the draft record. Saving may be incomplete; checking for issue may not."""
    visit = _own_visit(reference, number)
    draft = records.draft(visit)
    if draft is not None and draft.issued_at is not None and request.method == "GET":
        return redirect(url_for(".read", reference=reference, number=number))
    form = record_form(visit, draft)
    wanted = request.form.get("rows", "")
    if wanted:
        form.change_rows(wanted)
    elif form.validate_on_submit():
        answer = _save(form, visit)
        if answer is not None:
            return answer
    return _record_page(form, reference, number)


def _save(form: RecordForm, visit: Visit) -> ResponseReturnValue | None:
    """Save the draft and say where to go next; None when the form has to come back."""
    reference, number = visit.referral.reference, visit.number
    try:
        with unit_of_work() as work:
            draft = records.save(
                work, visit, answers=form.answers(), seen=form.seen_version, by=current_actor()
            )
            form.seen.data = str(draft.version)
            problems = missing(answers_of(draft))
    except Refused as error:
        refuse(form, error)
        if isinstance(error, Stale):
            form.seen.data = str(_version(reference, number))
        return None
    if "check" not in request.form:
        flash("Your draft has been saved. The school cannot see it yet.", DONE)
        return redirect(url_for(".record", reference=reference, number=number))
    if not problems:
        return redirect(url_for(".issue", reference=reference, number=number))
    form.show(problems)
    return None


def _version(reference: str, number: int) -> int:
    draft = records.of_visit(visits.get(reference, number))
    return draft.version if draft else 0


def _record_page(form: RecordForm, reference: str, number: int) -> ResponseReturnValue:
    return page("s2s/visits/record.html", form=form, visit=visits.get(reference, number))


@bp.route("/<reference>/<int:number>/issue", methods=["GET", "POST"])
@allow(practitioner)
def issue(reference: str, number: int) -> ResponseReturnValue:
    """Show the record as the school will read it, and issue it for good."""
    form = IssueForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                visit = visits.get(reference, number)
                records.issue(work, visit, seen=form.seen.version, by=current_actor())
        except RecordIssued:
            return redirect(url_for(".read", reference=reference, number=number))
        except Refused as error:
            refuse(form, error)
        else:
            flash("The record has been issued. The school has been told.", DONE)
            return redirect(url_for(".read", reference=reference, number=number))
    return _issue_page(form, reference, number)


def _issue_page(form: IssueForm, reference: str, number: int) -> ResponseReturnValue:
    visit = _own_visit(reference, number)
    draft = records.draft(visit)
    if draft is not None and draft.issued_at is not None:
        return redirect(url_for(".read", reference=reference, number=number))
    if draft is None or (missing(answers_of(draft)) and not form.errors):
        return redirect(url_for(".record", reference=reference, number=number))
    form.seen.data = str(draft.version)
    return page(
        "s2s/visits/issue.html", form=form, visit=visit, record=draft, kinds=visits.KIND_NAMES
    )


@bp.route("/<reference>/<int:number>/addendum", methods=["GET", "POST"])
@allow(practitioner)
def addendum(reference: str, number: int) -> ResponseReturnValue:
    """Add to an issued record, which itself stays as it is."""
    form = AddendumForm()
    found = records.get(reference, number)
    visits.place_to_write(found.visit.referral, current_actor())
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                records.add_addendum(work, found, text=form.text.data, by=current_actor())
        except Refused as error:
            refuse(form, error)
        else:
            flash("The addendum has been added. The school has been told.", DONE)
            return redirect(url_for(".read", reference=reference, number=number))
    return page("s2s/visits/addendum.html", form=form, reference=reference, number=number)


@bp.route("/<reference>/outcomes", methods=["GET", "POST"])
@allow(practitioner)
def outcomes(reference: str) -> ResponseReturnValue:
    """Say how far each outcome that the school wanted was achieved."""
    referral = _own_referral(reference)
    form: Any = outcomes_form(referral.outcomes)
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                closing.record_outcomes(
                    work,
                    reference,
                    results=form.results(),
                    seen=form.seen.data or "",
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
            if isinstance(error, Stale):
                form.seen.data = closing.seen_mark(_own_referral(reference).outcomes)
        else:
            flash("The outcomes have been recorded. A SEND officer now closes the referral.", DONE)
            return redirect(url_for(".show", reference=reference))
    referral = _own_referral(reference)
    if not form.out_of_order:
        visits.check_open(referral)
    return page("s2s/visits/outcomes.html", form=form, referral=referral)


@bp.route("/<reference>/hand-over", methods=["GET", "POST"])
@allow(practitioner)
def hand_over(reference: str) -> ResponseReturnValue:
    """Write what whoever has the referral next should know; no school reads it."""
    form = HandOverForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                allocation_history.write(work, reference, text=form.text.data, by=current_actor())
        except Refused as error:
            refuse(form, error)
        else:
            flash("Your hand-over note is kept. The SEND officers have been told.", DONE)
            return redirect(url_for(".show", reference=reference))
    referral = referrals.get(reference)
    visits.allocation_to(referral, current_actor())
    if not form.out_of_order:
        visits.check_open(referral)
    return page("s2s/visits/hand_over.html", form=form, referral=referral)


@bp.get("/<reference>/<int:number>/")
@allow(readers)
def read(reference: str, number: int) -> ResponseReturnValue:
    """The record with its addenda, and what this reader may do about it."""
    record = records.get(reference, number)
    referral = record.visit.referral
    actor = current_actor()
    place = visits.place_of(referral, actor) if actor.has(Role.PRACTITIONER) else None
    return page(
        "s2s/visits/read.html",
        button=ButtonForm(),
        record=record,
        visit=record.visit,
        referral=referral,
        kinds=visits.KIND_NAMES,
        is_school=actor.has(Role.REFERRER) and referral.urn in actor.establishments,
        is_mine=place is not None and place.writes,
    )


@bp.get("/<reference>/<int:number>/record.pdf")
@allow(readers)
def document(reference: str, number: int) -> ResponseReturnValue:
    """The record as an accessible PDF, to keep; it can do nothing in a browser."""
    record = records.get(reference, number)
    return pdf(f"{record.visit.referral.reference}-visit-{number}", records.document(record))


@bp.post("/<reference>/<int:number>/acknowledge")
@allow(school)
def acknowledge(reference: str, number: int) -> ResponseReturnValue:
    """The school has read it; a second time is told who did so first."""
    record = records.get(reference, number)
    if ButtonForm().validate_on_submit():
        try:
            with unit_of_work() as work:
                records.acknowledge(work, record, by=current_actor())
            flash("Thank you. The practitioner has been told that you have read this record.", DONE)
        except OutOfOrder as error:
            flash(str(error), DONE)
    return redirect(url_for(".read", reference=reference, number=number))


def _own_referral(reference: str) -> Any:
    referral = referrals.get(reference, whole=True)
    visits.allocation_to(referral, current_actor())
    return referral


def _own_visit(reference: str, number: int) -> Visit:
    """The visit, once it has begun, for the practitioner who makes it."""
    visit = visits.get(reference, number)
    records.check_author(visit, visits.place_to_write(visit.referral, current_actor()))
    records.check_due(visit)
    return visit
