"""How an allocation ended, what was handed over, and who supports the practitioner (F41, F46)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, key, words
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.referral import Referral


class Why(StrEnum):
    """Why a referral is no longer with a practitioner: never a word about anybody's health."""

    LEFT = "left"
    ABSENT = "absent"
    WORKLOAD = "workload"
    CONFLICT = "conflict"
    SCHOOL_ASKED = "school_asked"
    PRACTITIONER_ASKED = "practitioner_asked"
    SPECIALISM = "specialism"
    MOVED = "moved"
    OTHER = "other"


class AllocationEnding(Done, Base):
    """An allocation ended: why, and to whom the referral went (`next_id` None: to nobody yet).

    `hand_over` is the officer's note for whoever has it next; no school reads this row. Rows are
    only ever added.
    """

    __tablename__ = "allocation_ending"
    __table_args__ = (
        CheckConstraint("why <> 'other' OR words <> ''", name="other_in_words"),
        Index("ix_allocation_ending_referral_id", "referral_id"),
        Index("uq_allocation_ending_next", "next_id", unique=True),
    )

    allocation_id: Mapped[int] = mapped_column(ForeignKey(Allocation.id), primary_key=True)
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    next_id: Mapped[int | None] = mapped_column(ForeignKey(Allocation.id))
    why: Mapped[Why] = mapped_column(choice(Why, "why"))
    hand_over: Mapped[words]
    words: Mapped[words]


class HandOverNote(Done, Base):
    """What a practitioner writes for whoever has the referral after them; rows are only added."""

    __tablename__ = "hand_over_note"
    __table_args__ = (CheckConstraint("text <> ''", name="text"),)

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), index=True)
    allocation_id: Mapped[int] = mapped_column(ForeignKey(Allocation.id))
    text: Mapped[str] = mapped_column(Text)


class SupportRole(StrEnum):
    """What a supporting practitioner does."""

    JOINT = "joint"
    SHADOWING = "shadowing"
    SPECIALIST = "specialist"
    WRITING = "writing"


class Supporter(Done, Base):
    """A practitioner beside the one who leads; at most one open row for both, and it ends once."""

    __tablename__ = "supporter"
    __table_args__ = (
        Index(
            "uq_supporter_open",
            "referral_id",
            "practitioner_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_supporter_practitioner", "practitioner_id", "ended_at"),
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint("(ended_at IS NULL) = (ended_reason = '')", name="ended"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    practitioner_id: Mapped[int] = mapped_column(ForeignKey(Practitioner.id))
    practitioner: Mapped[Practitioner] = relationship(lazy="raise_on_sql", viewonly=True)
    practitioner_name: Mapped[str] = mapped_column(Text)
    provider_urn: Mapped[int] = mapped_column(ForeignKey(Establishment.urn))
    provider_name: Mapped[str] = mapped_column(Text)
    role: Mapped[SupportRole] = mapped_column(choice(SupportRole, "role"))
    reason: Mapped[str] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_by_id: Mapped[words]
    ended_by_name: Mapped[words]
    ended_reason: Mapped[words]
