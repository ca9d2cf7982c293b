"""Errors as other systems read them: `application/problem+json` (RFC 9457), whatever happens."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, current_app
from sqlalchemy.exc import DataError
from werkzeug.exceptions import HTTPException, default_exceptions

from s2s_portal.database import AWAY, session
from s2s_portal.errors import BearerRefused, S2SError, TooMany
from s2s_portal.services.response_reading import WrongRows

MEDIA_TYPE = "application/problem+json"
SECONDS = "60"  # after which somebody who asked too much may ask again


def problem(status: int, detail: str, **more: Any) -> Response:
    """A problem: what went wrong, in a sentence, and what more there is to know."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return Response(json.dumps(body, ensure_ascii=False), status, mimetype=MEDIA_TYPE)


def handle(bp: Blueprint) -> None:
    """Answer every error of `bp` as a problem; the host's own handlers are not asked."""
    bp.register_error_handler(S2SError, _refusal)
    for away in AWAY:
        bp.register_error_handler(away, _database_away)
    bp.register_error_handler(DataError, _no_such_value)
    # For each code too: Flask prefers a host's handler of the code to ours of every HTTPException.
    for kind in (HTTPException, *default_exceptions):
        bp.register_error_handler(kind, _http_error)
    bp.register_error_handler(Exception, _unexpected)


def _refusal(error: S2SError) -> Response:
    session().rollback()
    more = {"rows": error.problems} if isinstance(error, WrongRows) else {}
    answer = problem(error.status, str(error), **more)
    if isinstance(error, BearerRefused):
        said = f', error="{error.error}"' if error.error else ""
        answer.headers["WWW-Authenticate"] = f'Bearer realm="s2s"{said}'
    if isinstance(error, TooMany):
        answer.headers["Retry-After"] = SECONDS
    return answer


def _http_error(error: HTTPException) -> Any:
    if error.code is not None and error.code < 400:
        return error.get_response()
    session().rollback()
    answer = problem(error.code or 500, error.description or "")
    for name, value in error.get_headers():
        if name.lower() in {"allow", "retry-after"}:
            answer.headers[name] = value
    return answer


def _database_away(error: Exception) -> Response:
    current_app.logger.error("S2S: the database is away: %s", type(error).__name__)
    session().rollback()
    return problem(503, "We cannot reach our records at the moment. Nothing has been changed.")


def _no_such_value(_error: DataError) -> Response:
    session().rollback()
    return problem(404, "There is nothing here by that name.")


def _unexpected(error: Exception) -> Response:
    """Logged and signalled as the host has it (in tests raised); answered by us."""
    session().rollback()
    current_app.handle_exception(error)
    return problem(500, "Something has gone wrong. Nothing has been changed.")
