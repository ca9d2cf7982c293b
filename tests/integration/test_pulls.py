"""Pulls: all that is due, once; files that stay as they are; collection to nil; under load."""

from __future__ import annotations

import csv
import io
import os
import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import count

import openpyxl
import pytest
from flask import Flask
from sqlalchemy import Connection, create_engine, func, select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.database import session as current_session
from s2s_portal.errors import AlreadyDecided, NotFound, OutOfOrder, Refused
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.ledger import EntryKind, LedgerEntry, Pull, PullLine
from s2s_portal.services import ledger, pulls, verification
from tests import fees, world
from tests.conftest import migrated_database
from tests.host import make_host
from tests.world import ACADEMY, ACTORS, OTHER_SCHOOL, SCHOOL

FINANCE = ACTORS["finance"]


@pytest.fixture
def work(session: Session, may_2019: None) -> UnitOfWork:
    """A transaction on 14 May 2019."""
    return UnitOfWork(session)


def make(work: UnitOfWork, key: str = "once") -> Pull:
    """A pull of all that is due, by Finance."""
    return pulls.make(work, idempotency_key=key, by=FINANCE)


def collect(work: UnitOfWork, number: int = 1, reference: str = "J1", day: date | None = None):
    """Mark a pull as collected, by Finance."""
    return pulls.collect(
        work,
        number,
        finance_reference=reference,
        collected_on=day or clock.today(),
        by=FINANCE,
    )


def in_pull(session: Session, number: int) -> list[int]:
    """The entries of a pull."""
    return list(
        session.scalars(
            select(PullLine.entry_number)
            .where(PullLine.pull_number == number)
            .order_by(PullLine.entry_number)
        )
    )


def test_a_pull_takes_all_that_is_due(session: Session, work: UnitOfWork) -> None:
    fees.charge_alone(work, 1)
    fees.charge_alone(work, 2, urn=OTHER_SCHOOL)
    assert pulls.due() == pulls.Due(2, 20_000)
    made = make(work)
    assert (made.number, made.entry_count, made.total_pence) == (1, 2, 20_000)
    assert (made.first_entry, made.last_entry) == (1, 2)
    assert made.previous_digest == ledger.NO_HASH
    assert in_pull(session, 1) == [1, 2]
    assert pulls.due() == pulls.Due(0, 0)
    assert pulls.summary(made) == "Pull 1: 2 entries, £200, from entry 1 to entry 2."


def test_the_next_pull_takes_the_rest_and_follows_the_first(
    session: Session, work: UnitOfWork
) -> None:
    fees.charge_alone(work, 1)
    first = make(work)
    fees.charge_alone(work, 2)
    ledger.reverse(work, 1, reason="x", by=SYSTEM)
    second = make(work, "again")
    assert (second.number, second.previous_digest) == (2, first.digest)
    assert in_pull(session, 2) == [2, 3]
    assert second.total_pence == 0
    assert verification.verify().sound


def test_nothing_due_is_refused_in_words(session: Session, work: UnitOfWork) -> None:
    with pytest.raises(Refused, match="Nothing is due to be pulled"):
        make(work)
    fees.charge_alone(work, 1)
    make(work)
    with pytest.raises(Refused, match="Nothing is due to be pulled"):
        make(work, "again")


def test_the_same_key_gives_the_same_pull(session: Session, work: UnitOfWork) -> None:
    fees.charge_alone(work, 1)
    made = make(work)
    fees.charge_alone(work, 2)
    assert make(work).number == made.number
    assert in_pull(session, 1) == [1]


def test_what_is_recorded_after_the_cutoff_waits(session: Session, work: UnitOfWork) -> None:
    fees.charge_alone(work, 1)
    later = clock.now() + timedelta(hours=1)
    with clock.frozen(later):
        fees.charge_alone(work, 2)
        pulls.make(work, idempotency_key="x", by=FINANCE, cutoff=later - timedelta(minutes=1))
        assert in_pull(session, 1) == [1]
        make(work, "rest")
    assert in_pull(session, 2) == [2]


