"""What somebody has typed into a visit record and not saved: kept on the server, for them alone.

As with the referral's form (`copies`, decision 15): nothing of a child stays in the browser, a copy
is no answer, and it goes when the record is saved or issued (the database sees to that), or after
as long as a draft is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, delete, select
from sqlalchemy.dialects.postgresql import insert

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import Actor
from s2s_portal.models.reply import RecordCopy
from s2s_portal.models.visit import Visit
from s2s_portal.services import records
from s2s_portal.state import setting

MOST_CHARACTERS = 600_000  # forty recommendations and every answer at its longest
MOST_FIELDS = 500

Fields = Sequence[tuple[str, str]]


def keep(work: UnitOfWork, visit: Visit, fields: Fields, *, by: Actor) -> datetime:
    """Keep what `by` has typed into the record of `visit`, instead of what was kept; when that was.

    Raises NotAllowed for who does not write it, OutOfOrder when it is issued or its time is over,
    Refused when there is more than a form can hold.
    """
    records.check_writable(visit, by)
    typed = [[name, text.replace("\x00", "")] for name, text in fields if "\x00" not in name]
    if len(typed) > MOST_FIELDS or sum(len(n) + len(t) for n, t in typed) > MOST_CHARACTERS:
        raise Refused("That is more than this record can hold.")
    at = clock.now()
    first = of(visit, by=by) is None
    work.session.execute(
        insert(RecordCopy)
        .values(visit_id=visit.id, referral_id=visit.referral_id, by_id=by.id, at=at, fields=typed)
        .on_conflict_do_update(
            index_elements=["visit_id", "by_id"], set_={"at": at, "fields": typed}
        )
    )
    if first:  # once for a copy: typing goes on
        key = f"{visit.referral.reference} visit {visit.number}"
        audit.wrote(work, "kept what was typed into", "visit record", key)
    return at


def of(visit: Visit, *, by: Actor) -> RecordCopy | None:
    """What `by` typed into the record of `visit` and did not save, or None."""
    return (
        session()
        .scalars(
            select(RecordCopy).where(RecordCopy.visit_id == visit.id, RecordCopy.by_id == by.id)
        )
        .one_or_none()
    )


def forget(work: UnitOfWork, visit: Visit, *, by: Actor) -> None:
    """Throw away what `by` typed into the record of `visit`: it is saved, or not wanted."""
    work.session.execute(
        delete(RecordCopy).where(RecordCopy.visit_id == visit.id, RecordCopy.by_id == by.id)
    )


def upkeep() -> int:
    """Throw away what nobody has gone on with for as long as a draft is kept; how many that were.

    Run daily, with the drafts: so goes what somebody typed who has lost the case since.
    """
    days: int = setting("S2S_DRAFT_DAYS")
    with unit_of_work() as work:
        gone: CursorResult[tuple[int]] = work.session.execute(  # type: ignore[assignment]
            delete(RecordCopy).where(RecordCopy.at < clock.now() - timedelta(days=days))
        )
        if gone.rowcount:
            audit.wrote(work, f"deleted {gone.rowcount} old copies of", "visit record", "typed")
        return int(gone.rowcount)
