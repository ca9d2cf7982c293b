"""Practitioners of the Complex Needs Schools, and their allocation to referrals."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, DateTime, ForeignKey, Index, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, key, words
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.referral import Referral


class Practitioner(Base):
    """A member of staff whom a Complex Needs School lends to the service, or its lead.

    `account_id` is the host's account key, tied by an administrator, never by name. `phases` are
    register codes of phase as text, `needs` census codes; `capacity` is open cases at once.
    """

    __tablename__ = "practitioner"
    __table_args__ = (
        CheckConstraint("capacity >= 0", name="capacity"),
        Index("ix_practitioner_provider", "provider_urn"),
        Index("uq_practitioner_account", "account_id", unique=True),
    )

    id: Mapped[key]
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    account_id: Mapped[str | None] = mapped_column(Text)
    provider_urn: Mapped[int] = mapped_column(ForeignKey(Establishment.urn))
    provider: Mapped[Establishment] = relationship(lazy="raise_on_sql")
    phases: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    needs: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    capacity: Mapped[int] = mapped_column(SmallInteger, default=0)
    is_lead: Mapped[bool] = mapped_column(Boolean, default=False)
    active: Mapped[bool] = mapped_column(Boolean, default=True)


class Allocation(Done, Base):
    """A referral given to a practitioner, with the reason; at most one is open for a referral."""

    __tablename__ = "allocation"
    __table_args__ = (
        Index(
            "uq_allocation_open", "referral_id", unique=True, postgresql_where="ended_at IS NULL"
        ),
        Index("ix_allocation_referral", "referral_id"),
        Index("ix_allocation_practitioner", "practitioner_id", "ended_at"),
        CheckConstraint("reason <> ''", name="reason"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    referral: Mapped[Referral] = relationship(lazy="raise_on_sql")
    practitioner_id: Mapped[int] = mapped_column(ForeignKey(Practitioner.id))
    practitioner: Mapped[Practitioner] = relationship(lazy="raise_on_sql")
    practitioner_name: Mapped[str] = mapped_column(Text)
    provider_urn: Mapped[int] = mapped_column(ForeignKey(Establishment.urn))
    provider_name: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_reason: Mapped[words]
