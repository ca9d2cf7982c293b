"""What the README promises is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from s2s_portal.cli import commands
from s2s_portal.settings import SETTINGS

TOP = Path(__file__).resolve().parents[2]
README = (TOP / "README.md").read_text(encoding="utf-8")


def settings_table() -> str:
    """The configuration table as the README must have it."""
    rows = ["| key | default | meaning |", "| --- | --- | --- |"]
    for setting in SETTINGS:
        default = "" if setting.default in (None, ()) else f"`{setting.default}`"
        rows.append(f"| `{setting.name}` | {default} | {setting.meaning} |")
    return "\n".join(rows)


def test_configuration_table() -> None:
    match = re.search(r"<!-- settings -->\n(.*?)\n<!-- /settings -->", README, re.DOTALL)
    assert match, "the README has a configuration table"
    assert match.group(1) == settings_table(), f"write this:\n{settings_table()}"


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
