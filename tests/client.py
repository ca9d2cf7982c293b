"""A client that signs on as somebody, names pages by endpoint, and checks every page it gets."""

from __future__ import annotations

from contextlib import nullcontext
from contextvars import Context
from typing import Any

from flask import Flask, url_for
from itsdangerous import URLSafeTimedSerializer
from lxml import html
from werkzeug.test import TestResponse

from s2s_portal import clock

CSRF = "0123456789abcdef" * 2 + "01234567"


class Page:
    """An answer with its parsed document."""

    def __init__(self, response: TestResponse) -> None:
        self.response = response
        self.status = response.status_code
        self.text = response.get_data(as_text=True)
        self.document = html.document_fromstring(self.text) if self.text.strip() else None

    @property
    def location(self) -> str:
        """Where a redirect goes."""
        return self.response.headers.get("Location", "")

    @property
    def h1(self) -> str:
        """The text of the one heading of the first level."""
        return self.all("//h1")[0]

    @property
    def title(self) -> str:
        """The document's title."""
        return self.all("//title")[0]

    @property
    def words(self) -> str:
        """All that can be read on the page, with single spaces."""
        return " ".join(self.document.text_content().split())

    @property
    def errors(self) -> list[str]:
        """The lines of the error summary."""
        return self.all("//*[contains(@class,'govuk-error-summary__list')]//li")

    def all(self, xpath: str) -> list[str]:
        """The text of every element that `xpath` finds."""
        return [" ".join(found.text_content().split()) for found in self.document.xpath(xpath)]

    def value(self, name: str) -> str:
        """What the form field `name` is filled with."""
        found = self.document.xpath(f"//*[@name='{name}']")
        field = found[0]
        return (
            (field.text or "").lstrip("\n") if field.tag == "textarea" else field.get("value", "")
        )


def lint(page: Page) -> None:
    """What holds for every page of ours: asserted on each one that a test fetches."""
    document = page.document
    headings = page.all("//h1")
    assert len(headings) == 1, f"one h1, not {headings}"
    title = page.title.removeprefix("Error: ")
    assert title.startswith(headings[0]), f"title {page.title!r} begins with {headings[0]!r}"
    assert bool(page.errors) == page.title.startswith("Error: "), "Error: in the title of an error"
    ids = document.xpath("//@id")
    assert len(ids) == len(set(ids)), f"ids twice: {sorted(i for i in ids if ids.count(i) > 1)}"
    for target in document.xpath("//*[contains(@class,'error-summary')]//a/@href"):
        assert target.lstrip("#") in ids, f"the error summary links to {target}, which is nowhere"
    for form in document.xpath("//form[translate(@method,'POST','post')='post']"):
        assert form.xpath(".//input[@name='csrf_token']"), "a form without a token"
    assert not document.xpath("//script[not(@src)]"), "an inline script"
    assert not document.xpath("//*[@style] | //style"), "an inline style"
    assert not document.xpath("//@*[starts-with(name(), 'on')]"), "an inline handler"
    for field in document.xpath("//input[not(@type='hidden')] | //select | //textarea"):
        named = document.xpath(f"//label[@for='{field.get('id')}']") or field.get("aria-label")
        assert named or field.get("type") == "submit", f"{field.get('name')} has no label"
    for link in document.xpath("//a[not(@href)]"):
        raise AssertionError(f"a link to nowhere: {link.text_content()}")


class Client:
    """Somebody's browser. `sign_on` changes who; `get` and `post` take endpoints of ours."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.browser = app.test_client()

    def sign_on(self, key: str) -> Client:
        """Sign on as the person under `key` in `world.ACTORS`."""
        self.browser = self.app.test_client()
        with self.browser.session_transaction() as session:
            session["_user_id"] = key
            session["_fresh"] = True
            session["csrf_token"] = CSRF
        return self

    @property
    def token(self) -> str:
        """A token that this browser's forms may be sent with."""
        signer = URLSafeTimedSerializer(self.app.secret_key, salt="wtf-csrf-token")
        return str(signer.dumps(CSRF))

    def url(self, endpoint: str, **values: Any) -> str:
        """The path of one of our endpoints, `s2s.` understood."""
        with self.app.test_request_context():
            return url_for(f"s2s.{endpoint}", _external=False, **values)

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

    def fetch(self, method: str, path: str, *, status: int | None = 200, **kwargs: Any) -> Page:
        """Fetch a path with a method, and expect `status`; None expects nothing."""
        page = Page(self.open(path, method=method, **kwargs))
        response = page.response
        assert status in {None, page.status}, f"{method} {path}: {page.status}\n{page.words[:2000]}"
        if response.mimetype == "text/html" and page.status not in {301, 302, 303, 308}:
            lint(page)
        return page

    def open(self, path: str, **kwargs: Any) -> TestResponse:
        """Make the request as a server would: outside the app context and actor of the test.

        Flask would otherwise reuse the test's app context, and with it `g` and the session.
        """
        instant = clock.now() if clock.is_frozen() else None

        def request() -> TestResponse:
            with clock.frozen(instant) if instant else nullcontext():
                return self.browser.open(path, **kwargs)

        return Context().run(request)
