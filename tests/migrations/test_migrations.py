"""The schema's history: one head, the models' own shape, up and down on empty and filled tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, text

from s2s_portal import migrations
from s2s_portal.database import Base
from tests.conftest import fresh_database


@pytest.fixture
def empty(server_url: str, worker_id: str) -> Iterator[Engine]:
    """An empty database."""
    engine = create_engine(fresh_database(server_url, f"s2s_migrate_{worker_id}"))
    yield engine
    engine.dispose()


def tables(engine: Engine) -> set[str]:
    """The tables of our schema."""
    with engine.connect() as connection:
        return set(
            connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 's2s'"))
        )


def shape(engine: Engine) -> list[str]:
    """Everything in our schema that a revision can make, in words that compare."""
    with engine.connect() as connection:
        return sorted(
            line.replace("\t", "    ")  # the printed statements have no tabs
            for line in connection.scalars(
                text(
                    """
                    SELECT format('%s %s %s %s', table_name, column_name, data_type, is_nullable)
                        FROM information_schema.columns WHERE table_schema = 's2s'
                    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 's2s'
                    UNION ALL SELECT format('%s %s', conname, pg_get_constraintdef(oid))
                        FROM pg_constraint WHERE connamespace = 's2s'::regnamespace
                    UNION ALL SELECT format('%s %s %s %s', tablename, policyname, qual, with_check)
                        FROM pg_policies WHERE schemaname = 's2s'
                    UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t
                        JOIN pg_class c ON c.oid = t.tgrelid
                        WHERE c.relnamespace = 's2s'::regnamespace AND NOT tgisinternal
                    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc
                        WHERE pronamespace = 's2s'::regnamespace
                    UNION ALL SELECT format('%s %s', relname, relacl) FROM pg_class
                        WHERE relnamespace = 's2s'::regnamespace
                    """
                )
            )
        )


def test_one_head() -> None:
    assert len(ScriptDirectory.from_config(migrations._config()).get_heads()) == 1


def test_up_down_and_up_again_gives_the_same_schema(empty: Engine) -> None:
    migrations.upgrade(empty)
    assert migrations.current(empty) == migrations.head()
    first = shape(empty)
    migrations.downgrade(empty, "base")
    assert tables(empty) <= {"alembic_version"}
    assert migrations.current(empty) is None
    migrations.upgrade(empty)
    assert shape(empty) == first


def test_each_step_down_and_up(empty: Engine) -> None:
    for script in reversed(
        list(ScriptDirectory.from_config(migrations._config()).walk_revisions())
    ):
        migrations.upgrade(empty, script.revision)
        before = shape(empty)
        migrations.downgrade(empty, script.down_revision or "base")
        migrations.upgrade(empty, script.revision)
        assert shape(empty) == before, script.revision


def test_the_models_say_what_the_revisions_make(empty: Engine) -> None:
    migrations.upgrade(empty)
    with empty.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table_schema": "s2s",
                "include_schemas": True,
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _parents: (
                    name == "s2s"
                    if kind == "schema"
                    else not str(name).startswith("procrastinate_")
                ),
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_a_second_upgrade_changes_nothing_and_keeps_rows(empty: Engine) -> None:
    migrations.upgrade(empty)
    with empty.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO s2s.audit_entry (at, by_id, by_name, action, entity, outcome)"
                " VALUES (now(), 'a', 'A', 'looked at', 'referral', 200)"
            )
        )
    migrations.upgrade(empty)
    with empty.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM s2s.audit_entry")) == 1


def test_a_failing_revision_leaves_nothing_behind(empty: Engine) -> None:
    with empty.begin() as connection:
        connection.execute(text("CREATE SCHEMA s2s"))
        connection.execute(text("CREATE TABLE s2s.pull (x int)"))
    with pytest.raises(Exception, match='"pull" already exists'):
        migrations.upgrade(empty)
    assert tables(empty) == {"pull"}


def test_the_host_s_own_tables_are_not_touched(empty: Engine) -> None:
    with empty.begin() as connection:
        connection.execute(
            text("CREATE TABLE public.referral (id int); INSERT INTO referral VALUES (1)")
        )
    migrations.upgrade(empty)
    migrations.downgrade(empty, "base")
    with empty.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM public.referral")) == 1


def test_the_statements_for_a_dba_make_the_same_schema(empty: Engine, server_url: str) -> None:
    by_hand = create_engine(fresh_database(server_url, "s2s_by_hand"))
    statements = migrations.sql()
    with by_hand.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.autocommit = True
        raw.execute(statements)
    migrations.upgrade(empty)
    assert shape(by_hand) == shape(empty)
    assert migrations.current(by_hand) == migrations.head()
    by_hand.dispose()


def test_the_needs_of_practitioners_become_rows_and_go_back(empty: Engine) -> None:
    migrations.upgrade(empty, "0016")
    with empty.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO s2s.establishment (urn, local_authority, name, type_code, type_name,"
                " status_code, phase_code, phase_name, street, town, postcode, district,"
                " trust_name) VALUES (900201, 926, 'Fen', 7, '', 1, 0, '', '', '', '', '', '');"
                "INSERT INTO s2s.practitioner (name, email, provider_urn, phases, needs,"
                " capacity, is_lead, active) VALUES ('P', '', 900201, '{2}', '{SEMH,ASD,GONE}', 4,"
                " false, true), ('Lena', '', 900201, '{}', '{}', 0, true, true)"
            )
        )
    migrations.upgrade(empty, "0017")
    needs = text("SELECT code, level, expires_on FROM s2s.practitioner_need ORDER BY code")
    with empty.connect() as connection:
        assert [tuple(row) for row in connection.execute(needs)] == [
            ("ASD", "working", None),
            ("SEMH", "working", None),
        ]
    migrations.downgrade(empty, "0016")
    with empty.connect() as connection:
        kept = connection.scalars(text("SELECT needs FROM s2s.practitioner ORDER BY id")).all()
    assert kept == [["ASD", "SEMH"], []]
