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
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal import clock
from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, instant, key, words
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.terms import NeedType, ServiceTerms

if TYPE_CHECKING:
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
    WITHDRAWN = "withdrawn"


class Kind(StrEnum):
    """Whom the referral is about."""

    PUPIL = "pupil"
    GROUP = "group"


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
        Index("ix_referral_worklist", "status", "submitted_at", "id"),
        Index("ix_referral_submitted", "submitted_at", "id"),
        Index("ix_referral_school", "urn", "created_at", "id"),
        Index("ix_referral_school_status", "urn", "status", "created_at", "id"),
        CheckConstraint(
            "(status = 'draft') = (submitted_at IS NULL)", name="submitted_when_not_draft"
        ),
        CheckConstraint(
            "submitted_at IS NULL OR (terms_id IS NOT NULL AND fee_pence IS NOT NULL"
            " AND received_on IS NOT NULL)",
            name="terms_frozen",
        ),
    )

    id: Mapped[key]
    reference: Mapped[str] = mapped_column(Text)
    urn: Mapped[int] = mapped_column(ForeignKey(Establishment.urn))
    establishment: Mapped[Establishment] = relationship(lazy="raise_on_sql")
    status: Mapped[Status] = mapped_column(choice(Status, "status"), default=Status.DRAFT)
    kind: Mapped[Kind | None] = mapped_column(choice(Kind, "kind"))
    version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[instant] = mapped_column(default=clock.now)
    created_by_id: Mapped[str] = mapped_column(Text)
    created_by_name: Mapped[str] = mapped_column(Text)
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

    __mapper_args__ = {"version_id_col": version}


class Subject(Base):
    """The pupil or the group a referral is about: the only place that names a child."""

    __tablename__ = "referral_subject"

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

    @property
    def title(self) -> str:
        """How the pupil or group is called in a heading for those who may see it."""
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
    """One thing the school has already tried: what, from when to when, and what came of it."""

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


class Achieved(StrEnum):
    """How far an outcome was reached (F65)."""

    YES = "achieved"
    PARTLY = "partly"
    NO = "not"


class OutcomeWanted(Base):
    """One outcome the school wants, and at the end how far it was reached."""

    __tablename__ = "outcome_wanted"
    __table_args__ = (UniqueConstraint("referral_id", "position"),)

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    position: Mapped[int] = mapped_column(SmallInteger)
    text: Mapped[str] = mapped_column(Text)
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


class ReferralEvent(Done, Base):
    """Something that happened to a referral; rows are only ever added.

    `message` is what the school was told; `note` stays inside the service.
    """

    __tablename__ = "referral_event"
    __table_args__ = (Index("ix_referral_event_referral", "referral_id", "id"),)

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    action: Mapped[Action] = mapped_column(choice(Action, "action"))
    message: Mapped[words]
    note: Mapped[words]
    openings: Mapped[list[SectionOpening]] = relationship(
        lazy="raise_on_sql", order_by="SectionOpening.id", viewonly=True
    )
