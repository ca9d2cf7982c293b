"""Who did or looked at what: a row for each write and each read of pupil data, only ever added."""

from __future__ import annotations

from sqlalchemy import Index, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, key, words


class AuditEntry(Done, Base):
    """`action` is a verb, `entity` and `entity_key` what it was done to, never its content.

    `outcome` is the HTTP status of the answer (200 shown, 403 denied), 0 outside a request.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_entity", "entity", "entity_key", "id"),
        Index("ix_audit_entry_by", "by_id", "id"),
    )

    id: Mapped[key]
    roles: Mapped[words]
    action: Mapped[str] = mapped_column(Text)
    entity: Mapped[str] = mapped_column(Text)
    entity_key: Mapped[words]
    outcome: Mapped[int] = mapped_column(SmallInteger, default=0)
    path: Mapped[words]
