"""What the reference says that a template is given is what the views really give it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, template_rendered
from jinja2 import Template

from build_support import reference
from build_support.context_names import EVERYWHERE
from s2s_portal.testing import (
    Client,
    Sample,
    matrix,
    s2s_client,
    s2s_mounted,
    s2s_sample,
    s2s_sign_on,
    s2s_user,
)
from tests import world
from tests.host import make_host

__all__ = ["s2s_client", "s2s_mounted", "s2s_sample", "s2s_sign_on", "s2s_user"]

TOP = Path(__file__).resolve().parents[2]
SOURCES = [
    *(TOP / "blueprints").rglob("*.py"),
    *(TOP / "s2s_portal" / "services").rglob("*.py"),
]
# Drawn by whoever includes them, with what `with` gives them there.
PARTS = {name for name in reference.template_names() if Path(name).name.startswith("_")} | {
    name for name in reference.template_names() if "/components/" in name or "/parts" in name
}
# What other templates build on; and a mail that gets its words together (test_mail.py).
AROUND = {
    "s2s/layout.html",
    "s2s/base.html",
    "s2s/referrals/section.html",
    "s2s/mail/practitioner_invited.txt",
}


@pytest.fixture
def s2s_app(database_url: str) -> Flask:
    return make_host(database_url, dict(world.ACTORS))


@pytest.fixture
def drawn(
    s2s_mounted: Flask, s2s_client: Callable[[Any], Client], s2s_sample: Sample
) -> dict[str, set[str]]:
    """Every template that some page is drawn by, with the names that all its pages give it."""
    found: dict[str, set[str]] = {}

    def note(_app: Flask, template: Template, context: dict[str, Any], **_more: Any) -> None:
        name = template.name or ""
        found[name] = found.get(name, set(context)) & set(context)

    with template_rendered.connected_to(note, s2s_mounted):
        for who in matrix.people():
            client = s2s_client(who)
            for door in matrix.doors(s2s_mounted):
                matrix.knock(client, door, s2s_sample)
    return found


def calls() -> Iterator[tuple[str, bool, set[str]]]:
    """Each template that a view names in its code, whether whole, and the names given along."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given = {keyword.arg for keyword in node.keywords if keyword.arg}
            if called in {"page", "whole_page", "fragment"}:
                for name in _names(node.args[0]):
                    yield name, isinstance(node.args[0], ast.Constant), given


def _names(argument: ast.expr) -> list[str]:
    """The templates that an argument may name: `s2s/mail/{notice}.txt` means each of them."""
    if isinstance(argument, ast.Constant):
        return [str(argument.value)]
    if not isinstance(argument, ast.JoinedStr):
        return []
    parts = [part.value if isinstance(part, ast.Constant) else "*" for part in argument.values]
    pattern = "".join(map(str, parts))
    return [name for name in reference.template_names() if Path(name).match(pattern)]


def test_each_template_asks_for_nothing_that_its_pages_do_not_give(
    drawn: dict[str, set[str]],
) -> None:
    asked = {
        name: set(reference.given(name)) - names for name, names in drawn.items() if _ours(name)
    }
    assert {name: missing for name, missing in asked.items() if missing} == {}
    everywhere = {name for name in EVERYWHERE if name.startswith("s2s_")}
    assert [name for name, names in drawn.items() if _ours(name) and everywhere - names] == []
    assert len(drawn) > 25


def _ours(name: str) -> bool:
    return name.startswith("s2s/")


def test_each_template_is_given_what_it_asks_for_in_the_code() -> None:
    """All of them, those too that the pages above do not come to: each call gives enough."""
    given: dict[str, set[str]] = {}
    by_name = {name for name, exact, _names in calls() if exact}
    for name, exact, names in calls():
        if exact or name not in by_name:
            given[name] = given.get(name, names) & names
    wanted: dict[str, set[str]] = defaultdict(set)
    for name in reference.template_names():
        if name not in PARTS | AROUND:
            wanted[name] = set(reference.given(name))
    assert wanted.keys() - given.keys() == set()
    lacking = {name: names - given[name] for name, names in wanted.items()}
    assert {name: names for name, names in lacking.items() if names} == {}


def test_a_name_that_nobody_gives_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "given", lambda name: ["nobody_gives_this"])
    with pytest.raises(AssertionError, match="nobody_gives_this"):
        test_each_template_asks_for_nothing_that_its_pages_do_not_give({"s2s/home.html": set()})
    with pytest.raises(AssertionError, match="nobody_gives_this"):
        test_each_template_is_given_what_it_asks_for_in_the_code()
