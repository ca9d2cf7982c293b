"""What may be changed in a referral that has been sent, what was changed, and agreement withdrawn.

A section of a sent referral is changed only after a row says why it is open: the officer's question
when the referral was returned, or the school's own reason. The database insists on it.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, key, words
from s2s_portal.models.decision import DecisionReason
from s2s_portal.models.referral import Referral, ReferralEvent


class SectionOpening(Base):
    """One section opened, and why: by a return until it is sent again, by an amendment at once.

    `before` is what it said then, as `[label, text]` pairs. `transaction_id` is PostgreSQL's own
    number of the transaction: an amendment opens a section for that one alone.
    """

    __tablename__ = "section_opening"
    __table_args__ = (
        UniqueConstraint("event_id", "section"),
        CheckConstraint("reason <> ''", name="reason"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), index=True)
    event_id: Mapped[int] = mapped_column(ForeignKey(ReferralEvent.id))
    section: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    # Why the officer asks, by its code; None in an amendment.
    code_id: Mapped[int | None] = mapped_column(ForeignKey(DecisionReason.id))
    code: Mapped[DecisionReason | None] = relationship(lazy="raise_on_sql", viewonly=True)
    before: Mapped[list[Any]] = mapped_column(JSONB)
    transaction_id: Mapped[int] = mapped_column(BigInteger, server_default=text("txid_current()"))
    change: Mapped[SectionChange | None] = relationship(
        lazy="raise_on_sql", uselist=False, viewonly=True
    )


class SectionChange(Done, Base):
    """What an opened section says since it was changed: `after` is like `before` above."""

    __tablename__ = "section_change"

    opening_id: Mapped[int] = mapped_column(ForeignKey(SectionOpening.id), primary_key=True)
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), index=True)
    after: Mapped[list[Any]] = mapped_column(JSONB)


class AgreementWithdrawal(Done, Base):
    """A parent or carer no longer agrees: who said so to whom, and on which day.

    It stops the service's involvement; it erases nothing (domain.md 5).
    """

    __tablename__ = "agreement_withdrawal"

    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), primary_key=True)
    withdrawn_by: Mapped[str] = mapped_column(Text)
    told_to: Mapped[str] = mapped_column(Text)
    told_on: Mapped[date]
    comment: Mapped[words]
