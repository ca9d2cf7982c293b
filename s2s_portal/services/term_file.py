"""Term dates read from a file, and the list of those that are known (domain.md 8.1).

The file is CSV with the columns `academic_year` (2019 or 2019/20), `kind` (TERM, HALF_TERM, INSET),
`starts` and `ends` (2019-09-04 or 04/09/2019; an empty `ends` is one day), and, if it likes, `urn`
(empty: the whole county) and `source`. Every row is checked before anything changes: all of the
file, or nothing. A year of a school, or of the county, that is in the file replaces what was known.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

from sqlalchemy import delete, func, or_, select

from s2s_portal import audit
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import Refused
from s2s_portal.identity import Actor
from s2s_portal.models.calendar import DateKind, TermDate
from s2s_portal.models.establishment import Establishment
from s2s_portal.services.calendar import academic_year, year_words

NEEDED = ("academic_year", "kind", "starts", "ends")
FORMS = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y")
LARGEST = 2_000_000  # bytes
LONGEST_STRETCH = 120  # days in one row: no term is longer
ERRORS_SHOWN = 20


@dataclass(frozen=True)
class Line:
    """One row of a file that can be used."""

    year: int
    kind: DateKind
    starts: date
    ends: date
    urn: int | None
    source: str


class WrongRows(Refused):
    """Rows that cannot be used; nothing has been changed. `problems` names each."""

    def __init__(self, problems: list[str]) -> None:
        shown = "; ".join(problems[:ERRORS_SHOWN])
        more = len(problems) - ERRORS_SHOWN
        super().__init__(
            f"Nothing has been changed. {shown}" + (f"; and {more} more" if more > 0 else "")
        )
        self.problems = problems


def import_file(work: UnitOfWork, path: Path, *, by: Actor) -> list[str]:
    """Read the term dates in `path`; answers what changed, a sentence for each year and school.

    Raises Refused for a file that is none, WrongRows (each by its line) when any row is wrong.
    """
    lines = _read(path)
    _check_schools(lines)
    wanted = {(line.year, line.urn) for line in lines}
    return [
        _replace(
            work, year, urn, [line for line in lines if (line.year, line.urn) == (year, urn)], by
        )
        for year, urn in sorted(wanted, key=lambda one: (one[0], one[1] or 0))
    ]


def _read(path: Path) -> list[Line]:
    lines, problems = [], []
    for number, row in _rows(path):
        try:
            lines.append(_line(row))
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    problems += _doubled(lines)
    if problems:
        raise WrongRows(problems)
    if not lines:
        raise Refused(f"{path.name} has no rows.")
    return lines


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row of the file that is not empty, with the number of its line."""
    if path.stat().st_size > LARGEST:
        raise Refused(f"{path.name} is larger than {LARGEST:,} bytes: it is no file of term dates.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"{path.name} is not text in UTF-8: save it as CSV UTF-8.") from error
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise Refused(f"{path.name} has no column {', '.join(missing)}.")
    for row in reader:
        if any(value.strip() for value in row.values() if isinstance(value, str)):
            yield reader.line_num, row


def _line(row: dict[str, str]) -> Line:
    said = {name: (row.get(name) or "").strip() for name in (*NEEDED, "urn", "source")}
    if said["kind"] not in set(DateKind):
        raise ValueError(f"kind must be one of {', '.join(DateKind)}, not {said['kind'][:20]!r}")
    starts = _day(said["starts"], "starts")
    ends = _day(said["ends"], "ends") if said["ends"] else starts
    year = _year(said["academic_year"])
    if ends < starts:
        raise ValueError(f"it ends on {ends}, before it starts on {starts}")
    if (ends - starts).days > LONGEST_STRETCH:
        raise ValueError(f"{starts} to {ends} is longer than {LONGEST_STRETCH} days")
    if {academic_year(starts), academic_year(ends)} != {year}:
        raise ValueError(f"{starts} to {ends} is not in the school year {year_words(year)}")
    if said["urn"] and not (said["urn"].isascii() and said["urn"].isdecimal()):
        raise ValueError(f"urn must be a number, not {said['urn'][:20]!r}")
    urn = int(said["urn"][:9]) if said["urn"] else None
    return Line(year, DateKind(said["kind"]), starts, ends, urn, said["source"][:500])


def _day(text: str, name: str) -> date:
    for form in FORMS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 (a day has no zone)
        except ValueError:
            continue
    raise ValueError(f"{name} must be a date like 2019-09-04 or 04/09/2019, not {text[:20]!r}")


def _year(text: str) -> int:
    first = text.partition("/")[0]
    if not (first.isascii() and first.isdecimal() and 2000 <= int(first[:5]) <= 2200):
        raise ValueError(f"academic_year must be like 2019/20, not {text[:20]!r}")
    return int(first)


def _doubled(lines: list[Line]) -> Iterator[str]:
    """What is there twice, or in two rows of a kind that overlap."""
    ordered = sorted(lines, key=lambda one: (one.year, one.urn or 0, one.kind, one.starts))
    for before, after in pairwise(ordered):
        same = (before.year, before.urn, before.kind) == (after.year, after.urn, after.kind)
        if same and after.starts <= before.ends:
            whose = f"school {after.urn}" if after.urn else "the county"
            yield (
                f"{after.kind} of {whose}: {after.starts} to {after.ends} overlaps"
                f" {before.starts} to {before.ends}"
            )


def _check_schools(lines: list[Line]) -> None:
    named = {line.urn for line in lines if line.urn is not None}
    known = set(session().scalars(select(Establishment.urn).where(Establishment.urn.in_(named))))
    if named - known:
        raise WrongRows([f"urn {urn} is not in the register" for urn in sorted(named - known)])


def _replace(work: UnitOfWork, year: int, urn: int | None, lines: list[Line], by: Actor) -> str:
    whose = f"{year_words(year)}, {f'school {urn}' if urn else 'the county'}"
    here = (TermDate.academic_year == year, TermDate.urn.is_not_distinct_from(urn))
    rows = work.session.scalars(select(TermDate).where(*here)).all()
    now = {(line.kind, line.starts, line.ends) for line in lines}
    if {(row.kind, row.starts, row.ends) for row in rows} == now:
        return f"{whose}: {len(lines)} rows, nothing changed"
    work.session.execute(delete(TermDate).where(*here))
    work.session.add_all(
        TermDate(
            academic_year=year,
            urn=urn,
            kind=line.kind,
            starts=line.starts,
            ends=line.ends,
            source=line.source,
            by_id=by.id,
            by_name=by.name,
        )
        for line in lines
    )
    audit.wrote(work, "read in", "term dates", whose)
    return f"{whose}: {len(lines)} rows in place of {len(rows)}"


@dataclass(frozen=True)
class YearOfTerms:
    """The dates of one school year of the county, or of one school (its `name`)."""

    year: str
    name: str
    rows: list[TermDate]


def years(*, limit: int = 50) -> list[YearOfTerms]:
    """What is known, the latest school year first, the county's before single schools'.

    At most `limit` schools' own years are listed; the county's always are.
    """
    own = (
        select(TermDate.academic_year, TermDate.urn)
        .where(TermDate.urn.is_not(None))
        .distinct()
        .order_by(TermDate.academic_year.desc(), TermDate.urn)
        .limit(limit)
        .subquery()
    )
    rows = session().execute(
        select(TermDate, func.coalesce(Establishment.name, ""))
        .outerjoin(Establishment, Establishment.urn == TermDate.urn)
        .outerjoin(
            own,
            (own.c.academic_year == TermDate.academic_year) & (own.c.urn == TermDate.urn),
        )
        .where(or_(TermDate.urn.is_(None), own.c.urn.is_not(None)))
        .order_by(TermDate.academic_year.desc(), TermDate.urn.nulls_first(), TermDate.starts)
    )
    found: dict[tuple[int, int | None], YearOfTerms] = {}
    for row, name in rows:
        key = (row.academic_year, row.urn)
        line = found.setdefault(key, YearOfTerms(year_words(key[0]), name or "The county", []))
        line.rows.append(row)
    return list(found.values())
