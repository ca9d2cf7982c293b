"""The worklist with a million referrals: its last page against its first, and a million against a
thousand, for each tile and each order; as an officer sees it, with row-level security."""

from __future__ import annotations

from datetime import date
from functools import partial

from flask import Flask
from sqlalchemy import create_engine, text

from s2s_portal import clock
from s2s_portal.services import worklist
from s2s_portal.services.worklist_wanted import Place, Sort, Wanted
from tests import world
from tests.benchmarks import many
from tests.benchmarks.pages import get, interleaved
from tests.client import Client
from tests.conftest import migrated_database
from tests.host import make_host

FEW, MANY = 1_000, 1_000_000
AIM = 1.3
DAY = clock.from_local(date(2019, 5, 14), 12)
LAST = Place(clock.from_local(date(2200, 1, 1)), 10**12, date(9999, 12, 31))
FIRST = Place(clock.from_local(date(1971, 1, 1)), 0, date(1971, 1, 1))


def host(server_url: str, rows: int) -> Flask:
    """A host whose worklist has so many rows."""
    url = migrated_database(server_url, f"s2s_bench_worklist_{rows}")
    engine = create_engine(url)
    with engine.begin() as connection:
        many.fill(connection, rows)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE s2s.worklist_entry"))
    engine.dispose()
    return make_host(url, dict(world.ACTORS))


def run(server_url: str) -> None:
    """Print the medians of each list, and the two ratios."""
    apps = {rows: host(server_url, rows) for rows in (FEW, MANY)}
    with clock.frozen(DAY):
        clients = {rows: Client(app).sign_on("officer") for rows, app in apps.items()}
        print(f"\nWorklist, aim {AIM} or less. {MANY:,} rows: last page against first")
        print(
            f"{'list':26}{'first ms':>10}{'last ms':>10}{'ratio':>8}{f'{FEW:,} ms':>10}{'ratio':>8}"
        )
        for wanted in lists():
            client = clients[MANY]
            paths = [
                f"{client.url('triage.index')}?{wanted.query}{page}"
                for page in ("", f"&before={end(wanted)}")
            ]
            first, last = interleaved(*(partial(get, client, path) for path in paths))
            big, small = interleaved(
                partial(get, client, paths[0]), partial(get, clients[FEW], paths[0])
            )
            name = f"{wanted.pile.value}, {wanted.sort.value}"
            print(
                f"{name:26}{first * 1000:10.2f}{last * 1000:10.2f}{last / first:8.2f}"
                f"{small * 1000:10.2f}{big / small:8.2f}"
            )


def end(wanted: Wanted) -> Place:
    """Where the last page of a list ends."""
    if wanted.pile is worklist.Pile.OVERDUE:
        return LAST._replace(due=DAY.date())
    return FIRST if wanted.sort is Sort.NEWEST else LAST


def lists() -> list[Wanted]:
    """Each tile in each of its orders."""
    found = [
        Wanted.of({"status": pile.value, "sort": sort.value})
        for pile in (*worklist.COUNTED_PILES, worklist.Pile.SUBMITTED, worklist.Pile.ALL)
        for sort in Sort
    ]
    return list(dict.fromkeys(found))
