"""Who could take a referral, ranked by the service's rule, each with the reasons in words (F41)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.models.answer import Need
from s2s_portal.models.establishment import Establishment, miles_between
from s2s_portal.models.practitioner import (
    Allocation,
    Conflict,
    ConflictWeight,
    Level,
    Practitioner,
    Skill,
)
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import NeedType
from s2s_portal.services import caps, workload
from s2s_portal.services.candidate import Candidate, covers, order
from s2s_portal.services.caps import Limits
from s2s_portal.services.workload import Load, Weights

WEEK = timedelta(days=7)


def primary_need(referral: Referral) -> tuple[str, str]:
    """Census code and label of the primary need; both empty when none is named."""
    found = (
        session()
        .execute(
            select(Need.code, NeedType.label)
            .join(NeedType, NeedType.code == Need.code)
            .where(Need.referral_id == referral.id, Need.rank == 1)
        )
        .one_or_none()
    )
    return (found.code, found.label) if found else ("", "")


def ranked(
    referral: Referral, need: str | None = None, leaving: int | None = None
) -> list[Candidate]:
    """Every active practitioner who is not a lead, best first, for `referral`.

    `need` is the code of its primary need, looked up when it is not given; `leaving` the provider
    that it leaves, when it is with somebody already. As many statements
    however many practitioners there are. The establishment must be loaded.
    """
    if need is None:
        need, _label = primary_need(referral)
    today = clock.today()
    week_ago = clock.from_local(today - WEEK, 0)
    rows = (
        session()
        .execute(
            _practitioners(today),
            {"urn": referral.urn, "this": referral.id, "week_ago": week_ago, "need": need},
        )
        .all()
    )
    urns = {row.provider_urn for row in rows}
    days, weigh = workload.windows(urns, today), workload.weights(today)
    limits = caps.limits(today, leaving)
    tier = session().scalar(
        select(workload.TIER).select_from(Referral).where(Referral.id == referral.id)
    )
    found = [
        candidate(
            taker(row, days[row.provider_urn], weigh, limits, today),
            referral.establishment,
            need,
            Knows(row.level, row.expires_on) if row.level else None,
            more=weigh.of(tier),
            earlier=row.earlier,
            earlier_last=row.earlier_last,
            conflict=row.weight,
            conflict_reason=row.reason or "",
        )
        for row in rows
    ]
    return sorted(found, key=order)


class Knows(NamedTuple):
    """How well somebody knows a need, and until when that has been checked."""

    level: Level
    expires_on: date | None


class Taker(NamedTuple):
    """Somebody who takes referrals, as far as it is the same for every referral."""

    id: int
    name: str
    provider_urn: int
    provider_name: str
    easting: int | None
    northing: int | None
    phases: list[str]
    areas: list[str]
    open_cases: int
    capacity: int
    load: Load
    absences: tuple[tuple[date, date], ...]
    leaving_on: date | None
    caps: tuple[str, ...]
    last_week: int
    today: date


def taker(row: Any, days: list[date], weigh: Weights, limits: Limits, today: date) -> Taker:
    """One row of `workload.base` with `last_week` and the columns of `PERSON`, over the school
    days `days`."""
    cases = len(row.tiers or ())
    return Taker(
        id=row.id,
        name=row.name,
        provider_urn=row.provider_urn,
        provider_name=row.provider_name,
        easting=row.easting,
        northing=row.northing,
        phases=row.phases,
        areas=row.areas,
        open_cases=cases,
        capacity=row.capacity,
        load=workload.load(row, days, weigh),
        absences=tuple(workload.absences_of(row)),
        leaving_on=row.leaving_on,
        caps=tuple(limits.reached(row.id, row.provider_urn, cases)),
        last_week=row.last_week,
        today=today,
    )


def candidate(person: Taker, school: Any, need: str, knows: Knows | None, **more: Any) -> Candidate:
    """`person` for a referral of `school` with the primary need `need` (empty: none is named).

    `more` are the fields of a Candidate that depend on both: contact, conflict, minutes added.
    """
    lapsed = knows.expires_on if knows and knows.expires_on else None
    return Candidate(
        practitioner_id=person.id,
        name=person.name,
        provider_name=person.provider_name,
        miles=miles_between(school, person),
        covers_need=knows is not None if need else None,
        covers_phase=covers(person.phases, school.phase_code),
        open_cases=person.open_cases,
        capacity=person.capacity,
        level=knows.level if knows else None,
        lapsed_on=lapsed if lapsed and lapsed < person.today else None,
        in_area=not person.areas or school.district in person.areas,
        load=person.load,
        absences=person.absences,
        leaving_on=person.leaving_on,
        caps=person.caps,
        last_week=person.last_week,
        today=person.today,
        **more,
    )


@lru_cache(maxsize=2)
def _practitioners(today: date) -> Select[Any]:
    """One row for each practitioner; built once a day."""
    before = and_(Referral.urn == bindparam("urn"), Referral.id != bindparam("this"))
    lately = Allocation.at >= bindparam("week_ago")
    query, given = workload.base(
        today,
        or_(workload.OPEN, before, lately),
        func.count().filter(before).label("earlier"),
        func.max(Allocation.at).filter(before).label("earlier_last"),
        func.count().filter(lately).label("last_week"),
    )
    holds = and_(
        Conflict.practitioner_id == Practitioner.id,
        Conflict.urn == bindparam("urn"),
        func.coalesce(Conflict.starts, today) <= today,
        func.coalesce(Conflict.ends, today) >= today,
    )
    skill = and_(Skill.practitioner_id == Practitioner.id, Skill.code == bindparam("need"))
    return (
        query.add_columns(
            *PERSON,
            Skill.level,
            Skill.expires_on,
            Conflict.weight,
            Conflict.reason,
            func.coalesce(given.c.earlier, 0).label("earlier"),
            given.c.earlier_last,
            func.coalesce(given.c.last_week, 0).label("last_week"),
        )
        .join(Establishment, Establishment.urn == Practitioner.provider_urn)
        .outerjoin(Skill, skill)
        .outerjoin(Conflict, holds)
        .where(takes(today))
    )


# What `taker` needs beside the columns of `workload.base`.
PERSON = (
    Establishment.name.label("provider_name"),
    Establishment.easting,
    Establishment.northing,
    Practitioner.phases,
    Practitioner.areas,
    Practitioner.capacity,
)


def takes(today: date) -> ColumnElement[bool]:
    """Whether a practitioner takes referrals."""
    return and_(
        Practitioner.active,
        or_(Practitioner.leaving_on.is_(None), Practitioner.leaving_on >= today),
    )


def takers(leaving: int | None = None) -> tuple[list[Taker], Weights]:
    """Everybody who takes referrals, and what a referral weighs: for many referrals at once.

    `leaving` is the provider that they all leave, when they are with somebody already.
    """
    today = clock.today()
    lately = Allocation.at >= clock.from_local(today - WEEK, 0)
    query, given = workload.base(
        today, or_(workload.OPEN, lately), func.count().filter(lately).label("last_week")
    )
    rows = (
        session()
        .execute(
            query.add_columns(*PERSON, func.coalesce(given.c.last_week, 0).label("last_week"))
            .join(Establishment, Establishment.urn == Practitioner.provider_urn)
            .where(takes(today))
        )
        .all()
    )
    days = workload.windows({row.provider_urn for row in rows}, today)
    weigh, limits = workload.weights(today), caps.limits(today, leaving)
    return [taker(row, days[row.provider_urn], weigh, limits, today) for row in rows], weigh


def conflicts(urns: Iterable[int]) -> dict[tuple[int, int], tuple[ConflictWeight, str]]:
    """Weight and reason of the conflicts that hold today, by URN and practitioner."""
    today = clock.today()
    rows = session().execute(
        select(Conflict.urn, Conflict.practitioner_id, Conflict.weight, Conflict.reason).where(
            Conflict.urn.in_(set(urns)),
            func.coalesce(Conflict.starts, today) <= today,
            func.coalesce(Conflict.ends, today) >= today,
        )
    )
    return {(row.urn, row.practitioner_id): (row.weight, row.reason) for row in rows}


def known(codes: Iterable[str]) -> dict[tuple[str, int], Knows]:
    """Who knows which of the needs `codes`, by code and practitioner."""
    rows = session().execute(
        select(Skill.code, Skill.practitioner_id, Skill.level, Skill.expires_on).where(
            Skill.code.in_(set(codes))
        )
    )
    return {(row.code, row.practitioner_id): Knows(row.level, row.expires_on) for row in rows}
