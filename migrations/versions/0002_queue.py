"""The queue: Procrastinate's own tables, types and functions, in our schema.

They come from the installed library, so a fresh database always matches the worker that serves it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _as_written(sql: str) -> sa.TextClause:
    return sa.text(sql.replace(":", r"\:"))


def upgrade() -> None:
    op.execute("SET LOCAL search_path = s2s")
    op.execute(_as_written(SchemaManager.get_schema()))
    op.execute("SET LOCAL search_path = DEFAULT")


def downgrade() -> None:
    op.execute(
        _as_written(
            """
            DO $$
            DECLARE thing record;
            BEGIN
                FOR thing IN SELECT c.oid::regclass AS name FROM pg_class c
                    WHERE c.relnamespace = 's2s'::regnamespace AND c.relkind = 'r'
                      AND c.relname LIKE 'procrastinate\\_%'
                LOOP EXECUTE format('DROP TABLE %s CASCADE', thing.name); END LOOP;
                FOR thing IN SELECT p.oid::regprocedure AS name FROM pg_proc p
                    WHERE p.pronamespace = 's2s'::regnamespace
                      AND p.proname LIKE 'procrastinate\\_%'
                LOOP EXECUTE format('DROP FUNCTION %s CASCADE', thing.name); END LOOP;
                FOR thing IN SELECT t.oid::regtype AS name FROM pg_type t
                    WHERE t.typnamespace = 's2s'::regnamespace
                      AND t.typname LIKE 'procrastinate\\_%' AND t.typtype IN ('e', 'c')
                LOOP EXECUTE format('DROP TYPE %s CASCADE', thing.name); END LOOP;
            END $$
            """
        )
    )
