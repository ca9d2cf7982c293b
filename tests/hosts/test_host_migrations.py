"""The host's own migrations and ours, in one database: neither sees, makes or drops the other's.

Flask-Migrate runs for real, with its own env.py and in a folder of the host's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import create_engine, text

from tests.documents import python_blocks
from tests.hosts.conftest import Server
from tests.hosts.towns import legacy

# Flask-Migrate's own env.py still asks Flask-SQLAlchemy by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:'get_engine' is deprecated")

# Everything outside our schema that PostgreSQL keeps of a database's shape, in words.
OUTSIDE = """
    WITH theirs AS (
        SELECT oid, nspname FROM pg_namespace
        WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('s2s', 'information_schema')
    )
    SELECT 'schema ' || nspname || coalesce(nspacl::text, '') FROM pg_namespace n
        JOIN theirs USING (oid, nspname)
    UNION ALL SELECT concat_ws(' ', 'relation', nspname, relname, relkind, relowner::regrole,
            relacl::text, relrowsecurity, obj_description(c.oid))
        FROM pg_class c JOIN theirs t ON t.oid = relnamespace
    UNION ALL SELECT concat_ws(' ', 'column', attrelid::regclass, attname,
            format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid))
        FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
        JOIN theirs t ON t.oid = relnamespace
        LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
        WHERE attnum > 0 AND NOT attisdropped
    UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname,
            pg_get_constraintdef(c.oid)) FROM pg_constraint c JOIN theirs t ON t.oid = connamespace
    UNION ALL SELECT 'index ' || indexdef FROM pg_indexes JOIN theirs ON nspname = schemaname
    UNION ALL SELECT 'function ' || pg_get_functiondef(p.oid) FROM pg_proc p
        JOIN theirs t ON t.oid = pronamespace
    UNION ALL SELECT concat_ws(' ', 'trigger', tgrelid::regclass, pg_get_triggerdef(g.oid))
        FROM pg_trigger g JOIN pg_class c ON c.oid = tgrelid JOIN theirs t ON t.oid = relnamespace
    UNION ALL SELECT concat_ws(' ', 'type', nspname, typname) FROM pg_type
        JOIN theirs t ON t.oid = typnamespace
    UNION ALL SELECT 'policy ' || p::text FROM pg_policies p WHERE schemaname <> 's2s'
    UNION ALL SELECT 'extension ' || extname FROM pg_extension
    UNION ALL SELECT 'event ' || evtname FROM pg_event_trigger
    UNION ALL SELECT 'setting ' || s::text FROM pg_db_role_setting s
    UNION ALL SELECT 'default ' || d::text FROM pg_default_acl d
    ORDER BY 1
"""


@pytest.fixture
def url(council: Server) -> str:
    """A database in which nothing of ours is yet."""
    return council.make(bare=True)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A host's env.py configures logging, and switches off every logger that it does not name."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict]
    before = [(logger, logger.disabled, logger.level) for logger in loggers]
    handlers, level = list(logging.root.handlers), logging.root.level
    yield
    for logger, disabled, at in before:
        logger.disabled, logger.level = disabled, at
    logging.root.handlers[:], logging.root.level = handlers, level


def run(app: Flask, *arguments: str) -> str:
    """`flask ...` in the host."""
    result = app.test_cli_runner().invoke(args=list(arguments))
    assert result.exit_code == 0, f"flask {' '.join(arguments)}: {result.output} {result.exception}"
    return result.output


def offered(app: Flask, folder: Path, **options: Any) -> str:
    """What `flask db migrate` offers to do: the new revision's text, or nothing."""
    app.extensions["migrate"].configure_args.update(options)
    before = set((folder / "versions").glob("*.py"))
    run(app, "db", "migrate", "-d", str(folder))
    new = set((folder / "versions").glob("*.py")) - before
    return "".join(path.read_text() for path in new)


@pytest.fixture
def portal(url: str, tmp_path: Path) -> tuple[Flask, Path]:
    """The legacy host with its history at its head, beside our schema; and its migrations folder.

    Its tables have names of ours: `referral` is one of its own too.
    """
    app = legacy({"SQLALCHEMY_DATABASE_URI": url}).app
    folder = tmp_path / "migrations"
    with app.app_context():
        app.extensions["sqlalchemy"].drop_all()
    run(app, "db", "init", "-d", str(folder))
    assert "create_table('referral'" in offered(app, folder)
    run(app, "db", "upgrade", "-d", str(folder))
    run(app, "s2s", "db", "upgrade")
    return app, folder


def test_the_hosts_autogenerate_offers_nothing_about_our_tables(
    portal: tuple[Flask, Path],
) -> None:
    app, folder = portal
    assert offered(app, folder) == ""
    assert offered(app, folder, include_schemas=True, **documented_filter()) == ""


def test_without_the_filter_a_host_with_schemas_would_drop_our_tables(
    portal: tuple[Flask, Path],
) -> None:
    """Why the document asks for the filter."""
    text_of_it = offered(*portal, include_schemas=True)
    assert "op.drop_table('ledger_entry', schema='s2s')" in text_of_it


def documented_filter() -> dict[str, Callable[..., bool]]:
    """`include_name=` as docs/mounting.md gives it."""
    (block,) = [code for code in python_blocks("mounting.md") if "def include_name" in code]
    found: dict[str, Any] = {}
    exec(block.partition("migrate = ")[0], found)
    return {"include_name": found["include_name"]}


def test_the_hosts_upgrade_and_ours_go_either_way(portal: tuple[Flask, Path]) -> None:
    """The host's history has one head, and going down and up in either leaves the other alone."""
    app, folder = portal
    assert len(ScriptDirectory(str(folder)).get_heads()) == 1
    ours = run(app, "s2s", "db", "current").strip()
    run(app, "db", "downgrade", "base", "-d", str(folder))
    assert run(app, "s2s", "db", "current").strip() == ours
    run(app, "db", "upgrade", "-d", str(folder))
    run(app, "s2s", "db", "downgrade", "base", "--yes")
    assert offered(app, folder) == ""


def shape(url: str) -> list[str]:
    """Everything of the database outside our schema, with every row of the host's tables."""
    engine = create_engine(url)
    with engine.connect() as connection:
        lines = list(connection.scalars(text(OUTSIDE)))
        for table in ("users", "referral", "alembic_version"):
            lines += connection.scalars(text(f"SELECT to_jsonb(t)::text FROM public.{table} t"))
    engine.dispose()
    return lines


def test_our_upgrade_and_downgrade_touch_nothing_of_the_hosts(url: str, tmp_path: Path) -> None:
    app = legacy({"SQLALCHEMY_DATABASE_URI": url}).app
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
            "INSERT INTO alembic_version VALUES ('1975ea83b712')",
            "INSERT INTO referral (branch) VALUES ('Mobile library')",
            "CREATE VIEW s2s_numbers AS SELECT count(*) FROM referral",
            "CREATE TYPE status AS ENUM ('open', 'shut')",
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RETURN NEW; END'",
            "CREATE TRIGGER no_change BEFORE UPDATE ON referral FOR EACH ROW"
            " EXECUTE FUNCTION refuse_change()",
        ):
            connection.execute(text(statement))
    engine.dispose()
    before = shape(url)
    assert len(before) > 20
    run(app, "s2s", "db", "upgrade")
    assert shape(url) == before
    run(app, "s2s", "db", "downgrade", "base", "--yes")
    assert shape(url) == before
    run(app, "s2s", "db", "upgrade")
    assert shape(url) == before
