"""XLSX: text is always text, money and dates are numbers that a spreadsheet can add and sort."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from rustpy_xlsxwriter import Format, write_worksheet, write_worksheets

from s2s_portal.exports import Cell, wall_clock

LONGEST_TEXT = 32_767
"""Characters in one cell: Excel's own limit."""

MOST_ROWS = 1_048_575
"""Rows under the header: Excel's own limit."""

# Beyond this a spreadsheet's numbers lose digits (they keep fifteen), so we write text.
_EXACT = 10**15

_MONEY, _DAY, _INSTANT = "#,##0.00", "dd/mm/yyyy", "dd/mm/yyyy hh:mm"

_PROPERTIES = "docProps/core.xml"
_STAMP = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Sheet:
    """One sheet of a workbook: its name, its header, and the rows under it."""

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def rows_to_xlsx(sheet_name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """`rows` under a bold, frozen `header` as a workbook of one sheet: same rows, same bytes.

    Decimal is an amount in pounds, with two decimals; `date` a date; an aware `datetime` the time
    on a clock in Norfolk. Raises ValueError for a sheet name that Excel refuses, two columns of one
    name, a row that is not as long as the header, an instant without a time zone, or more rows or
    text than Excel holds.
    """
    records = _records(header, rows)
    book = io.BytesIO()
    write_worksheet(
        records,
        book,
        sheet_name=sheet_name,
        freeze_row=1,
        bold_headers=True,
        autofit=True,
        column_formats=_formats(header, records),
    )
    return _timeless(book)


def sheets_to_xlsx(sheets: Sequence[Sheet]) -> bytes:
    """A workbook of several sheets, each as `rows_to_xlsx` makes its one: same rows, same bytes.

    Raises ValueError as that does, and for two sheets of one name.
    """
    if len({sheet.name for sheet in sheets}) != len(sheets):
        raise ValueError("Two sheets have the same name.")
    records: list[tuple[str, Any]] = [
        (sheet.name, _records(sheet.header, sheet.rows)) for sheet in sheets
    ]
    book = io.BytesIO()
    write_worksheets(
        records,
        book,
        freeze_panes={"general": {"row": 1, "col": 0}},
        bold_headers=True,
        autofit=True,
        column_formats={
            sheet.name: _formats(sheet.header, found)
            for sheet, (_, found) in zip(sheets, records, strict=True)
        },
    )
    return _timeless(book)


def _records(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> list[dict[str, Any]]:
    if len(set(header)) != len(header):
        raise ValueError("Two columns have the same name.")
    # The library takes the header from the first row, and each column's place from it too.
    return [
        dict(zip(header, [_CELLS.get(type(value), _cell)(value) for value in row], strict=True))
        for row in _at_most(MOST_ROWS, rows)
    ] or [dict.fromkeys(header)]


def _at_most(most: int, rows: Iterable[Sequence[Cell]]) -> Iterable[Sequence[Cell]]:
    for number, row in enumerate(rows, start=1):
        if number > most:
            raise ValueError(f"A sheet holds {most:,} rows.")
        yield row


def _cell(value: Cell) -> Cell | float:
    """`value` as the library should be given it."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, datetime):
        return wall_clock(value).replace(tzinfo=None)
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, int | Decimal):
        return _number(value)
    return value


def _text(value: str) -> str:
    if len(value) > LONGEST_TEXT:
        raise ValueError(f"A cell holds {LONGEST_TEXT:,} characters.")
    return str(value)


def _number(value: Any) -> Cell | float:
    return value if -_EXACT < value < _EXACT else str(value)


def _money(value: Any) -> Cell | float:
    # A spreadsheet's numbers are floats whoever makes them; the library takes twice as long.
    return float(value) if -_EXACT < value < _EXACT else str(value)


def _same(value: Any) -> Cell:
    return value  # type: ignore[no-any-return]


# By a cell's own type: asking what it is an instance of takes as long as writing it does.
_CELLS: dict[type, Callable[[Any], Cell | float]] = {
    str: _text,
    int: _number,
    Decimal: _money,
    date: _same,
    bool: _same,
    type(None): _same,
}


def _formats(header: Sequence[str], records: list[dict[str, Any]]) -> dict[str, Format]:
    """The number format of each column, by the first value in it."""
    found: dict[str, Format] = {}
    for name in header:
        first = next((record[name] for record in records if record[name] is not None), None)
        if (code := _format_code(first)) is not None:
            found[name] = Format().set_num_format(code)
    return found


def _format_code(value: Cell | float) -> str | None:
    if isinstance(value, float):  # nothing but money has become one
        return _MONEY
    if isinstance(value, datetime):
        return _INSTANT
    return _DAY if isinstance(value, date) else None


def _timeless(book: io.BytesIO) -> bytes:
    """`book` without the time at which it was written, so that a digest says "the same rows".

    What is compressed already is copied as it is: doing it again takes as long as all the rest.
    """
    out = io.BytesIO()
    with ZipFile(book) as old, ZipFile(out, "w", ZIP_DEFLATED) as new:
        for entry in old.infolist():
            fixed = ZipInfo(entry.filename, _LONG_AGO)
            fixed.compress_type = ZIP_DEFLATED
            fixed.create_system = 3  # else it would say which operating system wrote it
            if entry.filename == _PROPERTIES:
                content = _STAMP.sub(rb"\g<1>1980-01-01T00:00:00Z", old.read(entry))
                new.writestr(fixed, content)
            else:
                _copy(book, entry, fixed, new)
    return out.getvalue()


def _copy(book: io.BytesIO, entry: ZipInfo, fixed: ZipInfo, new: ZipFile) -> None:
    """Copy the compressed bytes of `entry` in `book` into `new`, described by `fixed`."""
    fixed.compress_type, fixed.CRC = entry.compress_type, entry.CRC
    fixed.compress_size, fixed.file_size = entry.compress_size, entry.file_size
    whole = book.getbuffer()
    # The header in front says how long the name and the extra field after it are.
    name, extra = struct.unpack_from("<HH", whole, entry.header_offset + 26)
    start = entry.header_offset + 30 + name + extra
    target: Any = new
    fixed.header_offset = target.fp.tell()
    target.fp.write(fixed.FileHeader(zip64=False))
    target.fp.write(whole[start : start + entry.compress_size])
    target.filelist.append(fixed)
    target.NameToInfo[fixed.filename] = fixed
    target.start_dir = target.fp.tell()
    whole.release()
