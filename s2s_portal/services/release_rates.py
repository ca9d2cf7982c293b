"""What released time and a mile are paid at: rates by date, of the county or of one school.

A rate is never changed: the next one ends it. What a statement was worked out with stays with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import joinedload

from s2s_portal import audit
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import Refused
from s2s_portal.identity import Actor
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.reimbursement import Per, ReleaseRate
from s2s_portal.services.terms import written

MOST_PENCE = 1_000_000  # £10,000 for a day is a mistake
PER_WORDS = {Per.DAY: "a day", Per.HOUR: "an hour"}
RATES_LOCK = 5_204  # namespace of the advisory lock that puts new rates in order
HOUR = 60  # minutes


@dataclass(frozen=True)
class Amount:
    """What is paid, in pence: for the time and for the miles."""

    time: int
    miles: int


def every() -> list[ReleaseRate]:
    """Every rate, the county's first, the latest first."""
    return list(
        session().scalars(
            select(ReleaseRate)
            .options(joinedload(ReleaseRate.provider))
            .order_by(ReleaseRate.provider_urn.nulls_first(), func.lower(ReleaseRate.during).desc())
        )
    )


def providers() -> dict[int, str]:
    """The Complex Needs Schools that can have a rate of their own, by URN."""
    rows = session().execute(
        select(Establishment.urn, Establishment.name)
        .where(Establishment.urn.in_(select(Practitioner.provider_urn)))
        .order_by(Establishment.name)
    )
    return {row.urn: row.name for row in rows}


def on(day: date, provider: int, rates: Sequence[ReleaseRate]) -> ReleaseRate | None:
    """The rate of that day: the school's own, else the county's, else none."""
    held = [one for one in rates if one.provider_urn in {provider, None} and day in one.during]
    return min(held, key=lambda one: one.provider_urn is None, default=None)


def pay(minutes: int, miles: Decimal, rate: ReleaseRate, day_minutes: int) -> Amount:
    """What so many minutes and miles are worth, each rounded half up to the penny.

    `day_minutes` is how many minutes a day counts as, where the rate is by the day.
    """
    unit = HOUR if rate.per is Per.HOUR else day_minutes
    time = Decimal(minutes * rate.time_pence) / unit
    return Amount(_pence(time), _pence(miles * rate.mile_pence))


def _pence(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def add(
    work: UnitOfWork,
    *,
    provider: int | None,
    since: date,
    per: Per,
    time_pence: int,
    mile_pence: int,
    source: str,
    by: Actor,
) -> ReleaseRate:
    """Add a rate that holds from `since` on; the one before ends the day before.

    Raises Refused (naming the field) unless it begins after the latest of the same school, or of
    the county.
    """
    if provider is not None and provider not in providers():
        raise Refused("Choose a Complex Needs School from the list.", field="provider")
    session().execute(select(func.pg_advisory_xact_lock(RATES_LOCK, provider or 0)))
    latest = (
        session()
        .scalars(
            select(ReleaseRate)
            .where(ReleaseRate.provider_urn.is_not_distinct_from(provider))
            .order_by(func.lower(ReleaseRate.during).desc())
            .limit(1)
            .execution_options(populate_existing=True)
        )
        .first()
    )
    if latest is not None:
        begun = latest.during.lower
        if begun is not None and since <= begun:
            raise Refused(
                f"A rate from {written(begun)} is there already. Enter a later day.",
                field="valid_from",
            )
        if latest.during.upper is None:
            latest.during = Range(begun, since)
            work.flush()
    made = ReleaseRate(
        provider_urn=provider,
        during=Range(since, None),
        per=per,
        time_pence=time_pence,
        mile_pence=mile_pence,
        source=source,
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(made)
    audit.wrote(work, "added", "release rate", f"{provider or 'county'} {since}")
    return made
