"""How our pages are answered: rendering, refusals, and the words every template may use."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from flask import Blueprint, Response, current_app, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from psycopg.errors import (
    InsufficientPrivilege,
    InvalidParameterValue,
    UndefinedColumn,
    UndefinedTable,
)
from sqlalchemy.exc import DataError, ProgrammingError, SQLAlchemyError
from werkzeug.exceptions import HTTPException

from s2s_portal import access, clock, money, sign_ons
from s2s_portal.database import session, unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder, S2SError
from s2s_portal.identity import Actor, Role, acting_as, current_actor
from s2s_portal.rendering import whole_page
from s2s_portal.services import front_page, health, links
from s2s_portal.services.links import Link
from s2s_portal.services.terms import written
from s2s_portal.state import setting

UNPROCESSABLE = 422


def page(template: str, *, form: FlaskForm | None = None, **context: Any) -> ResponseReturnValue:
    """Render a page; with a refused `form` the status is 422 and the title begins `Error: `."""
    refused = form is not None and bool(form.errors)
    body = whole_page(template, form=form, refused=refused, **context)
    return body, UNPROCESSABLE if refused else 200


def pdf(name: str, content: bytes) -> ResponseReturnValue:
    """A PDF to keep, `name` without its ending; it can do nothing in a browser."""
    return Response(
        content,
        mimetype="application/pdf",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.pdf"',
            "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
        },
    )


def link_of_visitor() -> Link | None:
    """How the acting person's account is tied to a practitioner; a newcomer is written down."""
    actor = current_actor()
    link = links.of(actor)
    if link is Link.NONE:
        with unit_of_work() as work:
            links.note_newcomer(work, by=actor)
    return link


def refusal(error: S2SError) -> ResponseReturnValue:
    """The page for a domain error: what the rule says, and where to go."""
    title = {
        403: "You do not have access",
        404: "Page not found",
        409: "This can no longer be done",
        422: "This cannot be done",
        503: "The service is not available",
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
            _said(error)
            or "What you typed may not have been saved. Go back and try again in a minute.",
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
    }.get(status) or _said(error)
    return _plain_page(title, message or "Nothing has been changed.", status)


def _said(error: HTTPException) -> str:
    """What the host said as it refused, `abort(503, "Closed until Monday.")`; else nothing."""
    if error.code in {403, 503} and error.description != type(error).description:
        return error.description or ""
    return ""


def unexpected(error: Exception) -> Any:
    """An error that nobody foresaw goes Flask's own way: logged, signalled, answered by our 500.

    Without this a host that handles every Exception would answer for us.
    """
    return current_app.handle_exception(error)


