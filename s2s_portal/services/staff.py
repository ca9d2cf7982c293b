"""What a lead sees of the staff of their Complex Needs School: cases, visits, what is owed, days.

Days released are those of the release pattern on school days of the school, without absences; days
used are what issued records say. Nothing here is about a child (features.md 3.10).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.documents.reimbursement import days as in_days
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Status
from s2s_portal.models.follow_up import FollowUp
from s2s_portal.models.offer import Ended, Offer
from s2s_portal.models.practitioner import Absence, Allocation, Practitioner, Release
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit, VisitKind, VisitRecord
from s2s_portal.services import calendar, practitioners, reimbursing
from s2s_portal.services.follow_up_lists import SPOKEN, UNDER_WAY, is_unconfirmed
from s2s_portal.services.periods import Span
from s2s_portal.services.records_due import Owed
from s2s_portal.services.visits import KIND_NAMES
from s2s_portal.state import setting

_ONE = timedelta(days=1)


@dataclass(frozen=True)
class Person:
    """One member of staff. `released` and `used` are minutes of the period up to today; `released`
    None: no hours have ever been entered."""

    number: int
    name: str
    active: bool
    cases: int
    visits: int
    owed: int
    unconfirmed: int
    released: int | None
    used: int

    @property
    def released_words(self) -> str:
        """Days released."""
        return "Not known" if self.released is None else _days(self.released)

    @property
    def used_words(self) -> str:
        """Days used."""
        return _days(self.used)

    @property
    def left_words(self) -> str:
        """Days that are owed to the service still, or that went beyond what was agreed."""
        if self.released is None:
            return "Not known"
        left = self.released - self.used
        return f"{_days(-left)} more than agreed" if left < 0 else f"{_days(left)} owed"


@dataclass(frozen=True)
class Coming:
    """A visit of this week."""

    reference: str
    school_name: str
    practitioner_id: int
    practitioner_name: str
    kind: VisitKind
    starts_at: datetime

    @property
    def kind_words(self) -> str:
        """What it is for."""
        return KIND_NAMES[self.kind]


@dataclass(frozen=True)
class Releases:
    """What became of offers for which the lead was asked in a period."""

    confirmed: int
    refused: int


def people(provider: int, span: Span, owed: Sequence[Owed]) -> list[Person]:
    """The staff of the school that the reader leads, by name: as many statements for any number."""
    today = clock.today()
    staff = session().scalars(_staff(provider)).all()
    numbers = [one.id for one in staff]
    until = min(span.ends, today)
    used = Counter[int]()
    for row in reimbursing.activity(provider, span.starts, until):
        used[row.practitioner_id] += row.minutes
    cases = _cases(numbers)
    owing = Counter(line.writer_id for line in owed)
    coming = Counter(row.practitioner_id for row in this_week(provider))
    released = _released(staff, provider, span.starts, until)
    waiting = _unconfirmed(numbers)
    return [
        Person(
            one.id,
            one.name,
            one.active,
            cases.get(one.id, 0),
            coming[one.id],
            owing[one.id],
            waiting.get(one.id, 0),
            released.get(one.id),
            used[one.id],
        )
        for one in staff
    ]


def _staff(provider: int) -> Select[Any]:
    return (
        select(Practitioner)
        .where(
            Practitioner.provider_urn == provider,
            Practitioner.id.in_(practitioners.KEPT),
        )
        .order_by(Practitioner.name, Practitioner.id)
    )


def _cases(numbers: list[int]) -> dict[int, int]:
    """How many open referrals each leads."""
    rows = session().execute(
        select(Allocation.practitioner_id, func.count())
        .join(Referral, Referral.id == Allocation.referral_id)
        .where(
            Allocation.practitioner_id.in_(numbers),
            Allocation.ended_at.is_(None),
            Referral.status == Status.ALLOCATED,
        )
        .group_by(Allocation.practitioner_id)
    )
    return {row[0]: row[1] for row in rows}


def _unconfirmed(numbers: list[int]) -> dict[int, int]:
    """How many recommendations wait for a school's word, by who has the referral now."""
    rows = session().execute(
        select(Allocation.practitioner_id, func.count())
        .join(FollowUp, FollowUp.referral_id == Allocation.referral_id)
        .join(Referral, Referral.id == Allocation.referral_id)
        .where(
            Allocation.practitioner_id.in_(numbers),
            Allocation.ended_at.is_(None),
            UNDER_WAY,
            SPOKEN,
            is_unconfirmed(clock.today()),
        )
        .group_by(Allocation.practitioner_id)
    )
    return {row[0]: row[1] for row in rows}


