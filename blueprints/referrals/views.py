"""The school's journey: start, nine short pages, check, send, and see where it stands."""

from __future__ import annotations

import secrets

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, school
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.referrals import start_views
from s2s_portal.blueprints.referrals.forms import KindForm, SubmitForm
from s2s_portal.blueprints.referrals.section_pages import PAGES
from s2s_portal.database import unit_of_work
from s2s_portal.errors import OutOfOrder, Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.referral import Referral, Status
from s2s_portal.services import (
    attachments,
    drafting,
    drafts,
    reading,
    school_list,
    sections,
    standing,
    submission,
)

bp = Blueprint("referrals", __name__)
SECTION = f"<any({', '.join(PAGES)}):section>"

bp.add_url_rule("/start", view_func=start_views.start, methods=["GET", "POST"])
bp.add_url_rule(
    f"/start/{start_views.QUESTION}", view_func=start_views.screen, methods=["GET", "POST"]
)
bp.add_url_rule("/start/instead/<way>", view_func=start_views.instead)


@bp.get("/")
@allow(school)
def index() -> ResponseReturnValue:
    """The school's referrals, newest first."""
    found = school_list.listed(by=current_actor(), after=request.args.get("after"))
    return page("s2s/referrals/index.html", found=found, standing=standing)


@bp.get("/<reference>/")
@allow(school)
def show(reference: str) -> ResponseReturnValue:
    """The task list while it is the school's to change; afterwards, where it stands."""
    referral = drafting.mine(reference, by=current_actor())
    if referral.status is Status.EXPIRED:
        return page("s2s/referrals/expired.html", referral=referral, standing=standing)
    template = "task_list" if drafting.is_in_hand(referral) else "show"
    return page(
        f"s2s/referrals/{template}.html",
        referral=referral,
        standing=standing,
        sections=sections,
        kept=drafts.kept_words(referral),
        missing=submission.missing(referral) if drafting.is_in_hand(referral) else [],
        charge=sections.charge(referral),
        parts=reading.parts(referral),
        attached=attachments.shown(referral, refused=True),
        files_offered=attachments.offered(),
    )


@bp.route(f"/<reference>/{SECTION}", methods=["GET", "POST"])
@allow(school)
def section(reference: str, section: str) -> ResponseReturnValue:
    """One short page of the form."""
    referral = drafting.mine(reference, by=current_actor())
    form = PAGES[section].build(referral)
    if form is None:
        return _kind_first(referral, section)
    if form.adjust():
        return _section_page(referral, section, form)
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                held = drafting.in_hand(reference, by=current_actor())
                PAGES[section].save(
                    work, held, seen=form.seen.data or "", by=current_actor(), **form.given()
                )
            return _onwards(reference, section)
        except Refused as error:
            refuse(form, error)
            referral = drafting.mine(reference, by=current_actor())
    elif not drafting.is_in_hand(referral):
        return redirect(url_for(".show", reference=referral.reference))
    return _section_page(referral, section, form)


def _section_page(referral: Referral, section: str, form: object) -> ResponseReturnValue:
    stale = bool(getattr(form, "out_of_order", False)) and drafting.is_in_hand(referral)
    if stale:
        form.seen.data = drafting.seen_mark(referral, section)  # type: ignore[attr-defined]
    return page(
        f"s2s/referrals/sections/{section}.html",
        form=form,
        referral=referral,
        title=sections.TITLES[section],
        charge=sections.charge(referral),
        declaration=drafting.declaration_words(sections.charge(referral)),
        saved_by_another=reading.part_lines(referral, section) if stale else [],
    )


def _kind_first(referral: Referral, section: str) -> ResponseReturnValue:
    """Whom it is about comes before anything about them."""
    here = url_for(".section", reference=referral.reference, section="subject")
    if section != "subject":
        return redirect(here)
    if not drafting.is_in_hand(referral):
        return redirect(url_for(".show", reference=referral.reference))
    form = KindForm(data={"kind": referral.kind})
    if form.validate_on_submit():
        return redirect(f"{here}?kind={form.kind.data}")
    return page("s2s/referrals/kind.html", form=form, referral=referral)


def _onwards(reference: str, section: str) -> ResponseReturnValue:
    """After a section: the next one that wants something, or the answers to check."""
    referral = drafting.mine(reference, by=current_actor())
    if section == "practicalities" and attachments.offered():
        return redirect(url_for("s2s.files.index", reference=referral.reference))
    following = sections.next_after(referral, section)
    if following is None:
        return redirect(url_for(".check", reference=referral.reference))
    return redirect(url_for(".section", reference=referral.reference, section=following))


@bp.get("/<reference>/check")
@allow(school)
def check(reference: str) -> ResponseReturnValue:
    """Everything that was answered, the fee and its reason, and the button that sends it."""
    return _check_page(reference, SubmitForm())


def _check_page(reference: str, form: SubmitForm) -> ResponseReturnValue:
    referral = drafting.mine(reference, by=current_actor())
    if not drafting.is_in_hand(referral):
        return redirect(url_for(".show", reference=referral.reference))
    form.token.data, form.seen.data = secrets.token_urlsafe(24), str(referral.version)
    charge = sections.charge(referral)
    return page(
        "s2s/referrals/check.html",
        form=form,
        referral=referral,
        parts=reading.parts(referral),
        attached=attachments.shown(referral, refused=True),
        files_offered=attachments.offered(),
        missing=submission.missing(referral),
        titles=sections.TITLES,
        charge=charge,
        declaration=drafting.declaration_words(charge),
    )


@bp.post("/<reference>/submit")
@allow(school)
def submit(reference: str) -> ResponseReturnValue:
    """Send it: once, however often the button is pressed."""
    form = SubmitForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                submission.submit(
                    work,
                    reference,
                    token=form.token.data or "",
                    seen=form.seen.version if form.seen.data else None,
                    by=current_actor(),
                )
            return redirect(url_for(".submitted", reference=reference))
        except Refused as error:
            refuse(form, error)
    return _check_page(reference, form)


@bp.get("/<reference>/submitted")
@allow(school)
def submitted(reference: str) -> ResponseReturnValue:
    """The confirmation: it can be refreshed, and come back to."""
    try:
        referral = submission.sent(reference, by=current_actor())
    except OutOfOrder:
        return redirect(url_for(".show", reference=reference))
    if referral.status is Status.RETURNED:
        return redirect(url_for(".show", reference=reference))
    return page("s2s/referrals/submitted.html", referral=referral, standing=standing)
