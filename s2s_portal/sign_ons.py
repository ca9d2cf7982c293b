"""How long a sign-on lasts here: until it is ended, too long unused, or too old.

The host owns the session; where it keeps it in a cookie, a copy taken before signing out would
still open our pages (a Flask session cannot be taken back). So each sign-on gets a mark in the
host's session, what has ended is written down in the database, and every request of ours looks.

A session that has no mark when it first comes here (signed on before this release, or by a
remember-me cookie) gets one then; when such a session ends, every sign-on of its account ends with
it, as copies without the mark cannot be told apart.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from flask import Flask, current_app, request, session
from flask_login import logout_user, user_logged_in, user_logged_out
from sqlalchemy import bindparam, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from s2s_portal import audit, clock
from s2s_portal.database import session as database_session
from s2s_portal.database import unit_of_work
from s2s_portal.errors import SignedOut
from s2s_portal.identity import Actor, acting_as
from s2s_portal.models.sign_on import EndedSignOn
from s2s_portal.state import setting, state

MARK = "s2s_sign_on"
ASKING = "s2s.home.sign_on"
SEEN_EVERY = 60  # seconds: a session is written anew at most once a minute

ENDED = "You have signed out, or somebody has ended your sign-in."
IDLE = "You did not use the service for {minutes} minutes, so we signed you out."
OLD = "You signed in more than {hours} hours ago, so we signed you out."


def listen(app: Flask) -> None:
    """Hear of each sign-on and sign-out in `app`, and of each request that uses a session."""
    user_logged_in.connect(_began, sender=app)
    user_logged_out.connect(_ended, sender=app)
    app.before_request(_seen)


def _began(_app: Flask, **_more: Any) -> None:
    session[MARK] = _new_mark()


def _new_mark(*, late: bool = False) -> dict[str, Any]:
    now = _now()
    return {"token": secrets.token_urlsafe(24), "since": now, "seen": now, "late": late}


def _now() -> float:
    return clock.now().timestamp()


def _seen() -> None:
    """Any page of the host's counts as use; one without the session's cookie leaves it alone.

    Asking how long is left (the warning on our pages does) is no use of the service.
    """
    asking = request.endpoint == ASKING and "stay" not in request.args
    if asking or current_app.config["SESSION_COOKIE_NAME"] not in request.cookies:
        return
    mark = session.get(MARK)
    if mark and mark["seen"] <= _now() - SEEN_EVERY and _too_old(mark) is None:
        session[MARK] = mark | {"seen": _now()}


def check(actor: Actor) -> None:
    """Raise SignedOut, having signed the person out of the host, when this sign-on has ended.

    Sign-ons that are not kept in a session (a host's `request_loader`) are the host's own affair.
    """
    if "_user_id" not in session:
        return
    mark = session.get(MARK)
    reason = _too_old(mark) if mark else None
    if reason is None and _has_ended(actor, mark):
        reason = ENDED
    if reason is not None:
        logout_user()
        raise SignedOut(reason)
    if mark is None:
        session[MARK] = _new_mark(late=True)


def seconds_left() -> int | None:
    """Until this sign-on ends if nothing is done, in seconds; None when nothing ends it here."""
    mark = session.get(MARK)
    if mark is None:
        return None
    minutes, hours = setting("S2S_IDLE_MINUTES"), setting("S2S_SIGN_ON_HOURS")
    ends = []
    if minutes:
        ends.append(mark["seen"] + minutes * 60)
    if hours:
        ends.append(mark["since"] + hours * 3600)
    return max(0, int(min(ends) - _now())) if ends else None


def _too_old(mark: dict[str, Any]) -> str | None:
    minutes, hours = setting("S2S_IDLE_MINUTES"), setting("S2S_SIGN_ON_HOURS")
    if minutes and _now() - mark["seen"] > minutes * 60:
        return IDLE.format(minutes=minutes)
    if hours and _now() - mark["since"] > hours * 3600:
        return OLD.format(hours=hours)
    return None


# One statement for each request of ours: by its two keys in the table's own index.
ENDING = (
    select(EndedSignOn.key)
    .where(
        or_(
            EndedSignOn.key == bindparam("session"),
            (EndedSignOn.key == bindparam("account")) & (EndedSignOn.ended_at > bindparam("since")),
        )
    )
    .limit(1)
)


def _has_ended(actor: Actor, mark: dict[str, Any] | None) -> bool:
    asked = {
        "session": _session_key(mark) if mark else "",
        "account": _account_key(actor),
        "since": datetime.fromtimestamp(mark["since"] if mark else 0, UTC),
    }
    return database_session().execute(ENDING, asked).first() is not None


def _session_key(mark: dict[str, Any]) -> str:
    return f"session:{sha256(mark['token'].encode()).hexdigest()}"


def _account_key(actor: Actor) -> str:
    return f"account:{actor.id}"


def _ended(_app: Flask, user: Any, **_more: Any) -> None:
    """Write down that this sign-on has ended; if that cannot be done, say so in the log.

    Signing out of the host must not fail because our database is away.
    """
    mark = session.pop(MARK, None)
    if mark is None and not getattr(user, "is_authenticated", False):
        return
    try:
        actor = state().identity.actor(user)
        lone = mark is not None and not mark["late"]
        end(_session_key(mark) if lone and mark else _account_key(actor), actor)
    except Exception as error:  # whatever it is, the person leaves
        current_app.logger.error("S2S: a sign-out was not written down: %s", type(error).__name__)


def end(key: str, by: Actor, *, account: str = "") -> None:
    """End what `key` names (see EndedSignOn), as of now, and audit it as done to `account`.

    Of people who have no role here the end is kept for a while, but no audit row: they are other
    users of the host's portal.
    """
    with acting_as(by):
        database_session().end_reading()
        with unit_of_work() as work:
            now = clock.now()
            adding = insert(EndedSignOn).values(key=key, ended_at=now)
            work.session.execute(
                adding.on_conflict_do_update(
                    index_elements=[EndedSignOn.key],
                    set_={"ended_at": func.greatest(EndedSignOn.ended_at, now)},
                )
            )
            if by.roles:
                audit.wrote(work, "ended sign-on", "account", account or by.id)


def end_account(account_id: str, by: Actor) -> None:
    """End every sign-on of the account `account_id` that has begun until now."""
    end(f"account:{account_id}", by, account=account_id)


def sweep() -> int:
    """Forget the ends of single sign-ons that would be too old by now; how many they were.

    Ends of accounts stay: a copy of a session that never had a mark has no age.
    """
    hours = setting("S2S_SIGN_ON_HOURS")
    if not hours:
        return 0
    current = database_session()
    gone = current.execute(
        delete(EndedSignOn).where(
            EndedSignOn.key.startswith("session:"),
            EndedSignOn.ended_at < clock.now() - timedelta(hours=hours + 1),
        )
    )
    current.commit()
    return gone.rowcount  # type: ignore[attr-defined,no-any-return]