def test_collections_are_never_pulled(session: Session, work: UnitOfWork) -> None:
    fees.charge_alone(work, 1)
    make(work)
    collect(work)
    assert pulls.due().count == 0


# Files


def rows_of(work: UnitOfWork, number: int = 1) -> list[dict[str, str]]:
    """The rows of a pull's CSV."""
    content = pulls.download(work, number, f"s2s-pull-{number:04d}-ledger.csv").content
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))


def test_the_csv_says_what_finance_needs(session: Session, work: UnitOfWork) -> None:
    charge = fees.charge_alone(work, 1, urn=ACADEMY)
    fees.charge_alone(work, 2)
    ledger.reverse(work, 2, reason="Charged in error", by=SYSTEM)
    make(work)
    rows = rows_of(work)
    assert tuple(rows[0]) == pulls.HEADER
    assert [row["amount_pounds"] for row in rows] == ["100.00", "100.00", "-100.00"]
    assert [row["amount_pence"] for row in rows] == ["10000", "10000", "-10000"]
    assert [row["line_number"] for row in rows] == ["1", "2", "3"]
    first = rows[0]
    assert (first["event_date"], first["financial_year"], first["period"]) == (
        "2019-05-14",
        "2019/20",
        "2",
    )
    assert (first["route"], first["payer_name"]) == ("INVOICE", "Invented Learning Trust")
    assert (first["dfe_number"], first["urn"]) == ("926/0103", str(ACADEMY))
    assert first["source_reference"] == fees.reference(1)
    assert first["verdict"] == fees.VERDICT
    assert first["entry_digest"] == charge.hash
    assert (rows[2]["reverses_entry"], rows[2]["reason"]) == ("2", "Charged in error")


def test_the_workbook_holds_numbers_and_no_formula(session: Session, work: UnitOfWork) -> None:
    fees.charge_alone(work, 1)
    ledger.reverse(work, 1, reason="=1+1", by=SYSTEM)
    make(work)
    content = pulls.download(work, 1, "s2s-pull-0001-ledger.xlsx").content
    sheet = openpyxl.load_workbook(io.BytesIO(content))["Pull 1"]
    header = [cell.value for cell in sheet[1]]
    assert tuple(header) == pulls.HEADER
    amounts = [sheet.cell(row, header.index("amount_pounds") + 1).value for row in (2, 3)]
    assert amounts == [100, -100]
    assert {cell.data_type for row in sheet for cell in row} & {"f"} == set()


def test_a_second_download_has_the_same_bytes_and_both_are_audited(
    session: Session, work: UnitOfWork
) -> None:
    fees.charge_alone(work, 1)
    make(work)
    name = "s2s-pull-0001-ledger.xlsx"
    first = pulls.download(work, 1, name).content
    fees.charge_alone(work, 2)
    session.expire_all()
    assert pulls.download(work, 1, name).content == first
    downloads = select(func.count()).where(
        AuditEntry.action == "downloaded", AuditEntry.entity_key == name
    )
    assert session.scalar(downloads) == 2


def test_a_file_that_is_not_there(session: Session, work: UnitOfWork) -> None:
    fees.charge_alone(work, 1)
    make(work)
    for number, name in ((2, "s2s-pull-0001-ledger.csv"), (1, "../secrets"), (1, "")):
        with pytest.raises(NotFound):
            pulls.download(work, number, name)


def test_a_file_changed_behind_our_back_is_not_given_out(
    session: Session, connection: Connection, work: UnitOfWork
) -> None:
    fees.charge_alone(work, 1)
    make(work)
    session.commit()
    session.expire_all()
    connection.execute(text("RESET ROLE"))
    connection.execute(text("SET session_replication_role = replica"))
    connection.execute(text("UPDATE s2s.pull_file SET content = 'x'"))
    connection.execute(text("SET session_replication_role = origin"))
    with pytest.raises(OutOfOrder, match="has been changed"):
        pulls.download(work, 1, "s2s-pull-0001-ledger.csv")


