"""For the administrator: what a referral costs, by date, and what a change would do."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal import clock
from s2s_portal.access import administrator, allow
from s2s_portal.blueprints.administration.fee_rule_forms import FeeRuleForm
from s2s_portal.blueprints.administration.teams import bp
from s2s_portal.blueprints.administration.views import DONE
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.services import fee_rules as rules

__all__ = ["bp"]


@bp.route("/fee-rules", methods=["GET", "POST"])
@allow(administrator)
def fee_rules() -> ResponseReturnValue:
    """Every fee rule by date, and the form that adds one once its effect has been seen."""
    form = FeeRuleForm()
    seen: rules.Preview | None = None
    if form.validate_on_submit():
        try:
            rule = rules.propose(**form.given(), by=current_actor())
            if form.agreed.data == form.said():
                with unit_of_work() as work:
                    rules.add(work, rule, by=current_actor())
                flash("The rule has been added. It counts from its first day on.", DONE)
                return redirect(url_for(".fee_rules"))
            seen = rules.preview(rule)
            form.agreed.data = form.said()
        except Refused as error:
            refuse(form, error)
    elif not form.is_submitted() and request.args.get("example"):
        form.begin_with_example()
    return page(
        "s2s/administration/fee_rules.html",
        form=form,
        rules=rules.listing(),
        seen=seen,
        due=rules.DUE_WORDS,
        today=clock.today(),
    )
