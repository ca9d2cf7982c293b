"""An answer with its parsed document, and what holds for every page of the service."""

from __future__ import annotations

from typing import Any

from lxml import html
from werkzeug.test import TestResponse


class Page:
    """An answer with its parsed document."""

    def __init__(self, response: TestResponse) -> None:
        self.response = response
        self.status = response.status_code
        is_text = response.mimetype != "application/pdf"
        self.text = response.get_data(as_text=True) if is_text else ""
        self.document: Any = html.document_fromstring(self.text) if self.text.strip() else None

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
        if field.tag == "textarea":
            return (field.text or "").lstrip("\n")
        return str(field.get("value", ""))


def lint(page: Page, *, whole: bool = True) -> None:
    """Assert what holds for every page of the service.

    With `whole=False` only its main part may have no inline script, style or unlabelled field: the
    rest is the host's affair.
    """
    _headings(page)
    document = page.document
    part = document if whole else (document.xpath("//main") or [document])[0]
    _forms(part, document)
    assert not part.xpath(".//script[not(@src) and not(@nonce)]"), "an inline script"
    assert not part.xpath(".//*[@style] | .//style[not(@nonce)]"), "an inline style"
    assert not part.xpath(".//@*[starts-with(name(), 'on')]"), "an inline handler"
    for link in part.xpath(".//a[not(@href)]"):
        raise AssertionError(f"a link to nowhere: {link.text_content()}")


def _headings(page: Page) -> None:
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


def _forms(part: Any, document: Any) -> None:
    for form in part.xpath(".//form[translate(@method,'POST','post')='post']"):
        assert form.xpath(".//input[@name='csrf_token']"), "a form without a token"
    for field in part.xpath(".//input[not(@type='hidden')] | .//select | .//textarea"):
        named = document.xpath(f"//label[@for='{field.get('id')}']") or field.get("aria-label")
        assert named or field.get("type") == "submit", f"{field.get('name')} has no label"
