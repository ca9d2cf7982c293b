"""The portal's own few pages, its errors, and what its base template needs on every page."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    has_request_context,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.exceptions import HTTPException

from s2s_portal.blueprints.pages import nav_items
from s2s_portal.identity import NOBODY, Actor, acting_as
from s2s_portal.reference_portal import sessions
from s2s_portal.reference_portal.accounts import personas_allowed
from s2s_portal.reference_portal.providers import EXTENSION

bp = Blueprint("pages", __name__)

POLICY = (
    "default-src 'self'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)
HEADERS = {
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
HSTS = "max-age=31536000; includeSubDomains"

# Term dates of 2019/20 as the council set them: what, first day, last day.
TERMS = (
    ("Autumn term, first half", date(2019, 9, 4), date(2019, 10, 18)),
    ("Autumn term, second half", date(2019, 10, 28), date(2019, 12, 18)),
    ("Spring term, first half", date(2020, 1, 6), date(2020, 2, 14)),
    ("Spring term, second half", date(2020, 2, 24), date(2020, 4, 1)),
    ("Summer term, first half", date(2020, 4, 20), date(2020, 5, 22)),
    ("Summer term, second half", date(2020, 6, 1), date(2020, 7, 21)),
)

MENU = (
    ("Home", "pages.home"),
    ("School to School Support", "s2s.home.index"),
    ("School term dates", "pages.term_dates"),
    ("Contact us", "pages.contact"),
)


@bp.get("/")
def home() -> ResponseReturnValue:
    """What this portal offers."""
    return render_template("portal/home.html")


@bp.get("/term-dates")
def term_dates() -> ResponseReturnValue:
    """When schools are open."""
    return render_template("portal/term_dates.html", terms=TERMS)


@bp.get("/contact")
def contact() -> ResponseReturnValue:
    """Whom to ask."""
    return render_template("portal/contact.html")


@bp.get("/accessibility")
def accessibility() -> ResponseReturnValue:
    """The accessibility statement."""
    return render_template("portal/accessibility.html")


def person() -> Actor:
    """Who is signed on, or nobody."""
    return current_user.actor if current_user.is_authenticated else NOBODY


def other_school() -> int | None:
    """The URN of the school that the person signed on for, when it is not their own."""
    return current_user.other_school if person() is not NOBODY else None


def menu() -> list[dict[str, Any]]:
    """The portal's menu: text, href, active (the page itself or a page below it)."""
    endpoint = request.endpoint or ""
    return [
        {
            "text": text,
            "href": url_for(target),
            "here": endpoint == target,
            "active": endpoint == target
            or (target.startswith("s2s.") and endpoint.startswith("s2s.")),
        }
        for text, target in MENU
    ]


def service_menu() -> list[dict[str, Any]]:
    """The service's own entries for the person who is signed on."""
    with acting_as(person()):
        return nav_items()


def init_app(app: Flask) -> None:
    """Errors, headers and template words for the whole portal."""
    app.register_error_handler(HTTPException, _http_error)
    for away in sessions.AWAY:
        app.register_error_handler(away, _database_away)
    app.before_request(_refuse_other_sites)
    app.after_request(partial(_finish, headers_of(app)))
    app.context_processor(_words)


def _words() -> dict[str, Any]:
    if not has_request_context():  # a mail is being written
        return {}
    return {
        "portal_person": person,
        "portal_other_school": other_school,
        "portal_menu": menu,
        "portal_service_menu": service_menu,
        "portal_personas_allowed": personas_allowed,
    }


def headers_of(app: Flask) -> dict[str, str]:
    """What every answer carries. Forms go to this portal, and from it on to its providers alone.

    Browsers hold a redirect after a form to `form-action` as well, so the providers stand in it.
    """
    providers = app.extensions[EXTENSION].values()
    origins = sorted({origin for provider in providers for origin in provider.origins})
    policy = (*POLICY, " ".join(("form-action 'self'", *origins)))
    headers = {"Content-Security-Policy": "; ".join(policy), **HEADERS}
    return headers | ({"Strict-Transport-Security": HSTS} if is_secure(app) else {})


def _refuse_other_sites() -> None:
    """Nothing is changed by a page of another site, even one that has got hold of a token.

    Browsers say where a request comes from (Fetch Metadata); what is no browser says nothing.
    """
    changes = request.method not in {"GET", "HEAD", "OPTIONS"}
    if changes and request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}:
        abort(403)


def is_secure(app: Flask) -> bool:
    """Whether people reach this portal by https."""
    return str(app.config["S2S_EXTERNAL_URL"] or "").startswith("https://")


def _finish(headers: dict[str, str], response: Response) -> Response:
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    if response.mimetype == "text/html":
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    return response


WORDS = {
    403: ("This form came from another website", "Go to the page here and fill it in again."),
    400: ("The page had expired", "Go back, refresh the page and try again."),
    404: ("Page not found", "If you typed the address, check that it is right."),
    405: ("This page cannot be used that way", "Go to the page and use its buttons."),
}


def _http_error(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if status < 400:
        return error.get_response()
    title, message = WORDS.get(status, ("Something has gone wrong", "Try again in a minute."))
    return render_template("portal/error.html", title=title, message=message), status


def _database_away(_error: Exception) -> ResponseReturnValue:
    title = "The portal is not available"
    message = "We cannot reach our records at the moment. Try again in a few minutes."
    return render_template("portal/error.html", title=title, message=message), 503
