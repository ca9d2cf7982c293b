"""Our page in the host's layout: whether what we put in comes out."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import Context
from functools import partial
from html.parser import HTMLParser

from flask import Flask, url_for

from s2s_portal.blueprints import pages
from s2s_portal.errors import NotFound
from s2s_portal.services.doctor.findings import Look, Said, fail, warn

MARK = "This sentence is from the doctor."
TITLE = "Page not found"


def looks(app: Flask) -> list[Look]:
    """The layout."""
    return [
        Look(
            "layout",
            partial(_layout, app),
            "Our title, heading, content and style sheet come out in the host's layout.",
        )
    ]


class Seen(HTMLParser):
    """What a page has of what it needs."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, dict[str, str | None]] = {}
        self.addresses: list[str] = []
        self.title = ""
        self.text = ""
        self._within = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag, the last attributes of its kind, and where it leads."""
        self._within = tag
        self.tags.append(tag)
        self.attributes[tag] = dict(attrs)
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_endtag(self, tag: str) -> None:
        """What follows is no longer within the title."""
        self._within = ""

    def handle_data(self, data: str) -> None:
        """Note the words, those of the title apart."""
        if self._within == "title":
            self.title += data
        else:
            self.text += data


def _layout(app: Flask) -> Iterator[Said]:
    seen, sheet = Context().run(_drawn, app)
    base = app.config["S2S_BASE_TEMPLATE"]
    adapter = "copy s2s/layout.html into your templates and rename its two blocks to yours"
    if TITLE not in seen.title:
        yield fail(f"The title of our pages is lost: {base} has no block `title`; {adapter}.")
    if MARK not in seen.text:
        yield fail(f"The content of our pages is lost: {base} has no block `content`; {adapter}.")
        return
    if seen.tags.count("h1") != 1:
        yield warn(f"A page has {seen.tags.count('h1')} h1: the layout may have none of its own.")
    if seen.tags.count("main") != 1:
        yield warn(
            f"A page has {seen.tags.count('main')} main elements, and should have one: set"
            f" S2S_BASE_HAS_MAIN = {seen.tags.count('main') > 1}."
        )
    if not seen.attributes.get("html", {}).get("lang"):
        yield warn(f'The language is not said: write <html lang="en"> in {base}.')
    if not any(address.startswith(sheet) for address in seen.addresses):
        yield warn(
            f'Our style sheet is not on the page: put <link rel="stylesheet" href="{{{{'
            f" url_for('s2s.static', filename='s2s.css') }}}}\"> into {base}."
        )


def _drawn(app: Flask) -> tuple[Seen, str]:
    """A page of ours with a sentence of its own, and the address of our style sheet."""
    prefix = app.config["S2S_URL_PREFIX"].rstrip("/")
    with app.test_request_context(f"{prefix}/", base_url="https://localhost"):
        answer = app.make_response(pages.refusal(NotFound(MARK)))
        return Seen(answer.get_data(as_text=True)), url_for("s2s.static", filename="s2s.css")
