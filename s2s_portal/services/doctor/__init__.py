"""Looks at every part of the service's own, and says what to do about what is wrong.

`flask s2s check` prints it, with what it sees of the host (`s2s_portal.host_checks`). Run it as the
service itself. What is tried is rolled back.
"""

from __future__ import annotations

from s2s_portal.services import health
from s2s_portal.services.doctor import files, guards, planning, records, server
from s2s_portal.services.doctor.findings import Finding, Look, worst

__all__ = ["Finding", "Look", "examine", "worst"]

UPGRADE = "Run: flask s2s db upgrade"


def examine() -> list[Finding]:
    """Every finding, in the order in which to put things right.

    Stops after the first parts when the database cannot be reached or its schema is not this
    release's: nothing after that could be looked at.
    """
    parts = health.ready()["parts"]
    found = _ground(parts)
    if worst(found) == "fail":
        return found
    looks = [
        *server.LOOKS,
        *guards.LOOKS,
        records.STATUSES,
        records.MARKS,
        *files.LOOKS,
        *planning.LOOKS,
        records.worker(parts["worker"]),
        records.ledger(parts["ledger"]),
    ]
    return found + [finding for look in looks for finding in look.findings()]


def _ground(parts: dict[str, str]) -> list[Finding]:
    if parts["database"] != "ok":
        says = "It cannot be reached: check the address and the server."
        return [Finding("fail", "database", says)]
    found = server.VERSION.findings()
    if parts["migrations"] != "ok":
        return [*found, Finding("fail", "schema", f"It is {parts['migrations']}. {UPGRADE}.")]
    return [*found, Finding("ok", "schema", "It is this release's.")]
