"""The schema's own history: an Alembic environment apart from the host's.

Its version table is `s2s.alembic_version`, so the host's history keeps one head, and ours too. The
functions here are what `flask s2s db` runs.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TextIO

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

SCHEMA = "s2s"
VERSION_TABLE = "alembic_version"


def _config(connection: Connection | None = None, output: TextIO | None = None) -> Config:
    config = Config(output_buffer=output)
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up to `revision`, in one transaction."""
    with engine.begin() as connection:
        command.upgrade(_config(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to `revision` (`base` removes every table of ours)."""
    with engine.begin() as connection:
        command.downgrade(_config(connection), revision)


def sql(revision: str = "head") -> str:
    """The statements of an upgrade from nothing to `revision`, for a DBA to read and run."""
    output = io.StringIO()
    command.upgrade(_config(output=output), revision, sql=True)
    return output.getvalue()


def head() -> str:
    """The newest revision that this release knows."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def current(engine: Engine) -> str | None:
    """The revision of the database, or None when our schema is not there yet."""
    with engine.connect() as connection:
        if not connection.scalar(text("SELECT to_regclass('s2s.alembic_version')")):
            return None
        context = MigrationContext.configure(
            connection, opts={"version_table_schema": SCHEMA, "version_table": VERSION_TABLE}
        )
        return context.get_current_revision()
