"""Somebody who signs on: a browser at the portal, and the same person at the provider."""

from __future__ import annotations

import time
from urllib.parse import urljoin, urlsplit

import requests
from flask import Flask
from lxml import html

from tests.client import Client, Page

PORTAL = "http://localhost"
PATIENCE = 3.0  # seconds within which the portal must say what is wrong


class Traveller(Client):
    """A client that can walk over to a provider and come back."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self.elsewhere = requests.Session()

    def press(self, name: str, *, status: int = 303, **fields: str) -> Page:
        """Press the button of the provider `name` on the sign-in page."""
        token = self.fetch("GET", "/sign-in").value("csrf_token")
        return self.in_time(
            "POST", f"/sign-in/{name}", status=status, data={"csrf_token": token, **fields}
        )

    def go_there(self, name: str, account: str, **fields: str) -> str:
        """Sign on at the provider as `account`; the path it sends this person back to."""
        return self.be(self.press(name, **fields).location, account)

    def be(self, address: str, account: str) -> str:
        """Walk through the provider's pages from `address` until it sends somebody back."""
        for _ in range(10):
            answer = self.elsewhere.get(address, allow_redirects=False, timeout=10)
            if answer.status_code == 200:
                form = html.document_fromstring(answer.text).xpath(
                    f"//form[contains(@action, '/as/{account}')]/@action"
                )
                assert form, answer.text
                answer = self.elsewhere.post(
                    urljoin(address, form[0]), allow_redirects=False, timeout=10
                )
            address = urljoin(address, answer.headers.get("Location", ""))
            if address.startswith(f"{PORTAL}/"):
                parts = urlsplit(address)
                return f"{parts.path}?{parts.query}"
        raise AssertionError(f"the provider never sent anybody back: {address}")

    def come_back(self, path: str, *, status: int = 303) -> Page:
        """Arrive at the portal from the provider."""
        return self.in_time("GET", path, status=status)

    def sign_on_as(self, name: str, account: str, *, status: int = 303, **fields: str) -> Page:
        """All of it."""
        return self.come_back(self.go_there(name, account, **fields), status=status)

    def in_time(self, method: str, path: str, **more: object) -> Page:
        """Fetch a page, and insist that it comes within three seconds."""
        begun = time.monotonic()
        page = self.fetch(method, path, **more)  # type: ignore[arg-type]
        took = time.monotonic() - begun
        assert took < PATIENCE, f"{method} {path} took {took:.1f} s"
        return page

    @property
    def cookie(self) -> str:
        """The name of this browser's session."""
        found = self.browser.get_cookie("portal_session")
        return found.value if found else ""

    def with_cookie(self, value: str) -> Traveller:
        """Another browser that has got hold of this cookie."""
        thief = Traveller(self.app)
        thief.browser.set_cookie("portal_session", value)
        return thief

    def is_signed_on(self) -> bool:
        """Whether the portal knows who this is."""
        return "Signed in as" in self.fetch("GET", "/contact").words
