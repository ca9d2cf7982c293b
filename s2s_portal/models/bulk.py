"""What an officer did with several referrals at a time, and what became of each (F31)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, key


class Bulk(StrEnum):
    """What can be done with several at a time."""

    ASSIGN = "assign"
    FLAG = "flag"
    PANEL = "panel"
    HAND_OVER = "hand-over"
    CLOSE = "close"


class BulkRun(Done, Base):
    """One press of the button: `token` is the page's, so that a second press is the same run.

    `results` has for each referral its reference, whether it was done, and the words for that.
    """

    __tablename__ = "bulk_run"
    __table_args__ = (UniqueConstraint("token"),)

    id: Mapped[key]
    token: Mapped[str] = mapped_column(Text)
    what: Mapped[Bulk] = mapped_column(choice(Bulk, "what"))
    results: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
