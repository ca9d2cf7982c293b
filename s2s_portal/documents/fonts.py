"""The fonts of our documents, and which characters they can print.

A document uses these fonts alone, never the machine's own nor Typst's, so that one record gives
the same bytes everywhere. FiraGO sets Latin (Welsh and Polish with it), Greek, Cyrillic, Arabic
(Urdu with it), Devanagari, Hebrew, Georgian and Thai; Noto Sans Symbols adds ticks, boxes and
stars. Both are under the SIL Open Font License and come in the `pymupdf-fonts` distribution.
"""

from __future__ import annotations

import struct
import tempfile
import unicodedata
from functools import cache
from pathlib import Path

import pymupdf_fonts  # type: ignore[import-untyped]
import typst

# The names `pymupdf_fonts` gives them. The first is the text face, the second its bold.
_FILES = ("figo", "figbo", "symbol2")
FAMILIES = ("FiraGO", "Noto Sans Symbols2")

# Control, format, unassigned, private use, surrogate: PDF/A forbids some, and none has a shape.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})

_TOUCH_EACH_FONT = b"""
#set text(font: "FiraGO", fallback: false)
a #text(weight: "bold")[a] #text(font: "Noto Sans Symbols2")[\\u{2713}]
"""


@cache
def fonts() -> typst.Fonts:
    """The fonts, loaded once for this process and safe to share between compilers and threads.

    Typst takes a folder but opens each file only when a document first needs it, and keeps it from
    then on. So we print one letter in each here, after which nothing of ours stays on the disk.
    """
    with tempfile.TemporaryDirectory(prefix="s2s-fonts-") as folder:
        for name in _FILES:
            Path(folder, f"{name}.ttf").write_bytes(pymupdf_fonts.myfont(name))
        found = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[folder]
        )
        typst.Compiler(font_paths=found).compile(_TOUCH_EACH_FONT, format="pdf", timestamp=0)
    return found


@cache
def text_characters() -> frozenset[str]:
    """Characters that the text face prints, in the regular weight and in bold."""
    regular, bold = (_characters(pymupdf_fonts.myfont(name)) for name in _FILES[:2])
    return regular & bold


@cache
def symbols() -> frozenset[str]:
    """Characters that only the symbol face prints."""
    return _characters(pymupdf_fonts.myfont(_FILES[2])) - text_characters()


def _characters(font: bytes) -> frozenset[str]:
    """The characters of the basic plane that a TrueType font has glyphs for."""
    points = _mapped(font, _table(font, b"cmap"))
    letters = (chr(point) for point in points)
    return frozenset(c for c in letters if unicodedata.category(c) not in _UNPRINTABLE)


def _table(font: bytes, tag: bytes) -> int:
    """Where in the file the table `tag` begins. Raises ValueError when there is none."""
    (count,) = struct.unpack_from(">H", font, 4)
    for index in range(count):
        name, _, offset, _ = struct.unpack_from(">4sIII", font, 12 + 16 * index)
        if name == tag:
            return int(offset)
    raise ValueError(f"The font has no table {tag!r}.")


def _mapped(font: bytes, cmap: int) -> set[int]:
    """Code points in the Windows Unicode subtable (platform 3, encoding 1, format 4) of `cmap`.

    The layout is in the OpenType specification, "cmap", format 4: parallel arrays of segments
    (end, start, delta, offset), where an offset of 0 means "add delta" and any other points,
    counted from its own place, at the glyph number.
    """
    (count,) = struct.unpack_from(">H", font, cmap + 2)
    records = (struct.unpack_from(">HHI", font, cmap + 4 + 8 * index) for index in range(count))
    at = next(
        cmap + offset for platform, encoding, offset in records if (platform, encoding) == (3, 1)
    )
    (twice,) = struct.unpack_from(">H", font, at + 6)
    size = twice // 2
    ends = struct.unpack_from(f">{size}H", font, at + 14)
    starts, deltas, offsets = (
        struct.unpack_from(f">{size}H", font, at + 16 + twice * array) for array in (1, 2, 3)
    )
    points: set[int] = set()
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        place = at + 16 + twice * 3 + 2 * index + offsets[index]
        for point in range(start, end + 1):
            if offsets[index]:
                (glyph,) = struct.unpack_from(">H", font, place + 2 * (point - start))
            else:
                glyph = (point + deltas[index]) & 0xFFFF
            if glyph:
                points.add(point)
    return points
