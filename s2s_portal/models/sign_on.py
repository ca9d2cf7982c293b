"""Sign-ons that have ended before the host's session did."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, Text
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal.database import Base


class EndedSignOn(Base):
    """`key` is `session:` and a digest of one session's token, or `account:` and an account's id.

    A session's row ends that session; an account's ends all that began until then.
    """

    __tablename__ = "ended_sign_on"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    ended_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
