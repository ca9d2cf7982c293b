"""For the administrator: rules by date, imports, people. For the auditor: who did what."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import administrator, allow, auditor
from s2s_portal.blueprints.administration.forms import TieForm
from s2s_portal.blueprints.administration.intake_forms import CloseWindowForm, WindowForm
from s2s_portal.blueprints.forms import ButtonForm, S2SForm, tidy
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.services import (
    accounts,
    administration,
    calendar,
    intake,
    invitations,
    links,
    term_file,
)

bp = Blueprint("administration", __name__)
DONE = "s2s-success"


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
        invited=invitations.waiting(),
        newcomers=links.newcomers(),
        form=ButtonForm(formdata=None),
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


@bp.get("/practitioners/<int:number>/")
@allow(administrator)
def practitioner(number: int) -> ResponseReturnValue:
    """One practitioner or lead: their account, and whether they are active."""
    return _person(number, TieForm(formdata=None))


@bp.post("/practitioners/<int:number>/invite")
@allow(administrator)
def invite(number: int) -> ResponseReturnValue:
    """Invite somebody who has no account to tie theirs."""

    def act(work: UnitOfWork) -> None:
        invitations.invite(work, number, by=current_actor())

    return _done(number, ButtonForm(), act, "The invitation is on its way. It works for 14 days.")


@bp.post("/practitioners/<int:number>/link")
@allow(administrator)
def tie(number: int) -> ResponseReturnValue:
    """Tie the account of somebody who has signed in."""
    form = TieForm()

    def act(work: UnitOfWork) -> None:
        links.tie(work, number, account_id=form.account.data, by=current_actor())

    return _done(number, form, act, "The account has been linked.")


@bp.post("/practitioners/<int:number>/unlink")
@allow(administrator)
def untie(number: int) -> ResponseReturnValue:
    """Take the account off."""

    def act(work: UnitOfWork) -> None:
        links.untie(work, number, by=current_actor())

    return _done(number, ButtonForm(), act, "The account has been unlinked.")


@bp.post("/practitioners/<int:number>/no-longer-active")
@allow(administrator)
def switch_off(number: int) -> ResponseReturnValue:
    """Say that somebody is no longer active."""

    def act(work: UnitOfWork) -> None:
        links.switch(work, number, active=False, by=current_actor())

    done = "Marked as no longer active. Tell the SEND officers if referrals are allocated to them."
    return _done(number, ButtonForm(), act, done)


@bp.post("/practitioners/<int:number>/active")
@allow(administrator)
def switch_on(number: int) -> ResponseReturnValue:
    """Say that somebody is active again."""

    def act(work: UnitOfWork) -> None:
        links.switch(work, number, active=True, by=current_actor())

    return _done(number, ButtonForm(), act, "Active again.")


def _person(number: int, form: S2SForm) -> ResponseReturnValue:
    person = links.practitioner(number)
    return page(
        "s2s/administration/practitioner.html",
        form=form,
        person=person,
        invitation=invitations.waiting().get(number),
        newcomers=links.who_could_be(person),
    )


def _done(
    number: int, form: S2SForm, act: Callable[[UnitOfWork], None], done: str
) -> ResponseReturnValue:
    """Do what a button asks for; refused, the person's page comes back and says why."""
    links.practitioner(number)
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                act(work)
        except Refused as error:
            refuse(form, error)
        else:
            flash(done, DONE)
            return redirect(url_for(".practitioner", number=number))
    return _person(number, form)


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
