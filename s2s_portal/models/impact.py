"""What support achieved and whether it lasted: scores, what a school is asked, what it says."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    SmallInteger,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal import clock
from s2s_portal.database import Base
from s2s_portal.models.codes import Achieved
from s2s_portal.models.columns import Done, choice, instant, key, words
from s2s_portal.models.referral import Referral


class ScoreKind(StrEnum):
    """Of which moment a score speaks."""

    BASELINE = "baseline"
    END = "end"
    LATER = "later"


class Rater(StrEnum):
    """Whose view a score is."""

    PRACTITIONER = "practitioner"
    SCHOOL = "school"


class OutcomeScore(Done, Base):
    """How things were with one outcome, 0 (not at all) to 10 (all the time), on a day (F65).

    Rows are only ever added: the newest of a kind and rater counts, and what it said before stays.
    A practitioner's at the end says how far the outcome was achieved too. `position` is the
    outcome's; the school's own score as it refers is `OutcomeWanted.baseline`.
    """

    __tablename__ = "outcome_score"
    __table_args__ = (
        CheckConstraint("score BETWEEN 0 AND 10", name="score"),
        CheckConstraint("score IS NOT NULL OR achieved IS NOT NULL", name="says_something"),
        Index("ix_outcome_score_referral_id", "referral_id", "id"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    position: Mapped[int] = mapped_column(SmallInteger)
    kind: Mapped[ScoreKind] = mapped_column(choice(ScoreKind, "kind"))
    rater: Mapped[Rater] = mapped_column(choice(Rater, "rater"))
    score: Mapped[int | None] = mapped_column(SmallInteger)
    achieved: Mapped[Achieved | None] = mapped_column(choice(Achieved, "achieved"))
    comment: Mapped[words]
    on: Mapped[date] = mapped_column("on_day", default=clock.today)


class Stage(StrEnum):
    """What a school is asked, in this order; all but the last by one short form."""

    BEFORE = "before"
    AFTER = "after"
    LATER = "later"
    EVALUATION = "evaluation"


class StillUsing(StrEnum):
    """Whether what was recommended is still done in the school."""

    MOST = "most"
    SOME = "some"
    NONE = "none"


class SchoolAsk(Base):
    """A school is asked something about a referral, from `due_on` on, and reminded of it once.

    It ends when the next stage begins, or when the referral is reopened.
    """

    __tablename__ = "school_ask"
    __table_args__ = (
        Index(
            "uq_school_ask_open",
            "referral_id",
            "stage",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_school_ask_due", "due_on", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    stage: Mapped[Stage] = mapped_column(choice(Stage, "stage"))
    opened_at: Mapped[instant] = mapped_column(default=clock.now)
    due_on: Mapped[date]
    asked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    reminded_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class AskLink(Base):
    """A link that was mailed and opens the one form it is for; its token is kept nowhere.

    `digest` is the SHA-256 of the token. Nobody but the service reads or writes here: two functions
    of the database answer whoever holds the token.
    """

    __tablename__ = "ask_link"

    digest: Mapped[str] = mapped_column(Text, primary_key=True)
    ask_id: Mapped[int] = mapped_column(ForeignKey(SchoolAsk.id), index=True)
    made_at: Mapped[instant] = mapped_column(default=clock.now)
    expires_at: Mapped[instant]


class ConfidenceAnswer(Done, Base):
    """How sure the school's staff feel, 1 (not at all) to 5 (very), and once it is over, whether
    they still use what was recommended. An answer that was changed is a row more, `revision` 2.
    """

    __tablename__ = "confidence_answer"
    __table_args__ = (
        UniqueConstraint("ask_id", "revision", name="uq_confidence_answer_revision"),
        CheckConstraint("confidence BETWEEN 1 AND 5", name="confidence"),
        CheckConstraint("(stage = 'later') = (still_using IS NOT NULL)", name="later"),
        CheckConstraint("stage <> 'evaluation'", name="asked"),
        Index("ix_confidence_answer_referral_id", "referral_id", "id"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    ask_id: Mapped[int] = mapped_column(ForeignKey(SchoolAsk.id))
    stage: Mapped[Stage] = mapped_column(choice(Stage, "stage"))
    revision: Mapped[int] = mapped_column(SmallInteger, default=1)
    confidence: Mapped[int] = mapped_column(SmallInteger)
    still_using: Mapped[StillUsing | None] = mapped_column(choice(StillUsing, "still_using"))
    by_link: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())


class SchoolEvaluation(Done, Base):
    """What a school thought of the service, once it was over (F67): 1 (not at all) to 4 (very)."""

    __tablename__ = "school_evaluation"
    __table_args__ = (
        UniqueConstraint("ask_id", name="uq_school_evaluation_ask"),
        CheckConstraint("useful BETWEEN 1 AND 4 AND timely BETWEEN 1 AND 4", name="marks"),
        Index("ix_school_evaluation_referral_id", "referral_id", "id"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    ask_id: Mapped[int] = mapped_column(ForeignKey(SchoolAsk.id))
    useful: Mapped[int] = mapped_column(SmallInteger)
    timely: Mapped[int] = mapped_column(SmallInteger)
    still_using: Mapped[StillUsing] = mapped_column(choice(StillUsing, "still_using"))
    text: Mapped[words] = mapped_column("words")


class MailTo(StrEnum):
    """Who a mail went to."""

    SCHOOL = "school"
    COUNCIL = "council"
    PRACTITIONER = "practitioner"
    LEAD = "lead"


class MailNote(Base):
    """A mail about a referral was sent, by the key of its subject; only the database adds one."""

    __tablename__ = "mail_note"
    __table_args__ = (Index("ix_mail_note_referral_id", "referral_id", "id"),)

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    at: Mapped[instant]
    notice: Mapped[str] = mapped_column(Text)
    recipient: Mapped[MailTo] = mapped_column(choice(MailTo, "recipient"))
