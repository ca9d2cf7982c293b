"""What the API keeps of its clients: how often they ask, and what they were answered.

A POST has an Idempotency-Key. Its answer is kept in the transaction that does what was asked, so a
request that is sent again, after a cut or a time-out, gets the same answer and does nothing more.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.errors import KeyReused, TooMany
from s2s_portal.identity import Actor
from s2s_portal.models.finance_files import ApiAnswer, ApiUse
from s2s_portal.state import setting

FORGOTTEN_AFTER = timedelta(hours=1)


def count(by: Actor) -> None:
    """Count one request of a client. Raises TooMany when it has made too many in this minute.

    In PostgreSQL, as every process of the portal must count the same: Flask-Limiter keeps its
    counts in Redis, Memcached or MongoDB, which a council would have to run for this alone.
    """
    now = clock.now()
    minute = now.replace(second=0, microsecond=0)
    add = insert(ApiUse).values(by_id=by.id, minute=minute, count=1)
    with unit_of_work() as work:
        made = work.session.scalar(
            add.on_conflict_do_update(
                index_elements=[ApiUse.by_id, ApiUse.minute], set_={"count": ApiUse.count + 1}
            ).returning(ApiUse.count)
        )
        if made == 1:
            old = ApiUse.minute < minute - FORGOTTEN_AFTER
            work.session.execute(delete(ApiUse).where(ApiUse.by_id == by.id, old))
    most: int = setting("S2S_API_REQUESTS_A_MINUTE")
    if (made or 0) > most:
        raise TooMany(f"More than {most} requests in one minute. Wait until the next minute.")


def fingerprint(*parts: bytes) -> str:
    """What tells one request from another that has the same key."""
    return hashlib.sha256(b"\x00".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def earlier(work: UnitOfWork, key: str, wanted: str, *, by: Actor) -> ApiAnswer | None:
    """What a client was answered under a key, if it has used it; others wait until this is done.

    Raises KeyReused when the key was for another request.
    """
    work.session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('s2s api ' || :what, 0))"),
        {"what": f"{by.id} {key}"},
    )
    found = work.session.scalars(
        select(ApiAnswer).where(ApiAnswer.by_id == by.id, ApiAnswer.key == key)
    ).one_or_none()
    if found is not None and found.fingerprint != wanted:
        raise KeyReused("This Idempotency-Key has been used for another request.")
    return found


def keep(
    work: UnitOfWork, key: str, wanted: str, status: int, body: str, location: str, *, by: Actor
) -> ApiAnswer:
    """Keep an answer under a client's key, in the transaction that did what it says."""
    made = ApiAnswer(
        key=key,
        fingerprint=wanted,
        status=status,
        body=body,
        location=location,
        at=clock.now(),
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(made)
    audit.wrote(work, "answered", "API request", f"{by.id} {key}")
    return made
