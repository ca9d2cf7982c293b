"""What officers write for each other about a referral: notes, and flags that ask for something.

No school, practitioner or anybody else reads a row here: the database sees to it.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, key, words
from s2s_portal.models.referral import Referral


class NoteLabel(StrEnum):
    """What a note is about."""

    GENERAL = "general"
    CALL = "call"
    EVIDENCE = "evidence"
    CAPACITY = "capacity"
    PANEL = "panel"


class InternalNote(Done, Base):
    """One note; rows are only ever added."""

    __tablename__ = "internal_note"
    __table_args__ = (CheckConstraint("text <> ''", name="text"),)

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), index=True)
    label: Mapped[NoteLabel] = mapped_column(choice(NoteLabel, "label"))
    text: Mapped[str] = mapped_column(Text)


class Flag(Done, Base):
    """Something to be done by a day, by one officer (`to_id`) or, where that is empty, the team."""

    __tablename__ = "flag"
    __table_args__ = (
        CheckConstraint("message <> ''", name="message"),
        Index("ix_flag_to_id", "to_id", "due_on", "id"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), index=True)
    message: Mapped[str] = mapped_column(Text)
    to_id: Mapped[words]
    to_name: Mapped[words]
    due_on: Mapped[date]
    referral: Mapped[Referral] = relationship(lazy="raise_on_sql", viewonly=True)
    resolution: Mapped[FlagResolution | None] = relationship(
        lazy="raise_on_sql", uselist=False, viewonly=True
    )


class FlagResolution(Done, Base):
    """What became of a flag: it is done, or no longer needed."""

    __tablename__ = "flag_resolution"

    flag_id: Mapped[int] = mapped_column(ForeignKey(Flag.id), primary_key=True)
    comment: Mapped[words]
