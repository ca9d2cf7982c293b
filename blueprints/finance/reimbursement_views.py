"""Statements for reimbursing Complex Needs Schools: issued by a lead, read by Finance too."""

from __future__ import annotations

import secrets

from flask import Response, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import HiddenField

from s2s_portal import clock
from s2s_portal.access import allow, finance, lead
from s2s_portal.blueprints.finance.views import DONE, bp
from s2s_portal.blueprints.forms import S2SForm
from s2s_portal.blueprints.pages import link_of_visitor, page, pdf, refuse
from s2s_portal.database import in_the_name_of
from s2s_portal.errors import Refused
from s2s_portal.identity import Role, current_actor
from s2s_portal.services import calendar, periods, reimbursement_files, reimbursing
from s2s_portal.services.links import Link

__all__ = ["bp"]
LONGEST = 9  # digits of a statement's number


class IssueForm(S2SForm):
    """The button that issues a statement: which total was read, and one statement for each page."""

    seen = HiddenField()
    token = HiddenField()


@bp.get("/reimbursements/")
@allow(finance | lead)
def reimbursements() -> ResponseReturnValue:
    """The statements, the latest first: Finance reads all, a lead their school's."""
    given = request.args.get("after", "")
    after = int(given) if given.isascii() and given.isdecimal() and len(given) <= LONGEST else None
    dates, today = calendar.of(), clock.today()
    return page(
        "s2s/finance/reimbursements.html",
        listing=reimbursing.listing(after=after),
        is_lead=current_actor().has(Role.LEAD),
        periods=[span for span in periods.offered(today, dates) if span.is_over(today)],
    )


@bp.route("/reimbursements/new", methods=["GET", "POST"])
@allow(lead)
def new_reimbursement() -> ResponseReturnValue:
    """What a statement of the period would say, and the button that issues it for good."""
    actor, dates, today = current_actor(), calendar.of(), clock.today()
    code = request.args.get("period", "")
    span = periods.find(code, today, dates) or periods.month_of(
        periods.month_of(today).starts - periods.ONE
    )
    tied = link_of_visitor() is Link.TIED
    form = IssueForm()
    if tied and form.validate_on_submit():
        try:
            with in_the_name_of(actor) as work:
                token, seen = (form.token.data or "")[:64], form.seen.data or ""
                number = reimbursing.issue(work, span, token=token, seen=seen, by=actor)
        except Refused as error:
            refuse(form, error)
        else:
            flash(f"Statement {number} has been issued. Finance can read it.", DONE)
            return redirect(url_for(".reimbursement", number=number))
    found = reimbursing.draft(actor.provider or 0, span) if tied else reimbursing.Draft((), ())
    form.seen.data, form.token.data = found.mark, secrets.token_hex(16)
    return page(
        "s2s/finance/new_reimbursement.html",
        form=form,
        draft=found,
        span=span,
        is_over=span.is_over(today),
        link=link_of_visitor(),
        kinds=reimbursing.KIND_NAMES,
    )


@bp.get("/reimbursements/<int:number>")
@allow(finance | lead)
def reimbursement(number: int) -> ResponseReturnValue:
    """One statement, as it was issued."""
    found = reimbursing.get(number)
    return page(
        "s2s/finance/reimbursement.html",
        made=found,
        is_sound=reimbursing.is_sound(found),
        kinds=reimbursing.KIND_NAMES,
    )


@bp.get("/reimbursements/<int:number>/statement.csv")
@allow(finance | lead)
def reimbursement_csv(number: int) -> ResponseReturnValue:
    """The lines of a statement for a spreadsheet, in which no text runs as a formula."""
    content = reimbursement_files.as_csv(reimbursing.get(number))
    name = f'attachment; filename="reimbursement-{number}.csv"'
    return Response(content, mimetype="text/csv", headers={"Content-Disposition": name})


@bp.get("/reimbursements/<int:number>/statement.pdf")
@allow(finance | lead)
def reimbursement_pdf(number: int) -> ResponseReturnValue:
    """The document of a statement, as it was issued."""
    return pdf(f"reimbursement-{number}", reimbursing.pdf(number))
