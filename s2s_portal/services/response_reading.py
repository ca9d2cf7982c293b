"""Finance's response file read: each row judged by itself and against the pull, nothing applied.

The file is CSV (UTF-8, comma or semicolon) with the columns `outcome` (collected, rejected or
query), `date`, `amount_pounds`, and `entry_number` or `source_reference` or both; and, as they are
needed, `finance_reference` and `reason`. A bad row has one message, which says what to mend.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from s2s_portal import clock, money
from s2s_portal.errors import Refused
from s2s_portal.exports.csv import guard_cell
from s2s_portal.models.finance_files import Outcome
from s2s_portal.models.ledger import LedgerEntry
from s2s_portal.services.terms import written

NEEDED = ("outcome", "date", "amount_pounds")
COLUMNS = (
    "entry_number",
    "source_reference",
    *NEEDED,
    "finance_reference",
    "reason",
    "pull_number",
)
LARGEST = 2_000_000  # bytes
MOST_ROWS = 20_000
LONGEST = {"finance_reference": 60, "reason": 500}  # characters
DAYS = ("%Y-%m-%d", "%d/%m/%Y")
AMOUNT = re.compile(r"-?\d{1,9}(\.\d{1,2})?")
NUMBER = re.compile(r"\d{1,15}", re.ASCII)


class WrongRows(Refused):
    """Rows of the file are wrong; `problems` has one sentence for each, by line."""

    def __init__(self, problems: list[str]) -> None:
        rows = "1 row is" if len(problems) == 1 else f"{len(problems):,} rows are"
        super().__init__(f"{rows} wrong, so nothing has been applied. Mend the file", "file")
        self.problems = problems


@dataclass(frozen=True)
class Answer:
    """One good row: what Finance says of one entry. `amount_pence` is the entry's own."""

    line: int
    entry: LedgerEntry
    outcome: Outcome
    finance_reference: str
    day: date
    amount_pence: int
    reason: str


@dataclass(frozen=True)
class Known:
    """What rows are held against: the entries of the pull, which of them are collected (with what
    settles each), in which other pull an entry is, and when this pull was made."""

    number: int
    made_on: date
    entries: dict[int, LedgerEntry]
    settled: dict[int, LedgerEntry]
    elsewhere: Callable[[int], str]


