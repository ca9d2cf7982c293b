"""Financial years: which are closed, what is still to be seen to, the second person's button."""

from __future__ import annotations

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, finance
from s2s_portal.blueprints.finance.views import DONE, bp
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.services import statements, years

__all__ = ["bp"]


@bp.get("/years")
@allow(finance)
def list_years() -> ResponseReturnValue:
    """Every financial year, newest first, and whether it is closed."""
    return page("s2s/finance/years.html", years=years.listing(), in_address=statements.in_address)


@bp.route("/years/<year>", methods=["GET", "POST"])
@allow(finance)
def year(year: str) -> ResponseReturnValue:
    """One year: its checks, and the button that asks for closing or closes."""
    form, name = ButtonForm(), year.replace("-", "/")
    found = years.get(name)
    asks = found.asked is None
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                (years.ask if asks else years.close)(work, name, by=current_actor())
        except Refused as error:
            refuse(form, error)
            found = years.get(name)
        else:
            flash(
                "A second person can close the year now."
                if asks
                else f"The financial year {name} is closed. Nothing can be dated in it any more.",
                DONE,
            )
            return redirect(url_for(".year", year=statements.in_address(name)))
    mine = found.asked is not None and found.asked.by_id == current_actor().id
    return page("s2s/finance/year.html", form=form, found=found, mine=mine)
