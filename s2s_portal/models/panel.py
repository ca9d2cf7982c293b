"""A panel: a meeting of officers with an agenda of referrals, and what each of them thinks (F32).

Inside the service: no school reads a row here, nor an officer of another body.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal.database import Base
from s2s_portal.models.body import TriageBody
from s2s_portal.models.columns import Done, choice, key, words
from s2s_portal.models.decision import SupportLevel
from s2s_portal.models.referral import Referral


class Recommends(StrEnum):
    """What a reviewer would do with a referral."""

    ACCEPT = "accept"
    RETURN = "return"
    ADVISE = "advise"
    REDIRECT = "redirect"
    DECLINE = "decline"
    UNSURE = "unsure"


class PanelMeeting(Done, Base):
    """A meeting of one body on a day. Its record, who was there, is written once, by its chair."""

    __tablename__ = "panel_meeting"
    __table_args__ = (Index("ix_panel_meeting_body", "body", "meets_on"),)

    id: Mapped[key]
    body: Mapped[str] = mapped_column(ForeignKey(TriageBody.code))
    meets_on: Mapped[date]
    chair_id: Mapped[str] = mapped_column(Text)
    chair_name: Mapped[str] = mapped_column(Text)
    present: Mapped[words]
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_by_id: Mapped[str | None] = mapped_column(Text)
    ended_by_name: Mapped[str | None] = mapped_column(Text)
    reviewers: Mapped[list[PanelReviewer]] = relationship(
        lazy="raise_on_sql", order_by="PanelReviewer.name", viewonly=True
    )


class PanelReviewer(Base):
    """Somebody who says what they think of each referral on the agenda of a meeting."""

    __tablename__ = "panel_reviewer"

    meeting_id: Mapped[int] = mapped_column(
        ForeignKey(PanelMeeting.id), primary_key=True, autoincrement=False
    )
    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)


class PanelItem(Done, Base):
    """A referral on the agenda of a meeting; `removed_at` says that it was taken off."""

    __tablename__ = "panel_item"
    __table_args__ = (
        Index(
            "uq_panel_item_listed",
            "meeting_id",
            "referral_id",
            unique=True,
            postgresql_where=text("removed_at IS NULL"),
        ),
    )

    id: Mapped[key]
    meeting_id: Mapped[int] = mapped_column(ForeignKey(PanelMeeting.id))
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), index=True)
    why: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    opened_by_name: Mapped[str | None] = mapped_column(Text)
    removed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    removed_by_name: Mapped[str | None] = mapped_column(Text)
    removed_why: Mapped[words]
    meeting: Mapped[PanelMeeting] = relationship(lazy="raise_on_sql", viewonly=True)
    referral: Mapped[Referral] = relationship(lazy="raise_on_sql", viewonly=True)
    # Those that the reader may see by now: the database says which.
    comments: Mapped[list[PanelComment]] = relationship(
        lazy="raise_on_sql", order_by="PanelComment.id", viewonly=True
    )


class PanelComment(Done, Base):
    """What one reviewer recommends, and why; one for each referral, never changed."""

    __tablename__ = "panel_comment"
    __table_args__ = (
        CheckConstraint("text <> ''", name="text"),
        CheckConstraint("(recommends = 'accept') = (level_id IS NOT NULL)", name="level"),
        UniqueConstraint("item_id", "by_id"),
    )

    id: Mapped[key]
    item_id: Mapped[int] = mapped_column(ForeignKey(PanelItem.id))
    recommends: Mapped[Recommends] = mapped_column(choice(Recommends, "recommends"))
    level_id: Mapped[int | None] = mapped_column(ForeignKey(SupportLevel.id))
    text: Mapped[str] = mapped_column(Text)
    level: Mapped[SupportLevel | None] = relationship(lazy="raise_on_sql", viewonly=True)
