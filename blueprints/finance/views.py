"""Finance's own pages: the fee ledger, pulls, collection; statements of a school and of a trust."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, finance, school
from s2s_portal.access import trust as trust_viewer
from s2s_portal.blueprints.finance.forms import CollectForm, PullForm
from s2s_portal.blueprints.forms import tidy
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.services import accounts, pulls, trusts
from s2s_portal.services.accounts import STANDING_WORDS, Standing
from s2s_portal.state import setting

bp = Blueprint("finance", __name__)
DONE = "s2s-success"


@bp.get("/")
@allow(finance)
def index() -> ResponseReturnValue:
    """The ledger, newest first, with what is due, pulled and collected."""
    search = tidy(request.args.get("q", ""))[:100]
    wanted = request.args.get("state", "")
    standing = Standing(wanted) if wanted in set(Standing) else None
    return page(
        "s2s/finance/index.html",
        listing=accounts.listing(
            search=search,
            standing=standing,
            after=accounts.place(request.args.get("after", "")),
            before=accounts.place(request.args.get("before", "")),
        ),
        totals=accounts.totals(),
        search=search,
        standing=standing,
        words=STANDING_WORDS,
    )


@bp.get("/schools/<int:urn>")
@allow(finance | school | trust_viewer)
def statement(urn: int) -> ResponseReturnValue:
    """What one school was charged, what was collected, and what it owes."""
    return page("s2s/finance/statement.html", statement=accounts.statement(urn, by=current_actor()))


@bp.get("/trust")
@allow(trust_viewer)
def trust() -> ResponseReturnValue:
    """The schools of an academy trust in numbers: referrals and charges."""
    return page("s2s/finance/trust.html", overview=trusts.overview(by=current_actor()))


@bp.route("/pulls", methods=["GET", "POST"], endpoint="pulls")
@allow(finance)
def all_pulls() -> ResponseReturnValue:
    """Every pull, newest first, and the button that makes the next one."""
    form = PullForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                made = pulls.make(
                    work, idempotency_key=f"page:{form.token.data}", by=current_actor()
                )
                number, line = made.number, pulls.summary(made)
        except Refused as error:
            refuse(form, error)
        else:
            flash(line, DONE)
            return redirect(url_for(".pull", number=number))
    size = setting("S2S_PAGE_SIZE")
    rows = pulls.listing(before=accounts.place(request.args.get("before", "")), size=size + 1)
    return page(
        "s2s/finance/pulls.html",
        form=form,
        due=pulls.due(),
        rows=rows[:size],
        more=rows[size - 1].pull.number if len(rows) > size else None,
    )


@bp.get("/pulls/<int:number>")
@allow(finance)
def pull(number: int) -> ResponseReturnValue:
    """One pull: its control totals, its files, its entries, and whether it was collected."""
    return page(
        "s2s/finance/pull.html",
        pull=pulls.get(number, whole=True),
        collected=pulls.collected(number),
        kinds=accounts.KIND_WORDS,
    )


@bp.get("/pulls/<int:number>/files/<name>")
@allow(finance)
def file(number: int, name: str) -> ResponseReturnValue:
    """A file of a pull, the same bytes each time."""
    with unit_of_work() as work:
        found = pulls.download(work, number, name)
        answer = Response(found.content, mimetype=found.media_type)
        answer.headers.set("Content-Disposition", "attachment", filename=found.name)
    return answer


@bp.route("/pulls/<int:number>/collect", methods=["GET", "POST"])
@allow(finance)
def collect(number: int) -> ResponseReturnValue:
    """Mark a pull as collected with Finance's own reference."""
    form = CollectForm()
    if not form.is_submitted():
        pulls.check_not_collected(number)
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                pulls.collect(
                    work,
                    number,
                    finance_reference=form.finance_reference.data or "",
                    collected_on=form.day,
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
        else:
            flash(f"Pull {number} has been marked as collected.", DONE)
            return redirect(url_for(".pull", number=number))
    return page("s2s/finance/collect.html", form=form, pull=pulls.get(number))