# Collection


def test_collection_leaves_the_schools_owing_nothing(session: Session, work: UnitOfWork) -> None:
    fees.charge_alone(work, 1)
    fees.charge_alone(work, 2, urn=OTHER_SCHOOL)
    make(work)
    fees.charge_alone(work, 3)
    collect(work, reference=" J  4711 ")
    assert (ledger.balance(SCHOOL), ledger.balance(OTHER_SCHOOL)) == (10_000, 0)
    settled = session.scalars(
        select(LedgerEntry)
        .where(LedgerEntry.kind == EntryKind.COLLECTION)
        .order_by(LedgerEntry.number)
    ).all()
    assert [(row.settles_number, row.amount_pence) for row in settled] == [
        (1, -10_000),
        (2, -10_000),
    ]
    assert {row.finance_reference for row in settled} == {"J 4711"}
    assert pulls.collected(1) == pulls.Collected("J 4711", date(2019, 5, 14), FINANCE.name)
    assert verification.verify().sound


@pytest.mark.parametrize("together", [True, False])
def test_a_reversed_charge_is_given_back(
    session: Session, work: UnitOfWork, together: bool
) -> None:
    fees.charge_alone(work, 1)
    if not together:
        make(work, "first")
        collect(work, 1)
    ledger.reverse(work, 1, reason="x", by=SYSTEM)
    last = make(work, "last").number
    collect(work, last, reference="J2")
    assert ledger.balance(SCHOOL) == 0
    assert verification.verify().sound


def test_a_pull_is_collected_once(session: Session, work: UnitOfWork) -> None:
    fees.charge_alone(work, 1)
    make(work)
    collect(work)
    with pytest.raises(AlreadyDecided, match="already marked as collected on 14 May 2019") as error:
        collect(work, reference="J2")
    assert "reference J1, by Fay Finance" in str(error.value)
    assert ledger.balance(SCHOOL) == 0


@pytest.mark.parametrize(
    ("reference", "days", "field"),
    [
        ("", 0, "finance_reference"),
        ("   ", 0, "finance_reference"),
        ("x" * 61, 0, "finance_reference"),
        ("J1", 1, "collected_on"),
        ("J1", -1, "collected_on"),
    ],
)
def test_what_a_collection_refuses(
    session: Session, work: UnitOfWork, reference: str, days: int, field: str
) -> None:
    fees.charge_alone(work, 1)
    make(work)
    with pytest.raises(Refused) as error:
        collect(work, reference=reference, day=clock.today() + timedelta(days=days))
    assert error.value.field == field
    assert ledger.balance(SCHOOL) == 10_000


def test_a_pull_that_does_not_exist_is_not_collected(session: Session, work: UnitOfWork) -> None:
    with pytest.raises(NotFound):
        collect(work, 7)


# Under load, with real transactions on a database of their own


@pytest.fixture
def busy(server_url: str, worker_id: str) -> Iterator[Flask]:
    """A host on a database of its own, in which transactions really end."""
    name = f"s2s_test_busy_{os.getpid()}_{worker_id}"
    url = migrated_database(server_url, name)
    engine = create_engine(url)
    with Session(engine) as session, session.begin():
        session.add_all(world.establishments())
    yield make_host(url, dict(ACTORS), S2S_STATEMENT_TIMEOUT_MS=60_000)
    engine.dispose()
    with create_engine(server_url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))


WRITERS, EACH = 6, 12


def write(app: Flask, positions: range, failures: list[BaseException]) -> None:
    """Charge the referrals at `positions`, each in a transaction of its own."""
    try:
        for position in positions:
            with app.app_context(), acting_as(SYSTEM), unit_of_work() as work:
                fees.charge_alone(work, position, urn=(SCHOOL, OTHER_SCHOOL)[position % 2])
    except BaseException as error:
        failures.append(error)


