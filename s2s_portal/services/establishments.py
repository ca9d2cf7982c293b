"""Reading the national register (GIAS `edubasealldata`) in, and finding establishments in it.

The file is read by column name, in cp1252 or UTF-8, with columns that come and go (domain.md 4.1).
It is judged whole before anything is written; reading the same file twice changes nothing; an
establishment is never deleted. Head teachers' names are not read.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Table, insert, select, update

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.errors import NotFound, Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.establishment import CLOSED, Establishment, ImportRun
from s2s_portal.services.register_columns import BadRow, Columns

TABLE = cast(Table, Establishment.__table__)
BATCH = 5_000  # rows sent to the database at a time
SHOWN = 50  # lines of each kind that a report spells out


@dataclass
class ImportReport:
    """What one reading of a file did: a line for each establishment it touched or passed over."""

    read: int = 0
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    unchanged: int = 0

    def lines(self) -> Iterator[str]:
        """The report as it is printed: the rows, then the totals."""
        for word, rows in (
            ("added", self.added),
            ("changed", self.changed),
            ("closed", self.closed),
            ("skipped", self.skipped),
        ):
            # What was skipped is always spelled out: somebody has to mend it.
            shown = rows if word == "skipped" else rows[:SHOWN]
            yield from (f"{word}: {row}" for row in shown)
            if len(rows) > len(shown):
                yield f"{word}: and {len(rows) - len(shown):,} more"
        yield (
            f"{self.read:,} rows read: {len(self.added):,} added, {len(self.changed):,} changed,"
            f" {len(self.closed):,} closed, {self.unchanged:,} unchanged,"
            f" {len(self.skipped):,} skipped."
        )


def import_file(path: Path, progress: Callable[[int], Any] = lambda _rows: None) -> ImportReport:
    """Bring the register up to date from `path`, in one transaction.

    `progress` is told of each batch of rows. Raises Refused, with nothing written, when the file is
    not the register.
    """
    content = path.read_bytes()
    report = ImportReport()
    rows = _read(content, report)
    with unit_of_work() as work:
        known = _known(work)
        pending: list[dict[str, Any]] = []
        for number, row in enumerate(rows, start=1):
            if number % BATCH == 0:
                progress(BATCH)
            _judge(row, known, report, pending)
        progress(report.read % BATCH)
        _write(work, pending, known)
        if report.added or report.changed or report.closed:
            _note(work, path, content, report)
    return report


def _read(content: bytes, report: ImportReport) -> list[dict[str, Any]]:
    reader = csv.reader(io.StringIO(_text(content), newline=""), strict=True)
    found: dict[int, dict[str, Any]] = {}
    try:
        columns = Columns(next(reader, []))
        for cells in reader:
            if not cells:
                continue
            report.read += 1
            try:
                fields = columns.read(cells)
            except BadRow as error:
                report.skipped.append(f"line {reader.line_num}: {error}")
                continue
            if fields["urn"] in found:
                report.skipped.append(f"line {reader.line_num}: URN {fields['urn']} comes twice")
                continue
            found[fields["urn"]] = fields
    except csv.Error as error:
        raise Refused(
            f"The file is damaged after line {reader.line_num} ({error}). Nothing was changed."
        ) from error
    if not found:
        raise Refused("The file has no establishment in it. Nothing was changed.")
    return list(found.values())


def _text(content: bytes) -> str:
    for encoding in ("utf-8-sig", "cp1252", "iso-8859-1"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise AssertionError("iso-8859-1 reads any bytes")


def _known(work: UnitOfWork) -> dict[int, dict[str, Any]]:
    return {row.urn: dict(row._mapping) for row in work.session.execute(select(TABLE))}


def _judge(
    row: dict[str, Any],
    known: dict[int, dict[str, Any]],
    report: ImportReport,
    pending: list[dict[str, Any]],
) -> None:
    before = known.get(row["urn"])
    called = f"{row['urn']} {row['name']}"
    if before is None:
        report.added.append(called)
    elif before == row:
        report.unchanged += 1
        return
    elif row["status_code"] == CLOSED and before["status_code"] != CLOSED:
        report.closed.append(called)
    else:
        names = sorted(name for name in row if row[name] != before[name])
        report.changed.append(f"{called} ({', '.join(names).replace('_', ' ')})")
    pending.append(row)


def _write(
    work: UnitOfWork, pending: list[dict[str, Any]], known: dict[int, dict[str, Any]]
) -> None:
    fresh = [row for row in pending if row["urn"] not in known]
    for start in range(0, len(fresh), BATCH):
        work.session.execute(insert(TABLE), fresh[start : start + BATCH])
    changed = [row for row in pending if row["urn"] in known]
    if changed:
        work.session.execute(update(Establishment), changed)


def _note(work: UnitOfWork, path: Path, content: bytes, report: ImportReport) -> None:
    actor = current_actor()
    work.session.add(
        ImportRun(
            at=clock.now(),
            by_id=actor.id,
            by_name=actor.name,
            file_name=path.name,
            digest=hashlib.sha256(content).hexdigest(),
            rows_read=report.read,
            added=len(report.added),
            changed=len(report.changed),
            closed=len(report.closed),
            unchanged=report.unchanged,
            skipped=len(report.skipped),
        )
    )
    audit.wrote(work, "imported", "establishments", path.name)


def get(urn: int) -> Establishment:
    """The establishment `urn`. Raises NotFound."""
    found = session().get(Establishment, urn)
    if found is None:
        raise NotFound()
    return found
