"""XLSX: text is always text, money and dates are numbers that a spreadsheet can add and sort."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from rustpy_xlsxwriter import Format, write_worksheet

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


def rows_to_xlsx(sheet_name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """`rows` under a bold, frozen `header` as a workbook of one sheet: same rows, same bytes.

    Decimal is an amount in pounds, with two decimals; `date` a date; an aware `datetime` the time
    on a clock in Norfolk. Raises ValueError for a sheet name that Excel refuses, two columns of one
    name, a row that is not as long as the header, an instant without a time zone, or more rows or
    text than Excel holds.
    """
    if len(set(header)) != len(header):
        raise ValueError("Two columns have the same name.")
    # The library takes the header from the first row, and each column's place from it too.
    records = [
        dict(zip(header, map(_cell, row), strict=True)) for row in _at_most(MOST_ROWS, rows)
    ] or [dict.fromkeys(header)]
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


def _at_most(most: int, rows: Iterable[Sequence[Cell]]) -> Iterable[Sequence[Cell]]:
    for number, row in enumerate(rows, start=1):
        if number > most:
            raise ValueError(f"A sheet holds {most:,} rows.")
        yield row


def _cell(value: Cell) -> Cell:
    """`value` as the library should be given it."""
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise ValueError(f"A cell holds {LONGEST_TEXT:,} characters.")
        return str(value)
    if isinstance(value, datetime):
        return wall_clock(value).replace(tzinfo=None)
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, int | Decimal) and not -_EXACT < value < _EXACT:
        return str(value)
    return value


def _formats(header: Sequence[str], records: list[dict[str, Cell]]) -> dict[str, Format]:
    """The number format of each column, by the first value in it."""
    found: dict[str, Format] = {}
    for name in header:
        first = next((record[name] for record in records if record[name] is not None), None)
        if (code := _format_code(first)) is not None:
            found[name] = Format().set_num_format(code)
    return found


def _format_code(value: Cell) -> str | None:
    if isinstance(value, Decimal):
        return _MONEY
    if isinstance(value, datetime):
        return _INSTANT
    return _DAY if isinstance(value, date) else None


def _timeless(book: io.BytesIO) -> bytes:
    """`book` without the time at which it was written, so that a digest says "the same rows"."""
    out = io.BytesIO()
    with ZipFile(book) as old, ZipFile(out, "w", ZIP_DEFLATED) as new:
        for entry in old.infolist():
            fixed = ZipInfo(entry.filename, _LONG_AGO)
            fixed.compress_type = ZIP_DEFLATED
            fixed.create_system = 3  # else it would say which operating system wrote it
            if entry.filename == _PROPERTIES:
                content = _STAMP.sub(rb"\g<1>1980-01-01T00:00:00Z", old.read(entry))
                new.writestr(fixed, content)
                continue
            with old.open(entry) as source, new.open(fixed, "w") as target:
                shutil.copyfileobj(source, target)
    return out.getvalue()
