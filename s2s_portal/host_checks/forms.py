"""Whether a form that another site sends is refused: it is tried."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from flask import Flask
from flask_wtf import FlaskForm
from flask_wtf.csrf import generate_csrf

from s2s_portal.services.doctor.findings import Look, Said, fail, well


def looks(app: Flask) -> list[Look]:
    """Cross-site request forgery."""
    return [Look("CSRF", partial(_tokens, app), "")]


def _tokens(app: Flask) -> Iterator[Said]:
    if not app.config.get("WTF_CSRF_ENABLED", True):
        yield fail(
            "WTF_CSRF_ENABLED is off, so another site can send our forms as whoever is signed on."
            " Remove it."
        )
        return
    with app.test_request_context("/", method="POST", base_url="https://localhost"):
        token = generate_csrf()
        if _passes(None):
            yield fail("A form without a token is taken. Remove what turns Flask-WTF's check off.")
        elif not _passes(token):
            yield fail(
                "A form with a good token is refused. See WTF_CSRF_METHODS, WTF_CSRF_SECRET_KEY and"
                " WTF_CSRF_TIME_LIMIT."
            )
        elif "csrf" in app.extensions:
            yield well("CSRFProtect is there, and our forms check their tokens too.")
        else:
            yield well("The host has no CSRFProtect, but our forms check their own tokens.")


def _passes(token: str | None) -> bool:
    form = FlaskForm(formdata=None)
    form.csrf_token.data = token
    return bool(form.validate())
