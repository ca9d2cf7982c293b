"""What support achieved: where things were, the end report, what the school says of it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, lead, officer, practitioner, school
from s2s_portal.blueprints.closing.forms import (
    EvaluationForm,
    IssueReportForm,
    ReportForm,
    baseline_form,
    confidence_form,
    report_form,
    view_form,
)
from s2s_portal.blueprints.pages import page, pdf, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotFound, Refused, Stale
from s2s_portal.identity import Actor, Role, current_actor
from s2s_portal.models.impact import Stage, StillUsing
from s2s_portal.services import (
    closing,
    confidence,
    end_reports,
    outcome_scores,
    referrals,
    school_asks,
    school_evaluations,
    visits,
)

bp = Blueprint("closing", __name__)
DONE = "s2s-success"
readers = school | officer | practitioner | lead
STAGE = f"<any({', '.join(stage.value for stage in school_asks.BY_LINK)}):stage>"


def case_of(actor: Actor, reference: str) -> str:
    """The address of the page on which this reader has the referral."""
    if actor.has(Role.REFERRER):
        return url_for("s2s.referrals.show", reference=reference)
    if actor.has(Role.OFFICER):
        return url_for("s2s.triage.show", reference=reference)
    return url_for("s2s.visits.show", reference=reference)


def own_case(reference: str) -> ResponseReturnValue:
    """Back to the practitioner's own page of the case."""
    return redirect(url_for("s2s.visits.show", reference=reference))


def own_referral(reference: str) -> ResponseReturnValue:
    """Back to the school's own page of the referral."""
    return redirect(url_for("s2s.referrals.show", reference=reference))


# Where things were at the start ------------------------------------------------------------------


@bp.route("/<reference>/start", methods=["GET", "POST"])
@allow(practitioner)
def baseline(reference: str) -> ResponseReturnValue:
    """Say where things were at the first visit, for outcomes of which the school did not."""
    referral = referrals.get(reference)
    visits.allocation_to(referral, current_actor())
    wanted = outcome_scores.without_start(referral)
    form: Any = baseline_form([one.position for one in wanted])
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                outcome_scores.set_baseline(
                    work, reference, scores=form.scores, on=form.on.data, by=current_actor()
                )
        except Refused as error:
            refuse(form, error)
        else:
            flash("Where things were has been written down.", DONE)
            return own_case(reference)
    referral = referrals.get(reference)
    if not form.is_submitted():
        visits.check_open(referral)
        outcome_scores.check_baseline(referral, wanted)
    standings = outcome_scores.standings(referral)
    asked = [one for one in standings if f"start_{one.position}" in form]
    return page("s2s/closing/baseline.html", form=form, referral=referral, standings=asked)


# The end report ---------------------------------------------------------------------------------


@bp.route("/<reference>/report", methods=["GET", "POST"])
@allow(practitioner)
def write_report(reference: str) -> ResponseReturnValue:
    """Write the draft. Saving may be incomplete; checking for issue may not."""
    _referral, draft = end_reports.to_write(reference, current_actor())
    form = report_form(draft)
    if form.validate_on_submit():
        answer = _save(form, reference)
        if answer is not None:
            return answer
    referral = referrals.get(reference)
    return page(
        "s2s/closing/write_report.html",
        form=form,
        referral=referral,
        standings=outcome_scores.standings(referral),
        achieved=closing.ACHIEVED_WORDS,
    )


def _save(form: ReportForm, reference: str) -> ResponseReturnValue | None:
    """Save the draft and say where to go next; None when the form has to come back."""
    answers = form.answers()
    try:
        with unit_of_work() as work:
            kept = end_reports.save(
                work, reference, answers=answers, seen=form.seen.version, by=current_actor()
            )
            form.seen.data = str(kept.version)
    except Refused as error:
        refuse(form, error)
        if isinstance(error, Stale):
            _, now = end_reports.to_write(reference, current_actor())
            form.seen.data = str(now.version if now else 0)
        return None
    if "check" not in request.form:
        flash("Your draft has been saved. The school cannot see it yet.", DONE)
        return redirect(url_for(".write_report", reference=reference))
    problems = end_reports.missing(answers)
    if not problems:
        return redirect(url_for(".issue_report", reference=reference))
    form.show(problems)
    return None


