"""Pulls: the numbered batches in which Finance takes what is due, once and without gaps (F74-F76).

A pull is made under the lock of the ledger's head, so nothing can be posted meanwhile: every charge
and reversal is in exactly one pull, or is still due. Its files are made once and kept, and each
pull's digest covers them and the digest of the pull before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import aliased, selectinload

from s2s_portal import audit, clock, money, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import AlreadyDecided, NotFound, OutOfOrder, Refused
from s2s_portal.exports import batches
from s2s_portal.identity import Actor
from s2s_portal.models.charges import EntryStanding
from s2s_portal.models.ledger import EntryKind, LedgerEntry, Pull, PullLine
from s2s_portal.services import ledger, pull_files, pull_progress
from s2s_portal.services.pull_progress import Progress
from s2s_portal.services.terms import written

PULLABLE = (EntryKind.CHARGE, EntryKind.REVERSAL)
NOTHING_DUE = "Nothing is due to be pulled. A fee becomes due when a referral is accepted."
LONGEST_REFERENCE = 60  # characters of Finance's own reference


@dataclass(frozen=True)
class Due:
    """What the next pull would take: how many entries, and their sum in pence."""

    count: int
    total_pence: int


@dataclass(frozen=True)
class Collected:
    """That Finance collected a pull: under which reference of its own, on which day, by whom."""

    reference: str
    day: date
    by_name: str


@dataclass(frozen=True)
class Row:
    """One pull in a list, with what became of it."""

    pull: Pull
    collected: Collected | None
    progress: Progress


def make(
    work: UnitOfWork, *, idempotency_key: str, by: Actor, cutoff: datetime | None = None
) -> Pull:
    """Take every charge and reversal that is due into the next pull, with its files.

    Only what was recorded up to `cutoff` (now, unless told) is taken. The same `idempotency_key`
    returns the pull that it made. Raises Refused when nothing is due.
    """
    ledger.lock_head(work)
    earlier = _made_with(idempotency_key)
    if earlier is not None:
        return earlier
    made_at = clock.now()
    entries = _due(cutoff or made_at)
    if not entries:
        raise Refused(NOTHING_DUE)
    last = _last()
    pull = Pull(
        number=last.number + 1 if last else 1,
        at=made_at,
        by_id=by.id,
        by_name=by.name,
        cutoff=cutoff or made_at,
        first_entry=entries[0].number,
        last_entry=entries[-1].number,
        entry_count=len(entries),
        total_pence=sum(entry.amount_pence for entry in entries),
        previous_digest=last.digest if last else ledger.NO_HASH,
        idempotency_key=idempotency_key,
    )
    files = pull_files.make(pull, entries)
    pull.digest = seal(pull, [(file.name, file.sha256) for file in files])
    work.session.add(pull)
    work.flush()
    work.session.add_all(
        PullLine(entry_number=entry.number, pull_number=pull.number) for entry in entries
    )
    work.session.add_all(files)
    work.flush()
    audit.wrote(work, "made", "pull", pull.number)
    signals.tell(
        work,
        signals.pull_made,
        pull=pull.number,
        by=by.id,
        entry_count=pull.entry_count,
        total_pence=pull.total_pence,
    )
    return pull


def seal(pull: Any, files: Sequence[tuple[str, str]]) -> str:
    """The hex SHA-256 of a pull: its control totals, its files (name, SHA-256), the pull before."""
    return batches.seal(pull_files.totals(pull), files)


def _made_with(idempotency_key: str) -> Pull | None:
    return (
        session().scalars(select(Pull).where(Pull.idempotency_key == idempotency_key)).one_or_none()
    )


def _last() -> Pull | None:
    return session().scalars(select(Pull).order_by(Pull.number.desc()).limit(1)).one_or_none()


def _due(cutoff: datetime) -> Sequence[LedgerEntry]:
    return (
        session()
        .scalars(
            select(LedgerEntry)
            .where(*is_due(), LedgerEntry.recorded_at <= cutoff)
            .order_by(LedgerEntry.number)
        )
        .all()
    )


def is_due() -> tuple[Any, Any]:
    """The conditions under which an entry is due to be pulled."""
    # The database keeps which are; what is disputed is paused (`charges`).
    return (
        LedgerEntry.kind.in_(PULLABLE),
        exists().where(EntryStanding.number == LedgerEntry.number, EntryStanding.due),
    )


def due() -> Due:
    """What the next pull would take."""
    count, total = (
        session()
        .execute(
            select(func.count(), func.coalesce(func.sum(LedgerEntry.amount_pence), 0)).where(
                *is_due()
            )
        )
        .one()
    )
    return Due(count, int(total))


def summary(pull: Pull) -> str:
    """A pull in one line, for a command's output or a notice."""
    entries = "1 entry" if pull.entry_count == 1 else f"{pull.entry_count:,} entries"
    return (
        f"Pull {pull.number}: {entries}, {money.pounds(pull.total_pence)},"
        f" from entry {pull.first_entry} to entry {pull.last_entry}."
    )


