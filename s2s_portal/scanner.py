"""Asking clamd whether there is a virus in a file. Whatever is not a plain "no" is not a no.

The content goes over clamd's socket (INSTREAM), so that clamd needs no rights to our folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from clamdpy import ClamdNetworkSocket, ClamdUnixSocket
from clamdpy.exceptions import ClamdException

CHUNK = 64 * 1024  # bytes sent at a time


class NoVerdict(Exception):
    """The scanner is away, too slow, over its limit, or says what we do not understand."""


@dataclass(frozen=True)
class Verdict:
    """What the scanner said of one file: `found` is what it found, empty when nothing."""

    found: str

    @property
    def clean(self) -> bool:
        """Whether it found nothing."""
        return not self.found


def scan(content: bytes, *, address: str, timeout: float) -> Verdict:
    """Ask the clamd at `address` (a socket's path, or `host:port`) about `content`.

    `timeout` is how many seconds it may be silent. Raises NoVerdict unless it answers clearly.
    """
    clamd = _clamd(address, timeout)
    try:
        answer = clamd.instream(BytesIO(content), max_chunk_size=CHUNK)
    except (ClamdException, OSError, UnicodeDecodeError) as error:
        raise NoVerdict(f"{type(error).__name__}") from error
    if answer.status == "OK" and answer.reason is None:
        return Verdict("")
    if answer.status == "FOUND":
        return Verdict(answer.reason or "unnamed")
    raise NoVerdict(answer.reason or answer.status)


def answers(*, address: str, timeout: float) -> bool:
    """Whether a clamd answers at `address`."""
    try:
        return _clamd(address, timeout).ping().strip() == "PONG"
    except (ClamdException, OSError, ValueError):
        return False


def _clamd(address: str, timeout: float) -> ClamdNetworkSocket:
    host, colon, port = address.rpartition(":")
    if address.startswith("/") or not colon:
        return ClamdUnixSocket(address, timeout=timeout)
    if not port.isdecimal():
        raise NoVerdict(f"not an address: {address}")
    return ClamdNetworkSocket(host.strip("[]"), int(port), timeout=timeout)
