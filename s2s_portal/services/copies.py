"""What somebody has typed into a section and not saved: kept on the server, for them alone.

Nothing of a child stays in the browser. A copy is no answer: nothing is checked, nobody else reads
it, and it goes when the section is saved or the referral is sent (the database sees to that).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import Refused
from s2s_portal.identity import Actor
from s2s_portal.models.answer import DraftCopy
from s2s_portal.models.referral import Referral
from s2s_portal.services import drafting, sections

MOST_CHARACTERS = 300_000
MOST_FIELDS = 500

Fields = Sequence[tuple[str, str]]


def keep(work: UnitOfWork, reference: str, section: str, fields: Fields, *, by: Actor) -> datetime:
    """Keep what `by` has typed into a section, instead of what was kept before; when that was.

    Raises NotFound as `drafting.mine` does, Refused when the referral does not ask the section, is
    no longer in the school's hands, or there is more than a form can hold.
    """
    referral = drafting.mine(reference, by=by)
    if section not in sections.keys(referral) or not drafting.is_in_hand(referral):
        raise Refused("This can no longer be changed.")
    typed = [[name, text.replace("\x00", "")] for name, text in fields if "\x00" not in name]
    if len(typed) > MOST_FIELDS or sum(len(n) + len(t) for n, t in typed) > MOST_CHARACTERS:
        raise Refused("That is more than this section can hold.")
    at = clock.now()
    row = {"referral_id": referral.id, "section": section, "by_id": by.id}
    first = of(referral, section, by=by) is None
    work.session.execute(
        insert(DraftCopy)
        .values(**row, at=at, fields=typed)
        .on_conflict_do_update(
            index_elements=["referral_id", "section", "by_id"], set_={"at": at, "fields": typed}
        )
    )
    if first:  # once for a copy: typing goes on
        audit.wrote(work, f"kept what was typed into {section} of", "referral", reference)
    return at


def of(referral: Referral, section: str, *, by: Actor) -> DraftCopy | None:
    """What `by` typed into a section and did not save, or None."""
    return (
        session()
        .scalars(
            select(DraftCopy).where(
                DraftCopy.referral_id == referral.id,
                DraftCopy.section == section,
                DraftCopy.by_id == by.id,
            )
        )
        .one_or_none()
    )


def forget(work: UnitOfWork, referral: Referral, section: str, *, by: Actor) -> None:
    """Throw away what `by` typed into a section: it is saved, or not wanted."""
    work.session.execute(
        delete(DraftCopy).where(
            DraftCopy.referral_id == referral.id,
            DraftCopy.section == section,
            DraftCopy.by_id == by.id,
        )
    )
