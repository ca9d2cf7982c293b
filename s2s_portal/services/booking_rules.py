"""Which days and times a visit can have: what is refused, and what is asked first (F51).

Refused: before the referral was accepted, and too many months ahead. Asked first, with what is
known in words: a day on which the school is closed, and less time from one school to the next than
the way takes. Whoever says yes says it to those very words: of another day they are asked anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import ceil

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import joinedload

from s2s_portal import clock, working_days
from s2s_portal.database import session
from s2s_portal.errors import AskFirst, Refused
from s2s_portal.models.calendar import DateKind
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.visit import Visit, VisitKind, VisitRecord
from s2s_portal.services import calendar, calendar_files
from s2s_portal.services.labels import spoken
from s2s_portal.services.terms import written
from s2s_portal.state import setting

WEEKEND = {5: "a Saturday", 6: "a Sunday"}
STEP = 5  # minutes that a way is rounded up to


@dataclass(frozen=True)
class Wanted:
    """A visit as somebody asks for it, in wall-clock times of Norfolk.

    `agreed_day` and `enough_time` are the sentences that they were shown and said yes to.
    """

    kind: VisitKind
    day: date
    starts: time
    ends: time
    note: str = ""
    agreed_day: str = ""
    enough_time: str = ""

    @property
    def starts_at(self) -> datetime:
        """When it begins."""
        return clock.from_local(self.day, self.starts.hour, self.starts.minute)

    @property
    def ends_at(self) -> datetime:
        """When it ends."""
        return clock.from_local(self.day, self.ends.hour, self.ends.minute)


@dataclass(frozen=True)
class Unusual:
    """What is unusual about a visit, in words; empty where nothing is."""

    day: str = ""
    way: str = ""


def check(referral: Referral, wanted: Wanted) -> None:
    """Raise Refused for times that cannot be, whatever anybody says."""
    if wanted.ends_at <= wanted.starts_at:  # instants: when the clocks change, the wall may differ
        raise Refused("The end time must be later than the start time.", field="ends")
    first, why = _first_day(referral)
    if first and wanted.day < first:
        raise Refused(
            f"The visit must be on or after {written(first)}, when the referral was {why}.",
            field="day",
        )
    latest = months_after(clock.today(), int(setting("S2S_BOOKING_MONTHS")))
    if wanted.day > latest:
        raise Refused(f"The visit must be on or before {written(latest)}.", field="day")


def _first_day(referral: Referral) -> tuple[date | None, str]:
    """The day from which there can be visits, and what happened to the referral on it."""
    accepted = session().scalar(
        select(ReferralEvent.at)
        .where(ReferralEvent.referral_id == referral.id, ReferralEvent.action == Action.ACCEPTED)
        .order_by(ReferralEvent.id.desc())
        .limit(1)
    )
    if accepted is None:  # accepted before this service kept its history
        return referral.received_on, "received"
    return clock.local(accepted).date(), "accepted"


def months_after(day: date, months: int) -> date:
    """So many months after `day`; the last of the month where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in range(day.day, 27, -1):
        try:
            return date(year, month + 1, last)
        except ValueError:
            continue
    return date(year, month + 1, day.day)


def ask(referral: Referral, practitioner_id: int, wanted: Wanted) -> Unusual:
    """What is unusual about `wanted`, once whoever books has said yes to it.

    Raises AskFirst with what they have not said yes to, by the field that asks.
    """
    found = Unusual(
        unusual_day(wanted.day, referral.urn), short_of_time(referral, practitioner_id, wanted)
    )
    asks = {}
    if found.day and wanted.agreed_day != found.day:
        asks["agreed_day"] = found.day
    if found.way and wanted.enough_time != found.way:
        asks["enough_time"] = found.way
    if asks:
        raise AskFirst(asks)
    return found


def unusual_day(day: date, urn: int) -> str:
    """Why the school `urn` is closed on `day`, in a sentence; empty on a school day."""
    dates = calendar.of(urn)
    if dates.is_school_day(day):
        return ""
    return f"{written(day)} is {_why_closed(day, dates)}."


