"""Panels: meetings, their agendas, what each reviewer writes, and the record that prints."""

from __future__ import annotations

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, officer
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.triage import way_back
from s2s_portal.blueprints.triage.handing import bp
from s2s_portal.blueprints.triage.panel_forms import (
    CallForm,
    CommentForm,
    EndForm,
    PutOnForm,
    TakeOffForm,
    number_of,
)
from s2s_portal.blueprints.triage.views import DONE
from s2s_portal.clock import today
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.services import (
    bodies,
    officers,
    panel_comments,
    panels,
    referrals,
    triage,
    worklist,
)


@bp.get("/panels/")
@allow(officer)
def panel_meetings() -> ResponseReturnValue:
    """The meetings to come and those that have been held."""
    ahead, held = panels.meetings()
    return page(
        "s2s/triage/panels.html",
        ahead=ahead,
        held=held,
        counts=panels.on_agenda([*ahead, *held]),
        teams=bodies.names(),
    )


@bp.route("/panels/call", methods=["GET", "POST"])
@allow(officer)
def call_panel() -> ResponseReturnValue:
    """Call a meeting: of which team, when, who chairs, who writes."""
    officers.note(current_actor())
    form = CallForm()
    mine = bodies.of_account(current_actor().id)
    form.offer(
        {code: name for code, name in bodies.names().items() if code in mine}, officers.offered()
    )
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                made = panels.call(
                    work,
                    body=form.team.data,
                    meets_on=form.meets_on.data or today(),
                    chair=number_of(form.chair.data),
                    reviewers=form.numbers,
                    by=current_actor(),
                )
                number = made.id
        except Refused as error:
            refuse(form, error)
        else:
            flash("The meeting has been called. Put referrals on its agenda.", DONE)
            return redirect(url_for(".panel", number=number))
    return page("s2s/triage/call_panel.html", form=form)


@bp.get("/panels/<int:number>/")
@allow(officer)
def panel(number: int) -> ResponseReturnValue:
    """The agenda of a meeting and what was recommended and decided: its record, once it ended."""
    found = panels.meeting(number)
    items = panels.agenda(found)
    return page(
        "s2s/triage/panel.html",
        meeting=found,
        teams=bodies.names(),
        items=items,
        wrote=panel_comments.written_by(items),
        is_open=panel_comments.is_open,
        own=panel_comments.own,
        decided=panels.decided(items),
        decided_words=triage.DECIDED,
        stands=worklist.stands,
        recommends=panel_comments.RECOMMENDS_WORDS,
        reviews=panel_comments.is_reviewer(found, current_actor()),
        chairs=found.chair_id == current_actor().id,
        button=ButtonForm(formdata=None),
    )


@bp.route("/panels/<int:number>/end", methods=["GET", "POST"])
@allow(officer)
def end_panel(number: int) -> ResponseReturnValue:
    """End a meeting, with who was there: for its chair."""
    found = panels.meeting(number)
    panels.check_may_end(found, current_actor())
    form = EndForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                panels.end(work, number, present=form.present.data, by=current_actor())
        except Refused as error:
            refuse(form, error)
        else:
            flash("The meeting has ended. This is its record.", DONE)
            return redirect(url_for(".panel", number=number))
    if not form.is_submitted():
        form.present.data = "\n".join(one.name for one in found.reviewers)
    return page("s2s/triage/end_panel.html", form=form, meeting=found, called=panels.called(found))


@bp.route("/<reference>/panel", methods=["GET", "POST"])
@allow(officer)
def put_on_panel(reference: str) -> ResponseReturnValue:
    """Put a referral on the agenda of a meeting of its team."""
    referral = referrals.get(reference)
    form = PutOnForm()
    form.offer(panels.offered(referral.body))
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                panels.put_on(
                    work,
                    reference,
                    meeting_id=number_of(form.meeting.data),
                    why=form.why.data,
                    seen=form.version,
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
            referral = referrals.get(reference)
        else:
            flash("It is on the agenda.", DONE)
            return redirect(way_back.shown(reference))
    elif not form.is_submitted():
        panels.check_listable(referral)
    if not form.is_submitted() or form.out_of_order:
        form.renew(referral.version)
    return page(
        "s2s/triage/put_on_panel.html",
        form=form,
        referral=referral,
        handed_on=way_back.handed_on(),
    )


@bp.route("/panels/items/<int:number>/remove", methods=["GET", "POST"])
@allow(officer)
def take_off_panel(number: int) -> ResponseReturnValue:
    """Take a referral off an agenda, with the reason."""
    item = panels.get(number)
    form = TakeOffForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                panels.take_off(work, number, why=form.why.data, by=current_actor())
        except Refused as error:
            refuse(form, error)
            item = panels.get(number)
        else:
            flash("It is no longer on the agenda.", DONE)
            return redirect(url_for(".panel", number=item.meeting_id))
    elif not form.is_submitted():
        panels.check_on_agenda(item)
    return page(
        "s2s/triage/take_off_panel.html", form=form, item=item, called=panels.called(item.meeting)
    )


@bp.route("/panels/items/<int:number>/comment", methods=["GET", "POST"])
@allow(officer)
def comment_for_panel(number: int) -> ResponseReturnValue:
    """Write what one thinks of a referral, without having read the others."""
    item = panels.get(number)
    form = CommentForm()
    form.offer(panel_comments.may_be_recommended())
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                panel_comments.comment(
                    work,
                    number,
                    recommends=form.recommended,
                    level=form.level.data or "",
                    text=form.text.data,
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
            item = panels.get(number)
        else:
            flash("Your comment has been kept.", DONE)
            return redirect(url_for(".panel", number=item.meeting_id))
    elif not form.is_submitted():
        panel_comments.check_may_write(item, current_actor())
    return page(
        "s2s/triage/comment_for_panel.html",
        form=form,
        item=item,
        called=panels.called(item.meeting),
    )


@bp.post("/panels/items/<int:number>/open")
@allow(officer)
def open_panel_comments(number: int) -> ResponseReturnValue:
    """Show the comments on a referral together before all are there: for the chair."""
    item = panels.get(number)
    if ButtonForm().validate():
        with unit_of_work() as work:
            panel_comments.open_comments(work, number, by=current_actor())
        flash("The comments are shown now.", DONE)
    return redirect(url_for(".panel", number=item.meeting_id, _anchor=f"item-{number}"))
