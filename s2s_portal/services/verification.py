"""Proving that the ledger is whole: every digest recomputed from the rows, every link followed.

The check trusts nothing that is stored but the head of the chain and what Finance already holds.
What it finds it says in sentences that name the entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from flask import current_app
from sqlalchemy import (
    ColumnElement,
    Row,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import aliased

from s2s_portal import audit, clock
from s2s_portal.database import session, unit_of_work
from s2s_portal.models.ledger import (
    EntryKind,
    LedgerEntry,
    LedgerHead,
    LedgerVerification,
    Posting,
    Pull,
    PullFile,
    PullLine,
)
from s2s_portal.services import ledger, pulls

READ_AT_ONCE = 500  # entries
MOST_PROBLEMS = 50  # told in one verification; one is enough to stop


@dataclass(frozen=True)
class Verification:
    """The outcome of one check: the last entry's number, and what is wrong, in sentences."""

    last_number: int
    problems: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify() -> Verification:
    """Check the whole ledger and all pulls as they stand now. Changes nothing."""
    chain = _Chain()
    problems = list(islice(_all_problems(chain), MOST_PROBLEMS))
    return Verification(chain.number, tuple(problems))


def verify_and_note() -> Verification:
    """Check the whole ledger and keep the outcome, in a transaction of its own.

    Run as the service itself: by the worker each hour, and by `flask s2s ledger verify`.
    """
    with unit_of_work() as work:
        # A long ledger takes longer than one statement of a page may.
        work.session.execute(text("SELECT set_config('statement_timeout', '0', true)"))
        found = verify()
        work.session.add(
            LedgerVerification(
                at=clock.now(),
                last_number=found.last_number,
                sound=found.sound,
                problems="\n".join(found.problems),
            )
        )
        audit.wrote(work, "verified", "ledger", found.last_number)
    if not found.sound:
        current_app.logger.error("S2S: the ledger does not verify: %s", " ".join(found.problems))
    return found


def _all_problems(chain: _Chain) -> Iterator[str]:
    for row in _rows():
        yield from chain.follow(row)
    yield from chain.end()
    yield from _charged_twice()
    yield from _loose_postings()
    yield from _wrong_settlements()
    yield from _wrong_reversals()
    yield from _wrong_pulls()


def _rows() -> Iterator[Row[Any]]:
    """The head beside every entry with its postings, in order, as one statement saw them.

    One statement, so that an entry posted meanwhile is either there with all its parts or not at
    all. A ledger without entries gives one row without an entry.
    """
    postings = (
        select(
            func.array_agg(aggregate_order_by(Posting.account_code, Posting.line.asc())).label(
                "accounts"
            ),
            func.array_agg(aggregate_order_by(Posting.amount_pence, Posting.line.asc())).label(
                "amounts"
            ),
        )
        .where(Posting.entry_number == LedgerEntry.number)
        .lateral("postings")
    )
    statement = (
        select(
            LedgerHead.number.label("head_number"),
            LedgerHead.hash.label("head_hash"),
            LedgerEntry.hash,
            *(getattr(LedgerEntry, name) for name in ledger.SEALED),
            postings.c.accounts,
            postings.c.amounts,
        )
        .select_from(LedgerHead)
        .outerjoin(LedgerEntry, true())
        .outerjoin(postings, true())
        .order_by(LedgerEntry.number)
    )
    yield from session().execute(statement.execution_options(yield_per=READ_AT_ONCE))


class _Chain:
    """Follows the chain entry by entry, remembering only where it is."""

    def __init__(self) -> None:
        self.number = 0
        self.hash = ledger.NO_HASH
        self.head: tuple[int, str] | None = None

    def follow(self, row: Row[Any]) -> Iterator[str]:
        """What is wrong with the next entry, on its own and after the one before it."""
        self.head = (row.head_number, row.head_hash)
        if row.number is None:
            return
        if row.number != self.number + 1:
            yield _missing(self.number + 1, row.number - 1)
        elif row.previous_hash != self.hash:
            yield f"Entry {row.number} does not follow the entry before it: the chain is broken."
        pairs = list(zip(row.accounts or [], row.amounts or [], strict=True))
        if ledger.seal(row, pairs) != row.hash:
            yield f"Entry {row.number} has been changed: its digest does not match what it says."
        if len(pairs) < 2 or sum(pence for _, pence in pairs) != 0:
            yield f"The postings of entry {row.number} do not sum to nothing."
        if ledger.owed(pairs) != row.amount_pence:
            yield f"The postings of entry {row.number} do not match its amount."
        self.number, self.hash = row.number, row.hash

    def end(self) -> Iterator[str]:
        """What is wrong with where the chain ends."""
        if self.head is None:
            yield "The head of the ledger is missing."
            return
        number, hash_ = self.head
        if number > self.number:
            yield _missing(self.number + 1, number)
        elif number < self.number:
            yield f"The ledger goes on to entry {self.number}, past its head at entry {number}."
        elif hash_ != self.hash:
            yield f"The head of the ledger does not match its last entry, {number}."


def _missing(first: int, last: int) -> str:
    if first == last:
        return f"Entry {first} is missing."
    return f"Entries {first} to {last} are missing."


