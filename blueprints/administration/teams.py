"""The teams that decide: which officer is in which, and which referrals each gets, by date."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms import HiddenField, SelectMultipleField
from wtforms.fields import SelectChoice

from s2s_portal import clock
from s2s_portal.access import administrator, allow
from s2s_portal.blueprints.administration.views import DONE
from s2s_portal.blueprints.administration.weights import bp
from s2s_portal.blueprints.forms import DayField, Line, Needed, PickOne, S2SForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.body import Routed
from s2s_portal.services import bodies


class RuleForm(S2SForm):
    """From a day on, such referrals go to a team."""

    what = PickOne(
        "Which referrals?",
        "Choose which referrals",
        choices=[SelectChoice(what.value, words) for what, words in bodies.ROUTED_WORDS.items()],
    )
    body = PickOne("Which team gets them?", "Choose which team gets them", choices=[])
    valid_from = DayField("First day", [Needed("Enter the first day on which it holds")])
    source = Line("Where this was decided", [Needed("Enter where this was decided")])

    def given(self) -> dict[str, Any]:
        """The answers, by the names that `bodies.add_rule` takes."""
        return {
            "what": Routed(self.what.data),
            "body": self.body.data,
            "valid_from": self.valid_from.data,
            "source": self.source.data,
        }


class TeamsForm(S2SForm):
    """Which teams an officer is in."""

    bodies = SelectMultipleField("Teams", choices=[], validate_choice=False)
    seen = HiddenField()


@bp.route("/teams", methods=["GET", "POST"])
@allow(administrator)
def triage_teams() -> ResponseReturnValue:
    """The officers with their teams, the rules by date, and the form that adds a rule."""
    names = bodies.names()
    form = RuleForm()
    form.body.choices = [SelectChoice(*pair) for pair in names.items()]
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                bodies.add_rule(work, **form.given(), by=current_actor())
        except Refused as error:
            refuse(form, error)
        else:
            flash("The rule has been added. What was sent before stays where it is.", DONE)
            return redirect(url_for(".triage_teams"))
    found, rules = bodies.officers(), bodies.rules()
    return page(
        "s2s/administration/teams.html",
        form=form,
        teams=names,
        officers=found,
        nobody_in=bodies.nobody_in(found, names),
        rules=rules,
        in_force={rule.id for rule in bodies.in_force(rules, clock.today()).values()},
        words=bodies.ROUTED_WORDS,
    )


@bp.route("/teams/<int:number>", methods=["GET", "POST"])
@allow(administrator)
def officer_teams(number: int) -> ResponseReturnValue:
    """Say in which teams an officer is."""
    found = bodies.officer(number)
    form = TeamsForm()
    form.bodies.choices = [SelectChoice(*pair) for pair in bodies.names().items()]
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                bodies.belong(
                    work,
                    number,
                    form.bodies.data or (),
                    seen=form.seen.data or "",
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
            found = bodies.officer(number)
        else:
            flash(f"The teams of {found.officer.name} have been changed.", DONE)
            return redirect(url_for(".triage_teams"))
    if not form.is_submitted() or form.out_of_order:
        form.seen.data = bodies.seen_mark(found)
    if not form.is_submitted():
        form.bodies.data = list(found.bodies)
    return page("s2s/administration/officer_teams.html", form=form, officer=found.officer)
