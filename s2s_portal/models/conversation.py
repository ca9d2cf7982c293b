"""Messages between a school, officers and a practitioner, and requests for advice.

Messages and what happens to a request for advice are only ever added. What lists go by (whose turn
it is, whether a request is open) stands in a row that the database alone keeps, from those.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    FetchedValue,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal import clock
from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, instant, key
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import NeedType

LONGEST = 4_000  # characters of one message


class Side(StrEnum):
    """On whose behalf somebody writes. Nobody writes to a lead, who reads along."""

    SCHOOL = "school"
    COUNCIL = "council"
    PRACTITIONER = "practitioner"
    LEAD = "lead"


class AdviceStatus(StrEnum):
    """Where a request for advice stands: derived from its events, stored for lists."""

    OPEN = "open"
    CLOSED = "closed"


class AdviceAction(StrEnum):
    """What can happen to a request for advice."""

    ASKED = "asked"
    CLOSED = "closed"
    REOPENED = "reopened"
    CONVERTED = "converted"
    HELPED = "helped"
    NOT_HELPED = "not_helped"


class AdviceOutcome(StrEnum):
    """What came of a request for advice."""

    ANSWERED = "ANSWERED"
    TRY_THIS = "TRY_THIS"
    REFER = "REFER"
    REDIRECT = "REDIRECT"
    BECAME_REFERRAL = "BECAME_REFERRAL"


class AdviceRequest(Base):
    """A question of a school about its setting, or about a pupil who is not named; it is free.

    `status`, `outcome`, `helped` and `referral_id` are kept by the database from its events. The
    question itself is the first of its messages.
    """

    __tablename__ = "advice_request"
    __table_args__ = (
        UniqueConstraint("reference"),
        UniqueConstraint("token"),
        UniqueConstraint("referral_id"),
        Index("ix_advice_request_school", "urn", "id"),
        Index("ix_advice_request_status", "status", "id"),
        CheckConstraint("topic <> ''", name="topic"),
        CheckConstraint("(status = 'closed') = (outcome IS NOT NULL)", name="outcome_when_closed"),
        CheckConstraint(
            "referral_id IS NULL OR outcome = 'BECAME_REFERRAL'", name="became_referral"
        ),
    )

    id: Mapped[key]
    reference: Mapped[str] = mapped_column(Text)
    urn: Mapped[int] = mapped_column(ForeignKey(Establishment.urn))
    school_name: Mapped[str] = mapped_column(Text)
    contact_name: Mapped[str] = mapped_column(Text)
    contact_email: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(Text)
    need_code: Mapped[str | None] = mapped_column(ForeignKey(NeedType.code))
    may_become_referral: Mapped[bool] = mapped_column(Boolean)
    # One page sends one request, however often its button is pressed.
    token: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[instant] = mapped_column(default=clock.now)
    asked_by_id: Mapped[str] = mapped_column(Text)
    asked_by_name: Mapped[str] = mapped_column(Text)
    # By when it is to be answered first, by the service level of the day it was asked.
    due_on: Mapped[date | None]
    status: Mapped[AdviceStatus] = mapped_column(
        choice(AdviceStatus, "status"), default=AdviceStatus.OPEN
    )
    outcome: Mapped[AdviceOutcome | None] = mapped_column(choice(AdviceOutcome, "outcome"))
    helped: Mapped[bool | None]
    referral_id: Mapped[int | None] = mapped_column(ForeignKey(Referral.id))
    need: Mapped[NeedType | None] = relationship(lazy="raise_on_sql")


class AdviceEvent(Done, Base):
    """Something that happened to a request for advice; rows are only ever added."""

    __tablename__ = "advice_event"
    __table_args__ = (
        Index("ix_advice_event_request", "advice_id", "id"),
        Index(
            "uq_advice_event_converted",
            "advice_id",
            unique=True,
            postgresql_where=text("action = 'converted'"),
        ),
        CheckConstraint("(action = 'closed') = (outcome IS NOT NULL)", name="outcome_given"),
        CheckConstraint(
            "(action = 'converted') = (referral_id IS NOT NULL)", name="referral_given"
        ),
    )

    id: Mapped[key]
    advice_id: Mapped[int] = mapped_column(ForeignKey(AdviceRequest.id))
    action: Mapped[AdviceAction] = mapped_column(choice(AdviceAction, "action"))
    outcome: Mapped[AdviceOutcome | None] = mapped_column(choice(AdviceOutcome, "outcome"))
    referral_id: Mapped[int | None] = mapped_column(ForeignKey(Referral.id))


ABOUT_ONE = "num_nonnulls(referral_id, advice_id) = 1"


class Message(Done, Base):
    """Something that one side wrote to another about a referral, or a request for advice.

    Rows are only ever added. `to_side` is whom it is for, `needs_answer` whether it puts the turn
    there. Without text it says that no answer is needed to what came before. `mailed` is set by the
    database: whether the other side is told by mail, as it has not one unread already.
    """

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("token"),
        Index("ix_message_referral", "referral_id", "id"),
        Index("ix_message_advice", "advice_id", "id"),
        CheckConstraint(ABOUT_ONE, name="about_one"),
        CheckConstraint("to_side NOT IN (side, 'lead')", name="to_another"),
        CheckConstraint("text <> '' OR NOT needs_answer", name="something"),
        CheckConstraint(f"char_length(text) <= {LONGEST}", name="longest"),
    )

    id: Mapped[key]
    referral_id: Mapped[int | None] = mapped_column(ForeignKey(Referral.id))
    advice_id: Mapped[int | None] = mapped_column(ForeignKey(AdviceRequest.id))
    side: Mapped[Side] = mapped_column(choice(Side, "side"))
    to_side: Mapped[Side] = mapped_column(choice(Side, "to_side"))
    needs_answer: Mapped[bool] = mapped_column(Boolean)
    text: Mapped[str] = mapped_column(Text)
    token: Mapped[str] = mapped_column(Text)
    mailed: Mapped[bool] = mapped_column(Boolean, FetchedValue())


class Conversation(Base):
    """Whose turn it is in the messages about one thing; the database keeps it, from the messages.

    `waits_for` is the side that is to answer, None when nobody is, since the instant `waits_since`.
    """

    __tablename__ = "conversation"
    __table_args__ = (
        UniqueConstraint("referral_id"),
        UniqueConstraint("advice_id"),
        Index(
            "ix_conversation_waiting",
            "waits_for",
            "waits_since",
            "id",
            postgresql_where=text("waits_for IS NOT NULL"),
        ),
        CheckConstraint(ABOUT_ONE, name="about_one"),
        CheckConstraint("waits_for <> 'lead'", name="waits_for_whom"),
        CheckConstraint("(waits_for IS NULL) = (waits_since IS NULL)", name="waits_since"),
    )

    id: Mapped[key]
    referral_id: Mapped[int | None] = mapped_column(ForeignKey(Referral.id))
    advice_id: Mapped[int | None] = mapped_column(ForeignKey(AdviceRequest.id))
    waits_for: Mapped[Side | None] = mapped_column(choice(Side, "waits_for"))
    waits_since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_message_id: Mapped[int] = mapped_column(BigInteger)


class MessageSeen(Base):
    """How far one person has read a conversation: up to and with the message `up_to`."""

    __tablename__ = "message_seen"

    conversation_id: Mapped[int] = mapped_column(ForeignKey(Conversation.id), primary_key=True)
    person_id: Mapped[str] = mapped_column(Text, primary_key=True)
    side: Mapped[Side] = mapped_column(choice(Side, "side"))
    up_to: Mapped[int] = mapped_column(BigInteger)
