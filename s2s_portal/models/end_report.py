"""The end report of a referral: drafted, issued, then never changed (F64)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal import clock
from s2s_portal.database import Base
from s2s_portal.models.columns import instant, key, words
from s2s_portal.models.referral import Referral


class EndReport(Base):
    """What was done and what changed, what the school goes on with, and advice for what is next.

    Once `issued_at` is set the database refuses any change. One for each time that support was
    given: a referral that was reopened can have a second, by `number`.
    """

    __tablename__ = "end_report"
    __table_args__ = (
        UniqueConstraint("referral_id", "number"),
        Index(
            "uq_end_report_draft",
            "referral_id",
            unique=True,
            postgresql_where=text("issued_at IS NULL"),
        ),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    number: Mapped[int] = mapped_column(SmallInteger, default=1)
    version: Mapped[int] = mapped_column(default=1)
    done: Mapped[words]
    changed: Mapped[words]
    goes_on: Mapped[words]
    next_steps: Mapped[words]
    author_id: Mapped[str] = mapped_column(Text)
    author_name: Mapped[str] = mapped_column(Text)
    saved_at: Mapped[instant] = mapped_column(default=clock.now)
    issued_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __mapper_args__ = {"version_id_col": version}


class EndReportDocument(Base):
    """The PDF of an issued end report, kept; `sha256` is the hex digest of `content`."""

    __tablename__ = "end_report_document"

    report_id: Mapped[int] = mapped_column(
        ForeignKey(EndReport.id), primary_key=True, autoincrement=False
    )
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    made_at: Mapped[instant] = mapped_column(default=clock.now)
    sha256: Mapped[str] = mapped_column(Text)
    content: Mapped[bytes] = mapped_column(LargeBinary)
