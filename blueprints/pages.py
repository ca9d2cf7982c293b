"""How our pages are answered: rendering, refusals, and the words every template may use."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from flask import Blueprint, current_app, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy.exc import DataError
from werkzeug.exceptions import HTTPException

from s2s_portal import access, clock, money, sign_ons
from s2s_portal.database import session
from s2s_portal.errors import NotFound, OutOfOrder, S2SError
from s2s_portal.identity import Role, current_actor
from s2s_portal.services.terms import written
from s2s_portal.state import setting

UNPROCESSABLE = 422


def page(template: str, *, form: FlaskForm | None = None, **context: Any) -> ResponseReturnValue:
    """Render a page; with a refused `form` the status is 422 and the title begins `Error: `."""
    refused = form is not None and bool(form.errors)
    body = render_template(template, form=form, refused=refused, **context)
    return body, UNPROCESSABLE if refused else 200


def refusal(error: S2SError) -> ResponseReturnValue:
    """The page for a domain error: what the rule says, and where to go."""
    title = {
        403: "You do not have access",
        404: "Page not found",
        409: "This can no longer be done",
        422: "This cannot be done",
    }.get(error.status, "Something has gone wrong")
    return _plain_page(title, str(error), error.status)


def http_error(error: HTTPException) -> ResponseReturnValue:
    """The page for an HTTP error in our part of the site; redirects pass as they are."""
    status = error.code or 500
    if status < 400:
        return error.get_response()
    if status >= 500:
        return _plain_page(
            "Something has gone wrong",
            "What you typed may not have been saved. Go back and try again in a minute.",
            status,
        )
    title = {
        400: "The page had expired",
        404: "Page not found",
        405: "This page cannot be used that way",
        413: "That was too big to send",
    }.get(status, "This cannot be done")
    message = {
        400: "Go back, refresh the page and try again. Nothing has been changed.",
        404: "There is nothing here that you can see.",
        413: f"A file must be {_most_megabytes()} MB or smaller. Nothing has been kept of what you"
        " sent. Go back and choose a smaller file.",
    }.get(status, "Nothing has been changed.")
    return _plain_page(title, message, status)


def _most_megabytes() -> int:
    """How large a file may be: as our setting says, or the host's limit for all that is sent."""
    most: int = setting("S2S_FILE_LARGEST_MB")
    host = request.max_content_length
    return most if host is None else max(1, min(most, host // (1024 * 1024)))


def database_away(error: Exception) -> ResponseReturnValue:
    """The page while PostgreSQL cannot be reached, or does not answer in time."""
    current_app.logger.error("S2S: the database is away: %s", type(error).__name__)
    return _plain_page(
        "The service is not available",
        "We cannot reach our records at the moment. Nothing has been changed. Try again in a"
        " few minutes.",
        503,
    )


def no_such_value(error: DataError) -> ResponseReturnValue:
    """The page for a number or text that no column can hold: there is nothing by that name.

    That it came so far is noted, though not what was sent: a form that lets it through has a gap.
    """
    kind = type(error.orig).__name__
    current_app.logger.warning("S2S: %s: not a value to look for: %s", request.endpoint, kind)
    if request.method in {"GET", "HEAD"}:
        return refusal(NotFound())
    return _plain_page("This cannot be done", "Nothing has been changed.", UNPROCESSABLE)


def _plain_page(title: str, message: str, status: int) -> ResponseReturnValue:
    session().rollback()
    # Flask-Login asks the host's user_loader again while a template renders, and with the database
    # away that would fail inside the error page itself.
    g._login_user = current_user_or_nobody()
    return render_template("s2s/error.html", title=title, message=message), status


def current_user_or_nobody() -> Any:
    """The user that this request has already found, else the host's anonymous user."""
    found = g.get("_login_user")
    return current_app.login_manager.anonymous_user() if found is None else found


def refuse(form: FlaskForm, error: S2SError) -> None:
    """Put a domain error onto the form it belongs to, so that the page comes back as typed."""
    session().rollback()
    field = getattr(error, "field", None)
    if field and field in form:
        form[field].errors = [*form[field].errors, str(error)]
    else:
        form.form_errors = [*form.form_errors, str(error)]
    if isinstance(error, OutOfOrder):
        form.out_of_order = True


def error_list(form: FlaskForm | None) -> list[dict[str, str | None]]:
    """The errors of a form for the summary at the top, each with the id of what it is about."""
    if form is None:
        return []
    found: list[dict[str, str | None]] = [{"text": text, "id": None} for text in form.form_errors]
    for field in form:
        found.extend(_field_errors(field))
    return found


def _field_errors(field: Any) -> list[dict[str, str | None]]:
    if hasattr(field, "entries"):
        own = [{"text": text, "id": field.id} for text in field.errors if isinstance(text, str)]
        return own + [error for entry in field.entries for error in _field_errors(entry)]
    if hasattr(field, "form"):
        return [error for inner in field.form for error in _field_errors(inner)]
    target = f"{field.id}-day" if type(field).__name__ == "DayField" else field.id
    return [{"text": text, "id": target} for text in field.errors[:1]]


def context() -> dict[str, Any]:
    """What every template of ours may use."""
    return {
        "s2s_setting": setting,
        "s2s_actor": current_actor(),
        "s2s_nav": _menu(),
        "s2s_error_list": error_list,
        "s2s_seconds_left": sign_ons.seconds_left,
        "Role": Role,
    }


def _menu() -> list[dict[str, Any]]:
    """The menu, made once for a request: every field of a form is a template of its own."""
    if "s2s_menu" not in g:
        g.s2s_menu = nav_items()
    return g.s2s_menu  # type: ignore[no-any-return]


NAV = (
    ("Referrals", "s2s.referrals.index", access.school),
    ("Triage", "s2s.triage.index", access.officer),
    ("Allocation", "s2s.allocation.index", access.officer),
    ("Visits", "s2s.visits.index", access.practitioner | access.lead),
    ("Fee ledger", "s2s.finance.index", access.finance),
    ("Pulls", "s2s.finance.pulls", access.finance),
    ("What it achieved", "s2s.evaluation.index", access.manager),
    ("Audit trail", "s2s.administration.audit_trail", access.auditor),
    ("Administration", "s2s.administration.index", access.administrator),
)


def nav_items() -> list[dict[str, Any]]:
    """The entries of this service for a menu, for the person who is acting: text, href, active."""
    actor = current_actor()
    entries = [(text, url_for(target)) for text, target, policy in NAV if policy.admits(actor)]
    # The page is below the entry with the longest address that its own begins with.
    path = request.script_root + request.path
    here = max((href for _, href in entries if path.startswith(href)), key=len, default="")
    return [{"text": text, "href": href, "active": href == here} for text, href in entries]


def day(value: date | datetime | None) -> str:
    """A date as people write it, `14 May 2019`; an instant is first taken to Norfolk time."""
    if value is None:
        return ""
    return written(clock.local(value).date() if isinstance(value, datetime) else value)


def moment(value: datetime | None) -> str:
    """An instant as people write it: `14 May 2019 at 9:05am`."""
    if value is None:
        return ""
    there = clock.local(value)
    return f"{written(there.date())} at {time_of_day(there)}"


def time_of_day(value: Any) -> str:
    """A time as GOV.UK style has it: `9:05am`, `midday`."""
    if value is None:
        return ""
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = clock.local(value)
    if (value.hour, value.minute) == (12, 0):
        return "midday"
    return f"{value.hour % 12 or 12}:{value.minute:02d}{'am' if value.hour < 12 else 'pm'}"


def add_filters(blueprint: Blueprint) -> None:
    """Give templates our filters, under names no host is likely to have."""
    for name, function in (
        ("s2s_day", day),
        ("s2s_moment", moment),
        ("s2s_time", time_of_day),
        ("s2s_pounds", money.pounds),
    ):
        blueprint.add_app_template_filter(function, name)
