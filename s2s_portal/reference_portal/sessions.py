"""Sessions on the server: the cookie is a random name, and what it stands for is a row.

So that signing out ends a session for good. With Flask's own sessions, which live in the cookie, a
copy of the cookie goes on working. `docs/decisions/0010-sign-on-at-a-provider.md` says why no
library does this.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, Request, Response, current_app, request, session
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SecureCookieSession, SessionInterface
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from s2s_portal import clock
from s2s_portal.reference_portal.tables import PortalSession, db

ANONYMOUS = timedelta(hours=1)  # long enough to sign on at a provider, password forgotten and all
USER = "_user_id"  # where Flask-Login keeps who is signed on
AWAY = (OperationalError, InterfaceError, PoolTimeout)

_written = TaggedJSONSerializer()


class ServerSession(SecureCookieSession):
    """What a request knows of its session.

    `stored` says that there is a row; `away` is why the row could not be read.
    """

    def __init__(
        self, initial: Any = None, *, token: str | None = None, away: Exception | None = None
    ) -> None:
        super().__init__(initial)
        self.stored = token is not None
        self.token = token or _new_token()
        self.away = away

    @property
    def digest(self) -> bytes:
        """What the table knows this session by."""
        return _digest(self.token)


class ServerSessions(SessionInterface):
    """Flask's way of plugging sessions in: read at the start of a request, written at its end."""

    def __init__(self, app: Flask) -> None:
        prefix = app.config["S2S_URL_PREFIX"]
        self.without = (f"{app.static_url_path}/", f"{prefix}/static/", f"{prefix}/health/")

    def open_session(self, app: Flask, request: Request) -> ServerSession:
        """The session that the cookie names, else a new and empty one."""
        token = request.cookies.get(self.get_cookie_name(app))
        if not token or request.path.startswith(self.without):
            return ServerSession()
        asked = select(PortalSession.content).where(
            PortalSession.digest == _digest(token), PortalSession.expires_at > clock.now()
        )
        try:
            with db.engine.connect() as connection:
                content = connection.scalar(asked)
        except AWAY as error:  # raised again where a page can be made of it
            return ServerSession(away=error)
        # A name that we did not give, or no longer know, is not taken over: no fixation.
        return ServerSession() if content is None else ServerSession(_read(content), token=token)

    def save_session(self, app: Flask, session: Any, response: Response) -> None:
        """Write what has changed, and give the browser the name of a new session."""
        if session.accessed:
            response.vary.add("Cookie")
        if session.away is not None or not session.modified:
            return
        try:
            kept = bool(session) and _write(session, app.config["PERMANENT_SESSION_LIFETIME"])
            if not session:
                end(session)
        except AWAY as error:
            current_app.logger.error("The session was not written: %s", type(error).__name__)
            return
        cookie: dict[str, Any] = {
            "path": self.get_cookie_path(app),
            "secure": self.get_cookie_secure(app),
            "httponly": self.get_cookie_httponly(app),
            "samesite": self.get_cookie_samesite(app),
        }
        if kept:
            response.set_cookie(self.get_cookie_name(app), session.token, **cookie)
        else:
            response.delete_cookie(self.get_cookie_name(app), **cookie)


def init_app(app: Flask) -> None:
    """Keep the sessions of `app` in its database. Call before anything that reads the session."""
    app.session_interface = ServerSessions(app)
    app.before_request(_stop_while_away)


def _stop_while_away() -> None:
    """A session that cannot be read is an error in its own right, not a visitor without one."""
    if not request.path.startswith(current_app.session_interface.without):  # type: ignore[attr-defined]
        away = _current().away
        if away is not None:
            raise away


def renew() -> None:
    """Begin an empty session under a new name, and end the one that was: before signing on.

    It sweeps too: rows that have expired go now.
    """
    end(_current())
    with db.engine.begin() as connection:
        connection.execute(delete(PortalSession).where(PortalSession.expires_at <= clock.now()))


def end(this: ServerSession | None = None) -> None:
    """End `this` session (by default the request's) at once, whatever becomes of the answer."""
    this = _current() if this is None else this
    if this.stored:
        with db.engine.begin() as connection:
            connection.execute(delete(PortalSession).where(PortalSession.digest == this.digest))
    this.clear()
    this.stored, this.token = False, _new_token()


def end_all_of(user: str) -> int:
    """End every session of the user that Flask-Login knows by `user`; how many there were."""
    with db.engine.begin() as connection:
        ended = connection.execute(delete(PortalSession).where(PortalSession.user_id == user))
    return int(ended.rowcount)


def _current() -> ServerSession:
    return session._get_current_object()  # type: ignore[attr-defined, no-any-return]


def _write(this: ServerSession, lasts: timedelta) -> bool:
    """Write the row; False when it has been ended meanwhile, which nothing may undo."""
    row = {"content": _written.dumps(dict(this)), "user_id": this.get(USER)}
    with db.engine.begin() as connection:
        if this.stored:
            same = update(PortalSession).where(PortalSession.digest == this.digest)
            return bool(connection.execute(same.values(**row)).rowcount)
        new = insert(PortalSession).values(
            digest=this.digest, expires_at=_until(this, lasts), **row
        )
        connection.execute(new)
    return True


def _until(this: ServerSession, lasts: timedelta) -> datetime:
    """When it ends by itself: `lasts` after signing on, whatever is done meanwhile."""
    return clock.now() + (lasts if USER in this else ANONYMOUS)


def _read(content: str) -> dict[str, Any]:
    return dict(_written.loads(content))


def _new_token() -> str:
    return secrets.token_urlsafe(32)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
