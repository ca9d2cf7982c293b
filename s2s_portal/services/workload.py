"""How much of a practitioner's time their work takes: the one place where that is worked out (F35).

    workload = (sum of the weights of open referrals, of those on offer and of those supported
                + length of each planned visit + weight of a visit, each)
               / hours of release that are left

all of it in the next four school weeks: twenty school days from today by the calendar of the
practitioner's own school, so that holidays and staff training days count on neither side. Hours
that are left are those of the release pattern that holds on each day, without the days of an
absence and those after the leaving date. A planned visit starts in that time, under an allocation
that has not ended. Weights are dated rows (`workload_weight`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Label, Select, Subquery, and_, func, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.models.codes import Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import Absence, Allocation, Practitioner, Release
from s2s_portal.models.reallocation import Supporter
from s2s_portal.models.visit import Visit
from s2s_portal.models.workload import CASE, Weight, WorkKind
from s2s_portal.services import calendar, offer_rows, practitioners
from s2s_portal.services.calendar import Calendar

AHEAD = 20  # school days: four school weeks
FARTHEST = timedelta(days=120)  # no twenty school days take longer, the summer included
NEARLY = 80  # per cent
FULL = 100


class Weights(NamedTuple):
    """Minutes for a referral of each tier (None: of any other), for a visit, for one supported."""

    referral: Mapping[int | None, int]
    visit: int
    support: int = 0

    def of(self, tier: int | None) -> int:
        """Minutes that an open referral of `tier` takes."""
        return self.referral.get(tier, self.referral.get(None, 0))


class Load(NamedTuple):
    """The work of one practitioner in the next four school weeks, all times in minutes.

    `available` is None where no hours of release have ever been entered. `offered` of the `cases`
    are offers that wait for an answer.
    """

    cases: int
    case_minutes: int
    visits: int
    visit_minutes: int
    available: int | None
    offered: int = 0
    supported: int = 0
    support_minutes: int = 0

    @property
    def minutes(self) -> int:
        """All the work."""
        return self.case_minutes + self.visit_minutes + self.support_minutes

    def percent(self, more: int = 0) -> int | None:
        """The workload with `more` minutes of work; None when there are no hours to go by."""
        if not self.available:
            return None
        return round(100 * (self.minutes + more) / self.available)

    @property
    def colour(self) -> str:
        """The colour of the tag, which the words of `band` are in."""
        return {"Room": "green", "Nearly full": "yellow", "Hours not known": "grey"}.get(
            self.band, "red"
        )

    @property
    def band(self) -> str:
        """How it stands, in two or three words."""
        if self.available is None:
            return "Hours not known"
        percent = self.percent()
        if percent is None:
            return "No hours left" if self.minutes else "No hours"
        if percent > FULL:
            return "Over 100%"
        return "Nearly full" if percent >= NEARLY else "Room"

    @property
    def short(self) -> str:
        """`84%`, or why there is no number."""
        percent = self.percent()
        return self.band if percent is None else f"{percent}%"

    @property
    def words(self) -> str:
        """How the number comes about, in one sentence."""
        on_offer = f", {self.offered} of them on offer" if self.offered else ""
        beside = f", {self.supported} more supported ({_hours(self.support_minutes)})"
        work = (
            f"{_count(self.cases, 'open referral')}{on_offer} ({_hours(self.case_minutes)})"
            f"{beside if self.supported else ''} and"
            f" {_count(self.visits, 'visit')} ({_hours(self.visit_minutes)})"
            " in the next four school weeks"
        )
        if self.available is None:
            return f"{work}; no hours of release have been entered"
        over = ""
        if self.minutes > self.available:
            over = f": {_hours(self.minutes - self.available)} more than there is"
        return f"{self.short}: {work}, of {_hours(self.available)} available{over}"

    def change(self, more: int) -> str:
        """The number now and with `more` minutes of work: `84% to 97%`."""
        after = self.percent(more)
        return self.short if after is None else f"{self.short} to {after}%"


class TeamLine(NamedTuple):
    """One practitioner's load, with their school."""

    practitioner_id: int
    name: str
    provider_name: str
    active: bool
    load: Load


