"""Closed work that others may learn from: who agreed to it, and the de-identified words (F91)."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, key, words
from s2s_portal.models.referral import Referral


class Party(StrEnum):
    """Whose consent it is."""

    SCHOOL = "school"
    PARENT = "parent"


class ConsentHow(StrEnum):
    """How somebody agreed, or took it back."""

    SIGNED = "signed"
    EMAIL = "email"
    VERBAL = "verbal"


class CaseStudyConsent(Done, Base):
    """Somebody agrees that a referral is told as a case study, or takes that back (`given` false).

    Rows are only added; the newest of each party counts.
    """

    __tablename__ = "case_study_consent"
    __table_args__ = (
        CheckConstraint("who <> ''", name="who"),
        Index("ix_case_study_consent_referral_id", "referral_id", "id"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    party: Mapped[Party] = mapped_column(choice(Party, "party"))
    given: Mapped[bool] = mapped_column(Boolean)
    who: Mapped[str] = mapped_column(Text)
    how: Mapped[ConsentHow] = mapped_column(choice(ConsentHow, "how"))
    on: Mapped[date] = mapped_column("on_day")


class CaseStudy(Done, Base):
    """What may be told of a referral: words that name nobody. It ends with the consent to it."""

    __tablename__ = "case_study"
    __table_args__ = (
        CheckConstraint("text <> ''", name="text"),
        Index(
            "uq_case_study_open",
            "referral_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    text: Mapped[str] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_by_id: Mapped[words]
    ended_by_name: Mapped[words]
