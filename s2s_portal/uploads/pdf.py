"""Reading a PDF: whole, without a password, and with nothing in it that can act."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pikepdf

from s2s_portal.uploads.formats import SAVE_AGAIN, Unacceptable

SNIFFED = 1024  # bytes at the start that browsers look into
MARKUP = re.compile(rb"<\s*(!doctype|html|script|svg|body|iframe|\?php)", re.IGNORECASE)
ENDED = re.compile(rb"%%EOF[\s\x00]{0,16}\Z")
BROKEN = f"This PDF cannot be read: it is damaged or not whole. {SAVE_AGAIN}"

# Kinds of action that do more than turn to a page or open a web address.
ACTIONS = {
    "/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/GoToE", "/GoToR", "/Rendition",
    "/Movie", "/Sound", "/RichMediaExecute",
}  # fmt: skip
# Entries that carry scripts, other files or forms that run.
ENTRIES = {"/JS", "/JavaScript", "/EmbeddedFiles", "/EF", "/XFA", "/RichMediaContent"}


def look(content: bytes) -> bytes:
    """`content` as it is, if it is a plain PDF; raises Unacceptable."""
    if MARKUP.search(content[:SNIFFED]) or not ENDED.search(content):
        raise Unacceptable(BROKEN)
    try:
        with pikepdf.open(BytesIO(content), attempt_recovery=False) as found:
            _look_into(found)
    except pikepdf.PasswordError as error:
        raise Unacceptable(PROTECTED) from error
    except (pikepdf.PdfError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise Unacceptable(BROKEN) from error
    return content


PROTECTED = "This file is protected with a password. Save it without one, and attach that"


def _look_into(found: pikepdf.Pdf) -> None:
    if found.is_encrypted:
        raise Unacceptable(PROTECTED)
    if len(found.pages) == 0:
        raise Unacceptable(BROKEN)
    for thing in found.objects:
        for part in _dictionaries(thing):
            if ENTRIES & set(part.keys()) or str(part.get("/S", "")) in ACTIONS:
                raise Unacceptable(
                    "This PDF holds a script, a form that runs or another file."
                    " Print it to a new PDF, and attach that"
                )


def _dictionaries(thing: Any) -> Iterator[Any]:
    """The dictionaries in an object, not those that it refers to: they are objects themselves."""
    left = [thing]
    while left:
        here = left.pop()
        if isinstance(here, pikepdf.Dictionary | pikepdf.Stream):
            yield here
            left += [inner for _, inner in here.items() if _is_direct(inner)]
        elif isinstance(here, pikepdf.Array):
            left += [inner for inner in here if _is_direct(inner)]


def _is_direct(thing: Any) -> bool:
    return isinstance(thing, pikepdf.Object) and not thing.is_indirect
