"""Several referrals of the worklist at a time: a page to confirm, then what became of each."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import HiddenField, SelectField
from wtforms.fields import SelectChoice

from s2s_portal import clock
from s2s_portal.access import allow, officer
from s2s_portal.blueprints.forms import DayField, Needed, Paragraphs, S2SForm, tidy
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.triage import way_back
from s2s_portal.blueprints.triage.handing import REASONS
from s2s_portal.blueprints.triage.panel_forms import number_of
from s2s_portal.blueprints.triage.panel_views import bp
from s2s_portal.blueprints.widgets import GovSelect
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.body import Handed
from s2s_portal.models.bulk import Bulk
from s2s_portal.models.panel import PanelMeeting
from s2s_portal.services import (
    bodies,
    handing_over,
    notes,
    officers,
    panels,
    returning,
    several,
)
from s2s_portal.services.several import Item

Do = Callable[[Item], str]


def _select(label: str, message: str) -> SelectField:
    return SelectField(
        label, [Needed(message)], choices=[], validate_choice=False, widget=GovSelect()
    )


class SeveralForm(S2SForm):
    """What is done with each; `ask` leaves what the action needs."""

    officer = _select("Who should look after them?", "Choose an officer")
    to = SelectField("For whom?", choices=[], validate_choice=False, widget=GovSelect())
    due_on = DayField("By when?", [Needed("Enter by when")])
    message = Paragraphs("What is to be done?", [Needed("Enter what is to be done")])
    meeting = _select("Which meeting?", "Choose which meeting")
    why = Paragraphs("Why do they need a panel?", [Needed("Enter why they need a panel")])
    team = _select("Which team gets them?", "Choose which team gets them")
    reason = _select("Why?", "Choose why you hand them over")
    told = Paragraphs(
        "What do you want to tell the schools?", [Needed("Enter what you want to tell the schools")]
    )
    note = Paragraphs("Note for officers (optional)")
    run = HiddenField()

    def ask(self, what: Bulk) -> None:
        """Ask what `what` needs, and nothing else."""
        asked = {
            Bulk.ASSIGN: ("officer", "note"),
            Bulk.FLAG: ("message", "to", "due_on"),
            Bulk.PANEL: ("meeting", "why"),
            Bulk.HAND_OVER: ("team", "reason", "note"),
            Bulk.CLOSE: ("told",),
        }[what]
        for field in [field.short_name for field in self]:
            if field not in {*asked, "run", self.meta.csrf_field_name}:
                del self[field]
        self._offer()

    def _offer(self) -> None:
        if "officer" in self:
            _choices(self.officer, {str(one.id): one.name for one in officers.offered()})
        if "to" in self:
            _choices(self.to, notes.officers(current_actor()), first="")
        if "meeting" in self:
            ahead, _held = panels.meetings()
            _choices(self.meeting, {str(one.id): _called(one) for one in ahead})
        if "team" in self:
            _choices(self.team, bodies.names())
            _choices(self.reason, {one.value: one.label for one in REASONS})


def _called(one: PanelMeeting) -> str:
    return f"{panels.called(one)} ({bodies.names()[one.body]})"


def _choices(field: SelectField, offered: Mapping[str, Any], first: str = "Choose") -> None:
    head = [SelectChoice("", first)] if first else []
    field.choices = [*head, *(SelectChoice(key, str(name)) for key, name in offered.items())]


@bp.route("/several", methods=["GET", "POST"])
@allow(officer)
def several_at_once() -> ResponseReturnValue:
    """Confirm what is to be done with the referrals that were chosen, then do it."""
    officers.note(current_actor())
    asked = request.values
    what = Bulk(asked["do"]) if asked.get("do") in set(Bulk) else None
    chosen = several.tidy(asked.getlist("reference"))
    form = SeveralForm()
    if what is None:
        return _nothing("Choose what to do with them")
    form.ask(what)
    try:
        several.check_number(chosen)
    except Refused as error:
        return _nothing(str(error))
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                done = several.run(
                    work,
                    what,
                    [_item(reference) for reference in chosen],
                    _do(work, what, form),
                    token=form.run.data or "",
                    by=current_actor(),
                )
                number = done.id
            back: dict[str, Any] = {**way_back.handed_on()}
            return redirect(url_for(".several_done", number=number, **back))
        except Refused as error:
            refuse(form, error)
    if not form.run.data:
        form.run.data = secrets.token_urlsafe(24)
    return page(
        "s2s/triage/several.html",
        form=form,
        what=what.value,
        title=several.WORDS[what],
        items=several.listed(chosen, what),
        typed=_typed(),
        as_seen=request.form,
        handed_on=way_back.handed_on(),
        to_list=way_back.to_list(),
    )


@bp.get("/several/<int:number>")
@allow(officer)
def several_done(number: int) -> ResponseReturnValue:
    """What became of each, for whoever did it."""
    done = several.get(number)
    return page(
        "s2s/triage/several_done.html",
        run=done,
        title=several.WORDS[done.what],
        to_list=way_back.to_list(),
        handed_on=way_back.handed_on(),
    )


def _nothing(problem: str) -> ResponseReturnValue:
    """Nothing was chosen, or too much: say so, with the way back to the list."""
    form = S2SForm(formdata=None)
    form.form_errors = [problem]
    return page("s2s/triage/several_none.html", form=form, to_list=way_back.to_list())


def _item(reference: str) -> Item:
    def number(name: str) -> int:
        return number_of(request.form.get(f"{name}-{reference}"))

    words = tidy(request.form.get(f"words-{reference}", ""))[:2000]
    return Item(reference, seen=number("seen"), held=number("held"), words=words)


def _typed() -> dict[str, str]:
    """The words of single referrals as they were typed, by reference."""
    start = "words-"
    return {key[len(start) :]: text for key, text in request.form.items() if key.startswith(start)}


def _do(work: UnitOfWork, what: Bulk, form: SeveralForm) -> Do:
    """The very thing that is done for one referral, with what the form says for all."""
    does: dict[Bulk, Callable[[UnitOfWork, SeveralForm, Item], str]] = {
        Bulk.ASSIGN: _assign,
        Bulk.PANEL: _put_on,
        Bulk.HAND_OVER: _hand_over,
        Bulk.CLOSE: _close,
    }
    if what is Bulk.FLAG:
        return partial(_flag, work, form, notes.officers(current_actor()))
    return partial(does[what], work, form)


def _assign(work: UnitOfWork, form: SeveralForm, item: Item) -> str:
    made = officers.assign(
        work,
        item.reference,
        officer=number_of(form.officer.data),
        seen=item.held,
        note=form.note.data or "",
        by=current_actor(),
    )
    already = made.id is not None and made.id == item.held
    return f"{made.officer_name} looks after it{' already' if already else ''}."


def _flag(work: UnitOfWork, form: SeveralForm, known: Mapping[str, str], item: Item) -> str:
    notes.flag(
        work,
        item.reference,
        message=item.words or form.message.data,
        to=form.to.data or "",
        due_on=form.due_on.data or clock.today(),
        known=known,
        by=current_actor(),
    )
    return f"The flag for {known[form.to.data or '']} is up."


def _put_on(work: UnitOfWork, form: SeveralForm, item: Item) -> str:
    panels.put_on(
        work,
        item.reference,
        meeting_id=number_of(form.meeting.data),
        why=item.words or form.why.data,
        seen=item.seen,
        by=current_actor(),
    )
    return "It is on the agenda."


def _hand_over(work: UnitOfWork, form: SeveralForm, item: Item) -> str:
    if form.reason.data not in set(Handed):
        raise Refused("Choose why you hand them over", field="reason")
    team = handing_over.hand_over(
        work,
        item.reference,
        to=form.team.data,
        reason=Handed(form.reason.data),
        note=item.words or form.note.data or "",
        seen=item.seen,
        by=current_actor(),
    )
    return f"It is with the {team}."


def _close(work: UnitOfWork, form: SeveralForm, item: Item) -> str:
    returning.close_unanswered(
        work,
        item.reference,
        message=item.words or form.told.data,
        seen=item.seen,
        by=current_actor(),
    )
    return "It is closed as not answered, and the school has been told."
