"""Taking a million entries away: CSV against psql's own copy, XLSX against our CSV, memory.

Floors in the same run, on the same server: `psql \\copy` of the same select where there is a psql
(`PSQL` names another), else the same COPY by psycopg alone, thrown away; for XLSX our CSV of the
same rows in memory, and Python's csv alone.
"""

from __future__ import annotations

import csv
import io
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Any

from flask import Flask
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from s2s_portal import migrations
from s2s_portal.database import session
from s2s_portal.exports.csv import rows_to_csv
from s2s_portal.exports.xlsx import rows_to_xlsx
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.services import ledger_export
from tests import world
from tests.conftest import fresh_database
from tests.host import make_host

ROWS, FEW = 1_000_000, 10_000
SHEET_ROWS = 200_000
FILL = """
INSERT INTO s2s.ledger_entry (number, kind, fee_kind, event_date, recorded_at, recorded_by_id,
    recorded_by_name, financial_year, period, referral_reference, urn, dfe_number,
    establishment_name, payer_name, route, vat_code, purchase_order, terms_id, terms_name, verdict,
    amount_pence, idempotency_key, fingerprint, previous_hash, hash)
SELECT n, 'charge', 'engagement', date '2019-05-14', timestamptz '2019-05-14 09:00Z', 'officer',
    'Ola Officer', '2019/20', 2, 'S2S-19-' || lpad(upper(to_hex(n %% 65536)), 4, '0'), 900101,
    '926/0101', 'Little Snoring Invented Primary', 'Little Snoring Invented Primary', 'INTERNAL',
    'OS', '', (SELECT min(id) FROM s2s.service_terms), 'High Needs Block',
    '£100: mainstream school, received 14 May 2019, MI Sheet 44/19', 10000, 'bench:' || n, '',
    md5(n::text) || md5(n::text), md5((n + 1)::text) || md5((n + 1)::text)
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
"""


def run(server_url: str) -> None:
    """Print each time, its ratio to the floor, and the memory that it took."""
    url = fresh_database(server_url, "s2s_bench_exports")
    engine = create_engine(url)
    migrations.upgrade(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET session_replication_role = replica")
        fill(connection, 1, FEW)
    app = make_host(url, dict(world.ACTORS))
    print(f"\nThe ledger as CSV, {ROWS:,} entries; aims: 1.5 times the floor, 100 ms, memory flat")
    few = peak(lambda: _csv(app))
    with engine.begin() as connection:
        connection.exec_driver_sql("SET session_replication_role = replica")
        fill(connection, FEW + 1, ROWS)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE s2s.ledger_entry"))
    floor, name = _floor(url, app)
    floor = min(floor, _floor(url, app)[0])
    print(f"{name:26}{floor:8.2f} s")
    taken, first, size = min(_csv(app) for _ in range(2))
    print(f"{'ours':26}{taken:8.2f} s  {taken / floor:.2f} times  {size / 1e6:.0f} MB")
    print(f"{'first piece':26}{first * 1000:8.0f} ms")
    many = peak(lambda: _csv(app))
    print(f"{'memory at the most':26}{many:8.1f} MB more, {few:.1f} MB for {FEW:,} entries")
    _sheets()


def fill(connection: Connection, first: int, last: int) -> None:
    """Add entries `first` to `last`, as a superuser: no chain is made."""
    connection.exec_driver_sql(FILL, {"first": first, "last": last})


def _csv(app: Flask) -> tuple[float, float, int]:
    """How long the whole CSV takes, its first piece, and how many bytes it has."""
    with app.app_context(), acting_as(SYSTEM):
        session().connection()
        start = perf_counter()
        first = size = 0
        for piece in ledger_export.pieces():
            if not size:
                first = perf_counter() - start
            size += len(piece)
        taken = perf_counter() - start
        session().rollback()
    return taken, first, size


def _floor(url: str, app: Flask) -> tuple[float, str]:
    """How long the same select takes without us, and by what it was measured."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    psql = os.environ.get("PSQL") or shutil.which("psql")
    with app.app_context(), acting_as(SYSTEM):
        connection: Any = session().connection().connection.driver_connection
        select = ledger_export.statement().as_string(connection)
        if psql is None:
            start = perf_counter()
            with connection.cursor() as cursor, cursor.copy(f"COPY ({select}) TO STDOUT") as copy:
                while copy.read():
                    pass
            return perf_counter() - start, "psycopg COPY, unread"
    with tempfile.TemporaryDirectory() as folder:
        line = " ".join(select.split())
        command = f"\\copy ({line}) TO '{Path(folder) / 'ledger.csv'}' WITH (FORMAT csv, HEADER)"
        start = perf_counter()
        subprocess.run([psql, "-q", "-X", "-d", address, "-c", command], check=True)
        return perf_counter() - start, "psql \\copy"


def peak(act: Callable[[], object]) -> float:
    """By how many MB the most memory that a process ever held grows while it does something."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        act()
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        os.write(writer, str(after - before).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return int(os.read(reader, 32) or b"0") / 1024


def _sheets() -> None:
    header = tuple("abcdefgh")
    rows = [
        (
            n,
            f"S2S-19-{n:06d}",
            date(2019, 5, 14),
            "Little Snoring",
            Decimal("100.00"),
            10_000,
            "x",
            n,
        )
        for n in range(SHEET_ROWS)
    ]
    start = perf_counter()
    csv.writer(io.StringIO(newline="")).writerows(rows)
    bare = perf_counter() - start
    start = perf_counter()
    rows_to_csv(header, rows)
    floor = perf_counter() - start
    start = perf_counter()
    size = len(rows_to_xlsx("Ledger", header, rows))
    taken = perf_counter() - start
    print(f"\nA workbook of {SHEET_ROWS:,} rows, aim 3 times the CSV of the same rows")
    print(f"{'csv alone, unguarded':26}{bare:8.2f} s")
    print(f"{'our csv':26}{floor:8.2f} s")
    times = f"{taken / floor:.2f} times, {taken / bare:.2f} csv alone"
    print(f"{'ours':26}{taken:8.2f} s  {times}  {size / 1e6:.1f} MB")
