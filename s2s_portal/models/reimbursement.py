"""What a Complex Needs School is paid back for its staff's time: rates by date, statements."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, key
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.visit import VisitKind, VisitRecord


class Per(StrEnum):
    """What the time is paid by."""

    DAY = "day"
    HOUR = "hour"


class Period(StrEnum):
    """How long a statement's period is."""

    MONTH = "month"
    TERM = "term"
    YEAR = "year"


class ReleaseRate(Done, Base):
    """Pence for the time of released staff (a day or an hour of it) and for a mile, by date.

    A row without a provider holds for every Complex Needs School that has none of its own that
    day. Two of one school never overlap. A row that is open-ended ends, once, when the next begins.
    """

    __tablename__ = "release_rate"
    __table_args__ = (
        ExcludeConstraint(
            (
                text("int4range(coalesce(provider_urn, 0), coalesce(provider_urn, 0), '[]')"),
                "&&",
            ),
            ("during", "&&"),
            name="ex_release_rate_overlap",
            using="gist",
        ),
        CheckConstraint("NOT isempty(during) AND NOT lower_inf(during)", name="during"),
        CheckConstraint("time_pence >= 0 AND mile_pence >= 0", name="pence"),
    )

    id: Mapped[key]
    provider_urn: Mapped[int | None] = mapped_column(Integer, ForeignKey(Establishment.urn))
    provider: Mapped[Establishment | None] = relationship(lazy="raise_on_sql")
    during: Mapped[Range[date]] = mapped_column(DATERANGE)
    per: Mapped[Per] = mapped_column(choice(Per, "per"))
    time_pence: Mapped[int] = mapped_column(Integer)
    mile_pence: Mapped[int] = mapped_column(Integer)
    source: Mapped[str] = mapped_column(Text)


class ReimbursementStatement(Done, Base):
    """What a Complex Needs School is to be paid for a period: numbered, issued by its lead, final.

    Amounts in pence; `day_minutes` is what a day counted as. `digest` is of all that it says, and
    `pdf` is the document as it was issued. Lines are added in the transaction that issues it alone.
    """

    __tablename__ = "reimbursement_statement"
    __table_args__ = (
        UniqueConstraint("token"),
        Index("ix_reimbursement_statement_provider", "provider_urn", "number"),
        CheckConstraint("ends >= starts", name="dates"),
        CheckConstraint("day_minutes > 0", name="day"),
        CheckConstraint("total_pence = time_pence + mile_pence", name="total"),
    )

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    provider_urn: Mapped[int] = mapped_column(Integer, ForeignKey(Establishment.urn))
    provider_name: Mapped[str] = mapped_column(Text)
    period: Mapped[Period] = mapped_column(choice(Period, "period"))
    period_words: Mapped[str] = mapped_column(Text)
    starts: Mapped[date]
    ends: Mapped[date]
    day_minutes: Mapped[int] = mapped_column(SmallInteger)
    minutes: Mapped[int] = mapped_column(Integer)
    miles: Mapped[Decimal] = mapped_column(Numeric(8, 1))
    time_pence: Mapped[int] = mapped_column(Integer)
    mile_pence: Mapped[int] = mapped_column(Integer)
    total_pence: Mapped[int] = mapped_column(Integer)
    token: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(Text)
    pdf: Mapped[bytes] = mapped_column(LargeBinary, deferred=True, deferred_raiseload=True)
    transaction_id: Mapped[int] = mapped_column(
        BigInteger, default=func.txid_current(), server_default=func.txid_current()
    )
    lines: Mapped[list[ReimbursementLine]] = relationship(
        lazy="raise_on_sql", order_by="ReimbursementLine.position"
    )


class ReimbursementLine(Base):
    """One activity of a statement, or with `correction` what changed of one stated before.

    Minutes and miles may then be negative. Nothing of it is about a child.
    """

    __tablename__ = "reimbursement_line"
    __table_args__ = (
        UniqueConstraint("statement_number", "position", name="uq_reimbursement_line_position"),
        Index(
            "uq_reimbursement_line_record",
            "record_id",
            unique=True,
            postgresql_where=text("NOT correction"),
        ),
        CheckConstraint("correction OR (minutes >= 0 AND miles >= 0)", name="corrected"),
    )

    id: Mapped[key]
    statement_number: Mapped[int] = mapped_column(ForeignKey(ReimbursementStatement.number))
    position: Mapped[int] = mapped_column(Integer)
    record_id: Mapped[int] = mapped_column(ForeignKey(VisitRecord.id))
    correction: Mapped[bool] = mapped_column(Boolean)
    reference: Mapped[str] = mapped_column(Text)
    urn: Mapped[int] = mapped_column(Integer)
    school_name: Mapped[str] = mapped_column(Text)
    practitioner_name: Mapped[str] = mapped_column(Text)
    kind: Mapped[VisitKind] = mapped_column(choice(VisitKind, "kind"))
    visited_on: Mapped[date]
    minutes: Mapped[int] = mapped_column(Integer)
    miles: Mapped[Decimal] = mapped_column(Numeric(6, 1))
    rate_id: Mapped[int] = mapped_column(ForeignKey(ReleaseRate.id))
    time_pence: Mapped[int] = mapped_column(Integer)
    mile_pence: Mapped[int] = mapped_column(Integer)
