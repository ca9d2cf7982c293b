"""How many referrals may be given to whom at most: rows by date."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms.fields import SelectChoice

from s2s_portal.access import administrator, allow
from s2s_portal.blueprints.administration.intake_forms import MaybeNumber
from s2s_portal.blueprints.administration.lists import bp
from s2s_portal.blueprints.administration.views import DONE
from s2s_portal.blueprints.forms import DayField, Line, Needed, PickOne, S2SForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.workload import CapScope
from s2s_portal.services import caps

__all__ = ["bp"]


class CapForm(S2SForm):
    """Add a cap."""

    scope = PickOne(
        "What does it limit?",
        "Choose what it limits",
        choices=[SelectChoice(scope.value, words) for scope, words in caps.SCOPE_WORDS.items()],
    )
    key = MaybeNumber("For one only (optional)")
    valid_from = DayField("First day", [Needed("Enter the first day on which it holds")])
    most = MaybeNumber("At most (optional)")
    source = Line("Where this was decided", [Needed("Enter where this was decided")])

    def given(self) -> dict[str, Any]:
        """The answers, by the names that `caps.add` takes."""
        return {
            "scope": CapScope(self.scope.data),
            "key": self.key.data,
            "valid_from": self.valid_from.data,
            "most": self.most.data,
            "source": self.source.data,
        }


@bp.route("/caps", methods=["GET", "POST"])
@allow(administrator)
def allocation_caps() -> ResponseReturnValue:
    """The caps by date, and the form that adds one."""
    form = CapForm()
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                caps.add(work, **form.given(), by=current_actor())
        except Refused as error:
            refuse(form, error)
        else:
            flash("The limit has been added.", DONE)
            return redirect(url_for(".allocation_caps"))
    return page(
        "s2s/administration/caps.html",
        form=form,
        lines=caps.listing(),
        words=caps.SCOPE_WORDS,
    )
