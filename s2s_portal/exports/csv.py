"""CSV: streamed out of PostgreSQL by COPY, or made in memory for files that are stored.

A spreadsheet runs text that begins like a formula. So text cells are guarded (OWASP "CSV
Injection", CWE-1236, ASVS 1.2.10) while numbers, negative ones too, stay numbers.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from s2s_portal.exports import Cell, wall_clock

CHUNK = 64 * 1024
"""Bytes that `copy_csv` gathers before it yields: one row at a time costs ten times as long."""

# Inside brackets in both Python's and PostgreSQL's expressions, so neither class holds `]`, `^` or
# a backslash, and `-` comes last. Full-width signs count: spreadsheets read them as plain ones.
_LED_IN_BY = " \n\v\f'\"\u00a0\u200b\u3000\ufeff"
_STARTS_FORMULA = "=+@\t\r＝＋＠－-"
# PostgreSQL text holds no NUL; other text may.
_FORMULA = re.compile(f"[{_LED_IN_BY}]*[\0{_STARTS_FORMULA}]")


def guard_cell(value: Cell) -> Cell:
    """`value`, with an apostrophe before text that a spreadsheet would take for a formula.

    That is text whose first character, after any spaces and quotation marks, is one of `= + - @`,
    their full-width forms, TAB, CR or NUL. Whatever is not text comes back unchanged.
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def safe_text(expression: sql.Composable) -> sql.Composed:
    """SQL for a text `expression` guarded as `guard_cell` does, to select within a COPY.

    `safe_text(sql.Identifier("school_name"))`. For text columns that people can type in; codes and
    numbers need none.
    """
    return sql.SQL("CASE WHEN {text} ~ {formula} THEN '''' || {text} ELSE {text} END").format(
        text=expression, formula=sql.Literal(f"^[{_LED_IN_BY}]*[{_STARTS_FORMULA}]")
    )


def copy_csv(
    connection: psycopg.Connection[Any],
    query: sql.Composable | str,
    params: Sequence[object] | Mapping[str, object] | None = None,
) -> Iterator[bytes]:
    """Stream the rows of `query` as UTF-8 CSV with a header, in pieces of `CHUNK` bytes or more.

    The column names are the header. Lines end in LF, as PostgreSQL writes them. `query` is ours:
    what people typed goes in `params`. When the reader stops early the statement is cancelled and
    the connection stays usable.
    """
    selected = sql.SQL(query) if isinstance(query, str) else query
    statement = sql.SQL("COPY ({}) TO STDOUT WITH (FORMAT csv, HEADER, ENCODING 'UTF8')")
    held = bytearray()
    with connection.cursor() as cursor, cursor.copy(statement.format(selected), params) as copy:
        for row in copy:
            held += row
            if len(held) >= CHUNK:
                yield bytes(held)
                held.clear()
        if held:
            yield bytes(held)


def rows_to_csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """`rows` under `header` as one CSV file: RFC 4180 (CRLF, quotes doubled), UTF-8, no mark.

    Text is guarded; dates are ISO 8601, and instants too, as a clock in Norfolk shows them. Raises
    ValueError when a row is not as long as the header or an instant has no time zone.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([guard_cell(name) for name in header])
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise ValueError(f"Row {number} has {len(row)} cells for {len(header)} columns.")
        writer.writerow([_written(value) for value in row])
    return out.getvalue().encode("utf-8")


def _written(value: Cell) -> Cell | str:
    if isinstance(value, datetime):
        return wall_clock(value).isoformat(timespec="seconds")
    return guard_cell(value)