def text_of(content: bytes) -> str:
    """The text of a file, its line ends as LF. Raises Refused for what cannot be such a file."""
    if len(content) > LARGEST:
        raise Refused(f"The file is larger than {LARGEST // 1_000_000} MB: it is no response file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused("The file is not UTF-8 text: save it as “CSV UTF-8”") from error
    if "\x00" in text:
        raise Refused("The file is not text: save it as “CSV UTF-8”")
    return plain(text)


def plain(text: str) -> str:
    """`text` with LF at the end of lines: a browser's form sends back others than it got."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def digest(text: str) -> str:
    """The hex SHA-256 by which a file is known again."""
    return hashlib.sha256(plain(text).encode()).hexdigest()


def read(text: str, known: Known) -> list[Answer]:
    """The answers in a file about one pull. Raises Refused for a file that is none, WrongRows."""
    answers: list[Answer] = []
    problems: list[str] = []
    lines: dict[int, int] = {}
    for line, cells in _rows(text):
        try:
            answer = _answer(line, cells, known)
            first = lines.setdefault(answer.entry.number, line)
            if first != line:
                raise Refused(f"entry {answer.entry.number} is on line {first} already")
        except Refused as error:
            problems.append(f"Line {line}: {error}.")
        else:
            answers.append(answer)
    if problems:
        raise WrongRows(problems)
    if not answers:
        raise Refused("The file has no rows")
    return answers


def _rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    first = text.split("\n", 1)[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(header)
        for row in reader:
            if reader.line_num > MOST_ROWS + 1:
                raise Refused(f"The file has more than {MOST_ROWS:,} rows")
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                yield reader.line_num, {"": f"it has {len(row)} cells for {len(header)} columns"}
                continue
            yield reader.line_num, dict(zip(header, (cell.strip() for cell in row), strict=True))
    except csv.Error as error:
        raise Refused("The file is not CSV: a quotation mark is left open") from error


def _check_header(header: list[str]) -> None:
    missing = [name for name in NEEDED if name not in header]
    if not {"entry_number", "source_reference"} & set(header):
        missing.insert(0, "entry_number")
    if missing:
        raise Refused(f"The file has no column {', '.join(missing)}")
    strange = [name for name in header if name not in COLUMNS]
    if strange or len(set(header)) != len(header):
        twice = [name for name in header if header.count(name) > 1]
        raise Refused(f"The column “{(strange or twice)[0][:40]}” is not one of the file’s")


def _answer(line: int, cells: dict[str, str], known: Known) -> Answer:
    """The answer in one row. Raises Refused with the first thing that is wrong with it."""
    if "" in cells:
        raise Refused(cells[""])
    _check_cells(cells)
    entry = _entry(cells, known)
    outcome = _outcome(cells["outcome"])
    day = _day(cells["date"], known)
    amount = _amount(cells["amount_pounds"])
    if amount != entry.amount_pence:
        raise Refused(
            f"entry {entry.number} is {money.pounds(entry.amount_pence)},"
            f" not {money.pounds(amount)}"
        )
    settled = known.settled.get(entry.number)
    if settled is not None:
        raise Refused(
            f"entry {entry.number} was collected on {written(settled.event_date)}"
            f" with reference {settled.finance_reference}"
        )
    reference, reason = cells.get("finance_reference", ""), cells.get("reason", "")
    if outcome is Outcome.COLLECTED and not reference:
        raise Refused("what was collected needs a finance_reference")
    if outcome is not Outcome.COLLECTED and not reason:
        raise Refused("say in the column reason why it was not collected")
    return Answer(line, entry, outcome, reference, day, amount, reason)


def _check_cells(cells: dict[str, str]) -> None:
    """Refuse text that a spreadsheet would run, or that is longer than we keep."""
    for name, text in cells.items():
        if name != "amount_pounds" and guard_cell(text) != text:
            raise Refused(f"the column {name} begins like a formula")
        if len(text) > LONGEST.get(name, 40):
            raise Refused(f"the column {name} is longer than {LONGEST.get(name, 40)} characters")


def _entry(cells: dict[str, str], known: Known) -> LedgerEntry:
    """The entry that a row is about. Raises Refused when it is none of this pull's, or unclear."""
    if cells.get("pull_number") and cells["pull_number"].lstrip("0") != str(known.number):
        raise Refused(f"it is about pull {cells['pull_number']}, not pull {known.number}")
    number, reference = cells.get("entry_number", ""), cells.get("source_reference", "").upper()
    if number:
        if not NUMBER.fullmatch(number):
            raise Refused(f"“{number}” is not the number of an entry")
        found = known.entries.get(int(number))
        if found is None:
            raise Refused(known.elsewhere(int(number)))
        if reference and found.referral_reference != reference:
            raise Refused(f"entry {found.number} has the reference {found.referral_reference}")
        return found
    of_reference = [row for row in known.entries.values() if row.referral_reference == reference]
    if not reference or not of_reference:
        raise Refused(f"no entry of pull {known.number} has the reference “{reference}”")
    if len(of_reference) > 1:
        raise Refused(f"{len(of_reference)} entries have this reference: give the entry_number")
    return of_reference[0]


def _outcome(text: str) -> Outcome:
    try:
        return Outcome(text.lower())
    except ValueError as error:
        raise Refused(f"“{text}” is not collected, rejected or query") from error


def _day(text: str, known: Known) -> date:
    for form in DAYS:
        try:
            day = datetime.strptime(text, form).date()  # noqa: DTZ007
        except ValueError:
            continue
        if day > clock.today():
            raise Refused(f"{written(day)} is in the future")
        if day < known.made_on:
            raise Refused(f"{written(day)} is before {written(known.made_on)}, when it was pulled")
        return day
    raise Refused(f"“{text}” is not a date such as 2019-05-31 or 31/05/2019")


def _amount(text: str) -> int:
    plain_text = text.removeprefix("£").replace(",", "")
    if not AMOUNT.fullmatch(plain_text):
        raise Refused(f"“{text}” is not an amount such as 100.00")
    return int(Decimal(plain_text).scaleb(2))
