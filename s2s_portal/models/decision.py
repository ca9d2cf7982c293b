"""What an officer can decide, with which reasons and levels, and what was decided.

Levels, reasons and other services are dated rows that are only ever added: the newest row of a code
that has begun is the one that holds, and one that is not `offered` ends it. A decision points at
the very rows it was made with, so what applied stays known whatever is added later.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal.database import Base
from s2s_portal.models.codes import Checked, Way
from s2s_portal.models.columns import Done, choice, key, words
from s2s_portal.models.referral import Referral, ReferralEvent


class Dated(Done):
    """A row of a code list: what `code` means from `valid_from` until its next row begins."""

    code: Mapped[str] = mapped_column(Text)
    valid_from: Mapped[date]
    offered: Mapped[bool] = mapped_column(Boolean, default=True, server_default="true")
    label: Mapped[str] = mapped_column(Text)
    source: Mapped[words]


class SupportLevel(Dated, Base):
    """A level of support (domain.md 2.3): `promise` is what the school gets."""

    __tablename__ = "support_level"
    __table_args__ = (UniqueConstraint("code", "valid_from"),)

    id: Mapped[key]
    promise: Mapped[str] = mapped_column(Text)


class DecisionReason(Dated, Base):
    """A reason for one kind of decision. `remedy` says how a school puts it right, if it can."""

    __tablename__ = "decision_reason"
    __table_args__ = (
        UniqueConstraint("way", "code", "valid_from"),
        CheckConstraint("can_fix = (remedy <> '')", name="remedy"),
    )

    id: Mapped[key]
    way: Mapped[Way] = mapped_column(choice(Way, "way"))
    can_fix: Mapped[bool] = mapped_column(Boolean, default=False, server_default="false")
    remedy: Mapped[words]


class OtherService(Dated, Base):
    """A service that suits some referrals better: `label` is its name, `reach` how to reach it."""

    __tablename__ = "other_service"
    __table_args__ = (UniqueConstraint("code", "valid_from"),)

    id: Mapped[key]
    reach: Mapped[str] = mapped_column(Text)


class Decision(Base):
    """What an event decided, and with which rows. Who and when are the event's."""

    __tablename__ = "decision"

    event_id: Mapped[int] = mapped_column(ForeignKey(ReferralEvent.id), primary_key=True)
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), index=True)
    level_id: Mapped[int | None] = mapped_column(ForeignKey(SupportLevel.id))
    reason_id: Mapped[int | None] = mapped_column(ForeignKey(DecisionReason.id))
    service_id: Mapped[int | None] = mapped_column(ForeignKey(OtherService.id))
    # Where the officer is told that the school has answered.
    officer_email: Mapped[words]
    level: Mapped[SupportLevel | None] = relationship(lazy="raise_on_sql", viewonly=True)
    reason: Mapped[DecisionReason | None] = relationship(lazy="raise_on_sql", viewonly=True)
    service: Mapped[OtherService | None] = relationship(lazy="raise_on_sql", viewonly=True)


class DecisionCheck(Base):
    """One point of the checklist at the moment of acceptance; who and when are the event's."""

    __tablename__ = "decision_check"
    __table_args__ = (
        CheckConstraint("(answer = 'overridden') = (reason <> '')", name="override_has_reason"),
    )

    event_id: Mapped[int] = mapped_column(ForeignKey(ReferralEvent.id), primary_key=True)
    point: Mapped[str] = mapped_column(Text, primary_key=True)
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), index=True)
    answer: Mapped[Checked] = mapped_column(choice(Checked, "answer"))
    detail: Mapped[words]
    reason: Mapped[words]
