"""Whether the parts that the service needs are there: for a load balancer, without sign-on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from s2s_portal import clock, migrations
from s2s_portal.models.ledger import LedgerVerification
from s2s_portal.state import state

WORKER_SILENT_AFTER = timedelta(minutes=5)


def ready() -> dict[str, Any]:
    """`{"status": "ok" | "unavailable", "parts": {name: "ok" or what is wrong}}`.

    Nothing here names a host, a person or a figure.
    """
    parts = {"database": _database()}
    if parts["database"] == "ok":
        parts["migrations"] = _migrations()
    if parts.get("migrations") == "ok":
        parts["worker"] = _worker()
        parts["ledger"] = _ledger()
    needed = all(parts.get(name) == "ok" for name in ("database", "migrations"))
    sound = parts.get("ledger") != "does not verify"
    return {"status": "ok" if needed and sound else "unavailable", "parts": parts}


def _database() -> str:
    try:
        with state().engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return "cannot be reached"
    return "ok"


def _migrations() -> str:
    current, head = migrations.current(state().engine), migrations.head()
    return "ok" if current == head else f"at {current or 'nothing'}, this release needs {head}"


def _worker() -> str:
    with state().engine.connect() as connection:
        seen = connection.scalar(text("SELECT max(last_heartbeat) FROM s2s.procrastinate_workers"))
    if seen is None:
        return "never seen"
    return "ok" if clock.now() - seen < WORKER_SILENT_AFTER else "not seen for some minutes"


def _ledger() -> str:
    with state().engine.connect() as connection:
        last = connection.execute(
            select(LedgerVerification.sound).order_by(LedgerVerification.id.desc()).limit(1)
        ).scalar()
    if last is None:
        return "not verified yet"
    return "ok" if last else "does not verify"
