"""How an account comes to be a practitioner: by an invitation, or first as a newcomer."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, DateTime, ForeignKey, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, instant, key
from s2s_portal.models.practitioner import Practitioner


class PractitionerInvitation(Done, Base):
    """An administrator's invitation to a practitioner or lead to tie their account, once.

    `digest` is the SHA-256 of the token in the link, written when the mail goes out: the token
    itself is kept nowhere. A newer invitation, a tie or a switching off withdraws an older one.
    """

    __tablename__ = "practitioner_invitation"
    __table_args__ = (CheckConstraint("(used_at IS NULL) = (used_by_id IS NULL)", name="used"),)

    id: Mapped[key]
    practitioner_id: Mapped[int] = mapped_column(ForeignKey(Practitioner.id), index=True)
    practitioner: Mapped[Practitioner] = relationship(lazy="raise_on_sql")
    expires_at: Mapped[instant]
    digest: Mapped[str | None] = mapped_column(Text, unique=True)
    withdrawn_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    used_by_id: Mapped[str | None] = mapped_column(Text)
    used_by_name: Mapped[str | None] = mapped_column(Text)


class Newcomer(Base):
    """An account with the role of a practitioner or lead that was nobody here when it first came.

    The row stays when the account has been tied; whether it has is asked of `Practitioner`.
    `provider_urn` is what the host said, so it may name no establishment of ours.
    """

    __tablename__ = "newcomer"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    provider_urn: Mapped[int | None] = mapped_column(Integer)
    is_practitioner: Mapped[bool] = mapped_column(Boolean)
    is_lead: Mapped[bool] = mapped_column(Boolean)
    at: Mapped[instant]
