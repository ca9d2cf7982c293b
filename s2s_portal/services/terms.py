"""Which terms applied on a day, and what a referral costs under them, in words (F70, 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from sqlalchemy import or_, select

from s2s_portal import money
from s2s_portal.database import session
from s2s_portal.errors import NoTerms
from s2s_portal.models.codes import Kind
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.fees import FeeRule, FeeSetting
from s2s_portal.models.terms import NeedType, ServiceTerms


@dataclass(frozen=True)
class FeeVerdict:
    """What a referral costs and why: `words` is shown before sending and frozen afterwards.

    `rule` is the version of the fee rule that said so.
    """

    terms: ServiceTerms
    rule: FeeRule
    words: str

    @property
    def amount_pence(self) -> int:
        """The fee in pence."""
        return self.rule.amount_pence


def on(day: date) -> ServiceTerms:
    """The service terms of a referral received on `day`. Raises NoTerms before April 2015."""
    found = session().scalar(select(ServiceTerms).where(ServiceTerms.during.contains(day)))
    if found is None:
        raise _no_terms(day)
    return found


def verdict(
    establishment: Establishment, received_on: date, kind: Kind | None = None
) -> FeeVerdict:
    """The fee of a referral of one kind from `establishment` received on `received_on`.

    For example "£100: mainstream school, received 14 May 2019, MI Sheet 44/19". A referral whose
    kind is not chosen yet is taken for one about a pupil. Raises NoTerms.
    """
    row = (
        session()
        .execute(
            select(ServiceTerms, FeeRule)
            .join(FeeRule, FeeRule.during.contains(received_on))
            .where(
                ServiceTerms.during.contains(received_on),
                FeeRule.setting == FeeSetting.of(establishment),
                FeeRule.kind == (kind or Kind.PUPIL),
            )
        )
        .one_or_none()
    )
    if row is None:
        raise _no_terms(received_on)
    return FeeVerdict(row[0], row[1], words_of(row[1], received_on))


def words_of(rule: FeeRule, received_on: date) -> str:
    """What `rule` says of a referral received on `received_on`."""
    return (
        f"{money.pounds(rule.amount_pence)}: {rule.reason},"
        f" received {written(received_on)}, {rule.source}"
    )


def _no_terms(day: date) -> NoTerms:
    return NoTerms(f"No service terms cover {written(day)}, so no fee can be stated.")


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
