"""The ledger at a million entries: verification in seconds, its pages against a thousand, posting
against a plain insert of the same shape."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

from flask import Flask
from sqlalchemy import Connection, Engine, create_engine, text

from s2s_portal import clock, migrations, money
from s2s_portal.database import unit_of_work
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.ledger import LedgerEntry
from s2s_portal.services import ledger, sealing, verification
from s2s_portal.state import state
from tests import fees, world
from tests.benchmarks.pages import get, interleaved
from tests.client import Client
from tests.conftest import fresh_database
from tests.host import make_host

FEW, MANY = 1_000, 1_000_000
VERIFY_AIM, PAGE_AIM = 5.0, 1.3  # seconds; ratio
SCHOOLS = 400
DAY = date(2019, 5, 14)
COLUMNS = [column.name for column in LedgerEntry.__table__.columns]
STANDING = (
    "number, charge_number, kind, urn, route, payer_name, event_date, amount_pence, pull_number,"
    " due, state, open_pence, last_event, settled"
)
LETTERS = "34679CDFGHJKMNPQRTVWXY"


def entries(total: int) -> Iterator[SimpleNamespace]:
    """So many entries, chained: charges, of which all but the last hundred are collected."""
    charges = total - (total - 100) // 2
    collected = total - charges
    number, previous = 0, sealing.NO_HASH
    for position in range(charges):
        for settles in (None, position) if position < collected else (None,):
            number += 1
            entry = _entry(number, position, settles, previous)
            previous = entry.hash
            yield entry


def _entry(number: int, position: int, settles: int | None, previous: str) -> SimpleNamespace:
    urn = 910_041 + position % SCHOOLS
    day = date(2019, 4, 1) + timedelta(days=position % 2_000)
    pence = -10_000 if settles is not None else 10_000
    entry = SimpleNamespace(
        number=number,
        kind="charge" if settles is None else "collection",
        fee_kind="engagement",
        event_date=day,
        recorded_at=datetime(2019, 4, 1, 9, tzinfo=UTC) + timedelta(minutes=number),
        recorded_by_id="bench",
        recorded_by_name="Bench O'Brien-Łukasz",
        financial_year=money.financial_year(day),
        period=money.period(day),
        referral_reference=_reference(position),
        urn=urn,
        dfe_number="926/1234",
        establishment_name=f"Bench School {urn}",
        payer_name=f"Bench School {urn}",
        route="INTERNAL",
        vat_code="OS",
        purchase_order="",
        terms_id=2,
        terms_name="High Needs Block, existing route",
        verdict="£100: mainstream school, received 14 May 2019, MI Sheet 44/19",
        fee_rule_id=None,
        amount_pence=pence,
        settles_number=None if settles is None else number - 1,
        reverses_number=None,
        finance_reference="" if settles is None else "J1",
        reason="",
        idempotency_key=f"bench:{number}",
        fingerprint=f"{number:064x}",
        previous_hash=previous,
    )
    entry.hash = sealing.seal(entry, postings(entry))
    return entry


def _reference(position: int) -> str:
    year, rest = divmod(position, 22**4)
    letters = ""
    for _ in range(4):
        rest, digit = divmod(rest, 22)
        letters = LETTERS[digit] + letters
    return f"S2S-{year:02d}-{letters}"


def postings(entry: SimpleNamespace) -> list[tuple[str, int]]:
    """The lines of an entry."""
    other = ledger.INCOME if entry.kind == "charge" else ledger.COLLECTED
    return [
        (f"receivable:{entry.urn}", entry.amount_pence),
        (other, -entry.amount_pence),
    ]


def fill(engine: Engine, total: int) -> None:
    """Write the entries as a superuser, with what the database keeps beside them."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(
            text(
                "INSERT INTO s2s.establishment (urn, local_authority, establishment_number, name,"
                " type_code, type_name, status_code, phase_code, phase_name, street, town,"
                " postcode, district, trust_name)"
                " SELECT 910040 + n, 926, n, 'Bench School ' || n, 1, '', 1,"
                " 2, 'Primary', '', 'Inventon', 'NR0 0AA', '', ''"
                f" FROM generate_series(1, {SCHOOLS}) n"
            )
        )
        connection.execute(
            text(
                "INSERT INTO s2s.account (code, urn, name) SELECT 'receivable\\:' || urn, urn, name"
                " FROM s2s.establishment WHERE urn > 910040"
            )
        )
        _copy(connection, total)
        for statement in (
            "INSERT INTO s2s.pull (number, at, by_id, by_name, cutoff, first_entry, last_entry,"
            " entry_count, total_pence, previous_digest, digest, idempotency_key)"
            " SELECT 1, now(), 'bench', 'Bench', now(), min(number), max(number),"
            " count(*), sum(amount_pence), repeat('0', 64), '', 'bench' FROM s2s.ledger_entry"
            " WHERE number IN (SELECT settles_number FROM s2s.ledger_entry)",
            "INSERT INTO s2s.pull_line (entry_number, pull_number)"
            " SELECT settles_number, 1 FROM s2s.ledger_entry WHERE settles_number IS NOT NULL",
            "UPDATE s2s.ledger_head SET number = e.number, hash = e.hash"
            " FROM (SELECT number, hash FROM s2s.ledger_entry ORDER BY number DESC LIMIT 1) e",
            f"INSERT INTO s2s.entry_standing ({STANDING}) SELECT {STANDING} FROM s2s.charge_state",
            "INSERT INTO s2s.account_balance SELECT a.code, a.urn, sum(p.amount_pence)"
            " FROM s2s.account a JOIN s2s.posting p ON p.account_code = a.code GROUP BY 1, 2",
        ):
            connection.execute(text(statement))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _copy(connection: Connection, total: int) -> None:
    raw: Any = connection.connection.driver_connection
    names = ", ".join(COLUMNS)
    lines: list[tuple[int, int, str, int]] = []
    with raw.cursor() as cursor:
        with cursor.copy(f"COPY s2s.ledger_entry ({names}) FROM STDIN") as copy:
            for entry in entries(total):
                copy.write_row([getattr(entry, name) for name in COLUMNS])
                lines += [
                    (entry.number, line, account, pence)
                    for line, (account, pence) in enumerate(postings(entry), start=1)
                ]
        with cursor.copy(
            "COPY s2s.posting (entry_number, line, account_code, amount_pence) FROM STDIN"
        ) as copy:
            for row in lines:
                copy.write_row(row)