def weights(on: date) -> Weights:
    """The weights that hold on a day: one statement."""
    rows = session().scalars(
        select(Weight).where(Weight.valid_from <= on).order_by(Weight.valid_from)
    )
    referral: dict[int | None, int] = {}
    other = {WorkKind.VISIT: 0, WorkKind.SUPPORT: 0}
    for row in rows:
        if row.kind is WorkKind.REFERRAL:
            referral[row.tier] = row.minutes
        else:
            other[row.kind] = row.minutes
    return Weights(referral, other[WorkKind.VISIT], other[WorkKind.SUPPORT])


def all_weights() -> list[Weight]:
    """Every weight, by kind, tier and day."""
    return list(
        session().scalars(
            select(Weight).order_by(Weight.kind, Weight.tier.nulls_first(), Weight.valid_from)
        )
    )


OPEN = and_(Allocation.ended_at.is_(None), CASE.c.status == Status.ALLOCATED.value)


def base(
    today: date,
    which: ColumnElement[bool] = OPEN,
    *more: Label[Any],
    but: ColumnElement[int] | None = None,
) -> tuple[Select[Any], Subquery]:
    """Practitioners who are no leads, with what `load` needs of each; and their allocations.

    For a caller who adds columns of their own; `more` are sums over the allocations `which`, which
    hold the open ones. Columns: `id`, `name`, `provider_urn`, `leaving_on`, `active`, `tiers`,
    `offered`, `starts`, `ends`, `supported`, `releases`, `absences`. An offer that is open takes
    room as a referral does, but for that of the referral numbered `but`.
    """
    cases, offered = _cases(which, more), offer_rows.taking_room(but)
    planned = _planned(today)
    released, away = _releases(), _absences(today)
    query = (
        select(
            Practitioner.id,
            Practitioner.name,
            Practitioner.provider_urn,
            Practitioner.leaving_on,
            Practitioner.active,
            cases.c.tiers,
            offered.c.offered,
            planned.c.starts,
            planned.c.ends,
            _supported().label("supported"),
            released.c.releases,
            away.c.absences,
        )
        .outerjoin(cases, cases.c.practitioner_id == Practitioner.id)
        .outerjoin(offered, offered.c.practitioner_id == Practitioner.id)
        .outerjoin(planned, planned.c.practitioner_id == Practitioner.id)
        .outerjoin(released, released.c.practitioner_id == Practitioner.id)
        .outerjoin(away, away.c.practitioner_id == Practitioner.id)
        .where(Practitioner.is_lead.is_(False))
    )
    return query, cases


def windows(urns: Iterable[int], today: date) -> dict[int, list[date]]:
    """The next twenty school days of several schools, by URN: one statement.

    Schools that go by the county's dates share one list.
    """
    found: dict[int, list[date]] = {}
    county: list[date] | None = None
    for urn, dates in calendar.of_several(urns).items():
        if any(row.urn == urn for row in dates.dates):
            found[urn] = _days(dates, today)
        else:
            county = county or _days(dates, today)
            found[urn] = county
    return found


def load(row: Any, days: list[date], weigh: Weights) -> Load:
    """The load of one row of `base`, over the school days `days`."""
    offered = row.offered or ()
    tiers = [*(row.tiers or ()), *offered]
    last = days[-1]
    visits = [
        (end - start).total_seconds() // 60
        for start, end in zip(row.starts or (), row.ends or (), strict=True)
        if clock.local(start).date() <= last
    ]
    return Load(
        cases=len(tiers),
        case_minutes=sum(map(weigh.of, tiers)),
        visits=len(visits),
        visit_minutes=int(sum(visits)) + weigh.visit * len(visits),
        available=_available(row, days),
        offered=len(offered),
        supported=row.supported,
        support_minutes=row.supported * weigh.support,
    )


def absences_of(row: Any) -> list[tuple[date, date]]:
    """First and last days of the absences of a row of `base` that are not over, soonest first."""
    return [
        (date.fromisoformat(starts), date.fromisoformat(ends))
        for starts, ends in row.absences or ()
    ]


