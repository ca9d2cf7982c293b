"""What happens to a charge after it was posted, who relieves a school of it, and closed years.

Like the ledger's own tables, nothing here is about a child.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, key, words
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.ledger import Account, EntryKind, LedgerEntry, Route


class ChargeState(StrEnum):
    """Where a charge stands (F76). A proposed one is no entry yet."""

    PROPOSED = "proposed"
    POSTED = "posted"
    IN_PULL = "in_pull"
    COLLECTED = "collected"
    REJECTED = "rejected"
    DISPUTED = "disputed"
    CREDITED = "credited"
    WAIVED = "waived"
    WRITTEN_OFF = "written_off"
    TAKEN_BACK = "taken_back"


# The school no longer owes it, by an entry that undoes it.
UNDONE_STATES = frozenset(
    {
        ChargeState.CREDITED,
        ChargeState.WAIVED,
        ChargeState.WRITTEN_OFF,
        ChargeState.TAKEN_BACK,
    }
)


class ChargeEventKind(StrEnum):
    """What happened to a charge that is no entry; the last two settle a dispute."""

    REJECTED = "rejected"
    DISPUTED = "disputed"
    STANDS = "stands"
    CREDITED = "credited"


class Side(StrEnum):
    """Who said so."""

    SCHOOL = "school"
    FINANCE = "finance"
    SERVICE = "service"


class ChargeEvent(Done, Base):
    """Something that happened to a charge; only ever added. `follows` is the event before it, 0 for
    none: of two people at once, one finds that the charge has changed."""

    __tablename__ = "charge_event"
    __table_args__ = (
        UniqueConstraint("charge_number", "follows", name="uq_charge_event_follows"),
        CheckConstraint("words <> ''", name="words"),
    )

    id: Mapped[key]
    charge_number: Mapped[int] = mapped_column(ForeignKey(LedgerEntry.number))
    urn: Mapped[int] = mapped_column(ForeignKey(Establishment.urn))
    kind: Mapped[ChargeEventKind] = mapped_column(choice(ChargeEventKind, "kind"))
    side: Mapped[Side] = mapped_column(choice(Side, "side"))
    words: Mapped[str] = mapped_column(Text)
    follows: Mapped[int] = mapped_column(BigInteger)


class ReliefKind(StrEnum):
    """How a school is relieved of a charge; also how the entry's idempotency key begins."""

    WAIVE = "waive"
    CREDIT = "credit"
    WRITE_OFF = "write_off"


class ReliefReason(StrEnum):
    """Why, from a list, so that it can be counted."""

    PROMISE_BROKEN = "promise_broken"
    CHARGED_IN_ERROR = "charged_in_error"
    DISPUTE_UPHELD = "dispute_upheld"
    NO_VISIT = "no_visit"
    SCHOOL_CLOSED = "school_closed"
    CANNOT_BE_COLLECTED = "cannot_be_collected"
    OTHER = "other"


class ReliefOutcome(StrEnum):
    """How a request was answered."""

    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    OVERTAKEN = "overtaken"


class ReliefRequest(Done, Base):
    """That somebody asks a second person to waive, credit or write off one whole charge.

    `seen` is what the charge was like when it was asked for: once it is different, the request is
    overtaken. `follows` is the request before it on the same charge, 0 for none.
    """

    __tablename__ = "relief_request"
    __table_args__ = (
        UniqueConstraint("charge_number", "follows", name="uq_relief_request_follows"),
        CheckConstraint("words <> ''", name="words"),
        CheckConstraint("amount_pence > 0", name="amount"),
    )

    id: Mapped[key]
    charge_number: Mapped[int] = mapped_column(ForeignKey(LedgerEntry.number))
    kind: Mapped[ReliefKind] = mapped_column(choice(ReliefKind, "kind"))
    reason: Mapped[ReliefReason] = mapped_column(choice(ReliefReason, "reason"))
    words: Mapped[str] = mapped_column(Text)
    amount_pence: Mapped[int] = mapped_column(Integer)
    seen: Mapped[str] = mapped_column(Text)
    follows: Mapped[int] = mapped_column(BigInteger)
    charge: Mapped[LedgerEntry] = relationship(lazy="raise_on_sql", viewonly=True)
    answer: Mapped[ReliefAnswer | None] = relationship(
        lazy="raise_on_sql", uselist=False, viewonly=True
    )


