"""What work weighs, and how much of it may be given to whom: rows by date, only ever added."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Integer, SmallInteger, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal.database import Base
from s2s_portal.models import columns
from s2s_portal.models.columns import Done, choice


class WorkKind(StrEnum):
    """What takes time: an open referral beside its visits, a planned visit beside itself, and an
    open referral that somebody supports, led by another."""

    REFERRAL = "referral"
    VISIT = "visit"
    SUPPORT = "support"


class Weight(Base):
    """Minutes that a referral of `tier` takes in four school weeks, or that a visit takes on top.

    A row without a tier holds for every tier that has none of its own. The latest row by
    `valid_from` that has come counts.
    """

    __tablename__ = "workload_weight"
    __table_args__ = (
        UniqueConstraint("kind", "tier", "valid_from", postgresql_nulls_not_distinct=True),
        CheckConstraint("minutes >= 0", name="minutes"),
    )

    id: Mapped[columns.key]
    kind: Mapped[WorkKind] = mapped_column(choice(WorkKind, "kind"))
    tier: Mapped[int | None] = mapped_column(SmallInteger)
    valid_from: Mapped[date]
    minutes: Mapped[int] = mapped_column(Integer)
    source: Mapped[str] = mapped_column(Text)


class CapScope(StrEnum):
    """What a cap counts: open referrals of a practitioner or provider, a provider's in a term."""

    PRACTITIONER = "practitioner"
    PROVIDER = "provider"
    TERM = "term"


class Cap(Done, Base):
    """At most `most` referrals (None: no cap any more) from `valid_from` on.

    `key` is the practitioner's number or the provider's URN; a row without one holds for all that
    have none of their own. Of two rows the one with the later day counts, then the one added later.
    """

    __tablename__ = "allocation_cap"
    __table_args__ = (CheckConstraint("most >= 0", name="most"),)

    id: Mapped[columns.key]
    scope: Mapped[CapScope] = mapped_column(choice(CapScope, "scope"))
    key: Mapped[int | None] = mapped_column(BigInteger)
    valid_from: Mapped[date]
    most: Mapped[int | None] = mapped_column(Integer)
    source: Mapped[str] = mapped_column(Text)
