"""Is this a file we take? By its name, its size and its first bytes here; the rest, in a process of
its own, so that a file that is made to hurt its reader hurts nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from s2s_portal.uploads.formats import FORMATS, SAVE_AGAIN, Unacceptable
from s2s_portal.uploads.names import extension_of

PATIENCE = 15.0  # seconds, for a machine with much else to do
UNREADABLE = f"This file cannot be read. {SAVE_AGAIN}"

# The package's own __init__ would load the whole service: the reader gets the folder alone.
START = (
    "import json, sys, types;"
    " sys.path[:] = json.loads(sys.argv[1]);"
    " sys.modules['s2s_portal'] = types.ModuleType('s2s_portal');"
    " sys.modules['s2s_portal.uploads'] = types.ModuleType('s2s_portal.uploads');"
    " sys.modules['s2s_portal.uploads'].__path__ = [sys.argv[2]];"
    " from s2s_portal.uploads import reader;"
    " reader.main(sys.argv[3])"
)


@dataclass(frozen=True)
class Accepted:
    """A file to keep: its extension in small letters, and its content (a picture drawn anew)."""

    extension: str
    content: bytes


def check(name: str, content: bytes, *, largest: int) -> Accepted:
    """The file called `name`, if it is one that we take and at most `largest` bytes.

    Raises Unacceptable, in a sentence that says what to do.
    """
    extension = extension_of(name)
    if not content:
        raise Unacceptable("The file is empty. Choose another")
    if len(content) > largest:
        raise Unacceptable(too_large(largest))
    kind = FORMATS[extension]
    if not content.startswith(kind.begins):
        raise Unacceptable(f"This is not a {kind.words} file, whatever its name says. {SAVE_AGAIN}")
    kept = _read(extension, content)
    if len(kept) > largest:
        raise Unacceptable(too_large(largest))
    return Accepted("jpg" if extension == "jpeg" else extension, kept)


def too_large(largest: int) -> str:
    """What to say of a file of more than `largest` bytes."""
    return f"The file must be {largest // (1024 * 1024)} MB or smaller. Choose a smaller one"


def _read(extension: str, content: bytes) -> bytes:
    """What is to be kept, as the reading process says."""
    here = str(Path(__file__).parent)
    try:
        done = subprocess.run(  # noqa: S603 (our own program; the file is its input)
            [_python(), "-I", "-c", START, json.dumps(sys.path), here, extension],
            input=content,
            capture_output=True,
            timeout=PATIENCE,
            env=_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unacceptable(UNREADABLE) from error
    verdict, _, rest = done.stdout.partition(b"\n")
    if done.returncode != 0 or verdict not in {b"same", b"new", b"no"}:
        raise Unacceptable(UNREADABLE)
    if verdict == b"no":
        raise Unacceptable(rest.decode())
    return content if verdict == b"same" else rest


def _python() -> str:
    """The interpreter; within uWSGI and the like `sys.executable` is the server."""
    if Path(sys.executable).name.startswith("python"):
        return sys.executable
    return str(Path(sys.prefix) / "bin" / "python3")


def _environment() -> dict[str, str]:
    """What the reader may know: nothing of the service's secrets."""
    kept = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
    return {name: os.environ[name] for name in kept if name in os.environ}