def _why_closed(day: date, dates: calendar.Calendar) -> str:
    if day.weekday() in WEEKEND:
        return WEEKEND[day.weekday()]
    if not working_days.is_working_day(day):
        return "a bank holiday"
    if not dates.is_working_day(day):
        return "a day on which the council is closed"
    year = calendar.academic_year(day)
    for kind, words in (
        (DateKind.INSET, "a staff training day of the school"),
        (DateKind.HALF_TERM, "in the school's half-term holiday"),
    ):
        if any(row.starts <= day <= row.ends for row in dates.dates_of(year, kind)):
            return words
    return "in the school's holidays"


def short_of_time(referral: Referral, practitioner_id: int, wanted: Wanted) -> str:
    """How long the ways from and to the other visits of that day take, where time is too short.

    In a sentence for each way; empty where there is time, or where the register names no place.
    Straight lines between the register's points, at the council's speed: a hint, not a route.
    """
    speed = float(setting("S2S_TRAVEL_MPH"))
    if speed <= 0:
        return ""
    others = visits_on(practitioner_id, wanted.day)
    provider = (
        session()
        .scalars(
            select(Establishment)
            .join(Practitioner, Practitioner.provider_urn == Establishment.urn)
            .where(Practitioner.id == practitioner_id)
        )
        .one()
    )
    here = calendar_files.place_of(wanted.kind, referral.establishment, provider)
    before = max((v for v in others if v.ends_at <= wanted.starts_at), key=_ends, default=None)
    after = min((v for v in others if v.starts_at >= wanted.ends_at), key=_starts, default=None)
    said = []
    if before is not None:
        there = calendar_files.place_of(before.kind, before.referral.establishment, provider)
        time_left = wanted.starts_at - before.ends_at
        said.append(_way(here, there, f"until {spoken(before.ends_at)}", time_left, speed))
    if after is not None:
        there = calendar_files.place_of(after.kind, after.referral.establishment, provider)
        time_left = after.starts_at - wanted.ends_at
        said.append(_way(here, there, f"from {spoken(after.starts_at)}", time_left, speed))
    return " ".join(words for words in said if words)


def _way(
    here: Establishment, there: Establishment, when: str, time_left: timedelta, speed: float
) -> str:
    miles = here.miles_to(there)
    if miles is None or here.urn == there.urn:
        return ""
    minutes = ceil(miles / speed * 60 / STEP) * STEP
    if time_left >= timedelta(minutes=minutes):
        return ""
    return f"You are at {there.name} {when}, {_miles(miles)} away: allow about {minutes} minutes."


def _starts(visit: Visit) -> datetime:
    return visit.starts_at


def _ends(visit: Visit) -> datetime:
    return visit.ends_at


def _miles(miles: float) -> str:
    whole = max(1, round(miles))
    return f"{whole} mile{'' if whole == 1 else 's'}"


def visits_on(practitioner_id: int, first: date, last: date | None = None) -> list[Visit]:
    """The visits that somebody makes from the day `first` to `last`, or on that day alone.

    In order, each with its referral and school: what they may see of their own.
    """
    return list(
        session().scalars(
            select(Visit)
            .join(Visit.referral)
            .where(
                Visit.practitioner_id == practitioner_id,
                Visit.starts_at >= clock.from_local(first),
                Visit.starts_at < clock.from_local((last or first) + timedelta(days=1)),
                takes_place(),
            )
            .order_by(Visit.starts_at)
            .options(joinedload(Visit.referral).joinedload(Referral.establishment))
        )
    )


def takes_place() -> ColumnElement[bool]:
    """That a visit, joined to its referral, was not cancelled, alone or with the whole case."""
    return Visit.cancelled_at.is_(None) & or_(
        # What was booked for a referral that has since been withdrawn does not take place.
        Referral.status != Status.WITHDRAWN,
        exists().where(VisitRecord.visit_id == Visit.id),
    )
