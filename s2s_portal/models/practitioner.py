"""Practitioners of the Complex Needs Schools, and their allocation to referrals."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

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
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, key, words
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import NeedType

WEEK = 5  # the days of a release pattern: Monday to Friday


class Level(StrEnum):
    """How well somebody knows a need."""

    WORKING = "working"
    EXPERIENCED = "experienced"
    SPECIALIST = "specialist"


class AbsenceKind(StrEnum):
    """Why somebody is not there: never a word about anybody's health."""

    AWAY = "away"
    LEAVE = "leave"
    TRAINING = "training"
    SCHOOL = "school"


class ConflictKind(StrEnum):
    """What ties somebody to an establishment."""

    FORMER_SCHOOL = "former_school"
    RELATIVE = "relative"
    OTHER = "other"


class ConflictWeight(StrEnum):
    """What follows: they are not offered for it, or somebody asks first."""

    EXCLUDED = "excluded"
    ASK_FIRST = "ask_first"


class Practitioner(Base):
    """A member of staff whom a Complex Needs School lends to the service, or its lead.

    `account_id` is the host's account key, tied by an administrator, never by name. `phases` are
    register codes of phase as text, `areas` districts of the register (none: anywhere), `needs` the
    census codes of `skills`; `capacity` is how many open cases they take at once. Who no longer
    works after `leaving_on` is offered no referral from that day on. `version` counts the changes.
    """

    __tablename__ = "practitioner"
    __table_args__ = (
        CheckConstraint("capacity >= 0", name="capacity"),
        Index("ix_practitioner_provider", "provider_urn"),
        Index("uq_practitioner_account", "account_id", unique=True),
    )

    id: Mapped[key]
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    account_id: Mapped[str | None] = mapped_column(Text)
    provider_urn: Mapped[int] = mapped_column(ForeignKey(Establishment.urn))
    provider: Mapped[Establishment] = relationship(lazy="raise_on_sql")
    phases: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    areas: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default="{}")
    capacity: Mapped[int] = mapped_column(SmallInteger, default=0)
    is_lead: Mapped[bool] = mapped_column(Boolean, default=False)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    leaving_on: Mapped[date | None]
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    skills: Mapped[list[Skill]] = relationship(
        lazy="raise_on_sql", cascade="all, delete-orphan", order_by="Skill.code"
    )
    needs: AssociationProxy[list[str]] = association_proxy(
        "skills", "code", creator=lambda code: Skill(code=code, level=Level.EXPERIENCED)
    )


class Skill(Base):
    """A need that a practitioner knows, and how well; after `expires_on` somebody should check."""

    __tablename__ = "practitioner_need"

    practitioner_id: Mapped[int] = mapped_column(ForeignKey(Practitioner.id), primary_key=True)
    code: Mapped[str] = mapped_column(ForeignKey(NeedType.code), primary_key=True)
    level: Mapped[Level] = mapped_column(choice(Level, "level"))
    expires_on: Mapped[date | None]


class Release(Done, Base):
    """For how many minutes on each of Monday to Friday the school releases somebody.

    The row with the latest `valid_from` that has come counts, of two the one written later; after
    `until` nothing is agreed. Rows are only ever added.
    """

    __tablename__ = "practitioner_release"
    __table_args__ = (
        CheckConstraint(
            "array_length(minutes, 1) = 5 AND array_position(minutes, NULL) IS NULL"
            " AND 0 <= ALL (minutes) AND 600 >= ALL (minutes)",
            name="minutes",
        ),
        CheckConstraint("until >= valid_from", name="dates"),
    )

    id: Mapped[key]
    practitioner_id: Mapped[int] = mapped_column(ForeignKey(Practitioner.id), index=True)
    valid_from: Mapped[date]
    until: Mapped[date | None]
    minutes: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))


class Absence(Done, Base):
    """Days from `starts` to `ends`, both included, on which a practitioner makes no visit."""

    __tablename__ = "practitioner_absence"
    __table_args__ = (CheckConstraint("ends >= starts", name="dates"),)

    id: Mapped[key]
    practitioner_id: Mapped[int] = mapped_column(ForeignKey(Practitioner.id), index=True)
    starts: Mapped[date]
    ends: Mapped[date]
    kind: Mapped[AbsenceKind] = mapped_column(choice(AbsenceKind, "kind"))


class Conflict(Done, Base):
    """An establishment that a practitioner is not, or not without asking, sent to.

    `starts` and `ends` are the days between which it holds, both included; None: no bound.
    """

    __tablename__ = "practitioner_conflict"
    __table_args__ = (
        UniqueConstraint("practitioner_id", "urn"),
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint("ends >= starts", name="dates"),
    )

    id: Mapped[key]
    practitioner_id: Mapped[int] = mapped_column(ForeignKey(Practitioner.id), index=True)
    urn: Mapped[int] = mapped_column(ForeignKey(Establishment.urn))
    establishment: Mapped[Establishment] = relationship(lazy="raise_on_sql")
    kind: Mapped[ConflictKind] = mapped_column(choice(ConflictKind, "kind"))
    weight: Mapped[ConflictWeight] = mapped_column(choice(ConflictWeight, "weight"))
    reason: Mapped[str] = mapped_column(Text)
    starts: Mapped[date | None]
    ends: Mapped[date | None]


class PractitionerEvent(Done, Base):
    """One change of a record: a part of it before and after, as pairs of a label and words.

    `version` is the record's version that the change made. Rows are only ever added.
    """

    __tablename__ = "practitioner_event"

    id: Mapped[key]
    practitioner_id: Mapped[int] = mapped_column(ForeignKey(Practitioner.id), index=True)
    version: Mapped[int] = mapped_column(Integer)
    part: Mapped[str] = mapped_column(Text)
    before: Mapped[list[list[str]]] = mapped_column(JSONB)
    after: Mapped[list[list[str]]] = mapped_column(JSONB)


class Rule(StrEnum):
    """Why this practitioner: the service's own rule, "the local school unless specialism or
    capacity", or the officer's own choice."""

    LOCAL = "local"
    SPECIALISM = "specialism"
    CAPACITY = "capacity"
    OTHER = "other"


class Allocation(Done, Base):
    """A referral given to a practitioner, with the reason; at most one is open for a referral."""

    __tablename__ = "allocation"
    __table_args__ = (
        Index(
            "uq_allocation_open", "referral_id", unique=True, postgresql_where="ended_at IS NULL"
        ),
        Index("ix_allocation_referral", "referral_id"),
        Index("ix_allocation_practitioner", "practitioner_id", "ended_at"),
        CheckConstraint("reason <> ''", name="reason"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    referral: Mapped[Referral] = relationship(lazy="raise_on_sql")
    practitioner_id: Mapped[int] = mapped_column(ForeignKey(Practitioner.id))
    practitioner: Mapped[Practitioner] = relationship(lazy="raise_on_sql")
    practitioner_name: Mapped[str] = mapped_column(Text)
    provider_urn: Mapped[int] = mapped_column(ForeignKey(Establishment.urn))
    provider_name: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    rule: Mapped[Rule | None] = mapped_column(choice(Rule, "rule"))
    overridden: Mapped[words]
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_reason: Mapped[words]