def _charged_twice() -> Iterator[str]:
    undone = aliased(LedgerEntry)
    rows = session().execute(
        select(LedgerEntry.referral_reference)
        .where(
            LedgerEntry.kind == EntryKind.CHARGE,
            ~exists().where(
                undone.reverses_number == LedgerEntry.number,
                undone.idempotency_key.startswith(ledger.UNDONE),
            ),
        )
        .group_by(LedgerEntry.referral_reference, LedgerEntry.fee_kind)
        .having(func.count() > 1)
    )
    for (reference,) in rows:
        yield f"Referral {reference} has been charged more than once."


def _loose_postings() -> Iterator[str]:
    rows = session().scalars(
        select(Posting.entry_number)
        .outerjoin(LedgerEntry, LedgerEntry.number == Posting.entry_number)
        .where(LedgerEntry.number.is_(None))
        .distinct()
    )
    for number in rows:
        yield f"There are postings of entry {number}, which does not exist."


def _wrong_settlements() -> Iterator[str]:
    other = aliased(LedgerEntry)
    wrong = _wrongly_linked(other, (EntryKind.CHARGE, EntryKind.REVERSAL))
    rows = session().scalars(
        select(LedgerEntry.number)
        .outerjoin(other, other.number == LedgerEntry.settles_number)
        .outerjoin(PullLine, PullLine.entry_number == LedgerEntry.settles_number)
        .where(
            or_(
                (LedgerEntry.kind == EntryKind.COLLECTION)
                != LedgerEntry.settles_number.is_not(None),
                LedgerEntry.settles_number.is_not(None) & (wrong | PullLine.pull_number.is_(None)),
            )
        )
    )
    for number in rows:
        yield f"Entry {number} does not settle an entry of a pull by its whole amount."


def _wrong_reversals() -> Iterator[str]:
    other = aliased(LedgerEntry)
    rows = session().scalars(
        select(LedgerEntry.number)
        .outerjoin(other, other.number == LedgerEntry.reverses_number)
        .where(
            or_(
                (LedgerEntry.kind == EntryKind.REVERSAL)
                != LedgerEntry.reverses_number.is_not(None),
                LedgerEntry.reverses_number.is_not(None)
                & _wrongly_linked(other, (EntryKind.CHARGE,)),
            )
        )
    )
    for number in rows:
        yield f"Entry {number} does not reverse a charge by its whole amount."


def _wrongly_linked(other: Any, kinds: tuple[EntryKind, ...]) -> ColumnElement[bool]:
    """Whether an entry and the earlier one it undoes do not belong together."""
    return or_(
        other.number.is_(None),
        other.kind.not_in(kinds),
        other.number >= LedgerEntry.number,
        other.urn != LedgerEntry.urn,
        other.referral_reference != LedgerEntry.referral_reference,
        other.amount_pence != -LedgerEntry.amount_pence,
    )


def _wrong_pulls() -> Iterator[str]:
    """Follow the chain of pulls; the files are digested where they lie, in the database."""
    number, digest = 0, ledger.NO_HASH
    for pull in session().execute(_pull_rows()):
        if pull.number != number + 1:
            yield f"Pull {number + 1} is missing."
        elif pull.previous_digest != digest:
            yield f"Pull {pull.number} does not follow the pull before it."
        files = list(zip(pull.names or [], pull.digests or [], strict=True))
        if pulls.seal(pull, files) != pull.digest:
            yield f"Pull {pull.number} has been changed: its digest does not match its files."
        if (pull.lines, pull.sum_pence, pull.first_line, pull.last_line) != (
            pull.entry_count,
            pull.total_pence,
            pull.first_entry,
            pull.last_entry,
        ):
            yield f"The entries of pull {pull.number} are not those of its control totals."
        number, digest = pull.number, pull.digest


def _pull_rows() -> Any:
    lines = (
        select(
            func.count().label("lines"),
            func.coalesce(func.sum(LedgerEntry.amount_pence), 0).label("sum_pence"),
            func.min(LedgerEntry.number).label("first_line"),
            func.max(LedgerEntry.number).label("last_line"),
        )
        .join(PullLine, PullLine.entry_number == LedgerEntry.number)
        .where(PullLine.pull_number == Pull.number, LedgerEntry.kind.in_(pulls.PULLABLE))
        .lateral("pulled")
    )
    of_content = func.encode(func.sha256(PullFile.content), literal_column("'hex'"))
    files = (
        select(
            func.array_agg(aggregate_order_by(PullFile.name, PullFile.name.asc())).label("names"),
            func.array_agg(aggregate_order_by(of_content, PullFile.name.asc())).label("digests"),
        )
        .where(PullFile.pull_number == Pull.number)
        .lateral("kept")
    )
    return (
        select(
            Pull.number,
            Pull.cutoff,
            Pull.first_entry,
            Pull.last_entry,
            Pull.entry_count,
            Pull.total_pence,
            Pull.previous_digest,
            Pull.digest,
            *lines.c,
            *files.c,
        )
        .select_from(Pull)
        .join(lines, true())
        .join(files, true())
        .order_by(Pull.number)
    )