def get(number: int, *, whole: bool = False) -> Pull:
    """The pull `number`; `whole` loads its lines with their entries, and what its files are called.

    Raises NotFound.
    """
    query = select(Pull).where(Pull.number == number)
    if whole:
        query = query.options(
            selectinload(Pull.lines).joinedload(PullLine.entry), selectinload(Pull.files)
        )
    pull = session().scalars(query).one_or_none()
    if pull is None:
        raise NotFound("There is no pull with this number.")
    return pull


def listing(*, before: int | None = None, size: int) -> list[Row]:
    """At most `size` pulls, newest first, those below number `before` if it is given."""
    query = select(Pull).order_by(Pull.number.desc()).limit(size)
    if before is not None:
        query = query.where(Pull.number < before)
    pulls = session().scalars(query).all()
    numbers = [pull.number for pull in pulls]
    found, far = _collections(numbers), pull_progress.progress(numbers)
    return [Row(pull, found.get(pull.number), far[pull.number]) for pull in pulls]


def collected(number: int) -> Collected | None:
    """That and how Finance collected a pull; None while some of it is not."""
    return _collections([number]).get(number)


def _collections(numbers: list[int]) -> dict[int, Collected]:
    settlement = aliased(LedgerEntry)
    references = func.array_agg(
        aggregate_order_by(settlement.finance_reference, settlement.number.asc())
    )
    rows = session().execute(
        select(
            PullLine.pull_number,
            references,
            func.max(settlement.event_date),
            func.max(settlement.recorded_by_name),
        )
        .outerjoin(settlement, settlement.settles_number == PullLine.entry_number)
        .where(PullLine.pull_number.in_(numbers))
        .group_by(PullLine.pull_number)
        .having(func.count() == func.count(settlement.number))
    )
    return {
        number: Collected(", ".join(dict.fromkeys(references)), day, by_name)
        for number, references, day, by_name in rows
    }


def check_not_collected(number: int) -> None:
    """Raise AlreadyDecided, saying by whom and how, when a pull has been marked as collected."""
    found = collected(number)
    if found is not None:
        raise AlreadyDecided(
            f"Pull {number} is already marked as collected on {written(found.day)}"
            f" with reference {found.reference}, by {found.by_name}."
        )


def collect(
    work: UnitOfWork, number: int, *, finance_reference: str, collected_on: date, by: Actor
) -> Pull:
    """Mark a pull as collected: one entry settles each of its lines, and the schools owe nothing.

    A charge is settled by its amount received, a reversal by its amount given back. What is
    rejected or disputed stays open. `finance_reference` is Finance's own. Raises NotFound,
    Refused (naming the field), AlreadyDecided, OutOfOrder when all that is left is rejected.
    """
    ledger.lock_head(work)
    pull = get(number, whole=True)
    check_not_collected(number)
    reference = _good_reference(finance_reference)
    _check_day(pull, collected_on)
    waits = pull_progress.not_to_collect(pull)
    left = [line.entry for line in pull.lines if line.entry_number not in waits]
    if not left:
        raise OutOfOrder(
            "All that is left of this pull is rejected or disputed. Settle that first, or apply"
            " Finance’s next response file, which says when it is collected."
        )
    for entry in left:
        settle(work, pull, entry, reference, collected_on, by)
    audit.wrote(work, "marked as collected", "pull", number)
    signals.tell(work, signals.pull_collected, pull=number, by=by.id, finance_reference=reference)
    return pull


def _good_reference(finance_reference: str) -> str:
    reference = " ".join(finance_reference.split())
    if not reference:
        raise Refused("Enter Finance's reference for the collection", "finance_reference")
    if len(reference) > LONGEST_REFERENCE:
        raise Refused(
            f"Finance's reference must be {LONGEST_REFERENCE} characters or fewer",
            "finance_reference",
        )
    return reference


def _check_day(pull: Pull, collected_on: date) -> None:
    if collected_on > clock.today():
        raise Refused("The day of collection must be today or in the past", "collected_on")
    made_on = clock.local(pull.at).date()
    if collected_on < made_on:
        raise Refused(
            f"The day of collection must be {written(made_on)}, when the pull was made, or later",
            "collected_on",
        )


def settle(
    work: UnitOfWork,
    pull: Pull,
    entry: LedgerEntry,
    reference: str,
    collected_on: date,
    by: Actor,
) -> None:
    """Post the entry that settles `entry` of `pull`; the head of the ledger must be locked."""
    ledger.post(
        work,
        [
            ledger.Line(ledger.COLLECTED, entry.amount_pence),
            ledger.Line(ledger.receivable(entry.urn), -entry.amount_pence),
        ],
        by=by,
        kind=EntryKind.COLLECTION,
        event_date=collected_on,
        verdict=f"Pull {pull.number}, collected by Finance on {written(collected_on)}",
        settles_number=entry.number,
        finance_reference=reference,
        idempotency_key=f"collection:{entry.number}",
        **ledger.carried(entry),
    )
