"""What people typed, made fit to print: nothing dropped that a reader could have seen.

Typst refuses to make an accessible document with a character that no font has. We never let it
come to that, nor leave the character out: it is spelled, `[party popper]` or `[U+4E2D, U+6587]`.
"""

from __future__ import annotations

import re
import unicodedata

from s2s_portal.documents.fonts import symbols, text_characters

_LINE_ENDS = re.compile("\r\n|[\r\n\v\f\x85\u2028\u2029]")
_BLANK_LINES = re.compile(r"\n[ \n]*\n")
# Format characters that shape words: the joiners of Urdu and Persian, direction marks, soft hyphen.
_WORD_SHAPERS = frozenset("\u200c\u200d\u200e\u200f\u00ad")
# Stand for the brackets until neighbours are joined; being private, neither is ever printed itself.
_OPEN, _CLOSE = "\ue000", "\ue001"


def printable(typed: str) -> str:
    """`typed` in NFC with `\\n` line ends, every character one that our fonts print.

    Control characters go, and so do overrides of writing direction, which would let a record read
    differently from what is stored. A tab becomes a space.
    """
    text = unicodedata.normalize("NFC", _LINE_ENDS.sub("\n", typed).replace("\t", " "))
    if text_characters().issuperset(text.replace("\n", "")):
        return text
    before = [" ", *text]
    shown = "".join(_shown(character, before[place]) for place, character in enumerate(text))
    return shown.replace(_CLOSE + _OPEN, ", ").replace(_OPEN, "[").replace(_CLOSE, "]")


def paragraphs(typed: str) -> list[list[str]]:
    """`typed` as paragraphs (parted by blank lines) of lines; empty when it says nothing."""
    text = printable(typed).strip()
    return [part.split("\n") for part in _BLANK_LINES.split(text)] if text else []


def _shown(character: str, before: str) -> str:
    """What to print for one character that follows `before`."""
    if character == "\n" or character in _WORD_SHAPERS:
        return character
    category = unicodedata.category(character)
    if category in ("Cc", "Cf") or unicodedata.name(character, "").startswith("VARIATION SELECTOR"):
        return ""
    # A mark needs a letter below it, and one font must print the two together.
    loose = category.startswith("M") and before not in text_characters()
    if character in text_characters() and not loose:
        return character
    if character in symbols() and not category.startswith("M"):
        return character
    return _spelled(character, category)


def _spelled(character: str, category: str) -> str:
    """The character in words: a space as a space, a symbol by its Unicode name, any other by its
    number."""
    if category == "Zs":
        return " "
    number = f"U+{ord(character):04X}"
    name = unicodedata.name(character, "").lower() if category.startswith("S") else ""
    return f"{_OPEN}{name or number}{_CLOSE}"
