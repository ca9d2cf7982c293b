"""Our templates keep off the names that a host's base template may use for its own blocks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
BLOCK = re.compile(r"\{%-?\s*block\s+(\w+)")
# The two that the adapter fills; S2S_BASE_TEMPLATE is to have them.
ADAPTER = {"title", "content"}


@pytest.mark.parametrize(
    "path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: str(path.relative_to(TEMPLATES))
)
def test_every_block_has_a_name_of_ours(path: Path) -> None:
    """A block called `page_title` would fill the host's block of that name too."""
    names = set(BLOCK.findall(path.read_text(encoding="utf-8")))
    if path.name in {"layout.html", "base.html"}:
        names -= ADAPTER
    strange = {name for name in names if not name.startswith("s2s_")}
    assert not strange, f"{strange}: begin the name with s2s_, as s2s_title, s2s_before, s2s_page"


@pytest.mark.parametrize(
    "path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: str(path.relative_to(TEMPLATES))
)
def test_no_template_knows_what_the_host_calls_its_token(path: Path) -> None:
    """WTF_CSRF_FIELD_NAME is the host's: `token(form)` and `form.hidden_tag()` go by it."""
    assert "csrf_token" not in path.read_text(encoding="utf-8")
