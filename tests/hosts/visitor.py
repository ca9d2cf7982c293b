"""Somebody at a browser without JavaScript, before any WSGI application: reads pages, presses.

A form is sent as it was drawn: every field with what it holds, tokens included, and with what the
person typed. Nothing is forged, so what the page lacks cannot be sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urljoin, urlsplit

from lxml import html
from werkzeug.test import Client as Browser

from tests.client import Page, lint

REDIRECTS = {301, 302, 303, 307, 308}
NO_VALUE = {"submit", "button", "image", "reset", "file"}


class FrontDoor:
    """A council's reverse proxy: serves an app below `prefix`, over https, and tells it so."""

    def __init__(self, app: Callable[..., Iterable[bytes]], prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.startswith(self.prefix):
            start("404 Not Found", [("Content-Type", "text/plain")])
            return [b"There is nothing at this door."]
        passed = environ | {
            "PATH_INFO": path.removeprefix(self.prefix),
            "HTTP_HOST": "inner.internal:8080",
            "HTTP_X_FORWARDED_HOST": environ["HTTP_HOST"],
            "HTTP_X_FORWARDED_PROTO": "https",
            "HTTP_X_FORWARDED_PREFIX": self.prefix,
            "wsgi.url_scheme": "http",
        }
        return self.app(passed, start)


class Visitor:
    """One person's browser: `page` is what it shows, `path` where that is."""

    def __init__(
        self,
        application: Any,
        *,
        ours: str,
        base_url: str = "https://portal.example/",
        check: Callable[[Page], None] = lint,
    ) -> None:
        """`ours` is the address that the service is mounted at, as people see it."""
        self.browser = Browser(application)
        self.base_url = base_url
        self.ours = ours
        self.check = check
        self.path = "/"
        self.page: Page

    def go(self, path: str, *, status: int = 200) -> Visitor:
        """Go to a path, and on to where it redirects."""
        return self._fetch("GET", path, status=status)

    def front(self, below: str = "/", *, status: int = 200) -> Visitor:
        """Go to a page of the service, by its path below where it is mounted."""
        return self.go(self.ours + below, status=status)

    def follow(self, words: str) -> Visitor:
        """Follow the first link with these words."""
        links = self.page.document.xpath("//a[@href]")
        target = next(link for link in links if _words(link) == words)
        return self.go(urljoin(self.path, target.get("href")))

    def download(self, words: str) -> bytes:
        """What the first link with these words leads to, as a file; the page stays."""
        links = self.page.document.xpath("//a[@href]")
        target = next(link.get("href") for link in links if _words(link) == words)
        answer = self.browser.open(urljoin(self.path, target), base_url=self.base_url)
        assert answer.status_code == 200, f"{target}: {answer.status_code}"
        return answer.data

    def begin(self) -> Visitor:
        """From the start page, past the questions that come first, to a new draft."""
        self.press("Start the referral").press("Continue", answer="no")
        return self.press("Continue", answer="older")

    def press(self, words: str, *, status: int = 200, **answers: Any) -> Visitor:
        """Fill in `answers` by field name (`__` for a hyphen), press a button, and go on."""
        given = {name.replace("__", "-"): value for name, value in answers.items()}
        button = next(
            found for found in self.page.document.xpath("//form//button") if _words(found) == words
        )
        form = next(button.iterancestors("form"))
        fields = _drawn(form)
        missing = set(given) - set(fields)
        assert not missing, f"{self.path} has no field {missing}, only {sorted(fields)}"
        fields |= given
        if button.get("name"):
            fields[button.get("name")] = button.get("value", "")
        target = urljoin(self.path, button.get("formaction") or form.get("action") or self.path)
        return self._fetch("POST", target.partition("#")[0], data=fields, status=status)

    def sees(self, *words: str) -> Visitor:
        """The page says all of these."""
        for some in words:
            assert some in self.page.words, f"{self.path} does not say {some!r}:\n{self.page.words}"
        return self

    def _fetch(self, method: str, path: str, *, status: int, **how: Any) -> Visitor:
        answer = self.browser.open(
            path, method=method, base_url=self.base_url, headers=self._headers(), **how
        )
        for _ in range(5):
            if answer.status_code not in REDIRECTS:
                break
            target = urlsplit(urljoin(self.base_url.rstrip("/") + path, answer.headers["Location"]))
            assert target.netloc == urlsplit(self.base_url).netloc, f"led away: {target.geturl()}"
            path = target.path + (f"?{target.query}" if target.query else "")
            answer = self.browser.open(path, base_url=self.base_url)
        self.path, self.page = path, Page(answer)
        shown = self.page.text[:2000]
        assert answer.status_code == status, f"{method} {path}: {answer.status_code}\n{shown}"
        if path.startswith(self.ours) and answer.mimetype == "text/html":
            self.check(self.page)
        return self

    def _headers(self) -> dict[str, str]:
        # As a browser sends them over https, where CSRFProtect wants a referrer.
        origin = self.base_url.rstrip("/")
        return {"Referer": origin + self.path, "Origin": origin}


def _words(element: html.HtmlElement) -> str:
    return " ".join(element.text_content().split())


def _drawn(form: html.HtmlElement) -> dict[str, Any]:
    """What a browser would send of `form`, were nothing typed: lists for names that repeat."""
    found: dict[str, list[str]] = {}
    for field in form.xpath(".//*[self::input or self::select or self::textarea][@name]"):
        values = found.setdefault(field.get("name"), [])
        if field.tag == "textarea":
            values.append((field.text or "").lstrip("\n"))
        elif field.tag == "select":
            values.extend(field.xpath("(.//option[@selected] | .//option)[1]/@value"))
        elif field.get("type") in {"checkbox", "radio"}:
            values.extend([field.get("value", "on")] if field.get("checked") is not None else [])
        elif field.get("type") not in NO_VALUE:
            values.append(field.get("value", ""))
    return dict(found)
