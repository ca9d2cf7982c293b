"""Typst at work: a template and what it prints, made into an accessible PDF that keeps."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

import typst

from s2s_portal.documents.fonts import fonts

STANDARDS: list[typst.PDFStandard] = ["ua-1", "a-2a"]

_compiling = threading.Lock()


def typeset(template: str, sheet: Mapping[str, object], *, at: datetime) -> bytes:
    """The template of that name with `sheet` printed in it, as PDF/UA-1 and PDF/A-2a.

    `at` is the document's own date. The same sheet gives the same bytes, on any machine with these
    fonts. Safe to call from several threads. Raises RuntimeError in a process forked from one that
    had already rendered.
    """
    if _first_process() != os.getpid():
        # Typst's worker threads stayed behind in the parent: it would wait for them for ever.
        raise RuntimeError("Fork the workers before the first document is rendered, not after.")
    # A compiler that is at work refuses a second caller, so they take turns.
    with _compiling:
        pdf = _compiler(template).compile(
            format="pdf",
            sys_inputs={"sheet": json.dumps(sheet)},
            pdf_standards=STANDARDS,
            timestamp=int(at.timestamp()),
        )
    if not isinstance(pdf, bytes):
        raise TypeError("Typst made several files of one document.")
    return pdf


@cache
def _first_process() -> int:
    """The process that rendered first here or, after a fork, in the parent."""
    return os.getpid()


@cache
def _compiler(template: str) -> typst.Compiler:
    """One compiler for each template in this process: it is read and the fonts are found once."""
    file = Path(__file__).with_name(f"{template}.typ")
    return typst.Compiler(file, root=file.parent, font_paths=fonts())
