"""A school's own referrals, newest first, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, tuple_
from sqlalchemy.orm import joinedload

from s2s_portal import audit
from s2s_portal.database import session
from s2s_portal.identity import Actor
from s2s_portal.models.referral import Referral
from s2s_portal.services import referrals
from s2s_portal.state import setting


@dataclass(frozen=True)
class ListPage:
    """One page of referrals; `next_after` is the reference that the next page begins after."""

    rows: list[Referral]
    next_after: str | None


def listed(*, by: Actor, after: str | None = None) -> ListPage:
    """The referrals of the schools `by` acts for, those begun last first.

    The names of the pupils are shown to their school alone, and each counts as a read. `after` is
    a reference from a page before; NotFound when it is none of theirs.
    """
    size = int(setting("S2S_PAGE_SIZE"))
    query = (
        select(Referral)
        .where(Referral.urn.in_(by.establishments))
        .options(joinedload(Referral.subject))
        .order_by(Referral.created_at.desc(), Referral.id.desc())
        .limit(size + 1)
    )
    if after is not None:
        last = referrals.get(after)
        query = query.where(
            tuple_(Referral.created_at, Referral.id) < tuple_(last.created_at, last.id)
        )
    found = list(session().scalars(query))
    rows, more = found[:size], len(found) > size
    for row in rows:
        audit.looked_at("referral", row.reference)
    return ListPage(rows, rows[-1].reference if more else None)
