"""Colleagues on one draft: somebody is asked to fill in a section; a head agrees to the whole."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, key, words
from s2s_portal.models.referral import Referral

INSTANT = DateTime(timezone=True)


class Ending(StrEnum):
    """How it came that a colleague fills in no more, short of what they wrote being used."""

    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    SENT = "sent"


class Contribution(Done, Base):
    """One section of a draft that a colleague was asked for, and what they wrote.

    It holds all that the colleague is shown: they may read no other row. `answers` are those of
    `answers.of`, dates as `{"day": ISO}`. When it is used or ends, nothing of a child stays in it.
    `digest` is of the token in the link, as in `PractitionerInvitation`. `seen` is the mark of the
    section from when it was asked for.
    """

    __tablename__ = "contribution"
    __table_args__ = (
        CheckConstraint("(account_id IS NULL) = (tied_at IS NULL)", name="tied"),
        CheckConstraint(
            "(ended_at IS NULL) = (ending IS NULL) AND (ended_at IS NULL OR taken_at IS NULL)",
            name="ended",
        ),
        CheckConstraint(
            "(ended_at IS NULL AND taken_at IS NULL)"
            " OR (answers IS NULL AND about = '' AND message = '')",
            name="nothing_left",
        ),
        CheckConstraint("handed_back_at IS NULL OR saved_at IS NOT NULL", name="handed_back"),
        Index(
            "uq_contribution_open",
            "referral_id",
            "section",
            unique=True,
            postgresql_where=text("ended_at IS NULL AND taken_at IS NULL"),
        ),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), index=True)
    reference: Mapped[str] = mapped_column(Text)
    urn: Mapped[int] = mapped_column(Integer)
    school_name: Mapped[str] = mapped_column(Text)
    section: Mapped[str] = mapped_column(Text)
    kind: Mapped[str | None] = mapped_column(Text)
    form_version: Mapped[int] = mapped_column(SmallInteger)
    about: Mapped[words]
    by_email: Mapped[words]
    colleague_name: Mapped[str] = mapped_column(Text)
    colleague_email: Mapped[str] = mapped_column(Text)
    message: Mapped[words]
    seen: Mapped[words]
    expires_at: Mapped[datetime] = mapped_column(INSTANT)
    digest: Mapped[str | None] = mapped_column(Text, unique=True)
    account_id: Mapped[str | None] = mapped_column(Text)
    account_name: Mapped[words]
    tied_at: Mapped[datetime | None] = mapped_column(INSTANT)
    answers: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    saved_at: Mapped[datetime | None] = mapped_column(INSTANT)
    handed_back_at: Mapped[datetime | None] = mapped_column(INSTANT)
    taken_at: Mapped[datetime | None] = mapped_column(INSTANT)
    taken_by_name: Mapped[words]
    ended_at: Mapped[datetime | None] = mapped_column(INSTANT)
    ending: Mapped[Ending | None] = mapped_column(choice(Ending, "ending"))

    @property
    def is_open(self) -> bool:
        """Whether it still waits for the colleague, or for the school to use what they wrote."""
        return self.ended_at is None and self.taken_at is None

    @property
    def who(self) -> str:
        """The colleague's name: as their account says it, else as the school wrote it."""
        return self.account_name or self.colleague_name


class HeadAnswer(StrEnum):
    """What was done about the head's agreement."""

    ASKED = "asked"
    AGREED = "agreed"
    NOT_YET = "not_yet"


class HeadDecision(Done, Base):
    """A head was asked for their agreement to a draft, or gave it, or did not yet; never changed.

    `marks` say which answers it was about: section -> when it was saved, `files` -> their numbers.
    `statement` is the text that was agreed to, `fee_pence` the fee in it.
    """

    __tablename__ = "head_decision"
    __table_args__ = (CheckConstraint("(answer = 'agreed') = (statement <> '')", name="statement"),)

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), index=True)
    answer: Mapped[HeadAnswer] = mapped_column(choice(HeadAnswer, "answer"))
    statement: Mapped[words]
    fee_pence: Mapped[int] = mapped_column(Integer)
    version: Mapped[int] = mapped_column(Integer)
    marks: Mapped[dict[str, Any]] = mapped_column(JSONB)


class HeadRemark(Base):
    """What a head wrote with “Not yet”: it may be about a child, so it goes with the draft."""

    __tablename__ = "head_remark"

    decision_id: Mapped[int] = mapped_column(ForeignKey(HeadDecision.id), primary_key=True)
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), index=True)
    text: Mapped[str] = mapped_column(Text)
