"""Which terms applied on a day, and what a referral costs under them, in words (F70, 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from s2s_portal import money
from s2s_portal.database import session
from s2s_portal.errors import NoTerms
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.terms import NeedType, ServiceTerms


@dataclass(frozen=True)
class FeeVerdict:
    """What a referral costs and why: `words` is shown before sending and frozen afterwards."""

    terms: ServiceTerms
    amount_pence: int
    words: str


def on(day: date) -> ServiceTerms:
    """The service terms of a referral received on `day`. Raises NoTerms before April 2015."""
    found = (
        session()
        .scalars(
            select(ServiceTerms)
            .where(ServiceTerms.during.contains(day))
            .options(joinedload(ServiceTerms.fees))
        )
        .unique()
        .one_or_none()
    )
    if found is None:
        raise NoTerms(f"No service terms cover {written(day)}, so no fee can be stated.")
    return found


def verdict(establishment: Establishment, received_on: date) -> FeeVerdict:
    """The fee of a referral from `establishment` received on `received_on`.

    For example "£100: mainstream school, received 14 May 2019, MI Sheet 44/19".
    """
    terms = on(received_on)
    fee = terms.fee_for(establishment.setting_kind)
    words = (
        f"{money.pounds(fee.amount_pence)}: {fee.reason},"
        f" received {written(received_on)}, {terms.source}"
    )
    return FeeVerdict(terms, fee.amount_pence, words)


def needs_on(day: date) -> list[NeedType]:
    """The census types of need that may be chosen on `day`, in the census's order."""
    return list(
        session().scalars(
            select(NeedType)
            .where(
                NeedType.valid_from <= day,
                or_(NeedType.valid_to.is_(None), NeedType.valid_to >= day),
            )
            .order_by(NeedType.position)
        )
    )


@lru_cache(maxsize=2_000)  # a list writes the same few dates over and over
def written(day: date) -> str:
    """A date as people write it: 14 May 2019."""
    return f"{day.day} {day:%B %Y}"
