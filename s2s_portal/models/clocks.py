"""What was promised, by when, and whether it was kept (features.md F26; decision 24)."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, instant, key, words
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import ServiceLevel, Step
from s2s_portal.models.visit import Visit


class ClockState(StrEnum):
    """Whether a clock counts, stands still, or has ended: kept or broken, or of no use any more."""

    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    STOPPED = "stopped"


OPEN = frozenset({ClockState.RUNNING, ClockState.PAUSED})


class ClockKind(StrEnum):
    """What has happened to a clock."""

    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    RECOMPUTED = "recomputed"
    MET = "met"
    STOPPED = "stopped"


class CouncilClosure(Done, Base):
    """Days from `starts` to `ends`, both included, on which the council does not work."""

    __tablename__ = "council_closure"
    __table_args__ = (
        UniqueConstraint("starts", "ends"),
        CheckConstraint("ends >= starts", name="dates"),
    )

    id: Mapped[key]
    starts: Mapped[date]
    ends: Mapped[date]
    reason: Mapped[str] = mapped_column(Text)


class ReferralClock(Base):
    """One promise about one referral: a step that is due by the end of `due_on`.

    `day_zero` is the day it counts from, itself not counted. `level_id` and `calendar` are the rule
    and the version of the calendar that the date came from. `due_on` of a clock that stands still
    is the one it had; it is worked out anew when the clock goes on.
    """

    __tablename__ = "referral_clock"
    __table_args__ = (
        Index("ix_referral_clock_referral_id", "referral_id", "id"),
        Index(
            "uq_referral_clock_open",
            "referral_id",
            "step",
            "visit_id",
            unique=True,
            postgresql_where=text("state IN ('running', 'paused')"),
            postgresql_nulls_not_distinct=True,
        ),
        Index(
            "ix_referral_clock_due_on", "due_on", "id", postgresql_where=text("state = 'running'")
        ),
        CheckConstraint(
            "(state IN ('met', 'stopped')) = (ended_at IS NOT NULL)",
            name="ended",
        ),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    urn: Mapped[int] = mapped_column(Integer, ForeignKey(Establishment.urn))
    step: Mapped[Step] = mapped_column(choice(Step, "step"))
    visit_id: Mapped[int | None] = mapped_column(ForeignKey(Visit.id))
    level_id: Mapped[int] = mapped_column(ForeignKey(ServiceLevel.id))
    level: Mapped[ServiceLevel] = relationship(lazy="raise_on_sql")
    calendar: Mapped[words]
    started_at: Mapped[instant]
    day_zero: Mapped[date]
    due_on: Mapped[date]
    warn_on: Mapped[date]
    state: Mapped[ClockState] = mapped_column(
        choice(ClockState, "state"), default=ClockState.RUNNING
    )
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    changes: Mapped[list[ClockChange]] = relationship(
        lazy="raise_on_sql", order_by="ClockChange.id", viewonly=True
    )
    breach: Mapped[ClockBreach | None] = relationship(
        lazy="raise_on_sql", uselist=False, viewonly=True
    )


class ClockChange(Done, Base):
    """Something that happened to a clock on `on_day`, and the date it had then; only ever added."""

    __tablename__ = "clock_change"
    __table_args__ = (Index("ix_clock_change_clock_id", "clock_id", "id"),)

    id: Mapped[key]
    clock_id: Mapped[int] = mapped_column(ForeignKey(ReferralClock.id))
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    kind: Mapped[ClockKind] = mapped_column(choice(ClockKind, "kind"))
    on_day: Mapped[date]
    due_on: Mapped[date]
    reason: Mapped[words]


class ClockBreach(Base):
    """A promise that was not kept, as it stood when that was noted; nothing moves it (F26).

    Only the database's own function `note_breaches` writes one.
    """

    __tablename__ = "clock_breach"
    __table_args__ = (CheckConstraint("noted_on > due_on", name="past"),)

    clock_id: Mapped[int] = mapped_column(
        ForeignKey(ReferralClock.id), primary_key=True, autoincrement=False
    )
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), index=True)
    step: Mapped[Step] = mapped_column(choice(Step, "step"))
    due_on: Mapped[date]
    noted_on: Mapped[date]
    noted_at: Mapped[instant]
