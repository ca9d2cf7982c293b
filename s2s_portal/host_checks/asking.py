"""Asking the app for one of its pages, as a stranger's browser would."""

from __future__ import annotations

from contextvars import Context

from flask import Flask
from werkzeug.test import TestResponse

NOWHERE = "static/there-is-no-such-file"


def ask(app: Flask, path: str) -> TestResponse:
    """The answer to a stranger who asks for `path`, over HTTPS.

    It is asked outside the command's own app context and actor, as a server would. What fails is
    for the doctor to say, so the app's log is quiet meanwhile.
    """
    address = app.config.get("S2S_EXTERNAL_URL") or ""
    base = address if address.startswith("https://") else "https://localhost"
    quiet, app.logger.disabled = app.logger.disabled, True
    try:
        return Context().run(app.test_client().get, path, base_url=base)
    finally:
        app.logger.disabled = quiet


def page_of_ours(app: Flask) -> TestResponse:
    """A page of ours that a stranger gets: the one that says that there is nothing there."""
    return ask(app, f"{app.config['S2S_URL_PREFIX'].rstrip('/')}/{NOWHERE}")
