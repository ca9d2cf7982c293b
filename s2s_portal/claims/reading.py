"""Reading values out of claims that anybody may have filled in: JSON of any shape.

Nothing here raises: what cannot be read is as good as absent, and the claim maps refuse what they
cannot do without. PostgreSQL keeps neither NUL nor a lone surrogate, so neither gets past here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

LONGEST = 200
IDENTIFIER = re.compile(r"[A-Za-z0-9][!-~]{0,199}")
ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
DIGITS = re.compile(r"[0-9]{1,9}")
DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T.*)?")


def words(value: Any) -> str:
    """`value` as a line of text that can be shown and kept; empty when it is not text."""
    if not isinstance(value, str):
        return ""
    spaced = "".join(letter if letter.isprintable() else " " for letter in value[: 5 * LONGEST])
    return " ".join(spaced.split())[:LONGEST]


def address(value: Any) -> str:
    """`value` as an e-mail address to write to; empty when it is none."""
    return value if isinstance(value, str) and _printable(value, ADDRESS) else ""


def identifier(value: Any) -> str | None:
    """`value` as an identifier exactly as it came: visible ASCII, beginning with a letter or digit.

    It goes into account keys and, quoted, into addresses; so `..` and a blank are none.
    """
    return value if isinstance(value, str) and _printable(value, IDENTIFIER) else None


def _printable(value: str, pattern: re.Pattern[str]) -> bool:
    return value.isprintable() and pattern.fullmatch(value) is not None


def number(value: Any, most: int = 999_999_999) -> int | None:
    """`value`, a whole number or its digits as text, from 1 to `most`; else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and DIGITS.fullmatch(value.strip()):
        value = int(value.strip())
    return value if isinstance(value, int) and 1 <= value <= most else None


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` as an object: as it is, or as JSON text (DfE Sign-in sends both); else empty."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, Mapping) else {}


def listed(value: Any) -> list[Any]:
    """`value` as a list, also from JSON text; else empty."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return []
    return value if isinstance(value, list) else []


def names(value: Any) -> frozenset[str]:
    """The texts in a list of them, or a single text as a set of one."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list | tuple | set | frozenset):
        return frozenset()
    return frozenset(name for name in found if isinstance(name, str))


def day(value: Any) -> date | None:
    """The day of an ISO date or instant as text; else None."""
    match = DAY.fullmatch(value) if isinstance(value, str) else None
    try:
        return date.fromisoformat(match.group(1)) if match else None
    except ValueError:
        return None
