"""The kinds of file that can be attached. Anything else is refused.

A leaf: the process that reads a file knows this module and the readers alone.
"""

from __future__ import annotations

from dataclasses import dataclass


class Unacceptable(Exception):
    """Why a file is refused, in a sentence that says what to do."""


@dataclass(frozen=True)
class Format:
    """One kind: its name in words, its media type, and how its content begins."""

    words: str
    media_type: str
    begins: bytes


_OFFICE = "application/vnd.openxmlformats-officedocument"
_JPEG = Format("JPG", "image/jpeg", b"\xff\xd8\xff")

# By extension, as it is written at the end of a file's name.
FORMATS: dict[str, Format] = {
    "pdf": Format("PDF", "application/pdf", b"%PDF-"),
    "docx": Format("Word", f"{_OFFICE}.wordprocessingml.document", b"PK\x03\x04"),
    "xlsx": Format("Excel", f"{_OFFICE}.spreadsheetml.sheet", b"PK\x03\x04"),
    "jpg": _JPEG,
    "jpeg": _JPEG,
    "png": Format("PNG", "image/png", b"\x89PNG\r\n\x1a\n"),
}

LISTED = "PDF, Word (docx), Excel (xlsx), JPG or PNG"
SAVE_AGAIN = "Open it, save it again as a PDF, and attach that"
