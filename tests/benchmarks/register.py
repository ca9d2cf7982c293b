"""Reading a register of 50,000 establishments in, against reading its rows by csv alone."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from time import perf_counter

from sqlalchemy import create_engine

from s2s_portal import migrations
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.services import establishments
from s2s_portal.services.register_columns import COLUMNS
from tests import world
from tests.conftest import fresh_database
from tests.host import make_host

ROWS = 50_000
AIM = 15.0  # seconds
# The real file has 140 columns; the ones nobody reads still have to be parsed.
WIDTH = 140


def write(path: Path) -> None:
    """A file of the register's shape."""
    names = [name for name, _read in COLUMNS.values()]
    header = names + [f"Column {n}" for n in range(len(names), WIDTH)]
    padding = ["Not applicable"] * (WIDTH - len(names))
    with path.open("w", encoding="cp1252", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for n in range(ROWS):
            cells = {
                "URN": 200_000 + n,
                "LA (code)": 926,
                "EstablishmentNumber": n % 9999,
                "EstablishmentName": f"Invented School {n}",
                "TypeOfEstablishment (code)": 1,
                "EstablishmentStatus (code)": 1,
                "PhaseOfEducation (code)": 2,
                "OpenDate": "01-09-1998",
                "Easting": 600_000,
                "Northing": 300_000,
            }
            writer.writerow([cells.get(name, "") for name in names] + padding)


def run(server_url: str) -> None:
    """Print how long a first and a second reading take, and the floor."""
    url = fresh_database(server_url, "s2s_bench_register")
    migrations.upgrade(create_engine(url))
    app = make_host(url, dict(world.ACTORS))
    with tempfile.TemporaryDirectory() as folder, app.app_context(), acting_as(SYSTEM):
        path = Path(folder) / "edubasealldata.csv"
        write(path)
        print(f"\nRegister of {ROWS:,} rows, {path.stat().st_size / 1e6:.0f} MB, aim {AIM:.0f} s")
        start = perf_counter()
        with path.open(encoding="cp1252", newline="") as file:
            read = sum(1 for _row in csv.reader(file))
        floor = perf_counter() - start
        print(f"{'csv alone':22}{floor:10.2f} s  {read:,} rows")
        for name in ("first reading", "second reading"):
            start = perf_counter()
            establishments.import_file(path)
            taken = perf_counter() - start
            print(f"{name:22}{taken:10.2f} s  {taken / floor:.2f} times csv alone")
