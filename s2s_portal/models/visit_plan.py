"""What visits are planned, version by version, and what the school says of each (F50)."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, key, words
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import VisitKind


class PlanSays(StrEnum):
    """What a school says of a version of the plan."""

    AGREED = "agreed"
    CHANGE = "change"


class VisitPlan(Done, Base):
    """One version of the plan of a referral, as its practitioner proposed it. Only ever added.

    `total` is how many visits it has; `fewer_than` how many the plan had that counted then, where
    this one has fewer, which needs a reason (`why`).
    """

    __tablename__ = "visit_plan"
    __table_args__ = (
        UniqueConstraint("referral_id", "version"),
        CheckConstraint("total BETWEEN 1 AND 99", name="total"),
        CheckConstraint("fewer_than IS NULL OR (fewer_than > total AND why <> '')", name="fewer"),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    version: Mapped[int] = mapped_column(SmallInteger)
    total: Mapped[int] = mapped_column(SmallInteger)
    fewer_than: Mapped[int | None] = mapped_column(SmallInteger)
    why: Mapped[words]
    rows: Mapped[list[PlannedVisits]] = relationship(
        lazy="raise_on_sql", order_by="PlannedVisits.position"
    )
    answer: Mapped[PlanAnswer | None] = relationship(lazy="raise_on_sql", uselist=False)


class PlannedVisits(Base):
    """So many visits of one kind in a plan, and roughly when: the first day of a month."""

    __tablename__ = "planned_visits"
    __table_args__ = (
        UniqueConstraint("plan_id", "position"),
        CheckConstraint("number BETWEEN 1 AND 20", name="number"),
    )

    id: Mapped[key]
    plan_id: Mapped[int] = mapped_column(ForeignKey(VisitPlan.id))
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    position: Mapped[int] = mapped_column(SmallInteger)
    kind: Mapped[VisitKind] = mapped_column(choice(VisitKind, "kind"))
    number: Mapped[int] = mapped_column(SmallInteger)
    month: Mapped[date]


class PlanAnswer(Done, Base):
    """What the school says of one version, once."""

    __tablename__ = "plan_answer"
    __table_args__ = (CheckConstraint("says <> 'change' OR words <> ''", name="change_in_words"),)

    plan_id: Mapped[int] = mapped_column(ForeignKey(VisitPlan.id), primary_key=True)
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id))
    says: Mapped[PlanSays] = mapped_column(choice(PlanSays, "says"))
    words: Mapped[str] = mapped_column(Text, default="", server_default="")
