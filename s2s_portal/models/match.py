"""Marks by which referrals about the same pupil or class find each other, and say nothing else."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal.database import Base
from s2s_portal.models.referral import Referral


class MatchMark(Base):
    """One keyed hash of what a referral is about (`likeness`): equal for the same, else nothing.

    `basis` is what was hashed: upn, name or group. `key_id` names the key it was made with. Nobody
    reads these rows but the service itself: others ask `s2s.repeats_of`.
    """

    __tablename__ = "match_mark"
    __table_args__ = (
        Index("ix_match_mark_mark", "mark"),
        CheckConstraint("basis IN ('upn', 'name', 'group')", name="basis"),
    )

    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), primary_key=True)
    mark: Mapped[str] = mapped_column(Text, primary_key=True)
    basis: Mapped[str] = mapped_column(Text)
    key_id: Mapped[str] = mapped_column(Text)
