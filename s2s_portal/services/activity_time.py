"""The time that activities took: of one record, of a case, and put right after issue (F59, F87).

All times are minutes. The view `s2s.activity_time` has one row for each issued record, as it was
last corrected; a record itself never changes. No school reads any of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Integer, Numeric, column, func, select, table

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotAllowed, OutOfOrder, Refused
from s2s_portal.identity import Actor
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import TimeCorrection, VisitRecord
from s2s_portal.services import referrals, visits
from s2s_portal.services.record_answers import check_time

VIEW = table(
    "activity_time",
    column("record_id", BigInteger),
    column("referral_id", BigInteger),
    column("contact_minutes", Integer),
    column("preparation_minutes", Integer),
    column("write_up_minutes", Integer),
    column("travel_minutes", Integer),
    column("miles", Numeric),
    schema="s2s",
)
COLUMNS = ("contact_minutes", "preparation_minutes", "write_up_minutes", "travel_minutes", "miles")
NAMES = {
    "contact_minutes": "Contact",
    "preparation_minutes": "Preparation",
    "write_up_minutes": "Writing up",
    "travel_minutes": "Travel",
}


@dataclass(frozen=True)
class Spent:
    """Minutes of each kind, and miles; `records` says of how many records this is the sum.

    `corrections` are those of the one record, the first one first.
    """

    contact_minutes: int = 0
    preparation_minutes: int = 0
    write_up_minutes: int = 0
    travel_minutes: int = 0
    miles: Decimal = Decimal(0)
    records: int = 1
    corrections: tuple[TimeCorrection, ...] = ()

    @property
    def minutes(self) -> int:
        """All of it."""
        return (
            self.contact_minutes
            + self.preparation_minutes
            + self.write_up_minutes
            + self.travel_minutes
        )

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Each kind in words, then all together, then the miles."""
        found = [(name, spoken(getattr(self, key))) for key, name in NAMES.items()]
        return [*found, ("Together", spoken(self.minutes)), ("Miles", f"{self.miles:f}")]


class Measured(NamedTuple):
    """How many visits said what they took, and the middle value of what they took beside their own
    length, in minutes; None where fewer than five did."""

    visits: int
    beside: int | None


def spoken(minutes: int) -> str:
    """`1 hour 30 minutes`, `45 minutes`, `none`."""
    hours, rest = divmod(minutes, 60)
    said = [f"{hours} hour{'' if hours == 1 else 's'}"] if hours else []
    said += [f"{rest} minute{'' if rest == 1 else 's'}"] if rest else []
    return " ".join(said) or "None"


def of_record(record: VisitRecord) -> Spent | None:
    """What the issued `record` says now; None where the reader may not know."""
    row = session().execute(select(VIEW).where(VIEW.c.record_id == record.id)).one_or_none()
    if row is None:
        return None
    corrections = session().scalars(
        select(TimeCorrection)
        .where(TimeCorrection.record_id == record.id)
        .order_by(TimeCorrection.id)
    )
    times: dict[str, Any] = {name: getattr(row, name) for name in COLUMNS}
    return Spent(**times, corrections=tuple(corrections))


def of_case(referral: Referral) -> Spent:
    """All that the issued records of `referral` say, as far as the reader sees them."""
    sums = [func.coalesce(func.sum(VIEW.c[name]), 0).label(name) for name in COLUMNS]
    row = (
        session()
        .execute(
            select(*sums, func.count().label("records")).where(VIEW.c.referral_id == referral.id)
        )
        .one()
    )
    return Spent(**row._mapping)


def check_correctable(record: VisitRecord, by: Actor) -> None:
    """Raise NotAllowed for anybody but who wrote the record, OutOfOrder before it is issued."""
    place = visits.place_to_write(record.visit.referral, by)
    if (record.visit.writer_id or record.visit.practitioner_id) != place.number:
        raise NotAllowed("Only the practitioner who wrote this record can correct its time.")
    if record.issued_at is None:
        raise OutOfOrder("This record has not been issued yet. Change the draft instead.")


def correct(work: UnitOfWork, record: VisitRecord, *, to: Spent, reason: str, by: Actor) -> None:
    """Put the time of an issued `record` right; what it said stays, and so does every correction.

    The same again is no change. Raises as `check_correctable` does, and Refused without a `reason`
    or for more than a day has.
    """
    referral = referrals.get(record.visit.referral.reference, lock=True)
    check_correctable(record, by)
    check_time(to)
    if not reason.strip():
        raise Refused("Enter why the time was wrong.", field="reason")
    now = of_record(record)
    if now is not None and all(getattr(now, name) == getattr(to, name) for name in COLUMNS):
        return
    work.session.add(
        TimeCorrection(
            referral_id=referral.id,
            record_id=record.id,
            reason=reason,
            by_id=by.id,
            by_name=by.name,
            **{name: getattr(to, name) for name in COLUMNS},
        )
    )
    audit.wrote(
        work,
        "corrected time of",
        "visit record",
        f"{referral.reference} visit {record.visit.number}",
    )
    work.flush()


def measured(since: date | None = None) -> Measured:
    """What visits took beside their own length since a day, a year ago if none is given."""
    day = since or clock.today().replace(day=1, year=clock.today().year - 1)
    row = (
        session().execute(select(func.s2s.time_measure(day).table_valued("visits", "beside"))).one()
    )
    return Measured(row.visits, row.beside)
