"""The front page of the service for whoever is signed on, and the two health pages."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from s2s_portal import sign_ons
from s2s_portal.access import allow, anyone, public
from s2s_portal.blueprints.pages import link_of_visitor, page
from s2s_portal.services import front_page, health
from s2s_portal.services.links import Link

bp = Blueprint("home", __name__)


@bp.get("/")
@allow(anyone)
def index() -> ResponseReturnValue:
    """What this person can do here, and how much of it waits for them."""
    link = link_of_visitor()
    tiles = front_page.tiles()
    if link not in {None, Link.TIED}:  # an account that opens no case is shown no count of them
        tiles = [tile for tile in tiles if tile.endpoint != "s2s.visits.index"]
    return page("s2s/home.html", tiles=tiles, link=link)


@bp.get("/sign-on")
@allow(anyone)
def sign_on() -> ResponseReturnValue:
    """How long this sign-on lasts, for the warning before it ends; `?stay` makes use of it."""
    return jsonify(seconds_left=sign_ons.seconds_left())


@bp.get("/health/live")
@allow(public)
def live() -> ResponseReturnValue:
    """The process answers."""
    return jsonify(status="ok")


@bp.get("/health/ready")
@allow(public)
def ready() -> ResponseReturnValue:
    """Whether each part the service needs is there; 503 when one is not."""
    report = health.ready()
    return jsonify(report), 200 if report["status"] == "ok" else 503
