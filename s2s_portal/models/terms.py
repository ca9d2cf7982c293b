"""Rules that change by date: the terms of the service with their fees, and the need codes."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, SmallInteger, Text
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, key
from s2s_portal.models.establishment import SettingKind


class AccessRoute(StrEnum):
    """How a referral reaches the service."""

    EXISTING = "existing"
    SINGLE_FRONT_DOOR = "single_front_door"


class Funding(StrEnum):
    """Who pays for the support itself."""

    TRADED = "traded"
    HIGH_NEEDS_BLOCK = "high_needs_block"


class ServiceTerms(Base):
    """What applied to a referral received on a day of `during`; two never overlap."""

    __tablename__ = "service_terms"
    __table_args__ = (
        ExcludeConstraint(("during", "&&"), name="ex_service_terms_overlap", using="gist"),
        CheckConstraint("NOT isempty(during)", name="during"),
    )

    id: Mapped[key]
    name: Mapped[str] = mapped_column(Text)
    during: Mapped[Range[date]] = mapped_column(DATERANGE)
    access: Mapped[AccessRoute] = mapped_column(choice(AccessRoute, "access"))
    funding: Mapped[Funding] = mapped_column(choice(Funding, "funding"))
    source: Mapped[str] = mapped_column(Text)
    fees: Mapped[list[Fee]] = relationship(lazy="raise_on_sql", order_by="Fee.setting_kind")

    def fee_for(self, kind: SettingKind) -> Fee:
        """The fee of these terms for a kind of setting."""
        return next(fee for fee in self.fees if fee.setting_kind == kind)


class Fee(Base):
    """The engagement fee of one set of terms for one kind of setting, in pence."""

    __tablename__ = "fee"
    __table_args__ = (CheckConstraint("amount_pence >= 0", name="amount"),)

    terms_id: Mapped[int] = mapped_column(ForeignKey(ServiceTerms.id), primary_key=True)
    setting_kind: Mapped[SettingKind] = mapped_column(
        choice(SettingKind, "setting_kind"), primary_key=True
    )
    amount_pence: Mapped[int] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(Text)


class Step(StrEnum):
    """What is promised within so many days (domain.md 2.4); `ANSWER` is asked of the school."""

    ACKNOWLEDGEMENT = "acknowledgement"
    DECISION = "decision"
    ALLOCATION = "allocation"
    CONTACT = "contact"
    FIRST_VISIT = "first_visit"
    RECORD = "record"
    ANSWER = "answer"
    CLOSURE = "closure"
    ADVICE = "advice"


class Unit(StrEnum):
    """What a service level is counted in: days of the council's, of the school's, or its weeks."""

    WORKING_DAYS = "working_days"
    SCHOOL_DAYS = "school_days"
    SCHOOL_WEEKS = "school_weeks"


class ServiceLevel(Done, Base):
    """Within how long a step is taken, from `valid_from` until a later row begins.

    Of two rows that begin on one day the one entered last holds: a slip is corrected by a row of
    its own. `warning` is how many working days before the end a referral is due soon.
    """

    __tablename__ = "service_level"
    __table_args__ = (
        Index("ix_service_level_step", "step", "valid_from", "id"),
        CheckConstraint("length > 0", name="length"),
        CheckConstraint("warning >= 0", name="warning"),
    )

    id: Mapped[key]
    step: Mapped[Step] = mapped_column(choice(Step, "step"))
    valid_from: Mapped[date]
    length: Mapped[int] = mapped_column(SmallInteger)
    unit: Mapped[Unit] = mapped_column(choice(Unit, "unit"), default=Unit.WORKING_DAYS)
    warning: Mapped[int] = mapped_column(SmallInteger, default=1)
    source: Mapped[str] = mapped_column(Text)


class PlanRule(Base):
    """What counts as how many miles in a plan, from `valid_from` until a later row.

    `need_miles`, `phase_miles`: not covered. `contact_miles`: given no referral of the school
    before. `full_miles`: the case fills the last place. `unknown_miles`: not on the map.
    """

    __tablename__ = "plan_rule"
    __table_args__ = tuple(
        CheckConstraint(f"{name} BETWEEN 0 AND 1000", name=name)
        for name in ("need_miles", "phase_miles", "contact_miles", "full_miles", "unknown_miles")
    )

    valid_from: Mapped[date] = mapped_column(primary_key=True)
    need_miles: Mapped[int] = mapped_column(SmallInteger)
    phase_miles: Mapped[int] = mapped_column(SmallInteger)
    contact_miles: Mapped[int] = mapped_column(SmallInteger)
    full_miles: Mapped[int] = mapped_column(SmallInteger)
    unknown_miles: Mapped[int] = mapped_column(SmallInteger)
    source: Mapped[str] = mapped_column(Text)


class NeedType(Base):
    """A type of need in the school census (`SENtype`), for the dates on which it may be chosen."""

    __tablename__ = "need_type"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    label: Mapped[str] = mapped_column(Text)
    broad_area: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(SmallInteger)
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
