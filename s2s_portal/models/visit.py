"""Visits and their formal records: drafted, issued, then never changed, only added to."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Computed,
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
    REMOTE = "REM"


class Attendance(StrEnum):
    """Whether a visit happened, and if not, why (F52): only then was support given."""

    HAPPENED = "happened"
    SCHOOL_NOT_READY = "school_not_ready"
    PUPIL_ABSENT = "pupil_absent"
    PRACTITIONER_UNAVAILABLE = "practitioner_unavailable"
    WEATHER = "weather"


class ReachedBy(StrEnum):
    """How somebody was reached from afar."""

    PHONE = "phone"
    VIDEO = "video"
    EMAIL = "email"


# Staff were spoken with although the pupil was away: that is support. Nothing else but a visit is.
GIVEN = "attendance = 'happened' OR (attendance = 'pupil_absent' AND talked)"
EDITION = 2  # of the parts that records ask for: 1 is from when all kinds asked the same


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

    Which of its columns a record asks for and shows says `services.record_parts`, by its kind and
    `edition`. `support_given` is the database's own word for whether this counts as support: read
    that, not `attendance`. The four times are minutes that the visit took of its practitioner,
    `miles` what was driven for it; None where nobody has said. Corrections of them are rows
    (`TimeCorrection`); the view `s2s.activity_time` has the last word.
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
    talked: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    support_given: Mapped[bool | None] = mapped_column(Boolean, Computed(GIVEN, persisted=True))
    edition: Mapped[int] = mapped_column(SmallInteger, default=EDITION, server_default=str(EDITION))
    contact_minutes: Mapped[int | None] = mapped_column(SmallInteger)
    preparation_minutes: Mapped[int | None] = mapped_column(SmallInteger)
    write_up_minutes: Mapped[int | None] = mapped_column(SmallInteger)
    travel_minutes: Mapped[int | None] = mapped_column(SmallInteger)
    miles: Mapped[Decimal | None] = mapped_column(Numeric(4, 1))
    people_met: Mapped[words]
    pupil_seen: Mapped[bool | None] = mapped_column(Boolean)
    reached_by: Mapped[ReachedBy | None] = mapped_column(choice(ReachedBy, "reached_by"))
    focus: Mapped[words]
    progress: Mapped[words]
    pupil_voice: Mapped[words]
    covered: Mapped[words]
    made: Mapped[words]
    intended_for: Mapped[words]
    how_to_use: Mapped[words]
    service: Mapped[words]
    reason: Mapped[words]
    how_to_reach: Mapped[words]
    agreed: Mapped[words]
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
    attendees: Mapped[list[Attendee]] = relationship(
        lazy="raise_on_sql", cascade="all, delete-orphan", order_by="Attendee.position"
    )
    joined: Mapped[TrainingSchool | None] = relationship(
        lazy="raise_on_sql", uselist=False, viewonly=True
    )
    evaluation: Mapped[TrainingEvaluation | None] = relationship(
        lazy="raise_on_sql", uselist=False, viewonly=True
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


class TrainingSchool(Done, Base):
    """Another school that joins a training: with what it needs to know of it, which it reads here.

    `visit_id` is the training, at the school that hosts it; `referral_id` whose school joins, and
    `place` where it goes. `record_id` is its own record, once that of the host has been issued.
    """

    __tablename__ = "training_school"
    __table_args__ = (
        UniqueConstraint("visit_id", "referral_id", name="uq_training_school_visit_id"),
        Index("ix_training_school_referral_id", "referral_id"),
    )

    id: Mapped[key]
    visit_id: Mapped[int] = mapped_column(ForeignKey(Visit.id))
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    referral: Mapped[Referral] = relationship(lazy="raise_on_sql", viewonly=True)
    school_name: Mapped[str] = mapped_column(Text)
    place: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[instant]
    ends_at: Mapped[instant]
    record_id: Mapped[int | None] = mapped_column(ForeignKey(VisitRecord.id))


class Attendee(Base):
    """Who took part in a training: how many in which role, or a member of staff by name.

    Never a pupil. `referral_id` is the school's that they are of; `joined_id` says so too until the
    record is issued, if it is not the host's.
    """

    __tablename__ = "training_attendee"
    __table_args__ = (
        UniqueConstraint("record_id", "position", name="uq_training_attendee_record_id"),
        CheckConstraint("people BETWEEN 1 AND 999", name="people"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    record_id: Mapped[int] = mapped_column(ForeignKey(VisitRecord.id))
    joined_id: Mapped[int | None] = mapped_column(ForeignKey(TrainingSchool.id))
    joined: Mapped[TrainingSchool | None] = relationship(lazy="raise_on_sql", viewonly=True)
    position: Mapped[int] = mapped_column(SmallInteger)
    role: Mapped[str] = mapped_column(Text)
    people: Mapped[int | None] = mapped_column(SmallInteger)
    name: Mapped[words]


class TrainingEvaluation(Done, Base):
    """What a school thought of a training, 1 to 5; its last word while its referral is open."""

    __tablename__ = "training_evaluation"
    __table_args__ = (
        CheckConstraint("useful BETWEEN 1 AND 5 AND confident BETWEEN 1 AND 5", name="scale"),
    )

    record_id: Mapped[int] = mapped_column(
        ForeignKey(VisitRecord.id), primary_key=True, autoincrement=False
    )
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    useful: Mapped[int] = mapped_column(SmallInteger)
    confident: Mapped[int] = mapped_column(SmallInteger)
    words: Mapped[words]


class TimeCorrection(Done, Base):
    """The time of an issued record as it should have been, and why; the last one holds."""

    __tablename__ = "time_correction"
    __table_args__ = (
        CheckConstraint(
            "contact_minutes BETWEEN 0 AND 1440 AND preparation_minutes BETWEEN 0 AND 1440"
            " AND write_up_minutes BETWEEN 0 AND 1440 AND travel_minutes BETWEEN 0 AND 1440",
            name="minutes",
        ),
        CheckConstraint("miles BETWEEN 0 AND 999", name="miles"),
        CheckConstraint("reason <> ''", name="reason"),
        Index("ix_time_correction_record_id", "record_id", "id"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    record_id: Mapped[int] = mapped_column(ForeignKey(VisitRecord.id))
    contact_minutes: Mapped[int] = mapped_column(SmallInteger)
    preparation_minutes: Mapped[int] = mapped_column(SmallInteger)
    write_up_minutes: Mapped[int] = mapped_column(SmallInteger)
    travel_minutes: Mapped[int] = mapped_column(SmallInteger)
    miles: Mapped[Decimal] = mapped_column(Numeric(4, 1))
    reason: Mapped[str] = mapped_column(Text)


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


def was_lost(visit: Visit) -> bool:
    """Whether an issued record says that the visit did not happen, so that it was no support.

    The visit's record must be loaded.
    """
    record = visit.record
    return record is not None and record.issued_at is not None and not record.support_given
