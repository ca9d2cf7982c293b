"""Alembic's entry: runs our revisions on the connection that `migrations` hands over."""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy import text

import s2s_portal.models  # noqa: F401  (fills the metadata)
from s2s_portal.database import SCHEMA, Base

connection = context.config.attributes.get("connection")


def only_ours(name: str | None, kind: str, _parents: dict[str, Any]) -> bool:
    """Keep autogenerate inside our schema and off the queue's tables."""
    if kind == "schema":
        return name == SCHEMA
    return not (kind == "table" and (name or "").startswith("procrastinate_"))


options: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "version_table_schema": SCHEMA,
    "include_schemas": True,
    "include_name": only_ours,
    "compare_type": True,
}

if connection is None:
    # "named": the default style would double every percent sign in the printed statements.
    context.configure(
        dialect_name="postgresql",
        dialect_opts={"paramstyle": "named"},
        literal_binds=True,
        **options,
    )
    with context.begin_transaction():
        context.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        context.run_migrations()
else:
    found = connection.scalar(text("SELECT to_regnamespace(:name)"), {"name": SCHEMA})
    if not found:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    context.configure(connection=connection, **options)
    context.run_migrations()
