"""The style sheet and scripts: built here, all of one origin, with nothing that is GOV.UK's own."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from build_support import assets
from build_support.links import TOP

TEMPLATES = sorted(
    path
    for folder in ("templates", "s2s_portal/reference_portal/templates")
    for path in (TOP / folder).rglob("*.html")
)


@pytest.fixture(scope="module")
def style_sheet() -> str:
    """`s2s.css` as built."""
    return (assets.BUILT / "s2s.css").read_text(encoding="utf-8")


def test_the_style_sheet_is_set_in_a_councils_font(style_sheet: str) -> None:
    assets.check_style_sheet(style_sheet)
    assert 'font-family:"Helvetica Neue",Arial,sans-serif' in style_sheet
    assert "@font-face" not in style_sheet


@pytest.mark.parametrize(
    "css",
    [
        'body{font-family:"GDS Transport"}',
        ".govuk-footer{background:url(govuk-crest.svg)}",
        "@import url(https://elsewhere.example/a.css)",
    ],
)
def test_a_style_sheet_that_fetches_or_borrows_is_refused(css: str) -> None:
    with pytest.raises(assets.BuildFailed, match=r"static/src/s2s\.scss"):
        assets.check_style_sheet(css)


def test_every_class_of_ours_in_a_template_has_a_style(style_sheet: str) -> None:
    used = {
        name
        for path in TEMPLATES
        for attribute in re.findall(r'\bclass="([^"]*)"', path.read_text(encoding="utf-8"))
        for name in attribute.split()
        if name.startswith("s2s-") and "{" not in name
    }
    assert used, "the templates use classes of ours"
    assert {name for name in used if f".{name}" not in style_sheet} == set()


def test_the_scripts_load_one_another_and_nothing_else() -> None:
    names = {path.name for path in assets.BUILT.glob("*.js")}
    for name in names:
        script = (assets.BUILT / name).read_text(encoding="utf-8")
        loaded = re.findall(r"""(?:from|import\()\s*['"](\./[^'"]+|https?:[^'"]+)['"]""", script)
        assert {f"./{other}" for other in names} >= set(loaded), name
        assert "sourceMappingURL" not in script
    assert names == {*assets.SCRIPTS, "govuk-frontend.min.js"}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(TOP)))
def test_a_template_holds_nothing_that_a_strict_policy_refuses(template: Path) -> None:
    """`script-src 'self'; style-src 'self'`: no inline script, style or event handler."""
    text = template.read_text(encoding="utf-8")
    assert re.findall(r"<style\b|\sstyle=|\son[a-z]+=|javascript:", text) == []
    assert [tag for tag in re.findall(r"<script\b[^>]*>", text) if " src=" not in tag] == []


def _node(folder: Path, version: str) -> str:
    for name, script in (("node", f"echo v{version}"), ("npm", "true")):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return str(folder)


@pytest.mark.parametrize("version", ["20.19.0", "24.1.0"])
def test_a_node_of_the_machine_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    path = os.pathsep.join((_node(tmp_path / "bin", version), "/usr/bin", "/bin"))
    monkeypatch.setenv("PATH", path)
    assert assets.node_search_path() == path


@pytest.mark.parametrize("version", [None, "18.20.4", "nonsense"])
def test_without_a_recent_node_the_packaged_one_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None
) -> None:
    path = _node(tmp_path / "bin", version) if version else str(tmp_path)
    monkeypatch.setenv("PATH", path)
    assert assets.node_search_path() == f"{Path(sys.executable).parent}{os.pathsep}{path}"


def test_with_no_node_at_all_the_refusal_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(assets.BuildFailed, match="run `make assets`"):
        assets.node_search_path()
