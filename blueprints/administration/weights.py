"""For the administrator: what work weighs, what counts in a plan, and what a change would do."""

from __future__ import annotations

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from s2s_portal import clock
from s2s_portal.access import administrator, allow
from s2s_portal.blueprints.administration.caps import bp
from s2s_portal.blueprints.administration.views import DONE
from s2s_portal.blueprints.administration.weight_forms import PlanRuleForm, WeightForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.terms import PlanRule
from s2s_portal.services import activity_time, weighing, workload
from s2s_portal.services.weighing import Effect

__all__ = ["bp"]


@bp.route("/weights", methods=["GET", "POST"])
@allow(administrator)
def weights() -> ResponseReturnValue:
    """Every weight by date, and the form that adds one once its effect has been seen."""
    form = WeightForm()
    seen: Effect | None = None
    if form.validate_on_submit():
        try:
            row = weighing.new_weight(**form.given(), by=current_actor())
            if form.agreed.data == form.said():
                with unit_of_work() as work:
                    weighing.add_weight(work, row)
                flash("The weight has been added. It counts from its first day on.", DONE)
                return redirect(url_for(".weights"))
            seen = weighing.effect(row)
            form.agreed.data = form.said()
        except Refused as error:
            refuse(form, error)
    found = workload.all_weights()
    return page(
        "s2s/administration/weights.html",
        form=form,
        weights=found,
        holding=weighing.in_force(found, clock.today()),
        today=clock.today(),
        seen=seen,
        words=weighing.KIND_WORDS,
        measured=activity_time.measured(),
    )


@bp.route("/plan-rules", methods=["GET", "POST"])
@allow(administrator)
def plan_rules() -> ResponseReturnValue:
    """Every rule for plans by date, and the form that adds one once it has been read again."""
    form = PlanRuleForm()
    seen: PlanRule | None = None
    if form.validate_on_submit():
        try:
            row = weighing.new_rule(**form.given(), by=current_actor())
            if form.agreed.data == form.said():
                with unit_of_work() as work:
                    weighing.add_rule(work, row)
                flash("The rule has been added. Plans go by it from its first day on.", DONE)
                return redirect(url_for(".plan_rules"))
            seen = row
            form.agreed.data = form.said()
        except Refused as error:
            refuse(form, error)
    found = weighing.rules()
    now = weighing.rule_in_force(found, clock.today())
    if not form.is_submitted():
        form.begin_with(now)
    return page(
        "s2s/administration/plan_rules.html",
        form=form,
        rules=found,
        now=now,
        # What it would take the place of: the rule of its own first day.
        before=seen and weighing.rule_in_force(found, seen.valid_from),
        seen=seen,
        today=clock.today(),
        words=weighing.MILES_WORDS,
    )
