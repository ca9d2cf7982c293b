"""The code in our documents, so that tests can run what a reader is told to write."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def text_of(page: str) -> str:
    """The whole of `docs/<page>`."""
    return (DOCS / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[tuple[str, str]]:
    """Every fenced block of `docs/<page>`: its language and its text."""
    return FENCE.findall(text_of(page))


def python_blocks(page: str) -> list[str]:
    """The Python blocks of `docs/<page>`."""
    return [code for language, code in blocks(page) if language == "python"]
