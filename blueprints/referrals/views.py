"""The school's journey: start, nine short pages, check, send, and see where it stands."""

from __future__ import annotations

import secrets

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, school
from s2s_portal.blueprints.forms import ButtonForm, tidy
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.referrals.forms import KindForm, StartForm, SubmitForm
from s2s_portal.blueprints.referrals.section_pages import PAGES
from s2s_portal.database import unit_of_work
from s2s_portal.errors import OutOfOrder, Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.referral import Referral, Status
from s2s_portal.services import (
    changes,
    drafting,
    openings,
    reading,
    school_list,
    sections,
    standing,
    starting,
    submission,
    withdrawing,
)

bp = Blueprint("referrals", __name__)
SECTION = f"<any({', '.join(PAGES)}):section>"


@bp.route("/", methods=["GET", "POST"])
@allow(school)
def index() -> ResponseReturnValue:
    """The school's referrals, newest first, or what was searched for.

    A search is sent, not asked for in the address: it may be a child's name, and addresses are
    kept in histories and logs.
    """
    asked = request.form if request.method == "POST" else request.args
    search = tidy(request.form.get("q", ""))[:100]
    wanted = asked.get("status", "")
    status = Status(wanted) if wanted in set(Status) else None
    found = school_list.listed(
        by=current_actor(), status=status, search=search, after=asked.get("after") or None
    )
    return page(
        "s2s/referrals/index.html",
        found=found,
        standing=standing,
        button=ButtonForm(),
        status=status,
        search=search,
        words=school_list.STATUS_WORDS,
    )


@bp.route("/start", methods=["GET", "POST"])
@allow(school)
def start() -> ResponseReturnValue:
    """What it costs, who may, what happens next; and the button that begins a draft."""
    form = StartForm()
    chosen = (form.urn.data if request.method == "POST" else request.args.get("urn")) or None
    if request.method == "POST" and form.validate_on_submit():
        try:
            with unit_of_work() as work:
                referral = drafting.start(work, starting.urn_of(chosen), by=current_actor())
            return redirect(url_for(".show", reference=referral.reference))
        except Refused as error:
            refuse(form, error)
    schools = starting.schools(by=current_actor())
    offer = starting.offer(schools, chosen)
    if offer is not None:
        form.urn.data = str(offer.establishment.urn)
    return page("s2s/referrals/start.html", form=form, schools=schools, offer=offer)


@bp.get("/<reference>/")
@allow(school)
def show(reference: str) -> ResponseReturnValue:
    """The task list while it is the school's to change; afterwards, where it stands."""
    referral = drafting.mine(reference, by=current_actor())
    template = "task_list" if drafting.is_in_hand(referral) else "show"
    return page(
        f"s2s/referrals/{template}.html",
        referral=referral,
        standing=standing,
        sections=sections,
        missing=submission.missing(referral) if drafting.is_in_hand(referral) else [],
        charge=sections.charge(referral),
        parts=reading.parts(referral),
        asked=openings.asked(referral),
        changes=changes.log(referral),
        may_amend=changes.may_amend(referral),
        may_withdraw=referral.status in withdrawing.WITHDRAWABLE,
        ended_agreement=withdrawing.agreement_withdrawal(referral),
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
        return section_page(referral, section, form)
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
    elif not openings.is_open(referral, section):
        here = url_for(".check", reference=referral.reference, _anchor=f"part-{section}")
        return redirect(here)
    return section_page(referral, section, form)


def section_page(
    referral: Referral, section: str, form: object, *, amending: bool = False
) -> ResponseReturnValue:
    """The page of a section: in a draft, in answer to the council, or `amending` what was sent."""
    stale = bool(getattr(form, "out_of_order", False)) and (
        amending or drafting.is_in_hand(referral)
    )
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
        amending=amending,
        asked=openings.asked(referral).get(section),
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
        missing=submission.missing(referral),
        titles=sections.TITLES,
        asked=openings.asked(referral),
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
