"""A referral: what a school asks for, about whom, and everything that has happened to it."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, query_expression, relationship

from s2s_portal import clock
from s2s_portal.database import Base
from s2s_portal.models.body import SEND, TriageBody, TriageRule
from s2s_portal.models.codes import Action, Closure, Kind, Status, Withdrawal
from s2s_portal.models.columns import Done, choice, instant, key, words
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.intake import IntakeWindow
from s2s_portal.models.terms import ServiceTerms

if TYPE_CHECKING:
    from s2s_portal.models.answer import Agreement, Need, OutcomeWanted, StrategyTried, Subject
    from s2s_portal.models.attachment import Attachment
    from s2s_portal.models.change import AgreementWithdrawal, SectionOpening
    from s2s_portal.models.decision import Decision


class Referral(Base):
    """One request for support. Nothing in this row is about a child: that is in `Subject`."""

    __tablename__ = "referral"
    __table_args__ = (
        UniqueConstraint("reference"),
        UniqueConstraint("submit_token", name="uq_referral_submit_token"),
        UniqueConstraint("start_token", name="uq_referral_start_token"),
        Index("ix_referral_worklist", "status", "submitted_at", "id"),
        Index("ix_referral_submitted", "submitted_at", "id"),
        Index("ix_referral_school", "urn", "created_at", "id"),
        Index("ix_referral_intake_window_id", "intake_window_id"),
        Index("ix_referral_copied_from_id", "copied_from_id"),
        Index("ix_referral_answer_by", "answer_by", postgresql_where=text("status = 'returned'")),
        Index("ix_referral_draft", "saved_on", postgresql_where=text("status = 'draft'")),
        Index("ix_referral_school_status", "urn", "status", "created_at", "id"),
        CheckConstraint(
            "(status IN ('draft', 'expired')) = (submitted_at IS NULL)",
            name="submitted_when_not_draft",
        ),
        CheckConstraint(
            "submitted_at IS NULL OR (terms_id IS NOT NULL AND fee_pence IS NOT NULL"
            " AND received_on IS NOT NULL)",
            name="terms_frozen",
        ),
        CheckConstraint("form_version >= 1", name="form_version"),
    )

    id: Mapped[key]
    reference: Mapped[str] = mapped_column(Text)
    urn: Mapped[int] = mapped_column(ForeignKey(Establishment.urn))
    establishment: Mapped[Establishment] = relationship(lazy="raise_on_sql")
    status: Mapped[Status] = mapped_column(choice(Status, "status"), default=Status.DRAFT)
    kind: Mapped[Kind | None] = mapped_column(choice(Kind, "kind"))
    version: Mapped[int] = mapped_column(Integer, default=1)
    # Which questions it was asked: those of the day it was started, for ever.
    form_version: Mapped[int] = mapped_column(SmallInteger, default=1, server_default="1")
    created_at: Mapped[instant] = mapped_column(default=clock.now)
    created_by_id: Mapped[str] = mapped_column(Text)
    created_by_name: Mapped[str] = mapped_column(Text)
    created_by_email: Mapped[words]
    # One passage through the questions before a draft gives one draft.
    start_token: Mapped[str | None] = mapped_column(Text)
    # A draft that nobody saves expires: last saved, reminded of it, and kept until then.
    saved_on: Mapped[date] = mapped_column(default=clock.today, server_default=text("CURRENT_DATE"))
    reminded_on: Mapped[date | None]
    expires_on: Mapped[date | None]
    # Section key -> {"at": iso instant, "by": name}: what the task list shows, and what tells a
    # stale form from a fresh one.
    answered: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)

    contact_name: Mapped[words]
    contact_role: Mapped[words]
    contact_email: Mapped[words]
    contact_phone: Mapped[words]
    leader_name: Mapped[words]
    leader_agreed_on: Mapped[date | None]

    reason: Mapped[words]
    support: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    preferred_days: Mapped[words]
    visit_notes: Mapped[words]
    safety_notes: Mapped[words]
    purchase_order: Mapped[words]
    # Why it meets the criteria, and why there are fewer than two cycles of what was tried.
    criteria: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default="{}")
    fewer_cycles: Mapped[words]
    # The school's own referrals about the same, as it was told, and why it asks again all the same.
    repeats: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default="{}")
    repeat_reason: Mapped[words]

    submit_token: Mapped[str | None] = mapped_column(Text)
    submitted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    received_on: Mapped[date | None]
    school_name: Mapped[words]
    declared_by: Mapped[words]
    declaration: Mapped[words]
    terms_id: Mapped[int | None] = mapped_column(ForeignKey(ServiceTerms.id))
    terms: Mapped[ServiceTerms | None] = relationship(lazy="raise_on_sql")
    fee_pence: Mapped[int | None] = mapped_column(Integer)
    fee_verdict: Mapped[words]
    intake_window_id: Mapped[int | None] = mapped_column(ForeignKey(IntakeWindow.id))

    # Whose queue it is in, and by which rule it came there as it was sent (F30).
    body: Mapped[str] = mapped_column(
        Text, ForeignKey(TriageBody.code), default=SEND, server_default=SEND
    )
    team: Mapped[TriageBody] = relationship(lazy="raise_on_sql", viewonly=True)
    body_rule_id: Mapped[int | None] = mapped_column(ForeignKey(TriageRule.id))
    # Whether the acting officer acts for that body; known where `referrals.get` has read the row.
    is_for_reader: Mapped[bool | None] = query_expression()

    closure: Mapped[Closure | None] = mapped_column(choice(Closure, "closure"))
    withdrawal: Mapped[Withdrawal | None] = mapped_column(choice(Withdrawal, "withdrawal"))
    # By when the next step is to be taken, by the service level of the day it was promised.
    due_on: Mapped[date | None]
    # Back with the school until this day at least, and reminded of it then (F24).
    answer_by: Mapped[date | None]
    answer_reminded_on: Mapped[date | None]
    # On hold: the day by which what is missing is expected; None when it is not (F25).
    held_until: Mapped[date | None]
    # The referral that its school copied into this one, once it was put right.
    copied_from_id: Mapped[int | None] = mapped_column(ForeignKey("s2s.referral.id"))

    subject: Mapped[Subject | None] = relationship(
        lazy="raise_on_sql", cascade="all, delete-orphan", uselist=False
    )
    agreement: Mapped[Agreement | None] = relationship(
        lazy="raise_on_sql", cascade="all, delete-orphan", uselist=False
    )
    agreement_withdrawal: Mapped[AgreementWithdrawal | None] = relationship(
        lazy="raise_on_sql", uselist=False, viewonly=True
    )
    needs: Mapped[list[Need]] = relationship(
        lazy="raise_on_sql", cascade="all, delete-orphan", order_by="Need.rank"
    )
    strategies: Mapped[list[StrategyTried]] = relationship(
        lazy="raise_on_sql", cascade="all, delete-orphan", order_by="StrategyTried.position"
    )
    outcomes: Mapped[list[OutcomeWanted]] = relationship(
        lazy="raise_on_sql", cascade="all, delete-orphan", order_by="OutcomeWanted.position"
    )
    events: Mapped[list[ReferralEvent]] = relationship(
        lazy="raise_on_sql", order_by="ReferralEvent.id", viewonly=True
    )
    # The files that are there now: those removed are known to `services.attachments` alone.
    files: Mapped[list[Attachment]] = relationship(
        lazy="raise_on_sql",
        primaryjoin="and_(Attachment.referral_id == Referral.id, Attachment.gone_at.is_(None))",
        order_by="Attachment.number",
        viewonly=True,
    )

    __mapper_args__ = {"version_id_col": version}


class ReferralEvent(Done, Base):
    """Something that happened to a referral; rows are only ever added.

    `message` is what the school was told; `note` stays inside the service.
    """

    __tablename__ = "referral_event"
    __table_args__ = (
        Index("ix_referral_event_referral", "referral_id", "id"),
        Index(
            "ix_referral_event_decided",
            "at",
            postgresql_where=text("action IN ('accepted', 'declined', 'advised', 'redirected')"),
        ),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    action: Mapped[Action] = mapped_column(choice(Action, "action"))
    message: Mapped[words]
    note: Mapped[words]
    openings: Mapped[list[SectionOpening]] = relationship(
        lazy="raise_on_sql", order_by="SectionOpening.id", viewonly=True
    )
    decision: Mapped[Decision | None] = relationship(
        lazy="raise_on_sql", uselist=False, viewonly=True
    )
