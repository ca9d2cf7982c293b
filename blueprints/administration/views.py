"""For the administrator: rules by date, imports, people. For the auditor: who did what."""

from __future__ import annotations

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import administrator, allow, auditor
from s2s_portal.blueprints.administration.intake_forms import CloseWindowForm, WindowForm
from s2s_portal.blueprints.forms import tidy
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.services import accounts, administration, calendar, intake, term_file

bp = Blueprint("administration", __name__)


@bp.get("/")
@allow(administrator)
def index() -> ResponseReturnValue:
    """What the service goes by: terms with fees, the register, the practitioners."""
    return page(
        "s2s/administration/index.html",
        terms=administration.service_terms(),
        imports=administration.last_imports(),
        counts=administration.counts(),
        practitioners=administration.practitioners(),
        phases=administration.phases(),
    )


@bp.route("/intake", methods=["GET", "POST"])
@allow(administrator)
def intake_windows() -> ResponseReturnValue:
    """When requests are taken and how many are used; and the form that adds a window."""
    form = WindowForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                intake.open_window(work, **form.given(), by=current_actor())
            return redirect(url_for(".intake_windows"))
        except Refused as error:
            refuse(form, error)
    return page(
        "s2s/administration/intake.html",
        form=form,
        lines=intake.windows(),
        kinds=intake.KIND_WORDS,
        counted=intake.COUNTED,
    )


@bp.route("/intake/<int:number>/close", methods=["GET", "POST"])
@allow(administrator)
def close_intake(number: int) -> ResponseReturnValue:
    """Close a window earlier than it was set to, by a row of its own."""
    window = intake.get(number)
    form = CloseWindowForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                intake.close_window(work, number, **form.given(), by=current_actor())
            return redirect(url_for(".intake_windows"))
        except Refused as error:
            refuse(form, error)
            window = intake.get(number)
    return page(
        "s2s/administration/close_intake.html",
        form=form,
        window=window,
        until=intake.last_day(window),
        kind=intake.KIND_WORDS[window.setting_kind],
    )


@bp.get("/terms")
@allow(administrator)
def school_terms() -> ResponseReturnValue:
    """The school terms that deadlines and drafts go by."""
    return page("s2s/administration/terms.html", years=term_file.years(), kinds=calendar.KIND_WORDS)


@bp.get("/audit")
@allow(auditor)
def audit_trail() -> ResponseReturnValue:
    """Who did or looked at what, newest first, filtered by what is in the address."""
    wanted = administration.Wanted(
        **{name: tidy(request.args.get(name, ""))[:100] for name in ("person", "key", "action")}
    )
    return page(
        "s2s/administration/audit.html",
        wanted=wanted,
        listing=administration.trail(
            wanted,
            after=accounts.place(request.args.get("after", "")),
            before=accounts.place(request.args.get("before", "")),
        ),
    )