@bp.route("/<reference>/report/issue", methods=["GET", "POST"])
@allow(practitioner)
def issue_report(reference: str) -> ResponseReturnValue:
    """Show the report as the school will read it, and issue it for good."""
    form = IssueReportForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                made = end_reports.issue(
                    work, reference, seen=form.seen.version, by=current_actor()
                )
                number = made.number
        except Refused as error:
            refuse(form, error)
        else:
            flash("The end report has been issued. The school has been told.", DONE)
            return redirect(url_for(".report", reference=reference, number=number))
    referral, draft = end_reports.to_write(reference, current_actor())
    if draft is None or (end_reports.missing(end_reports.answers_of(draft)) and not form.errors):
        if form.errors:
            return own_case(reference)
        return redirect(url_for(".write_report", reference=reference))
    form.seen.data = str(draft.version)
    return page(
        "s2s/closing/issue_report.html",
        form=form,
        referral=referral,
        report=draft,
        standings=outcome_scores.standings(referral),
        achieved=closing.ACHIEVED_WORDS,
    )


@bp.get("/<reference>/report/<int:number>/")
@allow(readers)
def report(reference: str, number: int) -> ResponseReturnValue:
    """An issued end report, for whoever may see the referral."""
    referral, found = end_reports.get(reference, number)
    return page(
        "s2s/closing/report.html",
        referral=referral,
        report=found,
        standings=outcome_scores.standings(referral),
        achieved=closing.ACHIEVED_WORDS,
        back=case_of(current_actor(), reference),
    )


@bp.get("/<reference>/report/<int:number>/report.pdf")
@allow(readers)
def report_document(reference: str, number: int) -> ResponseReturnValue:
    """The end report as an accessible PDF, to keep."""
    referral, found = end_reports.get(reference, number)
    name = f"{referral.reference}-end-report-{number}"
    return pdf(name, end_reports.document(found))


# What the school says ---------------------------------------------------------------------------


@bp.route("/<reference>/view", methods=["GET", "POST"])
@allow(school)
def school_view(reference: str) -> ResponseReturnValue:
    """How the school itself sees each outcome at the end."""
    referral = confidence.mine(reference, current_actor())
    standings = outcome_scores.standings(referral)
    ends = {one.position: one.end_school for one in standings}
    form: Any = view_form(list(ends), ends)
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                outcome_scores.add_school_view(
                    work, reference, scores=form.scores, by=current_actor()
                )
        except Refused as error:
            refuse(form, error)
        else:
            flash("Thank you. Your school's view is beside the practitioner's.", DONE)
            return own_referral(reference)
    referral = confidence.mine(reference, current_actor())
    if not form.is_submitted():
        outcome_scores.check_school_view(referral)
    return page("s2s/closing/school_view.html", form=form, referral=referral, standings=standings)


@bp.route(f"/<reference>/confidence/{STAGE}", methods=["GET", "POST"])
@allow(school)
def confidence_asked(reference: str, stage: str) -> ResponseReturnValue:
    """How sure staff feel, for somebody of the school who is signed on: they may change it."""
    at = Stage(stage)
    referral = confidence.mine(reference, current_actor())
    said = confidence.at(referral, at)
    standings = outcome_scores.standings(referral) if at is Stage.LATER else []
    form: Any = confidence_form(at, [one.position for one in standings], said)
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                confidence.answer(
                    *(work, reference, at),
                    **form.given(),
                    seen=form.seen.version,
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
            referral = confidence.mine(reference, current_actor())
            said = confidence.at(referral, at)
            form.seen.data = said.revision
        else:
            flash("Thank you. Your answer is kept. You can change it until we ask again.", DONE)
            return own_referral(reference)
    elif not form.is_submitted():
        confidence.check(said)
    return page(
        "s2s/closing/confidence.html",
        form=form,
        referral=referral,
        stage=at,
        stage_words=school_asks.stage_words(at),
        standings=standings,
        said=said,
    )


@bp.route("/<reference>/evaluation", methods=["GET", "POST"])
@allow(school)
def evaluate(reference: str) -> ResponseReturnValue:
    """What the school thought of the support, once it is over."""
    form = EvaluationForm()
    referral = confidence.mine(reference, current_actor())
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                school_evaluations.evaluate(
                    work,
                    reference,
                    useful=int(form.useful.data),
                    timely=int(form.timely.data),
                    still_using=StillUsing(form.still_using.data),
                    text=form.text.data or "",
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
            referral = confidence.mine(reference, current_actor())
        else:
            flash("Thank you. The practitioner and the council can read what you said.", DONE)
            return own_referral(reference)
    elif not form.is_submitted():
        school_evaluations.to_answer(referral)
    return page("s2s/closing/evaluate.html", form=form, referral=referral)


def check_reader(actor: Actor, referral: Any) -> bool:
    """Whether the reader is of the school itself; an officer is not. Raises NotFound for others."""
    if actor.has(Role.REFERRER) and referral.urn in actor.establishments:
        return True
    if actor.has(Role.OFFICER):
        return False
    raise NotFound()