class ReliefAnswer(Done, Base):
    """The answer to a request, one for ever; `entry_number` is the entry that undid the charge."""

    __tablename__ = "relief_answer"
    __table_args__ = (
        UniqueConstraint("entry_number", name="uq_relief_answer_entry_number"),
        CheckConstraint("(outcome = 'approved') = (entry_number IS NOT NULL)", name="posted"),
        CheckConstraint("outcome <> 'refused' OR words <> ''", name="said_why"),
    )

    request_id: Mapped[int] = mapped_column(
        ForeignKey(ReliefRequest.id), primary_key=True, autoincrement=False
    )
    outcome: Mapped[ReliefOutcome] = mapped_column(choice(ReliefOutcome, "outcome"))
    words: Mapped[words]
    entry_number: Mapped[int | None] = mapped_column(ForeignKey(LedgerEntry.number))


class EntryStanding(Base):
    """Where a charge or reversal stands, kept by the database itself for lists and totals.

    It is worked out from entries, pulls and events by the view `s2s.charge_state`, to which
    `flask s2s ledger verify` holds it. `due`: the next pull takes it. `open_pence`, on a charge's
    own line, is what is still to be collected of it (or, negative, given back). `last_event` is the
    id of its last event, 0 when there was none; `settled` that it was collected or given back.
    """

    __tablename__ = "entry_standing"
    __table_args__ = (
        Index(
            "ix_entry_standing_due",
            "number",
            postgresql_include=["amount_pence"],
            postgresql_where=text("due"),
        ),
        Index("ix_entry_standing_state", "state", "number"),
        Index(
            "ix_entry_standing_pulled",
            "number",
            postgresql_include=["amount_pence"],
            postgresql_where=text("pull_number IS NOT NULL AND NOT settled"),
        ),
        Index(
            "ix_entry_standing_undone",
            "number",
            postgresql_where=text("state IN ('credited', 'waived', 'written_off', 'taken_back')"),
        ),
        Index("ix_entry_standing_open", "number", postgresql_where=text("open_pence <> 0")),
    )

    number: Mapped[int] = mapped_column(
        ForeignKey(LedgerEntry.number), primary_key=True, autoincrement=False
    )
    charge_number: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[EntryKind] = mapped_column(choice(EntryKind, "kind"))
    urn: Mapped[int] = mapped_column(Integer)
    route: Mapped[Route] = mapped_column(choice(Route, "route"))
    payer_name: Mapped[str] = mapped_column(Text)
    event_date: Mapped[date]
    amount_pence: Mapped[int] = mapped_column(Integer)
    pull_number: Mapped[int | None] = mapped_column(Integer)
    due: Mapped[bool] = mapped_column(Boolean)
    state: Mapped[ChargeState] = mapped_column(choice(ChargeState, "state"))
    open_pence: Mapped[int] = mapped_column(Integer)
    last_event: Mapped[int] = mapped_column(BigInteger)
    settled: Mapped[bool] = mapped_column(Boolean)


class AccountBalance(Base):
    """The sum of an account's postings in pence, kept by the database itself."""

    __tablename__ = "account_balance"
    __table_args__ = (
        Index("ix_account_balance_urn", "urn", postgresql_where=text("balance_pence <> 0")),
    )

    account_code: Mapped[str] = mapped_column(ForeignKey(Account.code), primary_key=True)
    urn: Mapped[int | None] = mapped_column(Integer)
    balance_pence: Mapped[int] = mapped_column(BigInteger)


class YearCloseRequest(Done, Base):
    """That somebody of Finance asks a second person to close a financial year."""

    __tablename__ = "year_close_request"
    __table_args__ = (
        Index("ix_year_close_request_financial_year", "financial_year", "id"),
        CheckConstraint(r"financial_year ~ '^\d{4}/\d{2}$'", name="year"),
    )

    id: Mapped[key]
    financial_year: Mapped[str] = mapped_column(Text)
    words: Mapped[words]


class YearClose(Done, Base):
    """A financial year that is closed: no entry may happen in it any more (F84)."""

    __tablename__ = "year_close"

    financial_year: Mapped[str] = mapped_column(Text, primary_key=True)
    request_id: Mapped[int] = mapped_column(ForeignKey(YearCloseRequest.id))
    last_entry: Mapped[int] = mapped_column(BigInteger)
    last_hash: Mapped[str] = mapped_column(Text)
    carried_pence: Mapped[int] = mapped_column(BigInteger)


class CarriedBalance(Base):
    """What a school owed at the end of a closed year, in pence; nothing where it owed nothing."""

    __tablename__ = "carried_balance"
    __table_args__ = (CheckConstraint("balance_pence <> 0", name="something"),)

    financial_year: Mapped[str] = mapped_column(
        ForeignKey(YearClose.financial_year), primary_key=True
    )
    urn: Mapped[int] = mapped_column(
        ForeignKey(Establishment.urn), primary_key=True, autoincrement=False
    )
    balance_pence: Mapped[int] = mapped_column(BigInteger)
