"""Rules that change by date: the terms of the service with their fees, and the need codes."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Integer, SmallInteger, Text
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal.database import Base
from s2s_portal.models.columns import choice, key
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
    """What the council promises to do within so many working days (domain.md 2.4)."""

    DECISION = "decision"
    ALLOCATION = "allocation"
    CONTACT = "contact"
    ADVICE = "advice"


class ServiceLevel(Base):
    """Within how many working days a step is taken, from `valid_from` until a later row begins."""

    __tablename__ = "service_level"
    __table_args__ = (CheckConstraint("working_days > 0", name="working_days"),)

    step: Mapped[Step] = mapped_column(choice(Step, "step"), primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    working_days: Mapped[int] = mapped_column(SmallInteger)
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
