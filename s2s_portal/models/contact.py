"""Attempts of a practitioner to reach a school that does not answer (F61)."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, key, words
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral


class HowTried(StrEnum):
    """How somebody tried to reach a school."""

    PHONE = "phone"
    EMAIL = "email"
    MESSAGE = "message"
    CALLED = "called"


class ContactAttempt(Done, Base):
    """One attempt that had no answer. Only ever added; `number` counts within the referral."""

    __tablename__ = "contact_attempt"
    __table_args__ = (
        UniqueConstraint("referral_id", "number"),
        CheckConstraint("number >= 1", name="number"),
        Index("ix_contact_attempt_allocation_id", "allocation_id"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    allocation_id: Mapped[int] = mapped_column(ForeignKey(Allocation.id))
    number: Mapped[int] = mapped_column(SmallInteger)
    tried_on: Mapped[date]
    how: Mapped[HowTried] = mapped_column(choice(HowTried, "how"))
    note: Mapped[words]
