"""Placeholder until the journey is written."""

from flask import Blueprint

from s2s_portal.access import allow, anyone

bp = Blueprint("evaluation", __name__)


@bp.get("/")
@allow(anyone)
def index() -> str:
    return "evaluation"
