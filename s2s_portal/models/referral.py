"""A referral: what a school asks for, about whom, and everything that has happened to it."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Boolean,
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
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal import clock
from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, instant, key, words
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.intake import IntakeWindow
from s2s_portal.models.terms import NeedType, ServiceTerms

if TYPE_CHECKING:
    from s2s_portal.models.attachment import Attachment
    from s2s_portal.models.change import AgreementWithdrawal, SectionOpening


class Status(StrEnum):
    """Where a referral stands: derived from its events, stored for lists."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    DECLINED = "declined"
    ACCEPTED = "accepted"
    ALLOCATED = "allocated"
    CLOSED = "closed"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


# Never sent to the council, so no business of anybody but the school.
UNSENT = frozenset({Status.DRAFT, Status.EXPIRED})


class Kind(StrEnum):
    """What the referral is for: what it asks depends on it (`services.form_versions`)."""

    PUPIL = "pupil"
    GROUP = "group"
    WHOLE = "whole"
    TRAINING = "training"


class Support(StrEnum):
    """Kinds of support a school can ask for (MI Sheet 44/19; domain.md 1.2)."""

    ADVICE = "ADV"
    OBSERVATION = "OBS"
    MODELLING = "MOD"
    TRAINING = "TRN"
    RESOURCES = "RES"
    PLAN_REVIEW = "PLN"
    SIGNPOSTING = "SGN"
    REVERSE_VISIT = "RVS"


class Action(StrEnum):
    """What can happen to a referral."""

    STARTED = "started"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    RESUBMITTED = "resubmitted"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    ALLOCATED = "allocated"
    VISIT_BOOKED = "visit_booked"
    RECORD_ISSUED = "record_issued"
    RECORD_ACKNOWLEDGED = "record_acknowledged"
    ADDENDUM_WRITTEN = "addendum_written"
    OUTCOMES_RECORDED = "outcomes_recorded"
    CLOSED = "closed"
    REOPENED = "reopened"
    EXPIRED = "expired"
    AMENDED = "amended"
    WITHDRAWN = "withdrawn"
    AGREEMENT_WITHDRAWN = "agreement_withdrawn"


# The status that an event leaves behind; an action that is not here changes none.
STATUS_AFTER: dict[Action, Status] = {
    Action.STARTED: Status.DRAFT,
    Action.SUBMITTED: Status.SUBMITTED,
    Action.RETURNED: Status.RETURNED,
    Action.RESUBMITTED: Status.SUBMITTED,
    Action.ACCEPTED: Status.ACCEPTED,
    Action.DECLINED: Status.DECLINED,
    Action.ALLOCATED: Status.ALLOCATED,
    Action.CLOSED: Status.CLOSED,
    Action.REOPENED: Status.ALLOCATED,
    Action.EXPIRED: Status.EXPIRED,
    Action.WITHDRAWN: Status.WITHDRAWN,
    Action.AGREEMENT_WITHDRAWN: Status.WITHDRAWN,
}


# Only in these can a referral have been given to somebody, and only then has it visits.
GIVEN = frozenset({Status.ALLOCATED, Status.CLOSED, Status.WITHDRAWN})

# Sent, and not at its end: its school can amend it, with a reason.
UNDER_WAY = frozenset({Status.SUBMITTED, Status.ACCEPTED, Status.ALLOCATED})


class Closure(StrEnum):
    """Why a referral was closed (domain.md 2.3)."""

    OUTCOMES_MET = "OUTCOMES_MET"
    PARTLY_MET = "PARTLY_MET"
    NOT_MET = "NOT_MET_ESCALATE"
    MOVED_SCHOOL = "MOVED_SCHOOL"
    LEFT_COUNTY = "LEFT_COUNTY"
    WITHDRAWN_PARENT = "WITHDRAWN_PARENT"
    WITHDRAWN_SCHOOL = "WITHDRAWN_SCHOOL"
    NO_ENGAGEMENT = "NO_ENGAGEMENT"


class Withdrawal(StrEnum):
    """Why a school, or the parent, took a referral back (domain.md 2.3)."""

    MOVED_SCHOOL = "MOVED_SCHOOL"
    LEFT_COUNTY = "LEFT_COUNTY"
    OTHER_SUPPORT = "OTHER_SUPPORT"
    NO_LONGER_NEEDED = "NO_LONGER_NEEDED"
    AGREEMENT = "WITHDRAWN_PARENT"
    MISTAKE = "SENT_BY_MISTAKE"
    OTHER = "WITHDRAWN_SCHOOL"


class DeclineReason(StrEnum):
    """Why a referral was declined (domain.md 2.3)."""

    CRITERIA = "DECLINE_CRITERIA"
    CAPACITY = "DECLINE_CAPACITY"
    REDIRECT = "REDIRECT"
    DUPLICATE = "DUPLICATE"
    WITHDRAWN = "WITHDRAWN"


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

    decline_reason: Mapped[DeclineReason | None] = mapped_column(
        choice(DeclineReason, "decline_reason")
    )
    closure: Mapped[Closure | None] = mapped_column(choice(Closure, "closure"))
    withdrawal: Mapped[Withdrawal | None] = mapped_column(choice(Withdrawal, "withdrawal"))
    # By when the next step is to be taken, by the service level of the day it was promised.
    due_on: Mapped[date | None]

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


