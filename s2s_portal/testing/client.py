"""Somebody's browser: it names pages by endpoint, and checks every page that it gets."""

from __future__ import annotations

from contextlib import nullcontext
from contextvars import Context
from typing import Any

from flask import Flask, request, url_for
from itsdangerous import URLSafeTimedSerializer
from werkzeug.test import TestResponse

from s2s_portal import clock
from s2s_portal.testing.page import Page, lint

CSRF = "0123456789abcdef" * 2 + "01234567"
REDIRECTS = {301, 302, 303, 307, 308}


class Client:
    """Somebody's browser. `get` and `post` take endpoints of ours; `whole` is for `lint`."""

    def __init__(self, app: Flask, *, whole: bool = True) -> None:
        self.app = app
        self.whole = whole
        self.browser = app.test_client()

    @property
    def token(self) -> str:
        """A token that this browser's forms may be sent with, once its session holds `CSRF`."""
        key = self.app.config.get("WTF_CSRF_SECRET_KEY") or self.app.secret_key
        signer = URLSafeTimedSerializer(key, salt="wtf-csrf-token")
        return str(signer.dumps(CSRF))

    def remember_token(self) -> None:
        """Put into this browser's session what `token` goes with."""
        with self.browser.session_transaction() as session:
            session[self.app.config.get("WTF_CSRF_FIELD_NAME", "csrf_token")] = CSRF

    def url(self, endpoint: str, **values: Any) -> str:
        """The path of one of our endpoints, `s2s.` understood, below the app's own root."""
        with self.app.test_request_context():
            address = url_for(f"s2s.{endpoint}", _external=False, **values)
            return address.removeprefix(request.script_root)

    def get(self, endpoint: str, *, status: int = 200, **values: Any) -> Page:
        """Fetch a page, expect `status`, and lint what is HTML."""
        return self.fetch("GET", self.url(endpoint, **values), status=status)

    def post(
        self, endpoint: str, form: dict[str, Any] | None = None, *, status: int = 302, **values: Any
    ) -> Page:
        """Send a form, expect `status` (302, redirected, unless told), and lint what is HTML."""
        return self.send(self.url(endpoint, **values), form, status=status)

    def send(self, path: str, form: dict[str, Any] | None = None, *, status: int = 302) -> Page:
        """Send a form to a path, with a good token unless the form brings its own."""
        return self.fetch(
            "POST", path, status=status, data={"csrf_token": self.token} | (form or {})
        )

    def follow(self, page: Page) -> Page:
        """Fetch the page that a redirect leads to."""
        return self.fetch("GET", page.location)

    def fetch(self, method: str, path: str, *, status: int = 200, **kwargs: Any) -> Page:
        """Fetch a path with a method."""
        page = Page(self.open(path, method=method, **kwargs))
        response = page.response
        assert page.status == status, f"{method} {path}: {page.status}\n{page.words[:2000]}"
        if response.mimetype == "text/html" and page.status not in REDIRECTS:
            lint(page, whole=self.whole)
        return page

    def open(self, path: str, **kwargs: Any) -> TestResponse:
        """Make the request as a server would: outside the app context and actor of the test.

        Flask would otherwise reuse the test's app context, and with it `g` and the session.
        """
        instant = clock.now() if clock.is_frozen() else None

        def ask() -> TestResponse:
            with clock.frozen(instant) if instant else nullcontext():
                return self.browser.open(path, **kwargs)

        return Context().run(ask)
