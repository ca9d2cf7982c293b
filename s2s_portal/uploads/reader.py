"""The process that reads one file: with little memory, little time, and nothing to lose.

`check` starts it. The file comes on standard input; the answer is `same`, or `new` and what is to
be kept in its place, or `no` and why, after a line's end. Ends by itself, badly, when the file
wants more than the limits.
"""

from __future__ import annotations

import resource
import sys

# Bytes of address space. A picture is held three times while it is drawn anew.
MEMORY, MEMORY_FOR_PICTURES = 400 * 1024 * 1024, 1024 * 1024 * 1024
DOCUMENTS = {"pdf", "docx", "xlsx"}
SECONDS = 8  # of the processor


def main(extension: str) -> None:
    """Read standard input as a file with this extension, and answer."""
    memory = MEMORY if extension in DOCUMENTS else MEMORY_FOR_PICTURES
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from s2s_portal.uploads.formats import Unacceptable

    content = sys.stdin.buffer.read()
    try:
        kept = look(content, extension)
        answer = b"same\n" if kept is content else b"new\n" + kept
    except Unacceptable as why:
        answer = b"no\n" + str(why).encode()
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()


def look(content: bytes, extension: str) -> bytes:
    """What is to be kept of a file; only the reader that it needs is loaded."""
    if extension == "pdf":
        from s2s_portal.uploads import pdf

        return pdf.look(content)
    if extension in {"docx", "xlsx"}:
        from s2s_portal.uploads import office

        return office.look(content, extension)
    from s2s_portal.uploads import picture

    return picture.look(content, "PNG" if extension == "png" else "JPEG")
