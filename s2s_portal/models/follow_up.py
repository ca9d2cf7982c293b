"""What became of what a record recommended, and reminders: of schools, and of records owed."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal import clock
from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, instant, key, words
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Recommendation, Visit, VisitRecord

UNDER_WAY = text("state IN ('not_started', 'trying')")


class Progress(StrEnum):
    """How far a school has come with a recommendation (features.md 3.9).

    Nobody says `not_started`: it is so until the school has said something.
    """

    NOT_STARTED = "not_started"
    TRYING = "trying"
    EMBEDDED = "embedded"
    STOPPED = "stopped"


class FollowUpProgress(Done, Base):
    """What a school said of one recommendation; the latest row counts. Rows are only ever added."""

    __tablename__ = "follow_up_progress"
    __table_args__ = (
        Index("ix_follow_up_progress_recommendation", "recommendation_id", "id"),
        Index("ix_follow_up_progress_referral_id", "referral_id"),
        CheckConstraint("state <> 'not_started'", name="said"),
        CheckConstraint("state <> 'stopped' OR words <> ''", name="stopped_why"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    recommendation_id: Mapped[int] = mapped_column(ForeignKey(Recommendation.id))
    state: Mapped[Progress] = mapped_column(choice(Progress, "state"))
    words: Mapped[words]


class FollowUp(Base):
    """One recommendation of an issued record and how it stands: kept by the database itself.

    `due_on` is the day that the record named, `provider_urn` the Complex Needs School whose
    practitioner made the visit, `said_at` when its school last said something. It is there for
    lists to be read in its order; `FollowUpProgress` says what it was made from.
    """

    __tablename__ = "follow_up"
    __table_args__ = (
        Index("ix_follow_up_due", "due_on", "recommendation_id", postgresql_where=UNDER_WAY),
        Index(
            "ix_follow_up_school", "urn", "due_on", "recommendation_id", postgresql_where=UNDER_WAY
        ),
        Index(
            "ix_follow_up_provider",
            "provider_urn",
            "due_on",
            "recommendation_id",
            postgresql_where=UNDER_WAY,
        ),
        Index("ix_follow_up_referral_id", "referral_id"),
    )

    recommendation_id: Mapped[int] = mapped_column(
        ForeignKey(Recommendation.id), primary_key=True, autoincrement=False
    )
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    record_id: Mapped[int] = mapped_column(ForeignKey(VisitRecord.id))
    urn: Mapped[int] = mapped_column(Integer, ForeignKey(Establishment.urn))
    provider_urn: Mapped[int] = mapped_column(Integer, ForeignKey(Establishment.urn))
    issued_on: Mapped[date]
    due_on: Mapped[date]
    state: Mapped[Progress] = mapped_column(choice(Progress, "state"))
    said_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    progress_id: Mapped[int | None] = mapped_column(ForeignKey(FollowUpProgress.id))


class FollowUpReminder(Base):
    """A mail to a school on a day with how many recommendations wait for its word."""

    __tablename__ = "follow_up_reminder"
    __table_args__ = (UniqueConstraint("urn", "sent_on"),)

    id: Mapped[key]
    urn: Mapped[int] = mapped_column(Integer, ForeignKey(Establishment.urn))
    sent_on: Mapped[date]
    number: Mapped[int] = mapped_column(Integer)
    at: Mapped[instant] = mapped_column(default=clock.now)


class RecordNudge(Done, Base):
    """Somebody, or the service itself, reminded a practitioner of a record that they owe.

    `on_day` is the working day: of each there is one reminder of a record at most. With `copied`
    the lead of their school got it too.
    """

    __tablename__ = "record_nudge"
    __table_args__ = (
        UniqueConstraint("visit_id", "on_day", name="uq_record_nudge_day"),
        Index("ix_record_nudge_referral_id", "referral_id"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    visit_id: Mapped[int] = mapped_column(ForeignKey(Visit.id))
    on_day: Mapped[date]
    copied: Mapped[bool]
