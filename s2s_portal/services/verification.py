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
    LedgerVerification,
    Posting,
    Pull,
    PullFile,
    PullLine,
)
from s2s_portal.services import chain, ledger, pulls, standings

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
    last = chain.last_number()
    return Verification(last, tuple(islice(_all_problems(), MOST_PROBLEMS)))


def verify_and_note() -> Verification:
    """Check the whole ledger and keep the outcome, in a transaction of its own.

    Run as the service itself: by the worker each hour, and by `flask s2s ledger verify`.
    """
    with unit_of_work() as work:
        # A long ledger takes longer than one statement of a page may, and its sums more memory.
        work.session.execute(
            text(
                "SELECT set_config('statement_timeout', '0', true),"
                " set_config('work_mem', '128MB', true), set_config('jit', 'off', true),"
                " set_config('max_parallel_workers_per_gather', '4', true)"
            )
        )
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


def _all_problems() -> Iterator[str]:
    yield from chain.problems(MOST_PROBLEMS)
    yield from _charged_twice()
    yield from _loose_postings()
    yield from _wrong_settlements()
    yield from _wrong_reversals()
    yield from standings.problems()
    yield from _wrong_pulls()


def _charged_twice() -> Iterator[str]:
    twice = (
        select(LedgerEntry.referral_reference, LedgerEntry.fee_kind)
        .where(LedgerEntry.kind == EntryKind.CHARGE)
        .group_by(LedgerEntry.referral_reference, LedgerEntry.fee_kind)
        .having(func.count() > 1)
        .subquery()
    )
    undone = aliased(LedgerEntry)
    rows = session().execute(
        select(LedgerEntry.referral_reference)
        .join(
            twice,
            (twice.c.referral_reference == LedgerEntry.referral_reference)
            & (twice.c.fee_kind == LedgerEntry.fee_kind),
        )
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