def _released(
    staff: Sequence[Practitioner], provider: int, since: date, until: date
) -> dict[int, int]:
    """Minutes released from `since` to `until`, for those of whom hours have been entered."""
    numbers = [one.id for one in staff]
    patterns: dict[int, list[Release]] = {}
    for row in session().scalars(
        select(Release)
        .where(Release.practitioner_id.in_(numbers))
        .order_by(Release.valid_from.desc(), Release.id.desc())
    ):
        patterns.setdefault(row.practitioner_id, []).append(row)
    away: dict[int, list[Absence]] = {}
    for absence in session().scalars(select(Absence).where(Absence.practitioner_id.in_(numbers))):
        away.setdefault(absence.practitioner_id, []).append(absence)
    dates = calendar.of(provider)
    every = (since + _ONE * number for number in range((until - since).days + 1))
    days = [day for day in every if dates.is_school_day(day)]
    return {
        one.id: sum(_minutes(day, one, patterns[one.id], away.get(one.id, [])) for day in days)
        for one in staff
        if one.id in patterns
    }


def _minutes(
    day: date, person: Practitioner, patterns: Sequence[Release], away: Sequence[Absence]
) -> int:
    if person.leaving_on is not None and day > person.leaving_on:
        return 0
    if any(one.starts <= day <= one.ends for one in away):
        return 0
    for pattern in patterns:  # the latest first: the first that has come counts
        if pattern.valid_from <= day:
            over = pattern.until is not None and day > pattern.until
            return 0 if over else pattern.minutes[day.weekday()]
    return 0


def this_week(provider: int) -> list[Coming]:
    """The visits that the staff of a school make this week, the earliest first: one statement."""
    today = clock.today()
    monday = today - timedelta(days=today.weekday())
    rows = session().execute(
        select(
            Referral.reference,
            Referral.school_name,
            Practitioner.id,
            Practitioner.name,
            Visit.kind,
            Visit.starts_at,
        )
        .join(Visit, Visit.referral_id == Referral.id)
        .join(Practitioner, Practitioner.id == Visit.practitioner_id)
        .outerjoin(VisitRecord, VisitRecord.visit_id == Visit.id)
        .where(
            Practitioner.provider_urn == provider,
            Visit.starts_at >= clock.from_local(monday),
            Visit.starts_at < clock.from_local(monday + timedelta(days=7)),
            Visit.cancelled_at.is_(None),
            (Referral.status != Status.WITHDRAWN) | VisitRecord.id.is_not(None),
        )
        .order_by(Visit.starts_at, Visit.id)
    )
    return [Coming(*row) for row in rows]


def releases(provider: int, span: Span) -> Releases:
    """How often the lead confirmed release for an offer, and how often not: one statement."""
    begin, end = clock.from_local(span.starts), clock.from_local(span.ends + _ONE)
    row = (
        session()
        .execute(
            select(
                func.count().filter(Offer.released_at >= begin, Offer.released_at < end),
                func.count().filter(
                    Offer.ended == Ended.NOT_RELEASED, Offer.ended_at >= begin, Offer.ended_at < end
                ),
            ).where(Offer.provider_urn == provider)
        )
        .one()
    )
    return Releases(*row)


def provider_of(actor: Actor) -> int:
    """The school that `actor` leads; 0, which is none, without one."""
    return actor.provider or 0


def _days(minutes: int) -> str:
    return in_days(minutes, int(setting("S2S_RELEASE_DAY_MINUTES")))
