"""CSV by COPY: the rows and the guard as PostgreSQL itself writes them."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.orm import Session

from s2s_portal.exports.csv import CHUNK, copy_csv, guard_cell, safe_text
from tests.unit.test_exports import FORMULAS, PLAIN

# PostgreSQL text cannot hold NUL.
TEXTS = [text for text in [*FORMULAS, *PLAIN] if "\x00" not in text]


@pytest.fixture
def driver(session: Session) -> psycopg.Connection[Any]:
    """The connection beneath the test's session."""
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    return connection


def read(pieces: Iterator[bytes]) -> list[list[str]]:
    file = b"".join(pieces).decode("utf-8")
    return list(csv.reader(io.StringIO(file, newline=""), strict=True))


def test_the_guard_in_sql_is_the_guard_in_python(driver: psycopg.Connection[Any]) -> None:
    query = sql.SQL("SELECT {} AS guarded FROM unnest(%s::text[]) AS typed").format(
        safe_text(sql.Identifier("typed"))
    )
    found = read(copy_csv(driver, query, [TEXTS]))
    assert found == [["guarded"], *([guard_cell(text)] for text in TEXTS)]


def test_numbers_dates_and_percent_signs(driver: psycopg.Connection[Any]) -> None:
    query = "SELECT -10000 AS pence, -100.00 AS pounds, DATE '2019-04-01' AS day, '50%' AS share"
    assert b"".join(copy_csv(driver, query)) == (
        b"pence,pounds,day,share\n-10000,-100.00,2019-04-01,50%\n"
    )


def test_what_people_typed_stays_a_value(driver: psycopg.Connection[Any]) -> None:
    typed = "x'; DROP SCHEMA s2s; --{}%s"
    found = read(copy_csv(driver, "SELECT %(typed)s AS typed", {"typed": typed}))
    assert found == [["typed"], [typed]]


def test_no_rows_still_have_a_header(driver: psycopg.Connection[Any]) -> None:
    assert list(copy_csv(driver, "SELECT 1 AS pence WHERE false")) == [b"pence\n"]


def test_rows_come_in_large_pieces_and_none_is_lost(driver: psycopg.Connection[Any]) -> None:
    pieces = list(copy_csv(driver, "SELECT n FROM generate_series(1, 100000) AS n"))
    assert all(CHUNK <= len(piece) < CHUNK + 100 for piece in pieces[:-1])
    assert len(pieces) > 5
    rows = read(iter(pieces))
    assert rows == [["n"], *([str(number)] for number in range(1, 100_001))]


def test_a_reader_who_leaves_early_leaves_the_connection_usable(session: Session) -> None:
    # A cancelled statement ends its transaction, so this needs a connection of its own.
    with session.get_bind().engine.connect() as own:
        driver = own.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        stream = copy_csv(driver, "SELECT generate_series(1, 100000000) AS n")
        assert isinstance(stream, Generator)
        assert next(stream).startswith(b"n\n1\n")
        stream.close()
        driver.rollback()
        assert read(copy_csv(driver, "SELECT 1 AS one")) == [["one"], ["1"]]
