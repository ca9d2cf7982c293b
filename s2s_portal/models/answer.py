"""What a school answers about a referral: whom it is about, needs, what was tried, agreement."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    SmallInteger,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal import clock
from s2s_portal.database import Base
from s2s_portal.models.attachment import Attachment
from s2s_portal.models.codes import Achieved
from s2s_portal.models.columns import choice, instant, key, words
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import NeedType


class Subject(Base):
    """Whom or what a referral is about: the only place that names a child.

    `services` are those already involved with the pupil, each with `code` (`labels.SERVICES`),
    `name`, `since` (ISO date or empty) and `current`.
    """

    __tablename__ = "referral_subject"
    __table_args__ = (
        CheckConstraint("jsonb_typeof(services) = 'array'", name="services"),
        CheckConstraint("staff_count BETWEEN 1 AND 2000", name="staff_count"),
    )

    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), primary_key=True)
    surname: Mapped[words]
    forenames: Mapped[words]
    known_as: Mapped[words]
    date_of_birth: Mapped[date | None]
    sex: Mapped[words]
    upn: Mapped[words]
    year_group: Mapped[words]
    out_of_year: Mapped[bool] = mapped_column(Boolean, default=False)
    group_name: Mapped[words]
    group_size: Mapped[int | None] = mapped_column(SmallInteger)
    group_years: Mapped[words]
    sen_provision: Mapped[words]
    services: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default="[]")
    audience: Mapped[words]
    staff_count: Mapped[int | None] = mapped_column(SmallInteger)
    themes: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default="{}")
    topic: Mapped[words]
    preferred_dates: Mapped[words]

    @property
    def title(self) -> str:
        """How the pupil, group or training is called in a heading for those who may see it."""
        if self.topic:
            return f"Training: {self.topic}"
        if self.audience:
            return f"Whole school: {self.audience}"
        if self.group_name:
            return self.group_name
        return f"{self.known_as or self.forenames} {self.surname}".strip()


class Need(Base):
    """A type of need, by census code; rank 1 is the primary one, and there is exactly one."""

    __tablename__ = "referral_need"
    __table_args__ = (
        UniqueConstraint("referral_id", "rank"),
        CheckConstraint("rank BETWEEN 1 AND 5", name="rank"),
    )

    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), primary_key=True)
    code: Mapped[str] = mapped_column(ForeignKey(NeedType.code), primary_key=True)
    type: Mapped[NeedType] = relationship(lazy="joined", innerjoin=True, viewonly=True)
    rank: Mapped[int] = mapped_column(SmallInteger)


class StrategyTried(Base):
    """One round of assess, plan, do, review: what was found, planned and done, and its result.

    The first form asked for `what`, the dates and `result` alone; since then `what` is the plan,
    `assessed` comes before it, `delivered` says who did it how often, and it ends with a review.
    """

    __tablename__ = "strategy_tried"
    __table_args__ = (
        UniqueConstraint("referral_id", "position"),
        CheckConstraint("ended_on IS NULL OR ended_on >= started_on", name="dates"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    position: Mapped[int] = mapped_column(SmallInteger)
    what: Mapped[str] = mapped_column(Text)
    started_on: Mapped[date]
    ended_on: Mapped[date | None]
    result: Mapped[str] = mapped_column(Text)
    assessed: Mapped[words]
    delivered: Mapped[words]


class OutcomeWanted(Base):
    """One outcome the school wants, and at the end how far it was reached.

    `baseline` is where things are at referral, 0 (not at all) to 10 (all the time).
    """

    __tablename__ = "outcome_wanted"
    __table_args__ = (
        UniqueConstraint("referral_id", "position"),
        CheckConstraint("baseline BETWEEN 0 AND 10", name="baseline"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    position: Mapped[int] = mapped_column(SmallInteger)
    text: Mapped[str] = mapped_column(Text)
    baseline: Mapped[int | None] = mapped_column(SmallInteger)
    achieved: Mapped[Achieved | None] = mapped_column(choice(Achieved, "achieved"))
    comment: Mapped[words]
    recorded_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    recorded_by_id: Mapped[words]
    recorded_by_name: Mapped[words]


class Agreement(Base):
    """Agreement to the service's involvement (not the legal basis: domain.md 5)."""

    __tablename__ = "agreement"
    __table_args__ = (
        ForeignKeyConstraint(
            ["referral_id", "evidence_file"],
            [Attachment.referral_id, Attachment.number],
            name="fk_agreement_evidence_file",
        ),
    )

    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), primary_key=True)
    agreed: Mapped[bool] = mapped_column(Boolean)
    given_by: Mapped[words]
    relationship_to_pupil: Mapped[words]
    how: Mapped[words]
    obtained_by: Mapped[words]
    obtained_on: Mapped[date | None]
    privacy_notice: Mapped[words]
    group_told: Mapped[words]
    parental_responsibility: Mapped[bool | None] = mapped_column(Boolean)
    scope: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default="{}")
    shared_with: Mapped[words]
    # Where the evidence is kept: in words, or the number of an attached file, or both.
    evidence: Mapped[words]
    evidence_file: Mapped[int | None] = mapped_column(SmallInteger)
    pupil_agreed: Mapped[bool | None] = mapped_column(Boolean)
    pupil_agreed_on: Mapped[date | None]


class DraftCopy(Base):
    """What somebody has typed into a section and not saved yet: theirs alone to read.

    `fields` are the form's names and values in order. Gone when the section is saved or the
    referral is sent (a trigger); with the draft, when that goes.
    """

    __tablename__ = "draft_copy"

    referral_id: Mapped[int] = mapped_column(
        ForeignKey(Referral.id, ondelete="CASCADE"), primary_key=True
    )
    section: Mapped[str] = mapped_column(Text, primary_key=True)
    by_id: Mapped[str] = mapped_column(Text, primary_key=True)
    at: Mapped[instant] = mapped_column(default=clock.now)
    fields: Mapped[list[list[str]]] = mapped_column(JSONB)