def pull_until(app: Flask, stop: threading.Event, failures: list[BaseException]) -> None:
    """Pull again and again until told to stop, and once more."""
    try:
        for turn in count():
            last = stop.is_set()
            with app.app_context(), acting_as(SYSTEM):
                try:
                    with unit_of_work() as work:
                        pulls.make(work, idempotency_key=f"turn {turn}", by=SYSTEM)
                except Refused:
                    stop.wait(0.01)
            if last:
                return
    except BaseException as error:
        failures.append(error)


def test_pulls_partition_the_ledger_while_six_people_post(busy: Flask) -> None:
    failures: list[BaseException] = []
    stop = threading.Event()
    writers = [
        threading.Thread(
            target=write, args=(busy, range(start * EACH, (start + 1) * EACH), failures)
        )
        for start in range(WRITERS)
    ]
    puller = threading.Thread(target=pull_until, args=(busy, stop, failures))
    for thread in (puller, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    puller.join()
    assert failures == []
    with busy.app_context(), acting_as(SYSTEM):
        session = current_session()
        numbers = session.scalars(select(LedgerEntry.number).order_by(LedgerEntry.number)).all()
        pulled = session.scalars(
            select(PullLine.entry_number).order_by(PullLine.pull_number, PullLine.entry_number)
        ).all()
        made = session.scalar(select(func.count()).select_from(Pull)) or 0
        assert numbers == list(range(1, WRITERS * EACH + 1))  # no gap
        assert pulled == numbers  # missed 0, doubled 0, in order over all pulls
        assert made > 1  # or nothing was shown
        assert verification.verify().sound


def test_a_feed_by_sequence_misses_what_commits_late(busy: Flask, server_url: str) -> None:
    """What the locked head is for: the usual `id > last` loses an entry for ever."""
    with busy.app_context():
        engine = busy.extensions["s2s"].engine
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE naive (id bigserial PRIMARY KEY)"))
    add = text("INSERT INTO naive DEFAULT VALUES")
    seen: list[int] = []

    def feed() -> None:
        with engine.connect() as reader:
            more = reader.scalars(
                text("SELECT id FROM naive WHERE id > :last ORDER BY id"),
                {"last": max(seen, default=0)},
            )
            seen.extend(more)

    with engine.connect() as slow, engine.connect() as quick:
        slow.execute(add)
        quick.execute(add)
        quick.commit()
        feed()
        slow.commit()
        feed()
    assert seen == [2]  # 1 was numbered first and committed last


def test_one_press_by_many_hands_makes_one_pull(busy: Flask) -> None:
    with busy.app_context(), acting_as(SYSTEM), unit_of_work() as work:
        fees.charge_alone(work, 1)
    numbers: list[int] = []
    start = threading.Barrier(8)

    def press() -> None:
        start.wait()
        with busy.app_context(), acting_as(SYSTEM), unit_of_work() as work:
            numbers.append(pulls.make(work, idempotency_key="one press", by=SYSTEM).number)

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers == [1] * 8
    with busy.app_context(), acting_as(SYSTEM):
        assert current_session().scalar(select(func.count()).select_from(Pull)) == 1


def test_the_time_of_a_pull_is_its_cutoff(session: Session, work: UnitOfWork) -> None:
    fees.charge_alone(work, 1)
    made = make(work)
    assert made.cutoff == made.at == datetime.fromisoformat("2019-05-14T11:00:00+00:00")


def test_the_command_pulls_what_is_due_or_says_that_nothing_is(
    app: Flask, session: Session, work: UnitOfWork
) -> None:
    fees.charge_alone(work, 1)
    session.commit()
    runner = app.test_cli_runner()
    first, second = (runner.invoke(args=["s2s", "pull"]) for _ in range(2))
    assert (first.exit_code, first.output) == (
        0,
        "Pull 1: 1 entry, £100, from entry 1 to entry 1.\n",
    )
    assert second.exit_code == 1
    assert second.stderr == f"s2s: {pulls.NOTHING_DUE}\n"
