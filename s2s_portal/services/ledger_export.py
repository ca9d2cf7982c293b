"""The whole ledger at once: as CSV by COPY, or as a journal that beancount reads and checks.

Made from the ledger's own tables alone, so nothing in it can be about a child.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Any

from psycopg import sql
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from s2s_portal import money
from s2s_portal.database import session
from s2s_portal.exports.csv import copy_csv, safe_text
from s2s_portal.identity import Actor, acting_as
from s2s_portal.models.ledger import Account, LedgerEntry, Posting
from s2s_portal.services import pull_files
from s2s_portal.state import state

LONGEST = "600000"  # milliseconds that one export may take; a page's statement has much less
READ_AT_ONCE = 2_000  # entries
ROOTS = {"receivable": "Assets", "collected": "Assets", "income": "Income"}

# What is not about what somebody typed needs no guard; the name of a column, or an expression.
_PLAIN = (
    "entry_number",
    "kind",
    "event_date",
    "recorded_at",
    "financial_year",
    "period",
    "route",
    "urn",
    "dfe_number",
    "source_reference",
    "vat_code",
    "amount_pounds",
    "amount_pence",
    "settles_entry",
    "reverses_entry",
    "pull_number",
    "entry_digest",
)
_TYPED = (
    "school_name",
    "payer_name",
    "purchase_order",
    "terms",
    "verdict",
    "finance_reference",
    "reason",
    "recorded_by",
)
# Told apart from `recorded_at` above: an instant in UTC, which is the same on every machine.
_ENTRIES = """
SELECT e.number AS entry_number, e.kind, e.event_date,
    to_char(e.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS recorded_at,
    e.financial_year, e.period, e.route, e.urn, e.dfe_number,
    e.referral_reference AS source_reference, e.vat_code,
    (e.amount_pence / 100.0)::numeric(20, 2) AS amount_pounds, e.amount_pence,
    e.settles_number AS settles_entry, e.reverses_number AS reverses_entry, l.pull_number,
    e.hash AS entry_digest, e.establishment_name AS school_name, e.payer_name, e.purchase_order,
    e.terms_name AS terms, e.verdict, e.finance_reference, e.reason,
    e.recorded_by_name AS recorded_by
FROM s2s.ledger_entry e LEFT JOIN s2s.pull_line l ON l.entry_number = e.number
ORDER BY e.number
"""


class Form(StrEnum):
    """How the ledger is written down."""

    CSV = "csv"
    BEANCOUNT = "beancount"


def statement() -> sql.Composed:
    """The rows of the CSV: every entry, oldest first, what people typed guarded."""
    columns: list[sql.Composable] = [sql.Identifier(name) for name in _PLAIN]
    columns += [
        sql.SQL("{} AS {}").format(safe_text(sql.Identifier(name)), sql.Identifier(name))
        for name in _TYPED
    ]
    return sql.SQL("SELECT {} FROM ({}) AS entries").format(
        sql.SQL(", ").join(columns), sql.SQL(_ENTRIES)
    )


def pieces(form: Form = Form.CSV) -> Iterator[bytes]:
    """The whole ledger in pieces, as the acting person sees it; whatever its length, little of it
    is in memory. Finance, an auditor and the service see all of it."""
    _take_time(session())
    if form is Form.BEANCOUNT:
        return (piece.encode() for piece in _beancount())
    return copy_csv(_driver(session()), statement())


class Download:
    """The whole ledger as CSV, on its way to somebody: with a transaction of its own, which ends
    with the last piece or when the reader has gone, and needs nothing of the request."""

    def __init__(self, by: Actor) -> None:
        self._own: Session = state().session.session_factory()
        with acting_as(by):
            _take_time(self._own)

    def __iter__(self) -> Iterator[bytes]:
        yield from copy_csv(_driver(self._own), statement())

    def close(self) -> None:
        """Give the connection back."""
        self._own.close()


def _take_time(on: Session) -> None:
    on.execute(text(f"SET LOCAL statement_timeout = {LONGEST}"))


def _driver(of: Session) -> Any:
    return of.connection().connection.driver_connection


def _beancount() -> Iterator[str]:
    """Accounts, one transaction for each entry, and at the end what each account must come to."""
    first, last = (
        session()
        .execute(select(func.min(LedgerEntry.event_date), func.max(LedgerEntry.event_date)))
        .one()
    )
    yield 'option "title" "School to School Support: fee ledger"\n'
    yield 'option "operating_currency" "GBP"\n\n'
    if first is None:
        return
    for code, name in session().execute(select(Account.code, Account.name).order_by(Account.code)):
        yield f"{first} open {account(code)} GBP\n  name: {_quoted(name)}\n"
    for row in _entries():
        yield from _transaction(row)
    yield "\n"
    sums = select(Posting.account_code, func.sum(Posting.amount_pence)).group_by(
        Posting.account_code
    )
    for code, pence in session().execute(sums.order_by(Posting.account_code)):
        amount = money.decimal_pounds(int(pence))
        yield f"{last + timedelta(days=1)} balance {account(code)} {amount} GBP\n"


def _entries() -> Iterator[Any]:
    postings = (
        select(
            Posting.entry_number,
            func.array_agg(aggregate_order_by(Posting.account_code, Posting.line.asc())).label(
                "accounts"
            ),
            func.array_agg(aggregate_order_by(Posting.amount_pence, Posting.line.asc())).label(
                "amounts"
            ),
        )
        .group_by(Posting.entry_number)
        .subquery()
    )
    statement = (
        select(
            LedgerEntry.number,
            LedgerEntry.kind,
            LedgerEntry.event_date,
            LedgerEntry.establishment_name,
            LedgerEntry.fee_kind,
            LedgerEntry.referral_reference,
            LedgerEntry.hash,
            postings.c.accounts,
            postings.c.amounts,
        )
        .join(postings, postings.c.entry_number == LedgerEntry.number)
        .order_by(LedgerEntry.number)
    )
    yield from session().execute(statement.execution_options(yield_per=READ_AT_ONCE))


def _transaction(row: Any) -> Iterator[str]:
    what = f"{row.kind.value}: {pull_files.narrative(row)}"
    yield f"\n{row.event_date} * {_quoted(row.establishment_name)} {_quoted(what)}\n"
    yield f'  entry: "{row.number}"\n  digest: "{row.hash}"\n'
    for code, pence in zip(row.accounts, row.amounts, strict=True):
        yield f"  {account(code)}  {money.decimal_pounds(pence)} GBP\n"


def account(code: str) -> str:
    """One of our accounts by the name that beancount gives it: `Assets:Receivable:120795`."""
    parts = [part[:1].upper() + part[1:] for part in code.split(":")]
    return ":".join([ROOTS.get(code.partition(":")[0], "Equity"), *parts])


def _quoted(words: str) -> str:
    plain = " ".join(words.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'