def team(provider: int | None) -> list[TeamLine]:
    """The load of each practitioner of one school, or of all (None): highest first.

    Four statements. Who is no longer active is there as long as they have open referrals.
    """
    today = clock.today()
    query, cases = base(today)
    query = query.where(Practitioner.active | cases.c.tiers.is_not(None))
    if provider is not None:
        query = query.where(
            Practitioner.provider_urn == provider, Practitioner.id.in_(practitioners.KEPT)
        )
    rows = session().execute(query).all()
    schools = {row.provider_urn for row in rows}
    days, weigh = windows(schools, today), weights(today)
    found = session().execute(
        select(Establishment.urn, Establishment.name).where(Establishment.urn.in_(schools))
    )
    names = {row.urn: row.name for row in found}
    lines = [
        TeamLine(
            row.id,
            row.name,
            names[row.provider_urn],
            row.active,
            load(row, days[row.provider_urn], weigh),
        )
        for row in rows
    ]
    return sorted(lines, key=lambda one: (-_height(one.load), one.name, one.practitioner_id))


def _height(one: Load) -> float:
    """For the order: work without hours stands above everything, unknown hours below."""
    percent = one.percent()
    if percent is not None:
        return percent
    if one.available is None:
        return -1
    return float("inf") if one.minutes else 0


def _available(row: Any, days: list[date]) -> int | None:
    if not row.releases:
        return None
    patterns = [
        (date.fromisoformat(since), date.fromisoformat(until) if until else date.max, minutes)
        for since, until, minutes in row.releases
    ]
    away, leaves = absences_of(row), row.leaving_on or date.max
    total = 0
    for day in days:
        if day > leaves or any(starts <= day <= ends for starts, ends in away):
            continue
        for since, until, minutes in patterns:  # the latest first: the first that has come counts
            if since <= day:
                total += minutes[day.weekday()] if day <= until else 0
                break
    return total


def _days(dates: Calendar, today: date) -> list[date]:
    found: list[date] = []
    day = today
    while len(found) < AHEAD:
        day = dates.school_day_from(day)
        found.append(day)
        day += timedelta(days=1)
    return found


def _cases(which: ColumnElement[bool], more: Iterable[Label[Any]]) -> Subquery:
    return (
        select(
            Allocation.practitioner_id,
            func.array_agg(CASE.c.tier).filter(OPEN).label("tiers"),
            *more,
        )
        .join(CASE, CASE.c.id == Allocation.referral_id)
        .where(which)
        .group_by(Allocation.practitioner_id)
        .subquery("cases")
    )


def _planned(today: date) -> Subquery:
    starts = clock.from_local(today, 0)
    return (
        select(
            Visit.practitioner_id,
            func.array_agg(aggregate_order_by(Visit.starts_at, Visit.id)).label("starts"),
            func.array_agg(aggregate_order_by(Visit.ends_at, Visit.id)).label("ends"),
        )
        .join(Allocation, Allocation.id == Visit.allocation_id)
        .join(CASE, CASE.c.id == Visit.referral_id)
        .where(
            and_(Visit.starts_at >= starts, Visit.starts_at < starts + FARTHEST),
            Visit.cancelled_at.is_(None),
            OPEN,
        )
        .group_by(Visit.practitioner_id)
        .subquery("planned")
    )


def _supported() -> ColumnElement[int]:
    theirs = and_(Supporter.practitioner_id == Practitioner.id, Supporter.ended_at.is_(None))
    going = and_(CASE.c.id == Supporter.referral_id, CASE.c.status == Status.ALLOCATED.value)
    return select(func.count()).where(theirs, going).correlate(Practitioner).scalar_subquery()


def _releases() -> Subquery:
    pattern = func.jsonb_build_array(Release.valid_from, Release.until, Release.minutes)
    return (
        select(
            Release.practitioner_id,
            func.jsonb_agg(
                aggregate_order_by(pattern, Release.valid_from.desc(), Release.id.desc()),
                type_=JSONB,
            ).label("releases"),
        )
        .group_by(Release.practitioner_id)
        .subquery("released")
    )


def _absences(today: date) -> Subquery:
    days = func.jsonb_build_array(Absence.starts, Absence.ends)
    return (
        select(
            Absence.practitioner_id,
            func.jsonb_agg(aggregate_order_by(days, Absence.starts), type_=JSONB).label("absences"),
        )
        .where(Absence.ends >= today)
        .group_by(Absence.practitioner_id)
        .subquery("away")
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _hours(minutes: int) -> str:
    return f"{minutes / 60:.1f}".removesuffix(".0") + " h"
