"""Private addresses from which somebody's own calendar fetches visits (F63)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, instant, key, words
from s2s_portal.models.establishment import Establishment


class FeedOf(StrEnum):
    """Whose visits a feed has: a practitioner's own, or those to a school."""

    PRACTITIONER = "practitioner"
    SCHOOL = "school"


class CalendarFeed(Done, Base):
    """A feed that somebody (`by_id`) made for their own calendar; at most one goes at a time.

    `digest` is the SHA-256 of the token in the address: the token itself is kept nowhere. `urn` is
    the Complex Needs School that a practitioner signed on for, or the school whose visits it has.
    """

    __tablename__ = "calendar_feed"
    __table_args__ = (
        Index(
            "uq_calendar_feed_going",
            "by_id",
            "of",
            "urn",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        CheckConstraint("(ended_at IS NULL) = (ended_by_id = '')", name="ended"),
    )

    id: Mapped[key]
    of: Mapped[FeedOf] = mapped_column(choice(FeedOf, "of"))
    urn: Mapped[int] = mapped_column(Integer, ForeignKey(Establishment.urn))
    digest: Mapped[str] = mapped_column(Text, unique=True)
    expires_at: Mapped[instant]
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_by_id: Mapped[words]
    ended_by_name: Mapped[words]
