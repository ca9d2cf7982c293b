"""For the administrator: what released time and miles are paid at, by date."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField
from wtforms.fields import SelectChoice

from s2s_portal import clock
from s2s_portal.access import administrator, allow
from s2s_portal.blueprints import drawing
from s2s_portal.blueprints.administration.intake_forms import MaybeNumber
from s2s_portal.blueprints.administration.teams import bp
from s2s_portal.blueprints.administration.views import DONE
from s2s_portal.blueprints.forms import DayField, Line, Needed, PickOne, S2SForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.reimbursement import Per
from s2s_portal.services import release_rates

__all__ = ["bp"]


class RateForm(S2SForm):
    """Add a rate."""

    provider = SelectField(
        "Complex Needs School", choices=[], validate_choice=False, widget=drawing.Select()
    )
    per = PickOne(
        "What is the time paid by?",
        "Choose what the time is paid by",
        choices=[SelectChoice("day", "The day"), SelectChoice("hour", "The hour")],
    )
    time_pence = MaybeNumber(
        "Pence for the time",
        [Needed("Enter how many pence")],
        least=0,
        most=release_rates.MOST_PENCE,
    )
    mile_pence = MaybeNumber(
        "Pence for a mile", [Needed("Enter how many pence for a mile")], least=0, most=1_000
    )
    valid_from = DayField("First day", [Needed("Enter the first day on which this holds")])
    source = Line("Where this was decided", [Needed("Enter where this was decided")])

    def offer(self, providers: dict[int, str]) -> None:
        """The schools to choose from."""
        self.provider.choices = [
            SelectChoice("", "All that have no rate of their own"),
            *(SelectChoice(str(urn), name) for urn, name in providers.items()),
        ]

    def given(self) -> dict[str, Any]:
        """The answers, by the names that `release_rates.add` takes. 0 is no school: refused."""
        chosen = self.provider.data or ""
        known = {str(choice.value) for choice in self.provider.choices}
        return {
            "provider": None if not chosen else int(chosen) if chosen in known else 0,
            "since": self.valid_from.data,
            "per": Per(self.per.data),
            "time_pence": self.time_pence.data,
            "mile_pence": self.mile_pence.data,
            "source": self.source.data,
        }


@bp.route("/release-rates", methods=["GET", "POST"])
@allow(administrator)
def rates_of_release() -> ResponseReturnValue:
    """Every rate by date, and the form that adds one."""
    form = RateForm()
    form.offer(release_rates.providers())
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                release_rates.add(work, **form.given(), by=current_actor())
            flash("The rate has been added. It holds from its first day on.", DONE)
            return redirect(url_for(".rates_of_release"))
        except Refused as error:
            refuse(form, error)
    return page(
        "s2s/administration/release_rates.html",
        form=form,
        rates=release_rates.every(),
        today=clock.today(),
        words=release_rates.PER_WORDS,
    )
