"""Placeholder until the journey is written."""

from flask import Blueprint

from s2s_portal.access import allow, anyone

bp = Blueprint("administration", __name__)


@bp.get("/")
@allow(anyone)
def index() -> str:
    return "administration"


@bp.get("/audit")
@allow(anyone)
def audit_trail() -> str:
    return ""
