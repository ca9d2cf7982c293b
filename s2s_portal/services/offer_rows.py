"""What the open offers take of each practitioner's time, for whoever counts that."""

from __future__ import annotations

from sqlalchemy import ColumnElement, SmallInteger, Subquery, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from s2s_portal.models.offer import Offer


def taking_room(but: ColumnElement[int] | None) -> Subquery:
    """The tiers of the referrals on offer to each, but for the referral numbered `but`."""
    query = select(
        Offer.practitioner_id,
        func.array_agg(Offer.tier, type_=ARRAY(SmallInteger)).label("offered"),
    ).where(Offer.ended_at.is_(None))
    if but is not None:
        query = query.where(Offer.referral_id != but)
    return query.group_by(Offer.practitioner_id).subquery("offered")
