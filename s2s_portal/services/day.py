"""A practitioner's day and week: where to be, when, whom to ask for, and what is new (W1).

Nothing here is about a child: a visit is its reference, its school and its kind. What the school
said about arriving is shown, what it said about safety is not: it may speak of the pupil, and is
with the referral.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import or_, select

from s2s_portal import clock, working_days
from s2s_portal.database import session
from s2s_portal.identity import Actor
from s2s_portal.models.calendar import DateKind
from s2s_portal.models.codes import Status
from s2s_portal.models.conversation import Message, Side
from s2s_portal.models.establishment import Establishment, miles_between
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit, VisitKind, VisitRecord
from s2s_portal.services import calendar
from s2s_portal.services.calendar import KIND_WORDS, Calendar, academic_year
from s2s_portal.services.caseload import Case, Caseload
from s2s_portal.services.visits import KIND_NAMES

NEW_FOR = 10  # working days for which a referral is new to whoever it was given to (W1)
EARLIEST, LATEST = date(2000, 1, 3), date(2200, 1, 1)  # beyond these an address is nonsense
WEEKDAYS = 5
_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Stop:
    """One visit of a day. `miles` is a straight line from the visit before, of the first from the
    practitioner's own school; None when one of the two is not on the map.

    `shut` says that the school visited has a day off, in words; `settled` that it has a record.
    """

    reference: str
    number: int
    kind: VisitKind
    starts_at: datetime
    ends_at: datetime
    note: str
    school_name: str
    address: str
    ask_for: str
    phone: str
    arriving: str
    shut: str
    settled: bool
    miles: float | None

    @property
    def kind_words(self) -> str:
        """What the visit is for."""
        return KIND_NAMES[self.kind]

    @property
    def distance(self) -> str:
        """`1.9 miles in a straight line`, or nothing where nobody knows."""
        if self.miles is None:
            return ""
        return "At the same place" if self.miles < 0.05 else f"{self.miles:.1f} miles"


@dataclass(frozen=True)
class Day:
    """One day and its visits, the earliest first; `off` says in words why it is a day off."""

    day: date
    stops: tuple[Stop, ...]
    off: str

    @property
    def is_today(self) -> bool:
        """Whether it is the present day."""
        return self.day == clock.today()


@dataclass(frozen=True)
class Week:
    """The days of a week from Monday: the five of work, and a weekend day with a visit in it."""

    days: tuple[Day, ...]

    @property
    def monday(self) -> date:
        """Its first day."""
        return self.days[0].day

    @property
    def before(self) -> date:
        """A day of the week before."""
        return self.monday - _WEEK

    @property
    def after(self) -> date:
        """A day of the week after."""
        return self.monday + _WEEK

    @property
    def visits(self) -> int:
        """How many visits there are in it."""
        return sum(len(day.stops) for day in self.days)

    def day_of(self, day: date) -> Day | None:
        """That day of it, if it is listed."""
        return next((one for one in self.days if one.day == day), None)


@dataclass(frozen=True)
class New:
    """Referrals with no contact logged: given in the last days of work, and longer ago."""

    lately: list[Case]
    longer_ago: list[Case]


def day_asked_for(words: str) -> date:
    """The day that an address names, `2019-05-14`; today for nonsense."""
    try:
        found = date.fromisoformat(words) if len(words) == 10 and words.isascii() else clock.today()
    except ValueError:
        return clock.today()
    return found if EARLIEST <= found <= LATEST else clock.today()


def week(actor: Actor, on: date) -> Week:
    """The week of `on` with the visits that `actor` makes: four statements.

    Visits that do not take place are left out.
    """
    monday = on - timedelta(days=on.weekday())
    home = session().scalar(
        select(Establishment)
        .join(Practitioner, Practitioner.provider_urn == Establishment.urn)
        .where(Practitioner.account_id == actor.id)
    )
    rows = _visits(actor, monday)
    urns = {row.Establishment.urn for row in rows}
    dates = calendar.of_several(urns | ({home.urn} if home else set()))
    own = dates[home.urn] if home else calendar.of()
    days = []
    for number in range(7):
        day = monday + timedelta(days=number)
        stops = _stops([row for row in rows if _day_of(row.Visit) == day], home, dates)
        if stops or number < WEEKDAYS:
            days.append(Day(day, stops, day_off(day, own)))
    return Week(tuple(days))


def _day_of(visit: Visit) -> date:
    return clock.local(visit.starts_at).date()


def _visits(actor: Actor, monday: date) -> list[Any]:
    begin, end = clock.from_local(monday), clock.from_local(monday + _WEEK)
    return list(
        session().execute(
            select(Visit, Referral, Establishment, VisitRecord.issued_at)
            .join(Practitioner, Practitioner.id == Visit.practitioner_id)
            .join(Referral, Referral.id == Visit.referral_id)
            .join(Establishment, Establishment.urn == Referral.urn)
            .outerjoin(VisitRecord, VisitRecord.visit_id == Visit.id)
            .where(
                Practitioner.account_id == actor.id,
                Visit.starts_at >= begin,
                Visit.starts_at < end,
                Visit.cancelled_at.is_(None),
                or_(Referral.status != Status.WITHDRAWN, VisitRecord.id.is_not(None)),
            )
            .order_by(Visit.starts_at, Visit.id)
        )
    )


def _stops(
    rows: list[Any], home: Establishment | None, dates: dict[int, Calendar]
) -> tuple[Stop, ...]:
    found, before = [], home
    for row in rows:
        visit, referral, school = row.Visit, row.Referral, row.Establishment
        found.append(
            Stop(
                referral.reference,
                visit.number,
                visit.kind,
                visit.starts_at,
                visit.ends_at,
                visit.note,
                referral.school_name,
                ", ".join(part for part in (school.street, school.town, school.postcode) if part),
                ", ".join(part for part in (referral.contact_name, referral.contact_role) if part),
                referral.contact_phone,
                referral.visit_notes,
                day_off(_day_of(visit), dates[school.urn]),
                row.issued_at is not None,
                miles_between(before, school) if before is not None else None,
            )
        )
        before = school
    return tuple(found)


def day_off(day: date, dates: Calendar) -> str:
    """Why `day` is a day off at a school with these dates, in words; empty when it is none."""
    holiday = working_days.bank_holiday(day)
    if holiday:
        return f"Bank holiday: {holiday}"
    if day.weekday() >= WEEKDAYS:
        return "Weekend"
    if not dates.is_working_day(day):
        return "The council is closed"
    if dates.is_school_day(day):
        return ""
    for kind in (DateKind.HALF_TERM, DateKind.INSET):
        rows = dates.dates_of(academic_year(day), kind)
        if any(row.starts <= day <= row.ends for row in rows):
            return KIND_WORDS[kind]
    return "School holiday"


def new_to(actor: Actor, mine: Caseload) -> New:
    """The referrals that `actor` leads and has neither booked a visit for nor written about.

    Two statements.
    """
    told = set(
        session().scalars(
            select(Referral.reference)
            .join(Message, Message.referral_id == Referral.id)
            .where(
                Referral.reference.in_([case.reference for case in mine.new]),
                Message.side == Side.PRACTITIONER,
                Message.by_id == actor.id,
            )
        )
    )
    closed, today = calendar.closures(), clock.today()
    found = New([], [])
    for case in mine.new:
        if case.reference not in told:
            given = clock.local(case.allocated_at).date()
            lately = working_days.between(given, today, closed) <= NEW_FOR
            (found.lately if lately else found.longer_ago).append(case)
    return found
