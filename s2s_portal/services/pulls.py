"""Pulls: the numbered batches in which Finance takes what is due, once and without gaps (F74-F76).

A pull is made under the lock of the ledger's head, so nothing can be posted meanwhile: every charge
and reversal is in exactly one pull, or is still due. Its files are made once and kept, and each
pull's digest covers them and the digest of the pull before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import selectinload, undefer

from s2s_portal import audit, clock, money, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import AlreadyDecided, NotFound, OutOfOrder, Refused
from s2s_portal.exports.csv import rows_to_csv
from s2s_portal.exports.xlsx import rows_to_xlsx
from s2s_portal.identity import Actor
from s2s_portal.models.ledger import EntryKind, LedgerEntry, Pull, PullFile, PullLine
from s2s_portal.services import ledger
from s2s_portal.services.terms import written

CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PULLABLE = (EntryKind.CHARGE, EntryKind.REVERSAL)
NOTHING_DUE = "Nothing is due to be pulled. A fee becomes due when a referral is accepted."
LONGEST_REFERENCE = 60  # characters of Finance's own reference

# The columns of a pull's files (domain.md 6.3), in this order; nothing is about a child.
HEADER = (
    "pull_number",
    "line_number",
    "entry_number",
    "kind",
    "event_date",
    "recorded_on",
    "financial_year",
    "period",
    "route",
    "urn",
    "dfe_number",
    "school_name",
    "payer_name",
    "purchase_order",
    "source_reference",
    "narrative",
    "fee_kind",
    "terms",
    "verdict",
    "vat_code",
    "amount_pounds",
    "amount_pence",
    "reverses_entry",
    "reason",
    "entry_digest",
)


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
    files = _files(pull, entries)
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
    return ledger.digest_of(
        [
            pull.number,
            pull.cutoff.astimezone(clock.UTC).isoformat(timespec="microseconds"),
            pull.first_entry,
            pull.last_entry,
            pull.entry_count,
            pull.total_pence,
            pull.previous_digest,
            sorted(files),
        ]
    )


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
    return (
        LedgerEntry.kind.in_(PULLABLE),
        ~exists().where(PullLine.entry_number == LedgerEntry.number),
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


def _files(pull: Pull, entries: Sequence[LedgerEntry]) -> list[PullFile]:
    rows = [_row(pull, position, entry) for position, entry in enumerate(entries, start=1)]
    name = f"s2s-pull-{pull.number:04d}-ledger"
    return [
        _file(pull, f"{name}.csv", CSV, rows_to_csv(HEADER, rows)),
        _file(pull, f"{name}.xlsx", XLSX, rows_to_xlsx(f"Pull {pull.number}", HEADER, rows)),
    ]


def _file(pull: Pull, name: str, media_type: str, content: bytes) -> PullFile:
    return PullFile(
        pull_number=pull.number,
        name=name,
        media_type=media_type,
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
    )


def _row(pull: Pull, position: int, entry: LedgerEntry) -> tuple[Any, ...]:
    return (
        pull.number,
        position,
        entry.number,
        entry.kind.value,
        entry.event_date,
        clock.local(entry.recorded_at).date(),
        entry.financial_year,
        entry.period,
        entry.route.value,
        entry.urn,
        entry.dfe_number,
        entry.establishment_name,
        entry.payer_name,
        entry.purchase_order,
        entry.referral_reference,
        f"S2S {entry.fee_kind} fee {entry.referral_reference}",
        entry.fee_kind,
        entry.terms_name,
        entry.verdict,
        entry.vat_code,
        money.decimal_pounds(entry.amount_pence),
        entry.amount_pence,
        entry.reverses_number,
        entry.reason,
        entry.hash,
    )


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
    found = _collections([pull.number for pull in pulls])
    return [Row(pull, found.get(pull.number)) for pull in pulls]


def collected(number: int) -> Collected | None:
    """That and how Finance collected a pull; None while it has not."""
    return _collections([number]).get(number)


def _collections(numbers: list[int]) -> dict[int, Collected]:
    rows = session().execute(
        select(
            PullLine.pull_number,
            LedgerEntry.finance_reference,
            LedgerEntry.event_date,
            LedgerEntry.recorded_by_name,
        )
        .join(LedgerEntry, LedgerEntry.settles_number == PullLine.entry_number)
        .where(PullLine.pull_number.in_(numbers))
        .distinct()
    )
    return {number: Collected(reference, day, by_name) for number, reference, day, by_name in rows}


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

    A charge is settled by its amount received, a reversal by its amount given back.
    `finance_reference` is Finance's own. Raises NotFound, Refused (naming the field) or
    AlreadyDecided.
    """
    ledger.lock_head(work)
    pull = get(number, whole=True)
    check_not_collected(number)
    reference = _good_reference(finance_reference)
    _check_day(pull, collected_on)
    for line in pull.lines:
        _settle(work, pull, line.entry, reference, collected_on, by)
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


def _settle(
    work: UnitOfWork,
    pull: Pull,
    entry: LedgerEntry,
    reference: str,
    collected_on: date,
    by: Actor,
) -> None:
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


def download(work: UnitOfWork, number: int, name: str) -> PullFile:
    """A file of a pull with its content, the same bytes each time; the download is audited.

    Raises NotFound; OutOfOrder when the stored bytes are not those that were made.
    """
    file = work.session.scalars(
        select(PullFile)
        .where(PullFile.pull_number == number, PullFile.name == name)
        .options(undefer(PullFile.content))
    ).one_or_none()
    if file is None:
        raise NotFound("There is no such file.")
    if hashlib.sha256(file.content).hexdigest() != file.sha256:
        raise OutOfOrder("This file has been changed since the pull was made. Do not use it.")
    audit.wrote(work, "downloaded", "pull file", name)
    return file
