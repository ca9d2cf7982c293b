"""The bodies that decide on referrals, who acts for which, and what is handed over (F30).

A referral is in the queue of one body: `Referral.body`. The row is set once as it is sent, by the
rule of that day, and afterwards only by a hand-over.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, key

SEND = "send"  # where a referral goes of which no rule says anything else


class Routed(StrEnum):
    """What a rule can go by, the most particular first."""

    EARLY_YEARS_SETTING = "early_years_setting"
    NURSERY_CHILD = "nursery_child"
    OTHER = "other"


class Handed(StrEnum):
    """Why a referral is handed over."""

    AGE = "AGE"
    SETTING = "SETTING"
    KNOWN = "KNOWN"
    SENT_WRONG = "SENT_WRONG"
    OTHER = "OTHER"


class TriageBody(Base):
    """A body that decides: the SEND team, the Early Years team."""

    __tablename__ = "triage_body"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(SmallInteger)


class TriageRule(Done, Base):
    """Which body gets what is sent from `valid_from` on; rows are only ever added."""

    __tablename__ = "triage_rule"

    id: Mapped[key]
    valid_from: Mapped[date]
    what: Mapped[Routed] = mapped_column(choice(Routed, "what"))
    body: Mapped[str] = mapped_column(ForeignKey(TriageBody.code))
    source: Mapped[str] = mapped_column(Text)


class OfficerBody(Done, Base):
    """An officer acts for a body. One of whom there is no row acts for all of them."""

    __tablename__ = "officer_body"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    body: Mapped[str] = mapped_column(ForeignKey(TriageBody.code), primary_key=True)


class Handover(Base):
    """A referral went from one body to the other. Who and when are the event's."""

    __tablename__ = "triage_handover"
    __table_args__ = (CheckConstraint("from_body <> to_body", name="moves"),)

    event_id: Mapped[int] = mapped_column(
        ForeignKey("s2s.referral_event.id"), primary_key=True, autoincrement=False
    )
    referral_id: Mapped[int] = mapped_column(ForeignKey("s2s.referral.id"), index=True)
    from_body: Mapped[str] = mapped_column(ForeignKey(TriageBody.code))
    to_body: Mapped[str] = mapped_column(ForeignKey(TriageBody.code))
    reason: Mapped[Handed] = mapped_column(choice(Handed, "reason"))
