"""Where the content of files is kept: a folder of this machine, or a bucket (`buckets`).

Content goes by a name we make up, 32 letters and digits; nothing of the file it came from is in it.
What a name stands for, and who may have it, is in the database alone.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from s2s_portal.errors import StorageAway

NAME = re.compile(r"[0-9a-f]{32}")
DRAFT = ".draft"  # what is being written, or was when the machine stopped
PRIVATE, PRIVATE_FOLDER = 0o600, 0o700


class Storage(Protocol):
    """Keeps content by name. Each raises StorageAway when it cannot do its work at the moment."""

    def put(self, name: str, content: bytes) -> None:
        """Keep `content` as `name`; it is safe when this returns."""
        ...

    def read(self, name: str) -> bytes:
        """The content of `name`. Raises StorageAway too when there is none."""
        ...

    def delete(self, name: str) -> None:
        """Remove `name`; nothing happens when there is none."""
        ...

    def listed(self) -> Iterator[tuple[str, datetime]]:
        """Each name, with the instant from which its content is."""
        ...


def new_name() -> str:
    """A name that nobody can guess."""
    return secrets.token_hex(16)


def build(config: Any, instance_path: str) -> Storage:
    """The storage that the settings of one mounted app name; nothing is made or asked yet.

    Raises NotMounted when it is a bucket and what talks to buckets is not installed.
    """
    if config["S2S_STORAGE_BUCKET"]:
        from s2s_portal.buckets import Bucket

        return Bucket(config["S2S_STORAGE_BUCKET"], config["S2S_STORAGE_ENDPOINT"])
    return Folder(Path(config["S2S_STORAGE_FOLDER"] or Path(instance_path) / "s2s-files"))


class Folder:
    """Content in a folder that its owner alone can read, a sub-folder for each first two letters.

    A file is written whole beside its place and then moved there, and both the file and the folder
    are on the disk before `put` returns.
    """

    def __init__(self, place: Path) -> None:
        self.place = place

    def put(self, name: str, content: bytes) -> None:
        path = self._path(name)
        try:
            for folder in (self.place, path.parent):
                folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
                folder.chmod(PRIVATE_FOLDER)
            _write(path, content)
        except OSError as error:
            raise StorageAway() from error

    def read(self, name: str) -> bytes:
        try:
            return self._path(name).read_bytes()
        except OSError as error:
            raise StorageAway() from error

    def delete(self, name: str) -> None:
        path = self._path(name)
        try:
            path.unlink(missing_ok=True)
            if path.parent.exists():
                _settle(path.parent)
        except OSError as error:
            raise StorageAway() from error

    def listed(self) -> Iterator[tuple[str, datetime]]:
        for path in self.place.glob("??/*"):
            with suppress(FileNotFoundError):  # gone since the folder was read
                yield path.name, datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name.removesuffix(DRAFT)):
            raise ValueError(f"not a name that we made: {name!r}")
        return self.place / name[:2] / name


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(path.name + DRAFT)
    opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    with os.fdopen(opened, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _settle(path.parent)


def _settle(folder: Path) -> None:
    """Have the disk remember what was moved into, or out of, a folder."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
