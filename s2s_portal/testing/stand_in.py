"""Signing somebody on for a test without knowing the host's sign-on.

A request that a test client makes in this process carries a `StandIn` in its WSGI environment, as
an object: no request from outside can. While `stand_ins` lasts, such a request is taken to be
signed on as that person. Nothing of the service imports this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask, g, has_request_context, request, request_started
from flask_login import UserMixin

from s2s_portal.identity import Actor
from s2s_portal.state import EXTENSION

KEY = "s2s.stand_in"


class StandInUser(UserMixin):
    """What a host's user mostly has: an id, a name, an e-mail address."""

    def __init__(self, actor: Actor) -> None:
        self.id = actor.id
        self.name = actor.name
        self.email = actor.email


@dataclass(frozen=True)
class StandIn:
    """Somebody who is taken to be signed on: the host's user object, and who that is to us."""

    user: Any
    actor: Actor


def stand_in() -> StandIn | None:
    """Who stands in in this request."""
    found = request.environ.get(KEY) if has_request_context() else None
    return found if isinstance(found, StandIn) else None


class StandInIdentity:
    """The host's adapter, but for those who stand in."""

    def __init__(self, hosts: Any) -> None:
        self.hosts = hosts

    def actor(self, user: Any) -> Actor:
        """The actor who stands in, else whom the host's adapter names."""
        found = stand_in()
        if found is not None and found.user is user:
            return found.actor
        return self.hosts.actor(user)  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.hosts, name)


def _sign_on(_app: Flask, **_more: Any) -> None:
    """Before the first of the host's own `before_request`: Flask-Login looks here first."""
    found = stand_in()
    if found is not None:
        g._login_user = found.user


@contextmanager
def stand_ins(app: Flask) -> Iterator[None]:
    """Let people stand in in `app` meanwhile."""
    mounted = app.extensions[EXTENSION]
    usual, mounted.identity = mounted.identity, StandInIdentity(mounted.identity)
    try:
        with request_started.connected_to(_sign_on, app):
            yield
    finally:
        mounted.identity = usual
