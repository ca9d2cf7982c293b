"""Practitioners read from a file: previewed, then all of it or nothing.

The file is CSV (UTF-8 or cp1252, comma or semicolon) with the columns `name`, `email` and `urn` (of
the Complex Needs School), and, if it likes, `phases` and `areas` (several with `;` or `|`), `needs`
(`ASD:specialist:2027-08-31; SEMH:working`), `cases`, `monday` to `friday` (hours), `from`, `until`
and `leaving`. Who has the address already is changed, else added; an empty cell, or a column that
is not there, leaves what is known. The same file twice changes nothing.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import func, select

from s2s_portal import clock
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.errors import NotAllowed, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.practitioner import Level, Practitioner
from s2s_portal.services import practitioner_choices, practitioners
from s2s_portal.services.practitioner_words import DAYS, LEVELS, PHASES
from s2s_portal.services.practitioners import LONGEST_DAY, MOST_CASES, SkillGiven
from s2s_portal.services.term_file import FORMS, WrongRows

NEEDED = ("name", "email", "urn")
WEEK = tuple(day.lower() for day in DAYS)
COLUMNS = (*NEEDED, "phases", "areas", "needs", "cases", *WEEK, "from", "until", "leaving")
LARGEST = 200_000  # bytes
MOST_ROWS = 500
FORMULA = ("=", "+", "@", "-", "\t")
LONGEST = 200  # characters of a name or an address
LEVEL_NAMES = {level.value: level for level in Level} | {
    words.lower(): level for level, words in LEVELS.items()
}
PHASE_NAMES = {code: code for code in PHASES} | {
    name.lower(): code for code, name in PHASES.items()
}


@dataclass
class Outcome:
    """What became, or would become, of one row of the file. `parts` are what changed."""

    line: int
    name: str
    what: str
    parts: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = f" ({', '.join(self.parts)})" if self.parts else ""
        return f"line {self.line}: {self.name}: {self.what}{parts}"


@dataclass(frozen=True)
class Known:
    """What cells are held against."""

    providers: dict[int, str]
    needs: dict[str, str]
    districts: dict[str, str]


class _Undone(Exception):
    """Ends a preview: nothing of it stays."""


def text_of(content: bytes) -> str:
    """The text of a file. Raises Refused for one too large or without text."""
    if len(content) > LARGEST:
        raise Refused(f"The file is larger than {LARGEST:,} bytes: it is no list of practitioners.")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise Refused("The file is not text: save it as CSV UTF-8.")


def preview(text: str, *, by: Actor) -> list[Outcome]:
    """What reading `text` in would do; nothing is changed. Raises as `import_text` does."""
    found: list[Outcome] = []
    try:
        with unit_of_work() as work:
            found = import_text(work, text, by=by)
            raise _Undone
    except _Undone:
        return found


def import_text(work: UnitOfWork, text: str, *, by: Actor) -> list[Outcome]:
    """Read practitioners in: each row added, changed or unchanged.

    Raises Refused for a file that is none, WrongRows (each by line and column) when any row is
    wrong, NotAllowed for anybody but an administrator.
    """
    if not by.has(Role.ADMINISTRATOR, Role.SYSTEM):
        raise NotAllowed()
    known = Known(
        practitioner_choices.providers(by),
        practitioner_choices.need_types(),
        {name.lower(): name for name in practitioner_choices.districts()},
    )
    rows, problems = [], []
    for line, cells in _rows(text):
        row, wrong = _read(cells, known)
        rows.append((line, row))
        problems += [f"line {line}, {column}: {says}" for column, says in wrong]
    problems += _twice(rows)
    there = _there()
    for line, row in rows:
        problems += _wrong_school(line, row, there, known)
    if problems:
        raise WrongRows(problems)
    if not rows:
        raise Refused("The file has no rows.")
    return [_apply(work, line, row, there.get(row["email"].lower()), by) for line, row in rows]


def _rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    first = text.split("\n", 1)[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        missing = [name for name in NEEDED if name not in header]
        if missing:
            raise Refused(f"The file has no column {', '.join(missing)}.")
        strange = [name for name in header if name and name not in COLUMNS]
        if strange or len(header) != len(set(header)):
            named = strange[0][:30] if strange else "that comes twice"
            raise Refused(f"Take the column {named} out: we do not know it, or not twice.")
        for number, cells in enumerate(reader):
            if number >= MOST_ROWS:
                raise Refused(f"The file has more than {MOST_ROWS} rows: split it.")
            if any(cell.strip() for cell in cells):
                padded = [*cells, *[""] * len(header)]
                row = {name: cell.strip() for name, cell in zip(header, padded, strict=False)}
                more = "".join(cells[len(header) :]).strip()
                yield reader.line_num, row | ({"": more} if more else {})
    except csv.Error as error:
        raise Refused(
            f"The file is damaged after line {reader.line_num} ({error}). Nothing has been changed."
        ) from error


def _read(cells: dict[str, str], known: Known) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """One row as values, and what is wrong with which column."""
    values: dict[str, Any] = dict.fromkeys(COLUMNS)
    wrong = [("end of row", "there are more cells than columns")] if cells.get("") else []
    for column, reader in READERS.items():
        cell = cells.get(column, "")
        if not cell and column not in NEEDED:
            continue
        try:
            if cell.startswith(FORMULA):
                raise ValueError(
                    f"{cell[:20]!r} looks like a formula of a spreadsheet: type the plain value"
                )
            values[column] = reader(cell, known)
        except ValueError as error:
            wrong.append((column, str(error)))
    if values["until"] and values["from"] and values["until"] < values["from"]:
        wrong.append(("until", "it is before the day in from"))
    return values, wrong


def _name(cell: str, _known: Known) -> str:
    if not cell or len(cell) > LONGEST:
        raise ValueError(f"enter a name of 1 to {LONGEST} characters")
    return cell


def _email(cell: str, _known: Known) -> str:
    try:
        validate_email(cell, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError("enter an email address, like name@school.example") from error
    if len(cell) > LONGEST:
        raise ValueError(f"enter at most {LONGEST} characters")
    return cell


def _urn(cell: str, known: Known) -> int:
    urn = int(cell) if cell.isascii() and cell.isdecimal() and len(cell) < 10 else 0
    if urn not in known.providers:
        raise ValueError(f"{cell[:20]!r} is not the URN of an open Complex Needs School here")
    return urn


def _several(cell: str) -> list[str]:
    return [part for part in (one.strip() for one in re.split(r"[;|]", cell)) if part]


def _listed(cell: str, names: dict[str, str], what: str) -> list[str]:
    found = set()
    for part in _several(cell):
        if part.lower() not in names:
            raise ValueError(f"{part[:40]!r} is not {what}")
        found.add(names[part.lower()])
    return sorted(found)


def _phases(cell: str, _known: Known) -> list[str]:
    return _listed(cell, PHASE_NAMES, "a phase: use Nursery, Primary, Secondary or 16 plus")


def _areas(cell: str, known: Known) -> list[str]:
    return _listed(cell, known.districts, "a district of the register")


def _needs(cell: str, known: Known) -> list[SkillGiven]:
    found: dict[str, SkillGiven] = {}
    for part in _several(cell):
        code, level, expires = ([bit.strip() for bit in part.split(":")] + ["", ""])[:3]
        if code.upper() not in known.needs:
            raise ValueError(
                f"{code[:20]!r} is not the code of a need: use {', '.join(known.needs)}"
            )
        if level.lower() not in LEVEL_NAMES:
            raise ValueError(f"write {code.upper()}:working, :experienced or :specialist")
        if code.upper() in found:
            raise ValueError(f"{code.upper()} comes twice")
        day = _day(expires, known) if expires else None
        found[code.upper()] = SkillGiven(code.upper(), LEVEL_NAMES[level.lower()], day)
    return list(found.values())


def _cases(cell: str, _known: Known) -> int:
    number = int(cell) if cell.isascii() and cell.isdecimal() and len(cell) < 6 else -1
    if not 0 <= number <= MOST_CASES:
        raise ValueError(f"enter a number from 0 to {MOST_CASES}")
    return number


def _hours(cell: str, _known: Known) -> int:
    try:
        minutes = Decimal(cell) * 60 if cell.isascii() else Decimal("NaN")
    except InvalidOperation:
        minutes = Decimal("NaN")
    if not (minutes.is_finite() and 0 <= minutes <= LONGEST_DAY):
        raise ValueError("enter hours from 0 to 10, for example 3.5")
    return round(minutes)


def _day(cell: str, _known: Known) -> date:
    for form in FORMS:
        try:
            return datetime.strptime(cell, form).date()  # noqa: DTZ007 (a day has no zone)
        except ValueError:
            continue
    raise ValueError(f"{cell[:20]!r} is not a date like 2027-08-31 or 31/08/2027")


READERS: dict[str, Callable[[str, Known], Any]] = {
    "name": _name,
    "email": _email,
    "urn": _urn,
    "phases": _phases,
    "areas": _areas,
    "needs": _needs,
    "cases": _cases,
    **dict.fromkeys(WEEK, _hours),
    "from": _day,
    "until": _day,
    "leaving": _day,
}


def _twice(rows: list[tuple[int, dict[str, Any]]]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for line, row in rows:
        address = (row["email"] or "").lower()
        if address and address in seen:
            yield f"line {line}, email: {row['email']} is in line {seen[address]} too"
        seen.setdefault(address, line)


def _there() -> dict[str, Practitioner | None]:
    """Active practitioners by their address; None where several share one."""
    found: dict[str, Practitioner | None] = {}
    rows = session().execute(
        select(Practitioner, func.lower(Practitioner.email)).where(
            Practitioner.active, Practitioner.is_lead.is_(False)
        )
    )
    for row, address in rows:
        found[address] = None if address in found else row
    return found


def _wrong_school(
    line: int, row: dict[str, Any], there: dict[str, Practitioner | None], known: Known
) -> Iterator[str]:
    address = (row["email"] or "").lower()
    if address not in there:
        return
    before = there[address]
    if before is None:
        yield f"line {line}, email: several practitioners have {row['email']}: mend that first"
    elif row["urn"] and before.provider_urn != row["urn"]:
        where = known.providers.get(before.provider_urn, str(before.provider_urn))
        yield (
            f"line {line}, urn: {before.name} is at {where}:"
            " nobody is moved to another school by a file"
        )


def _apply(
    work: UnitOfWork, line: int, row: dict[str, Any], before: Practitioner | None, by: Actor
) -> Outcome:
    person, what = before, "unchanged"
    if person is None:
        person = practitioners.add(
            work, name=row["name"], email=row["email"], provider_urn=row["urn"], by=by
        )
        what = "added"
    parts = [part for part, save in SAVES.items() if save(work, person, row, by)]
    if parts and what == "unchanged":
        what = "changed"
    return Outcome(line, row["name"], what, parts if what == "changed" else [])


def _save_details(work: UnitOfWork, person: Practitioner, row: dict[str, Any], by: Actor) -> bool:
    return practitioners.save_details(
        work,
        person.id,
        seen=person.version,
        name=row["name"],
        email=row["email"],
        leaving_on=row["leaving"] or person.leaving_on,
        by=by,
    )


def _save_cover(work: UnitOfWork, person: Practitioner, row: dict[str, Any], by: Actor) -> bool:
    def of(column: str, now: Any) -> Any:
        return now if row[column] is None else row[column]

    return practitioners.save_cover(
        work,
        person.id,
        seen=person.version,
        phases=of("phases", person.phases),
        areas=of("areas", person.areas),
        capacity=of("cases", person.capacity),
        by=by,
    )


def _save_needs(work: UnitOfWork, person: Practitioner, row: dict[str, Any], by: Actor) -> bool:
    if row["needs"] is None:
        return False
    return practitioners.save_needs(work, person.id, seen=person.version, needs=row["needs"], by=by)


def _save_release(work: UnitOfWork, person: Practitioner, row: dict[str, Any], by: Actor) -> bool:
    if all(row[day] is None for day in WEEK):
        return False
    minutes = [row[day] or 0 for day in WEEK]
    rows = practitioners.releases(person.id)
    latest = rows[0] if rows else None
    same = latest and (latest.minutes, latest.until) == (minutes, row["until"])
    if latest and same and row["from"] in {None, latest.valid_from}:
        return False
    return practitioners.save_release(
        work,
        person.id,
        seen=person.version,
        valid_from=row["from"] or clock.today(),
        until=row["until"],
        minutes=minutes,
        by=by,
    )


SAVES = {
    "details": _save_details,
    "cover": _save_cover,
    "needs": _save_needs,
    "release": _save_release,
}
