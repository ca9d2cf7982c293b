"""The key by which referrals about the same pupil or class find each other."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from flask import Flask

from s2s_portal.host_checks.sessions import MAKE_ONE, SHORT
from s2s_portal.services.doctor.findings import Look, Said, warn


def looks(app: Flask) -> list[Look]:
    """Whether repeats are looked for, and who could find out more by the key."""
    return [Look("match key", partial(_key, app), "S2S_MATCH_KEY is set, long, and its own.")]


def _key(app: Flask) -> Iterator[Said]:
    key = app.config["S2S_MATCH_KEY"]
    if not key:
        yield warn(
            "S2S_MATCH_KEY is not set, so nobody is told of a second referral about the same pupil."
            f" Make one: {MAKE_ONE}, then run: flask s2s match rebuild"
        )
        return
    secret = app.secret_key
    if key == (secret.decode(errors="replace") if isinstance(secret, bytes) else secret):
        yield warn(
            "S2S_MATCH_KEY is the SECRET_KEY: whoever changes the one loses the other. Make one of"
            f" its own: {MAKE_ONE}, then run: flask s2s match rebuild"
        )
    if len(key) < SHORT:
        yield warn(
            f"S2S_MATCH_KEY is shorter than {SHORT} characters, so names could be tried against a"
            f" stolen copy of the database. Make one: {MAKE_ONE}, then run: flask s2s match rebuild"
        )