class Subject(Base):
    """Whom or what a referral is about: the only place that names a child.

    `services` are those already involved with the pupil, each with `code` (`labels.SERVICES`),
    `name`, `since` (ISO date or empty) and `current`.
    """

    __tablename__ = "referral_subject"
    __table_args__ = (
        CheckConstraint("jsonb_typeof(services) = 'array'", name="services"),
        CheckConstraint("staff_count BETWEEN 1 AND 2000", name="staff_count"),
    )

    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), primary_key=True)
    surname: Mapped[words]
    forenames: Mapped[words]
    known_as: Mapped[words]
    date_of_birth: Mapped[date | None]
    sex: Mapped[words]
    upn: Mapped[words]
    year_group: Mapped[words]
    out_of_year: Mapped[bool] = mapped_column(Boolean, default=False)
    group_name: Mapped[words]
    group_size: Mapped[int | None] = mapped_column(SmallInteger)
    group_years: Mapped[words]
    sen_provision: Mapped[words]
    services: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default="[]")
    audience: Mapped[words]
    staff_count: Mapped[int | None] = mapped_column(SmallInteger)
    themes: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default="{}")
    topic: Mapped[words]
    preferred_dates: Mapped[words]

    @property
    def title(self) -> str:
        """How the pupil, group or training is called in a heading for those who may see it."""
        if self.topic:
            return f"Training: {self.topic}"
        if self.audience:
            return f"Whole school: {self.audience}"
        if self.group_name:
            return self.group_name
        return f"{self.known_as or self.forenames} {self.surname}".strip()


class Need(Base):
    """A type of need, by census code; rank 1 is the primary one, and there is exactly one."""

    __tablename__ = "referral_need"
    __table_args__ = (
        UniqueConstraint("referral_id", "rank"),
        CheckConstraint("rank BETWEEN 1 AND 5", name="rank"),
    )

    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), primary_key=True)
    code: Mapped[str] = mapped_column(ForeignKey(NeedType.code), primary_key=True)
    type: Mapped[NeedType] = relationship(lazy="joined", innerjoin=True, viewonly=True)
    rank: Mapped[int] = mapped_column(SmallInteger)


class StrategyTried(Base):
    """One round of assess, plan, do, review: what was found, planned and done, and its result.

    The first form asked for `what`, the dates and `result` alone; since then `what` is the plan,
    `assessed` comes before it, `delivered` says who did it how often, and it ends with a review.
    """

    __tablename__ = "strategy_tried"
    __table_args__ = (
        UniqueConstraint("referral_id", "position"),
        CheckConstraint("ended_on IS NULL OR ended_on >= started_on", name="dates"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    position: Mapped[int] = mapped_column(SmallInteger)
    what: Mapped[str] = mapped_column(Text)
    started_on: Mapped[date]
    ended_on: Mapped[date | None]
    result: Mapped[str] = mapped_column(Text)
    assessed: Mapped[words]
    delivered: Mapped[words]


class Achieved(StrEnum):
    """How far an outcome was reached (F65)."""

    YES = "achieved"
    PARTLY = "partly"
    NO = "not"


class OutcomeWanted(Base):
    """One outcome the school wants, and at the end how far it was reached.

    `baseline` is where things are at referral, 0 (not at all) to 10 (all the time).
    """

    __tablename__ = "outcome_wanted"
    __table_args__ = (
        UniqueConstraint("referral_id", "position"),
        CheckConstraint("baseline BETWEEN 0 AND 10", name="baseline"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    position: Mapped[int] = mapped_column(SmallInteger)
    text: Mapped[str] = mapped_column(Text)
    baseline: Mapped[int | None] = mapped_column(SmallInteger)
    achieved: Mapped[Achieved | None] = mapped_column(choice(Achieved, "achieved"))
    comment: Mapped[words]
    recorded_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    recorded_by_id: Mapped[words]
    recorded_by_name: Mapped[words]


class Agreement(Base):
    """Agreement to the service's involvement (not the legal basis: domain.md 5)."""

    __tablename__ = "agreement"

    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), primary_key=True)
    agreed: Mapped[bool] = mapped_column(Boolean)
    given_by: Mapped[words]
    relationship_to_pupil: Mapped[words]
    how: Mapped[words]
    obtained_by: Mapped[words]
    obtained_on: Mapped[date | None]
    privacy_notice: Mapped[words]
    group_told: Mapped[words]
    parental_responsibility: Mapped[bool | None] = mapped_column(Boolean)
    scope: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default="{}")
    shared_with: Mapped[words]
    evidence: Mapped[words]
    pupil_agreed: Mapped[bool | None] = mapped_column(Boolean)
    pupil_agreed_on: Mapped[date | None]


class DraftCopy(Base):
    """What somebody has typed into a section and not saved yet: theirs alone to read.

    `fields` are the form's names and values in order. Gone when the section is saved or the
    referral is sent (a trigger); with the draft, when that goes.
    """

    __tablename__ = "draft_copy"

    referral_id: Mapped[int] = mapped_column(
        ForeignKey(Referral.id, ondelete="CASCADE"), primary_key=True
    )
    section: Mapped[str] = mapped_column(Text, primary_key=True)
    by_id: Mapped[str] = mapped_column(Text, primary_key=True)
    at: Mapped[instant] = mapped_column(default=clock.now)
    fields: Mapped[list[list[str]]] = mapped_column(JSONB)


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
            postgresql_where=text("action IN ('accepted', 'declined')"),
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
