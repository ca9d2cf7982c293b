"""Visits and their formal records: drafted, issued, then never changed, only added to."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal import clock
from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, instant, key, words
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.referral import Referral


class VisitKind(StrEnum):
    """What a visit is for (MI Sheet 44/19; domain.md 1.2)."""

    VISIT = "VIS"
    OBSERVATION = "OBS"
    ADVICE = "ADV"
    MODELLING = "MOD"
    TRAINING = "TRN"
    RESOURCES = "RES"
    PLAN_REVIEW = "PLN"
    MEETING = "MTG"
    REVERSE_VISIT = "RVS"
    SIGNPOSTING = "SGN"
    FOLLOW_UP = "FUP"


class Attendance(StrEnum):
    """Whether a visit happened, and if not, why (F52): only then was support given."""

    HAPPENED = "happened"
    SCHOOL_NOT_READY = "school_not_ready"
    PUPIL_ABSENT = "pupil_absent"
    PRACTITIONER_UNAVAILABLE = "practitioner_unavailable"
    WEATHER = "weather"


class Visit(Base):
    """One planned visit. `number` counts within the referral and is its address."""

    __tablename__ = "visit"
    __table_args__ = (
        UniqueConstraint("referral_id", "number"),
        CheckConstraint("ends_at > starts_at", name="times"),
        Index("ix_visit_practitioner", "practitioner_id", "starts_at"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    referral: Mapped[Referral] = relationship(lazy="raise_on_sql")
    number: Mapped[int] = mapped_column(SmallInteger)
    allocation_id: Mapped[int] = mapped_column(ForeignKey(Allocation.id))
    practitioner_id: Mapped[int] = mapped_column(ForeignKey(Practitioner.id))
    practitioner: Mapped[Practitioner] = relationship(
        lazy="raise_on_sql", foreign_keys=[practitioner_id]
    )
    kind: Mapped[VisitKind] = mapped_column(choice(VisitKind, "kind"))
    starts_at: Mapped[instant]
    ends_at: Mapped[instant]
    note: Mapped[words]
    # Who writes its record, where it is not who made the visit: it was handed over (F41).
    writer_id: Mapped[int | None] = mapped_column(ForeignKey(Practitioner.id))
    # It does not take place: the referral went to somebody else, or to nobody.
    cancelled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    cancelled_by_id: Mapped[words]
    cancelled_by_name: Mapped[words]
    booked_at: Mapped[instant] = mapped_column(default=clock.now)
    booked_by_id: Mapped[str] = mapped_column(Text)
    booked_by_name: Mapped[str] = mapped_column(Text)
    record: Mapped[VisitRecord | None] = relationship(
        lazy="raise_on_sql", uselist=False, back_populates="visit"
    )


class VisitRecord(Base):
    """The formal record of a visit; once `issued_at` is set the database refuses any change.

    The four times are minutes that the visit took of its practitioner, `miles` what was driven for
    it; None where nobody has said.
    """

    __tablename__ = "visit_record"
    __table_args__ = (
        UniqueConstraint("visit_id", name="uq_visit_record_visit_id"),
        Index(
            "ix_visit_record_visited",
            "visited_on",
            postgresql_where=text("issued_at IS NOT NULL"),
        ),
        CheckConstraint(
            "contact_minutes BETWEEN 0 AND 1440 AND preparation_minutes BETWEEN 0 AND 1440"
            " AND write_up_minutes BETWEEN 0 AND 1440 AND travel_minutes BETWEEN 0 AND 1440",
            name="minutes",
        ),
        CheckConstraint("miles BETWEEN 0 AND 999", name="miles"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    visit_id: Mapped[int] = mapped_column(ForeignKey(Visit.id))
    visit: Mapped[Visit] = relationship(lazy="raise_on_sql", back_populates="record")
    version: Mapped[int] = mapped_column(default=1)
    kind: Mapped[VisitKind] = mapped_column(choice(VisitKind, "kind"))
    visited_on: Mapped[date]
    started_at: Mapped[time | None]
    finished_at: Mapped[time | None]
    attendance: Mapped[Attendance] = mapped_column(
        choice(Attendance, "attendance"),
        default=Attendance.HAPPENED,
        server_default=Attendance.HAPPENED,
    )
    contact_minutes: Mapped[int | None] = mapped_column(SmallInteger)
    preparation_minutes: Mapped[int | None] = mapped_column(SmallInteger)
    write_up_minutes: Mapped[int | None] = mapped_column(SmallInteger)
    travel_minutes: Mapped[int | None] = mapped_column(SmallInteger)
    miles: Mapped[Decimal | None] = mapped_column(Numeric(4, 1))
    people_met: Mapped[words]
    pupil_seen: Mapped[bool | None] = mapped_column(Boolean)
    observed: Mapped[words]
    discussed: Mapped[words]
    resources_given: Mapped[words]
    next_visit: Mapped[words]
    author_id: Mapped[str] = mapped_column(Text)
    author_name: Mapped[str] = mapped_column(Text)
    saved_at: Mapped[instant] = mapped_column(default=clock.now)
    issued_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    recommendations: Mapped[list[Recommendation]] = relationship(
        lazy="raise_on_sql", cascade="all, delete-orphan", order_by="Recommendation.position"
    )
    addenda: Mapped[list[Addendum]] = relationship(lazy="raise_on_sql", order_by="Addendum.number")
    acknowledgement: Mapped[Acknowledgement | None] = relationship(
        lazy="raise_on_sql", uselist=False
    )

    __mapper_args__ = {"version_id_col": version}


class Recommendation(Base):
    """One strategy recommended in a record: what, who does it, by when."""

    __tablename__ = "recommendation"
    __table_args__ = (UniqueConstraint("record_id", "position"),)

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    record_id: Mapped[int] = mapped_column(ForeignKey(VisitRecord.id))
    position: Mapped[int] = mapped_column(SmallInteger)
    strategy: Mapped[str] = mapped_column(Text)
    owner: Mapped[words]
    by_when: Mapped[date | None]


class Addendum(Done, Base):
    """Something added to an issued record; numbered, only ever added."""

    __tablename__ = "addendum"
    __table_args__ = (UniqueConstraint("record_id", "number"),)

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    record_id: Mapped[int] = mapped_column(ForeignKey(VisitRecord.id))
    number: Mapped[int] = mapped_column(SmallInteger)
    text: Mapped[str] = mapped_column(Text)


class Acknowledgement(Done, Base):
    """The school has read the record."""

    __tablename__ = "acknowledgement"

    record_id: Mapped[int] = mapped_column(ForeignKey(VisitRecord.id), primary_key=True)
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))


class RecordDocument(Base):
    """The PDF of a record as it stood with its first `addenda` addenda: kept, so that the record
    read years later is still that one. `sha256` is the hex digest of `content`."""

    __tablename__ = "record_document"
    __table_args__ = (UniqueConstraint("record_id", "addenda"),)

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    record_id: Mapped[int] = mapped_column(ForeignKey(VisitRecord.id))
    addenda: Mapped[int] = mapped_column(SmallInteger, default=0)
    made_at: Mapped[instant] = mapped_column(default=clock.now)
    sha256: Mapped[str] = mapped_column(Text)
    content: Mapped[bytes] = mapped_column(LargeBinary)
