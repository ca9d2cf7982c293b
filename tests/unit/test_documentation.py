"""What the README promises is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from build_support import reference
from build_support.context_names import EVERYWHERE, NAMES
from s2s_portal.cli import commands
from s2s_portal.host_checks.templates import Uses

TOP = Path(__file__).resolve().parents[2]
README = (TOP / "README.md").read_text(encoding="utf-8")


def test_configuration_table() -> None:
    match = reference.SETTINGS_TABLE.search(README)
    assert match, "the README has a configuration table"
    assert match.group() == reference.settings_table(), "run: make docs"


@pytest.mark.parametrize("name", reference.PAGES)
def test_the_reference_is_what_the_code_says(name: str) -> None:
    written = (reference.REFERENCE / name).read_text(encoding="utf-8")
    assert written == reference.PAGES[name](), "run: make docs"


def test_there_is_no_other_page_in_the_reference() -> None:
    assert {path.name for path in reference.REFERENCE.iterdir()} == set(reference.PAGES)


def test_every_name_that_a_template_is_given_is_explained() -> None:
    asked = {word for name in reference.template_names() for word in reference.given(name)}
    assert asked == NAMES.keys()
    used = {
        word
        for name in reference.template_names()
        for word in Uses.of(reference.source(name)).names
    }
    assert EVERYWHERE.keys() <= used


def test_every_command_is_in_the_readme() -> None:
    for name in commands.commands:
        assert f"flask s2s {name}" in README, name


def test_every_link_to_a_file_leads_somewhere() -> None:
    for page in [TOP / "README.md", *(TOP / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_decision_is_listed() -> None:
    index = (TOP / "docs/decisions/README.md").read_text(encoding="utf-8")
    for page in (TOP / "docs/decisions").glob("0*.md"):
        assert page.name in index
