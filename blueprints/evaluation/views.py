"""For the programme manager: what a financial year's referrals came to."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, manager
from s2s_portal.blueprints.pages import page
from s2s_portal.services import evaluation

bp = Blueprint("evaluation", __name__)


@bp.get("/")
@allow(manager)
def index() -> ResponseReturnValue:
    """The figures of one financial year, this one unless the address names another."""
    years = evaluation.years()
    wanted = request.args.get("year", "")
    year = wanted if wanted in years else years[0]
    return page("s2s/evaluation/index.html", evaluation=evaluation.of_year(year), years=years)
