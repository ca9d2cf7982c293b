"""Files that a school attaches to a referral: what is known of each; its content is elsewhere.

A row is never deleted: when a file is removed, or the referral disposed of, its label goes and its
type, size and digest stay, so that what was once attached can be told from what was not.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal import clock
from s2s_portal.database import Base
from s2s_portal.models.columns import choice, instant, key, words
from s2s_portal.models.referral import Referral


class FileType(StrEnum):
    """What a file is (domain.md 2.2, "Files")."""

    PLAN = "ISP"
    PROVISION_MAP = "PMAP"
    EHCP = "EHCP"
    REPORT = "RPT"
    CONSENT = "CONS"
    BEHAVIOUR_PLAN = "BEH"
    RISK_ASSESSMENT = "RISK"
    ATTENDANCE = "ATT"
    PROFILE = "OPP"
    OTHER = "OTH"


class FileState(StrEnum):
    """Where a file stands. Its content can be had while it is `CLEAN`, and at no other time."""

    WAITING = "waiting"
    CLEAN = "clean"
    REFUSED = "refused"
    REMOVED = "removed"
    DISPOSED = "disposed"


GONE = (FileState.REMOVED, FileState.DISPOSED)


class Attachment(Base):
    """One file. `number` counts within the referral and is its address; no number comes twice.

    `name` is what the content is stored under, `size` its bytes and `sha256` their digest in hex;
    `found` what the virus scanner found; `tried_at` when it last gave no answer.
    """

    __tablename__ = "attachment"
    __table_args__ = (
        UniqueConstraint("referral_id", "number"),
        UniqueConstraint("name"),
        CheckConstraint("number > 0 AND size > 0", name="sizes"),
        CheckConstraint("(state IN ('removed', 'disposed')) = (gone_at IS NOT NULL)", name="gone"),
        CheckConstraint("gone_at IS NULL OR label = ''", name="label_gone"),
        Index("ix_attachment_added", "added_by_id", "added_at"),
        Index("ix_attachment_waiting", "added_at", postgresql_where=text("state = 'waiting'")),
        Index(
            "ix_attachment_content_left",
            "id",
            postgresql_where=text(
                "state IN ('refused', 'removed', 'disposed') AND deleted_at IS NULL"
            ),
        ),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    number: Mapped[int] = mapped_column(SmallInteger)
    type: Mapped[FileType] = mapped_column(choice(FileType, "type"))
    label: Mapped[words]
    extension: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    state: Mapped[FileState] = mapped_column(choice(FileState, "state"), default=FileState.WAITING)
    added_at: Mapped[instant] = mapped_column(default=clock.now)
    added_by_id: Mapped[str] = mapped_column(Text)
    added_by_name: Mapped[str] = mapped_column(Text)
    tried_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    scanned_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    found: Mapped[words]
    gone_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    gone_by_id: Mapped[words]
    gone_by_name: Mapped[words]
    # When its content was deleted from the storage, which follows after the commit.
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
