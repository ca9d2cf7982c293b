"""Every list and every count is read from an index in its order, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.identity import acting_as
from s2s_portal.services import worklist
from s2s_portal.services.worklist_wanted import Pile, Place, Sort, Wanted, When
from tests.benchmarks import many
from tests.world import ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")
ROWS = 20_000
HALFWAY = Place(clock.from_local(date(2019, 5, 12), 9), 10_000, date(2019, 5, 14))


@pytest.fixture
def officer(session: Session, connection: Connection) -> Iterator[Connection]:
    """The connection with many rows, as an officer of the service has it."""
    many.fill(connection, ROWS)
    with acting_as(ACTORS["officer"]):
        connection.execute(
            text(
                "SELECT set_config('role', 's2s_app', true),"
                " set_config('search_path', 's2s', true),"
                " set_config('plan_cache_mode', 'force_generic_plan', true),"
                " set_config('s2s.actor_id', 'officer', true),"
                " set_config('s2s.roles', '{send_officer}', true)"
            )
        )
        yield connection
        connection.execute(text("RESET ROLE"))


def every_list(team: str = "") -> list[Wanted]:
    """Each pile in each of its orders, from the beginning, from a place on, and up to one."""
    found = []
    for pile in Pile:
        for sort in Sort:
            wanted = Wanted.of({"status": pile.value, "sort": sort.value, "team": team})
            found += [wanted, replace(wanted, after=HALFWAY), replace(wanted, before=HALFWAY)]
    return list(dict.fromkeys(found))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def literal(value: object) -> str:
    if isinstance(value, (date, datetime)):
        return f"'{value.isoformat()}'"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def plan_of(connection: Connection, wanted: Wanted) -> dict[str, Any]:
    """The plan that the service's own statement gets, with its values unknown as they are there."""
    compiled = worklist.statement(wanted, 26).compile(dialect=asyncpg.dialect())
    values = compiled.params | worklist._values(worklist.office())
    given = ", ".join(literal(values[name]) for name in compiled.positiontup or ())
    connection.exec_driver_sql(f"PREPARE listed AS {compiled}")
    made = connection.exec_driver_sql(
        f"EXPLAIN (FORMAT JSON) EXECUTE listed{f'({given})' if given else ''}"
    ).scalar_one()
    connection.exec_driver_sql("DEALLOCATE listed")
    return made[0]["Plan"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("team", ["", "early_years"])
def test_every_list_is_read_from_an_index_in_its_order(officer: Connection, team: str) -> None:
    """Also the lists of one team, as somebody has them who is in no other."""
    if team:
        officer.execute(text("RESET ROLE"))
        officer.execute(
            text(
                "INSERT INTO s2s.officer_body (account_id, body, at, by_id, by_name)"
                " VALUES ('officer', :team, now(), 'a', 'A')"
            ),
            {"team": team},
        )
        officer.execute(text("SET LOCAL ROLE s2s_app"))
    wrong = {}
    for wanted in every_list(team):
        plan = plan_of(officer, wanted)
        kinds = [node["Node Type"] for node in nodes(plan)]
        reads = {kind for kind in kinds if "Scan" in kind}
        if wanted.pile is Pile.NEW_TO_ME and "Seq Scan" not in reads:
            continue  # what one officer has not opened in ten days: few enough to be sorted
        if reads - {"Index Scan", "Index Only Scan"} or any("Sort" in kind for kind in kinds):
            wrong[f"{wanted.pile} {wanted.sort} {wanted.after} {wanted.before}"] = kinds
        used = {node.get("Index Name", "") for node in nodes(plan)}
        if team and wanted.pile not in {Pile.MINE, Pile.NEW_TO_ME}:
            # Of its own: those of the other, which has most, are not read to be thrown away.
            assert any("_body" in name for name in used), (wanted, used)
    assert wrong == {}
    assert len(every_list()) > 120


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(pile=Pile.ALL, school=910_007),
        Wanted(pile=Pile.SUBMITTED, area="Norwich", need="ASD", phase=2),
        Wanted(pile=Pile.ALL, when=When.OVERDUE, sort=Sort.DUE),
        Wanted(pile=Pile.ALL, when=When.TODAY),
        Wanted(pile=Pile.ACCEPTED, officer=worklist.NOBODY),
        Wanted(pile=Pile.ALL, search="S2S-19-7K4P"),
    ],
)
def test_what_is_narrowed_reads_no_whole_table(officer: Connection, wanted: Wanted) -> None:
    kinds = [node["Node Type"] for node in nodes(plan_of(officer, wanted))]
    assert "Seq Scan" not in kinds


def test_every_tile_is_counted_from_an_index(officer: Connection, session: Session) -> None:
    reads = text(
        "SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables"
        " WHERE relid = 's2s.worklist_entry'::regclass"
    )
    before = officer.execute(reads).one()
    with_numbers = worklist.counts(worklist.office())
    after = officer.execute(reads).one()
    assert after.seq_scan == before.seq_scan
    assert after.idx_scan >= before.idx_scan + len(worklist.COUNTED_PILES)
    assert with_numbers[Pile.NEW] == "1,000"
    assert with_numbers[Pile.OVERDUE] == "1,000+"
    assert with_numbers[Pile.NEW_TO_ME] == "999"
