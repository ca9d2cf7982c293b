"""Fee rules: what a referral costs, by kind of setting and of referral, from a day on (F70)."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from sqlalchemy import CheckConstraint, Computed, Index, Integer, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal.database import Base
from s2s_portal.models.codes import Kind
from s2s_portal.models.columns import Done, choice, key
from s2s_portal.models.establishment import Establishment, SettingKind

# Pupil referral units and alternative provision of any kind (GIAS, "TypeOfEstablishment").
ALTERNATIVE_TYPES = frozenset({14, 38, 42, 43})


class FeeSetting(StrEnum):
    """The kinds of setting that a fee can differ by."""

    MAINTAINED = "maintained"
    ACADEMY = "academy"
    EARLY_YEARS = "early_years"
    OTHER = "other"

    @classmethod
    def of(cls, establishment: Establishment) -> FeeSetting:
        """What kind an establishment is now. A nursery school is early years (decision 3)."""
        if establishment.setting_kind is SettingKind.EARLY_YEARS:
            return cls.EARLY_YEARS
        if establishment.type_code in ALTERNATIVE_TYPES:
            return cls.OTHER
        if establishment.is_maintained:
            return cls.MAINTAINED
        return cls.ACADEMY if establishment.is_academy else cls.OTHER


class DueEvent(StrEnum):
    """When a fee falls due."""

    SUBMISSION = "submission"
    ACCEPTANCE = "acceptance"
    FIRST_VISIT = "first_visit"


class FeeRule(Done, Base):
    """What a referral of one kind from one kind of setting costs, in pence.

    `valid_from` is said; `during` follows from the rules around it and is the database's to fill
    in: it is empty for a rule that another of the same first day took the place of before it began.
    """

    __tablename__ = "fee_rule"
    __table_args__ = (
        ExcludeConstraint(
            (text("int4range(cell::integer, cell::integer, '[]')"), "&&"),
            ("during", "&&"),
            name="ex_fee_rule_overlap",
            using="gist",
        ),
        Index("ix_fee_rule_cell", "cell", "valid_from", "id"),
        CheckConstraint("amount_pence BETWEEN 0 AND 10000000", name="amount"),
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint("source <> ''", name="source"),
    )

    id: Mapped[key]
    setting: Mapped[FeeSetting] = mapped_column(choice(FeeSetting, "setting"))
    kind: Mapped[Kind] = mapped_column(choice(Kind, "kind"))
    valid_from: Mapped[date]
    during: Mapped[Range[date]] = mapped_column(DATERANGE, default=Range(empty=True))
    amount_pence: Mapped[int] = mapped_column(Integer)
    due: Mapped[DueEvent] = mapped_column(choice(DueEvent, "due"), default=DueEvent.ACCEPTANCE)
    reason: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    cell: Mapped[int] = mapped_column(
        SmallInteger,
        Computed(
            "10 * array_position(ARRAY['maintained', 'academy', 'early_years', 'other'],"
            " setting::text) + array_position(ARRAY['pupil', 'group', 'whole', 'training'],"
            " kind::text)",
            persisted=True,
        ),
    )
