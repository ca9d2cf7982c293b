"""A referral offered to a practitioner, and practitioners who ask for one (F39, F47)."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, key, words
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import Practitioner, Rule
from s2s_portal.models.referral import Referral

OPEN = text("ended_at IS NULL")


class Ended(StrEnum):
    """How an offer ended. `overtaken`: the referral went on without it, or on hold."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    NOT_RELEASED = "not_released"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"
    OVERTAKEN = "overtaken"


class Refusal(StrEnum):
    """Why a practitioner declines."""

    BLOCKED = "blocked"
    TIME = "time"
    CONFLICT = "conflict"
    EXPERTISE = "expertise"
    OTHER = "other"


class AskedEnded(StrEnum):
    """What became of a request to take a referral."""

    GRANTED = "granted"
    REFUSED = "refused"
    OVERTAKEN = "overtaken"


class Over:
    """When it ended and by whom; None while it is open."""

    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_by_id: Mapped[str | None] = mapped_column(Text)
    ended_by_name: Mapped[str | None] = mapped_column(Text)


class Offer(Done, Over, Base):
    """A referral offered to a practitioner by an officer, to be answered by the end of `due_on`.

    At most one is open for a referral. It holds what the practitioner needs to decide, as they may
    read no referral that is not theirs: nothing of it is about a child. `reason`, `rule` and
    `overridden` become the allocation's. With `needs_release` the lead of the school confirms too.
    """

    __tablename__ = "offer"
    __table_args__ = (
        Index("uq_offer_open", "referral_id", unique=True, postgresql_where=OPEN),
        Index("ix_offer_open_due", "due_on", postgresql_where=OPEN),
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint("(ended IS NULL) = (ended_at IS NULL)", name="ended_whole"),
        CheckConstraint("(ended = 'declined') = (refusal IS NOT NULL)", name="declined_why"),
        CheckConstraint(
            "comment <> '' OR NOT coalesce(ended IN ('not_released', 'withdrawn')"
            " OR refusal = 'other', false)",
            name="said_why",
        ),
        CheckConstraint(
            "coalesce(ended <> 'accepted', true) OR (accepted_at IS NOT NULL"
            " AND (NOT needs_release OR released_at IS NOT NULL))",
            name="both_answers",
        ),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), index=True)
    practitioner_id: Mapped[int] = mapped_column(ForeignKey(Practitioner.id), index=True)
    practitioner_name: Mapped[str] = mapped_column(Text)
    provider_urn: Mapped[int] = mapped_column(ForeignKey(Establishment.urn))
    provider_name: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    rule: Mapped[Rule | None] = mapped_column(choice(Rule, "rule"))
    overridden: Mapped[words]
    officer_email: Mapped[words]

    reference: Mapped[str] = mapped_column(Text)
    school_name: Mapped[str] = mapped_column(Text)
    phase: Mapped[words]
    need: Mapped[words]
    level: Mapped[words]
    distance: Mapped[words]
    tier: Mapped[int | None] = mapped_column(SmallInteger)

    due_on: Mapped[date]
    remind_on: Mapped[date]
    reminded_on: Mapped[date | None]
    needs_release: Mapped[bool] = mapped_column(Boolean)
    accepted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    accepted_by_id: Mapped[str | None] = mapped_column(Text)
    accepted_by_name: Mapped[str | None] = mapped_column(Text)
    released_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    released_by_id: Mapped[str | None] = mapped_column(Text)
    released_by_name: Mapped[str | None] = mapped_column(Text)
    ended: Mapped[Ended | None] = mapped_column(choice(Ended, "ended"))
    refusal: Mapped[Refusal | None] = mapped_column(choice(Refusal, "refusal"))
    comment: Mapped[words]

    @property
    def is_complete(self) -> bool:
        """Whether everybody who is asked has said yes."""
        return self.accepted_at is not None and (
            not self.needs_release or self.released_at is not None
        )


class CaseRequest(Done, Over, Base):
    """A practitioner asks to be given a referral that is with nobody yet, and says why.

    `reference` and `school_name` are there for the one who asks, who may not read the referral.
    """

    __tablename__ = "case_request"
    __table_args__ = (
        Index(
            "uq_case_request_open",
            "referral_id",
            "practitioner_id",
            unique=True,
            postgresql_where=OPEN,
        ),
        CheckConstraint("why <> ''", name="why"),
        CheckConstraint("(ended IS NULL) = (ended_at IS NULL)", name="ended_whole"),
        CheckConstraint("comment <> '' OR coalesce(ended <> 'refused', true)", name="refused_why"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), index=True)
    practitioner_id: Mapped[int] = mapped_column(ForeignKey(Practitioner.id), index=True)
    practitioner_name: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    school_name: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(Text)
    ended: Mapped[AskedEnded | None] = mapped_column(choice(AskedEnded, "ended"))
    comment: Mapped[words]


class LeadConfirmation(Done, Base):
    """Whether the lead of a Complex Needs School confirms release before an allocation stands.

    The latest row of a school counts; without one the lead does not. Rows are only ever added.
    """

    __tablename__ = "lead_confirmation"
    __table_args__ = (Index("ix_lead_confirmation_provider", "provider_urn", "id"),)

    id: Mapped[key]
    provider_urn: Mapped[int] = mapped_column(ForeignKey(Establishment.urn))
    confirms: Mapped[bool] = mapped_column(Boolean)