def host(server_url: str, total: int) -> Flask:
    """A host whose ledger has so many entries."""
    url = fresh_database(server_url, f"s2s_bench_ledger_{total}")
    engine = create_engine(url)
    migrations.upgrade(engine)
    fill(engine, total)
    engine.dispose()
    return make_host(url, dict(world.ACTORS))


def verify(app: Flask) -> float:
    """How long one verification takes, in seconds; the best of three."""
    times = []
    with app.app_context(), acting_as(SYSTEM):
        for _ in range(3):
            start = time.perf_counter()
            found = verification.verify_and_note()
            times.append(time.perf_counter() - start)
            # Of the pull only its digest is made up.
            assert all("Pull 1" in problem for problem in found.problems), found.problems[:3]
    return min(times)


def post(app: Flask, numbers: Iterator[int]) -> None:
    """Post one charge, as accepting a referral does."""
    with app.app_context(), acting_as(SYSTEM), unit_of_work() as work:
        fees.charge_alone(work, next(numbers), urn=910_041)


def plain(app: Flask, numbers: Iterator[int]) -> None:
    """The same by hand: lock the head, move it, one entry, two postings, one audit row."""
    with app.app_context():
        engine = state().engine
    with engine.begin() as connection:
        head = connection.execute(text("SELECT number, hash FROM s2s.ledger_head FOR UPDATE")).one()
        entry = _entry(head.number + 1, next(numbers), None, head.hash)
        connection.execute(
            text("UPDATE s2s.ledger_head SET number = :number, hash = :hash"),
            {"number": entry.number, "hash": entry.hash},
        )
        values = {name: getattr(entry, name) for name in COLUMNS}
        values["idempotency_key"] = f"plain:{entry.number}"
        listed = ", ".join(f":{name}" for name in COLUMNS)
        connection.execute(
            text(f"INSERT INTO s2s.ledger_entry ({', '.join(COLUMNS)}) VALUES ({listed})"), values
        )
        for line, (account, pence) in enumerate(postings(entry), start=1):
            connection.execute(
                text(
                    "INSERT INTO s2s.posting (entry_number, line, account_code, amount_pence)"
                    " VALUES (:n, :line, :account, :pence)"
                ),
                {"n": entry.number, "line": line, "account": account, "pence": pence},
            )
        connection.execute(
            text(
                "INSERT INTO s2s.audit_entry (at, by_id, by_name, roles, action, entity,"
                " entity_key, outcome, path)"
                " VALUES (now(), 'x', 'x', '', 'posted', 'ledger entry', '1', 0, '')"
            )
        )


def run(server_url: str) -> None:
    """Print the seconds and the ratios."""
    apps = {total: host(server_url, total) for total in (FEW, MANY)}
    print(f"\nLedger of {MANY:,} entries")
    print(f"verification: {verify(apps[MANY]):.2f} s, aim {VERIFY_AIM} or less")
    with clock.frozen(clock.from_local(DAY, 12)):
        clients = {total: Client(app).sign_on("finance") for total, app in apps.items()}
        for name, query in (
            ("ledger", ""),
            ("ledger, due", "?state=due"),
            ("ledger, in a pull", "?state=pulled"),
            ("ledger, disputed", "?state=disputed"),
            ("ledger, last page", "?before=0"),
        ):
            path = clients[MANY].url("finance.index") + query
            big, small = interleaved(
                partial(get, clients[MANY], path), partial(get, clients[FEW], path)
            )
            print(
                f"{name:20}{big * 1000:8.2f} ms, at {FEW:,} {small * 1000:.2f} ms:"
                f" {big / small:.2f}, aim {PAGE_AIM} or less"
            )
        numbers = count(700_000)
        ours, theirs = interleaved(
            partial(post, apps[FEW], numbers), partial(plain, apps[FEW], numbers)
        )
        print(f"posting {ours * 1000:.2f} ms, plain {theirs * 1000:.2f} ms: {ours / theirs:.2f}")
