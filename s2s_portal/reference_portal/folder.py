"""The folder that keeps what this portal must remember: `S2S_DATA_DIR`, by default `instance/`."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path


def place(name: str | None = None) -> Path:
    """The folder (made if need be); `name` defaults to `S2S_DATA_DIR`, then to `instance`."""
    found = Path(name or os.environ.get("S2S_DATA_DIR") or "instance").resolve()
    found.mkdir(parents=True, exist_ok=True)
    return found


def secret_key(folder: Path) -> str:
    """The key that signs cookies: made once, readable by its owner alone.

    Two processes that start together agree on one key, for only one of them can link it in.
    """
    return _key(folder / "secret-key")


def match_key(folder: Path) -> str:
    """The key by which referrals about the same pupil find each other: made in the same way."""
    return _key(folder / "match-key")


def _key(path: Path) -> str:
    if not path.exists():
        write_whole(path, secrets.token_hex(32).encode(), replace=False)
    return path.read_text()


def write_whole(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write `path` all at once, mode 600: a reader sees all of it or none of it.

    Without `replace` a file that is there already stays as it is.
    """
    opened, draft = tempfile.mkstemp(prefix=".draft-", dir=path.parent)
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(content)
        if replace:
            Path(draft).replace(path)
        else:
            _link(draft, path)
    finally:
        Path(draft).unlink(missing_ok=True)


def _link(draft: str, path: Path) -> None:
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return
