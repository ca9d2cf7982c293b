"""Where a person may be sent after signing on: to a path of this portal, and nowhere else."""

from __future__ import annotations

from urllib.parse import urlsplit

LONGEST = 2000  # characters


def local_path(target: str | None) -> str | None:
    """`target` when it is a path of this portal, else None.

    Browsers read a backslash as a slash and skip control characters, so neither may be there.
    """
    if not target or not target.startswith("/") or target[1:2] == "/" or len(target) > LONGEST:
        return None
    if "\\" in target or any(ord(character) < 33 or ord(character) == 127 for character in target):
        return None
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    return None if parts.scheme or parts.netloc else target
