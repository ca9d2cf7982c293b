"""The processes that `make run` starts, and their orderly end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

GRACE = 15.0  # seconds that a process has to finish what it is doing


class ChildStopped(RuntimeError):
    """A part of the portal ended by itself, so the rest has been stopped too."""


class Child:
    """One Python process in a group of its own: a Ctrl-C reaches us, and we stop it in order."""

    def __init__(self, name: str, *arguments: str) -> None:
        self.name = name
        self.arguments = arguments
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it with our environment."""
        self.process = subprocess.Popen(  # noqa: S603 (our own modules)
            [sys.executable, *self.arguments], stdin=subprocess.DEVNULL, start_new_session=True
        )

    def check(self) -> None:
        """Raise ChildStopped when it runs no more."""
        status = self.process.poll() if self.process else None
        if status is not None:
            raise ChildStopped(
                f"The {self.name} stopped by itself (status {status}), so everything has been"
                " stopped. What it said is above."
            )

    def stop(self) -> None:
        """Ask it to stop; after `GRACE` seconds end it and all that it started."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GRACE)
                return
            except subprocess.TimeoutExpired:
                pass
        # Its group has its process id. What it left behind, if anything, goes with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
