"""What is said about a record beside it: the school's replies, concerns, and what was not saved."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    SmallInteger,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal import clock
from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, instant, key, words
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit, VisitRecord


class RecordPart(StrEnum):
    """Which part of a record a school disputes."""

    FACTS = "facts"
    PEOPLE = "people"
    OBSERVED = "observed"
    DISCUSSED = "discussed"
    RECOMMENDATIONS = "recommendations"
    RESOURCES = "resources"
    NEXT = "next"
    ADDENDUM = "addendum"
    OTHER = "other"


class SettledBy(StrEnum):
    """Who said that a dispute is settled."""

    SCHOOL = "school"
    COUNCIL = "council"


class RecordReply(Done, Base):
    """A fact of an issued record that its school disputes: attached to it, never merged (3.8).

    `number` counts within the record; `addendum_number` says which addendum, when it is one.
    """

    __tablename__ = "record_reply"
    __table_args__ = (
        UniqueConstraint("record_id", "number"),
        CheckConstraint("text <> ''", name="text"),
        CheckConstraint(
            "(part = 'addendum') = (addendum_number IS NOT NULL)",
            name="addendum",
        ),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    record_id: Mapped[int] = mapped_column(ForeignKey(VisitRecord.id))
    number: Mapped[int] = mapped_column(SmallInteger)
    part: Mapped[RecordPart] = mapped_column(choice(RecordPart, "part"))
    addendum_number: Mapped[int | None] = mapped_column(SmallInteger)
    text: Mapped[str] = mapped_column(Text)
    settlement: Mapped[ReplySettlement | None] = relationship(lazy="raise_on_sql", uselist=False)


class ReplySettlement(Done, Base):
    """A dispute is settled: the school says so, or an officer with words why."""

    __tablename__ = "reply_settlement"
    __table_args__ = (CheckConstraint("side = 'school' OR words <> ''", name="words"),)

    reply_id: Mapped[int] = mapped_column(ForeignKey(RecordReply.id), primary_key=True)
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    side: Mapped[SettledBy] = mapped_column(choice(SettledBy, "side"))
    words: Mapped[words]


class ConcernKind(StrEnum):
    """What a practitioner says to officers alone about a visit (F57)."""

    NONE = "none"  # no worry about a child's safety at this visit
    SAFEGUARDING = "safeguarding"
    WORK = "work"


class PassedTo(StrEnum):
    """To whom a worry about a child's safety was passed on."""

    SCHOOL = "school"  # its designated safeguarding lead
    COUNCIL = "council"  # the council's front door


class Concern(Done, Base):
    """What a practitioner says of a visit to officers alone; never in the record, for no school.

    Of a safeguarding concern no word is kept: `passed_to` and `passed_at`, nothing more.
    """

    __tablename__ = "concern"
    __table_args__ = (
        CheckConstraint(
            "(kind = 'safeguarding') = (passed_at IS NOT NULL)"
            " AND (kind = 'safeguarding') = (passed_to <> '{}')",
            name="passed",
        ),
        CheckConstraint("(kind = 'work') = (words <> '')", name="words"),
        CheckConstraint("passed_to <@ ARRAY['school', 'council']", name="passed_to"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), index=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey(Visit.id))
    visit: Mapped[Visit] = relationship(lazy="raise_on_sql")
    kind: Mapped[ConcernKind] = mapped_column(choice(ConcernKind, "kind"))
    passed_to: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default="{}")
    passed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    words: Mapped[words]


class RecordCopy(Base):
    """What somebody typed into a record and did not save: theirs alone, no answer yet."""

    __tablename__ = "record_copy"

    visit_id: Mapped[int] = mapped_column(ForeignKey(Visit.id), primary_key=True)
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    by_id: Mapped[str] = mapped_column(Text, primary_key=True)
    at: Mapped[instant] = mapped_column(default=clock.now)
    fields: Mapped[list[Any]] = mapped_column(JSONB)
