"""Notes and flags that officers write for each other."""

from __future__ import annotations

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField
from wtforms.fields import SelectChoice

from s2s_portal import clock
from s2s_portal.access import allow, officer
from s2s_portal.blueprints.forms import DayField, Needed, Paragraphs, PickOne, S2SForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.triage.deciding import bp
from s2s_portal.blueprints.triage.views import DONE
from s2s_portal.blueprints.widgets import GovSelect
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.note import NoteLabel
from s2s_portal.services import notes, referrals


class NoteForm(S2SForm):
    """Write a note."""

    label = PickOne(
        "What is it about?",
        "Choose what the note is about",
        choices=[SelectChoice(label.value, words) for label, words in notes.LABEL_WORDS.items()],
    )
    text = Paragraphs("Note", [Needed("Enter the note")])


class FlagForm(S2SForm):
    """Ask an officer, or the team, for something by a day."""

    message = Paragraphs("What is to be done?", [Needed("Enter what is to be done")])
    to = SelectField("For whom?", choices=[], validate_choice=False, widget=GovSelect())
    due_on = DayField("By when?", [Needed("Enter by when")])


class ResolveForm(S2SForm):
    """Say what became of a flag."""

    comment = Paragraphs("What became of it?", [Needed("Enter what became of it")])


@bp.route("/<reference>/note", methods=["GET", "POST"])
@allow(officer)
def note(reference: str) -> ResponseReturnValue:
    """Write a note for officers, which no school ever sees."""
    form = NoteForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                notes.add(
                    work,
                    reference,
                    label=NoteLabel(form.label.data),
                    text=form.text.data,
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
        else:
            flash("The note has been added. Only officers see it.", DONE)
            return redirect(url_for(".show", reference=reference))
    return page("s2s/triage/note.html", form=form, referral=referrals.get(reference))


@bp.route("/<reference>/flag", methods=["GET", "POST"])
@allow(officer)
def flag(reference: str) -> ResponseReturnValue:
    """Flag a referral for an officer or the team, with a day."""
    form = FlagForm()
    known = notes.officers(current_actor())
    form.to.choices = [SelectChoice(key, name) for key, name in known.items()]
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                notes.flag(
                    work,
                    reference,
                    message=form.message.data,
                    to=form.to.data or "",
                    due_on=form.due_on.data or clock.today(),
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
        else:
            flash("The flag is up.", DONE)
            return redirect(url_for(".show", reference=reference))
    return page("s2s/triage/flag.html", form=form, referral=referrals.get(reference))


@bp.get("/flags/")
@allow(officer)
def flags() -> ResponseReturnValue:
    """The open flags for this officer and for the team, the first due first."""
    return page(
        "s2s/triage/flags.html",
        flags=notes.open_flags(current_actor()),
        today=clock.today(),
        at_most=notes.LISTED,
    )


@bp.route("/flags/<int:number>/resolve", methods=["GET", "POST"])
@allow(officer)
def resolve_flag(number: int) -> ResponseReturnValue:
    """Say what became of a flag."""
    form = ResolveForm()
    found = notes.get(number)
    reference = found.referral.reference
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                notes.resolve(work, number, comment=form.comment.data, by=current_actor())
        except Refused as error:
            refuse(form, error)
            found = notes.get(number)
        else:
            flash("The flag has been resolved.", DONE)
            return redirect(url_for(".show", reference=reference))
    elif not form.is_submitted():
        notes.check_open(found)
    return page("s2s/triage/resolve.html", form=form, flag=found)
