"""The audit trail: `wrote` inside a unit of work, `looked_at` while reading pupil data (F103).

Writes are audited in their own transaction, so a change and its audit row stand or fall together.
Reads are collected during the request and written before the answer leaves: when the row cannot be
written, the page is not shown.
"""

from __future__ import annotations

from flask import g, has_request_context, request
from sqlalchemy import insert

from s2s_portal import clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.identity import Actor, current_actor
from s2s_portal.models.audit import AuditEntry

# Inline: without it the statement asks for the new row's id back, and only an auditor may read it.
ADD = insert(AuditEntry.__table__).inline()  # type: ignore[arg-type]


def _row(actor: Actor, action: str, entity: str, key: str, outcome: int) -> dict[str, object]:
    return {
        "at": clock.now(),
        "by_id": actor.id,
        "by_name": actor.name,
        "roles": ",".join(sorted(actor.roles)),
        "action": action,
        "entity": entity,
        "entity_key": key,
        "outcome": outcome,
        "path": _storable(request.path)[:500] if has_request_context() else "",
    }


def _storable(text: str) -> str:
    """`text` as PostgreSQL can keep it: an address that was denied may hold anything."""
    return text.replace("\x00", "\ufffd")


def wrote(work: UnitOfWork, action: str, entity: str, key: str | int) -> None:
    """Record that the acting person did `action` (a verb in the past) to `entity` `key`."""
    work.flush()
    work.session.execute(ADD, [_row(current_actor(), action, entity, str(key), 0)])
    work.audited = True


def looked_at(entity: str, key: str | int) -> None:
    """Note that pupil data of `entity` `key` is being read; one row for each in this request.

    Outside a request (a job, a command) the row is written at once.
    """
    if not has_request_context():
        row = _row(current_actor(), "looked at", entity, str(key), 0)
        session().execute(ADD, [row])
        return
    g.setdefault("s2s_reads", {})[(entity, str(key))] = True


def write_reads(status: int) -> None:
    """Write what this request looked at, or was denied, in a transaction of its own.

    `status` is the HTTP status of the answer. Called once, as the answer is about to leave.
    """
    reads = g.pop("s2s_reads", {}) if status < 400 else {}
    rows = [_row(current_actor(), "looked at", entity, key, status) for entity, key in reads]
    if g.pop("s2s_denied", False):
        path = _storable(request.path)
        rows.append(_row(current_actor(), "was denied", "page", path, status))
    if not rows:
        return
    current = session()
    current.end_reading()
    current.execute(ADD, rows)
    current.commit()