def _most_megabytes() -> int:
    """How large a file may be: as our setting says, or the host's limit for all that is sent."""
    most: int = setting("S2S_FILE_LARGEST_MB")
    host = request.max_content_length
    return most if host is None else max(1, min(most, host // (1024 * 1024)))


def database_away(error: Exception) -> ResponseReturnValue:
    """The page while PostgreSQL cannot be reached, or does not answer in time."""
    current_app.logger.error("S2S: the database is away: %s", type(error).__name__)
    g.s2s_database_away = True  # nobody waits a second time for what has just not answered
    return _not_available()


def _not_available() -> ResponseReturnValue:
    return _plain_page(
        "The service is not available",
        "We cannot reach our records at the moment. Nothing has been changed. Try again in a"
        " few minutes.",
        503,
    )


def not_ready(error: ProgrammingError | DataError) -> ResponseReturnValue:
    """The page while the schema is not there, or not this release's, or its role is not ours."""
    if not _is_unready(error.orig):
        return unexpected(error)  # type: ignore[no-any-return]
    current_app.logger.error(
        "S2S: the database is not ready: %s. Run: flask s2s check", str(error.orig).split("\n")[0]
    )
    return _not_available()


def _is_unready(error: BaseException | None) -> bool:
    """Whether something is missing that `flask s2s db upgrade` or a DBA provides."""
    if isinstance(error, (UndefinedTable, UndefinedColumn)):
        return bool(health.ready()["parts"].get("migrations") != "ok")
    if isinstance(error, InvalidParameterValue):  # of set_config: there is no such role
        return True
    # Row-level security has the same code when it refuses a row, which is a defect of ours.
    return isinstance(error, InsufficientPrivilege) and "to set role" in str(error)


def no_such_value(error: DataError) -> ResponseReturnValue:
    """The page for a number or text that no column can hold: there is nothing by that name.

    That it came so far is noted, though not what was sent: a form that lets it through has a gap.
    """
    if _is_unready(error.orig):
        return not_ready(error)
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
    # `form` and `refused` are given, as a host's context processor may have something so called.
    body = whole_page("s2s/error.html", title=title, message=message, form=None, refused=False)
    return body, status


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
        "s2s_nav_items": nav_items,
        "s2s_error_list": error_list,
        "s2s_seconds_left": sign_ons.seconds_left,
        "Role": Role,
    }


def _menu() -> list[dict[str, Any]]:
    """The menu, made once for a request: every field of a form is a template of its own."""
    if "s2s_menu" not in g:
        g.s2s_menu = nav_items(badges=False)
    return g.s2s_menu  # type: ignore[no-any-return]


NAV = (
    ("Referrals", "s2s.referrals.index", access.school),
    ("Triage", "s2s.triage.index", access.officer),
    ("Allocation", "s2s.allocation.index", access.officer),
    ("Practitioners", "s2s.practitioners.index", access.officer | access.lead),
    ("Visits", "s2s.visits.index", access.practitioner | access.lead),
    ("Advice", "s2s.advice.index", access.school | access.officer),
    (
        "Messages",
        "s2s.messages.index",
        access.school | access.officer | access.practitioner | access.lead,
    ),
    ("Fee ledger", "s2s.finance.index", access.finance),
    ("Pulls", "s2s.finance.pulls", access.finance),
    ("Your schools", "s2s.finance.trust", access.trust),
    ("What it achieved", "s2s.evaluation.index", access.manager),
    ("Audit trail", "s2s.administration.audit_trail", access.auditor),
    ("Administration", "s2s.administration.index", access.administrator),
)


def nav_items(*, badges: bool = True) -> list[dict[str, Any]]:
    """Our entries for a menu, on our pages or the host's own.

    Each is `text`, `href`, `active`, and `badge`: how many wait there for this person (None where
    nothing is counted, `front_page.COUNTED` for that many or more), with `badge_text` as it is
    shown (`3`, `99+`, empty for none). With `badges=False` the database is not asked.
    """
    actor = access.whoever_is_signed_on()
    entries = [
        (text, url_for(target), target) for text, target, policy in NAV if policy.admits(actor)
    ]
    # The page is below the entry with the longest address that its own begins with.
    path = request.script_root + request.path
    here = max((href for _, href, _ in entries if path.startswith(href)), key=len, default="")
    waiting = _waiting(actor) if badges and entries else {}
    return [
        {
            "text": text,
            "href": href,
            "active": href == here,
            "badge": waiting.get(target),
            "badge_text": _badge_text(waiting.get(target)),
        }
        for text, href, target in entries
    ]


def waiting_for_me(endpoint: str) -> int:
    """How many wait for the acting person behind the menu's entry for `endpoint`."""
    return _waiting(access.whoever_is_signed_on()).get(endpoint, 0)


def _waiting(actor: Actor) -> dict[str, int]:
    """How many wait behind each entry: asked once for a request; unknown while it cannot be."""
    known = g.setdefault("s2s_badges", {})
    if actor not in known and not g.get("s2s_database_away"):
        known[actor] = {}
        try:
            with acting_as(actor):
                known[actor] = front_page.badges()
        except SQLAlchemyError as error:
            current_app.logger.warning("S2S: no badges in the menu: %s", type(error).__name__)
    return known.get(actor, {})  # type: ignore[no-any-return]


def _badge_text(count: int | None) -> str:
    if not count:
        return ""
    return str(count) if count < front_page.COUNTED else f"{front_page.COUNTED - 1}+"


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
