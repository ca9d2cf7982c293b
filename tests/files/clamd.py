"""A real clamd in a process of its own, that knows one signature: ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

PROGRAM = shutil.which("clamd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
MARK = b"S2S-PRIVATE-SIGNATURE-7K4P"  # what the signature looks for: not a virus, and nobody's
PATIENCE = 30.0  # seconds for it to start

# In CI clamd is there (.ci/run installs it) and the tests must run: no clamd is then a failure.
needs_clamd = pytest.mark.skipif(
    PROGRAM is None and not os.environ.get("CI"),
    reason="no clamd is installed on this machine (Debian: clamav-daemon)",
)


class Clamd:
    """clamd on a socket in `folder`; it can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "clamd.sock"
        self.process: subprocess.Popen[bytes] | None = None
        signatures = folder / "signatures"
        signatures.mkdir()
        (signatures / "private.ndb").write_text(f"S2S.Test.Private:0:*:{MARK.hex()}\n")
        self.configuration = folder / "clamd.conf"
        self.configure(stream="11M")

    def configure(self, *, stream: str) -> None:
        """Say how much it takes at a time; it hears of it when it starts."""
        self.configuration.write_text(
            f"DatabaseDirectory {self.folder / 'signatures'}\nLocalSocket {self.socket}\n"
            f"Foreground yes\nStreamMaxLength {stream}\nAlertExceedsMax yes\n"
            f"AlertEncrypted yes\nLogFile {self.folder / 'log'}\nMaxThreads 2\n"
            f"TemporaryDirectory {self.folder}\nConcurrentDatabaseReload no\n"
        )

    @property
    def address(self) -> str:
        """What S2S_CLAMD is set to."""
        return str(self.socket)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        from s2s_portal import scanner

        assert PROGRAM, "clamd is not installed: apt-get install clamav-daemon"
        self.process = subprocess.Popen(
            [PROGRAM, "--config-file", str(self.configuration)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + PATIENCE
        while not (self.socket.exists() and scanner.answers(address=self.address, timeout=5)):
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until, "clamd did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None
        self.socket.unlink(missing_ok=True)
