"""The fee ledger: double entry in whole pence, only ever added to, chained by digest.

Nothing here is about a child: a referral appears by its opaque reference, and Finance's files are
made from these tables alone.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, instant, key, words
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.terms import ServiceTerms


class EntryKind(StrEnum):
    """What an entry does."""

    CHARGE = "charge"
    COLLECTION = "collection"
    REVERSAL = "reversal"


class Route(StrEnum):
    """How Finance collects it (MI Sheet 108/05; domain.md 6.2)."""

    INTERNAL = "INTERNAL"
    INVOICE = "INVOICE"


class Account(Base):
    """One account, by code: `receivable:120795`, `income:engagement-fee`, `collected:finance`."""

    __tablename__ = "account"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    urn: Mapped[int | None] = mapped_column(ForeignKey(Establishment.urn))
    name: Mapped[str] = mapped_column(Text)


class LedgerHead(Base):
    """The end of the chain: one row, locked until commit by whoever adds an entry.

    Numbers handed out under this lock have no gaps and appear in order, so a pull that reads up to
    a number can never miss one that commits later.
    """

    __tablename__ = "ledger_head"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(Text)


class LedgerEntry(Base):
    """One entry. What the charge was decided on is frozen here and never looked up again.

    `event_date` is when it happened, `recorded_at` when it was written down; the financial year
    follows the event. `amount_pence` is the change of what the school owes.
    """

    __tablename__ = "ledger_entry"
    __table_args__ = (
        # At most one that stands, which a trigger holds (0021): a decision that is taken back
        # leaves its charge, reversed, behind.
        Index(
            "ix_ledger_entry_charge",
            "referral_reference",
            "fee_kind",
            postgresql_where="kind = 'charge'",
        ),
        Index("ix_ledger_entry_urn", "urn", "number"),
        CheckConstraint(
            r"referral_reference ~ '^S2S-\d{2}-[0-9A-Z]{4}$'", name="reference_is_opaque"
        ),
        CheckConstraint("kind <> 'charge' OR amount_pence > 0", name="charge_is_positive"),
        CheckConstraint(
            "(kind = 'reversal') = (reverses_number IS NOT NULL)", name="reversal_names_entry"
        ),
    )

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[EntryKind] = mapped_column(choice(EntryKind, "kind"))
    fee_kind: Mapped[str] = mapped_column(Text, default="engagement")
    event_date: Mapped[date]
    recorded_at: Mapped[instant]
    recorded_by_id: Mapped[str] = mapped_column(Text)
    recorded_by_name: Mapped[str] = mapped_column(Text)
    financial_year: Mapped[str] = mapped_column(Text)
    period: Mapped[int] = mapped_column(SmallInteger)
    referral_reference: Mapped[str] = mapped_column(Text)
    urn: Mapped[int] = mapped_column(ForeignKey(Establishment.urn))
    dfe_number: Mapped[str] = mapped_column(Text)
    establishment_name: Mapped[str] = mapped_column(Text)
    payer_name: Mapped[str] = mapped_column(Text)
    route: Mapped[Route] = mapped_column(choice(Route, "route"))
    vat_code: Mapped[words]
    purchase_order: Mapped[words]
    terms_id: Mapped[int] = mapped_column(ForeignKey(ServiceTerms.id))
    terms_name: Mapped[str] = mapped_column(Text)
    verdict: Mapped[str] = mapped_column(Text)
    amount_pence: Mapped[int] = mapped_column(Integer)
    settles_number: Mapped[int | None] = mapped_column(
        ForeignKey("s2s.ledger_entry.number"), unique=True
    )
    reverses_number: Mapped[int | None] = mapped_column(
        ForeignKey("s2s.ledger_entry.number"), unique=True
    )
    finance_reference: Mapped[words]
    reason: Mapped[words]
    idempotency_key: Mapped[str] = mapped_column(Text, unique=True)
    fingerprint: Mapped[str] = mapped_column(Text)
    previous_hash: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(Text)
    postings: Mapped[list[Posting]] = relationship(lazy="raise_on_sql", order_by="Posting.line")


class Posting(Base):
    """One line of an entry, in pence: debit positive, credit negative; the lines sum to 0."""

    __tablename__ = "posting"
    __table_args__ = (
        CheckConstraint("amount_pence <> 0", name="amount"),
        Index("ix_posting_account", "account_code", "entry_number"),
    )

    entry_number: Mapped[int] = mapped_column(ForeignKey(LedgerEntry.number), primary_key=True)
    line: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    account_code: Mapped[str] = mapped_column(ForeignKey(Account.code))
    amount_pence: Mapped[int] = mapped_column(Integer)


class Pull(Done, Base):
    """A numbered batch that Finance pulled: what was due up to a cut-off, with control totals.

    `digest` covers the batch and `previous_digest`, so that Finance can prove continuity.
    """

    __tablename__ = "pull"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    cutoff: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    first_entry: Mapped[int] = mapped_column(BigInteger)
    last_entry: Mapped[int] = mapped_column(BigInteger)
    entry_count: Mapped[int] = mapped_column(Integer)
    total_pence: Mapped[int] = mapped_column(BigInteger)
    previous_digest: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(Text)
    idempotency_key: Mapped[str] = mapped_column(Text, unique=True)
    lines: Mapped[list[PullLine]] = relationship(
        lazy="raise_on_sql", order_by="PullLine.entry_number"
    )
    files: Mapped[list[PullFile]] = relationship(lazy="raise_on_sql", order_by="PullFile.name")


class PullLine(Base):
    """An entry in a pull; the primary key keeps it out of every other pull."""

    __tablename__ = "pull_line"

    entry_number: Mapped[int] = mapped_column(ForeignKey(LedgerEntry.number), primary_key=True)
    pull_number: Mapped[int] = mapped_column(ForeignKey(Pull.number), index=True)
    entry: Mapped[LedgerEntry] = relationship(lazy="raise_on_sql")


class PullFile(Base):
    """A file of a pull, kept as it was made, so that a second download has the same bytes."""

    __tablename__ = "pull_file"

    pull_number: Mapped[int] = mapped_column(ForeignKey(Pull.number), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    media_type: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(Text)
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class LedgerVerification(Base):
    """The outcome of one check of the whole ledger, for the readiness page and the doctor."""

    __tablename__ = "ledger_verification"

    id: Mapped[key]
    at: Mapped[instant]
    last_number: Mapped[int] = mapped_column(BigInteger)
    sound: Mapped[bool] = mapped_column(Boolean)
    problems: Mapped[words]
