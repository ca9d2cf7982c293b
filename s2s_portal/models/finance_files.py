"""What goes to and comes from Finance in files and through the API: each download, each answer.

Nothing here is about a child: an entry appears by its number, in Finance's own words.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, key, words
from s2s_portal.models.ledger import LedgerEntry, Pull


class Outcome(StrEnum):
    """What Finance says became of an entry of a pull."""

    COLLECTED = "collected"
    REJECTED = "rejected"
    QUERY = "query"


class PullDownload(Done, Base):
    """One download of a file of a pull: `copy` is 1 for the first, 2 for its first repeat."""

    __tablename__ = "pull_download"
    __table_args__ = (Index("ix_pull_download_by_id", "by_id", "at"),)

    pull_number: Mapped[int] = mapped_column(ForeignKey(Pull.number), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    copy: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)


class ResponseFile(Done, Base):
    """One file of answers from Finance, applied whole; `sha256` keeps it from being applied twice.

    `sha256` is of the file's text with line ends as LF: a browser sends back others than it got.
    """

    __tablename__ = "response_file"

    id: Mapped[key]
    pull_number: Mapped[int] = mapped_column(ForeignKey(Pull.number), index=True)
    sha256: Mapped[str] = mapped_column(Text, unique=True)
    lines: Mapped[list[ResponseLine]] = relationship(
        lazy="raise_on_sql", order_by="ResponseLine.line"
    )


class ResponseLine(Base):
    """What one row of a response file said about one entry. The last one about an entry stands."""

    __tablename__ = "response_line"
    __table_args__ = (
        CheckConstraint("outcome = 'collected' OR reason <> ''", name="reason"),
        Index("ix_response_line_entry_number", "entry_number", "response_id"),
    )

    response_id: Mapped[int] = mapped_column(ForeignKey(ResponseFile.id), primary_key=True)
    line: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    entry_number: Mapped[int] = mapped_column(ForeignKey(LedgerEntry.number))
    outcome: Mapped[Outcome] = mapped_column(choice(Outcome, "outcome"))
    finance_reference: Mapped[words]
    day: Mapped[date]
    amount_pence: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[words]


class ApiAnswer(Done, Base):
    """What the API answered to one POST, by the client's own `Idempotency-Key`."""

    __tablename__ = "api_answer"

    by_id: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    fingerprint: Mapped[str] = mapped_column(Text)
    status: Mapped[int] = mapped_column(SmallInteger)
    location: Mapped[words]
    body: Mapped[str] = mapped_column(Text)


class ApiUse(Base):
    """How many requests one client of the API made in one minute."""

    __tablename__ = "api_use"

    by_id: Mapped[str] = mapped_column(Text, primary_key=True)
    minute: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    count: Mapped[int] = mapped_column(Integer)
