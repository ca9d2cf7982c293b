"""A closed referral as a case study: who agrees, and what may be told."""

from __future__ import annotations

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, officer, school
from s2s_portal.blueprints.closing.forms import ConsentForm, MarkForm
from s2s_portal.blueprints.closing.views import DONE, bp, case_of, check_reader
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import OutOfOrder, Refused
from s2s_portal.identity import current_actor
from s2s_portal.services import case_studies

__all__ = ["bp"]


@bp.route("/<reference>/case-study", methods=["GET", "POST"])
@allow(school | officer)
def case_study(reference: str) -> ResponseReturnValue:
    """Who agrees to a case study and what it says; the school and officers write it down here."""
    form = ConsentForm(data={} if _is_school(reference) else {"answer": "no"})
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                case_studies.say(work, reference, **form.given(), by=current_actor())
        except Refused as error:
            refuse(form, error)
        else:
            flash("That is written down.", DONE)
            return redirect(url_for(".case_study", reference=reference))
    return _page(reference, form)


@bp.route("/<reference>/case-study/mark", methods=["GET", "POST"])
@allow(officer)
def mark_case_study(reference: str) -> ResponseReturnValue:
    """Write what may be told of a referral, once all have agreed."""
    form = MarkForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                case_studies.mark(work, reference, text=form.text.data, by=current_actor())
        except Refused as error:
            refuse(form, error)
        else:
            flash("The case study is kept.", DONE)
            return redirect(url_for(".case_study", reference=reference))
    referral, consents = case_studies.of(reference)
    if not form.is_submitted() and not (consents.agreed and case_studies.may_be_told(referral)):
        raise OutOfOrder("Nobody can be made a case study without the consent of all concerned.")
    return page("s2s/closing/mark_case_study.html", form=form, referral=referral)


@bp.post("/<reference>/case-study/end")
@allow(officer)
def end_case_study(reference: str) -> ResponseReturnValue:
    """Tell it no longer."""
    if ButtonForm().validate_on_submit():
        with unit_of_work() as work:
            case_studies.end(work, reference, by=current_actor())
        flash("It is told no longer.", DONE)
    return redirect(url_for(".case_study", reference=reference))


def _is_school(reference: str) -> bool:
    referral, _ = case_studies.of(reference)
    return check_reader(current_actor(), referral)


def _page(reference: str, form: ConsentForm) -> ResponseReturnValue:
    referral, consents = case_studies.of(reference)
    return page(
        "s2s/closing/case_study.html",
        form=form,
        button=ButtonForm(),
        referral=referral,
        consents=consents,
        is_school=check_reader(current_actor(), referral),
        may_be_told=case_studies.may_be_told(referral),
        party_words=case_studies.PARTY_WORDS,
        how_words=case_studies.HOW_WORDS,
        back=case_of(current_actor(), reference),
    )
