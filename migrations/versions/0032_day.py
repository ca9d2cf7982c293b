"""Follow-ups, reminders of records owed, and the reimbursement of Complex Needs Schools.

The statements are in the `.sql` files beside this one, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0028"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")
DOWN = Path(__file__).with_suffix(".down.sql")
ACTIONS = ("follow_up_said",)


def upgrade() -> None:
    op.execute(_values("referral_event", "action", *ACTIONS, added=True))
    op.execute(_text(UP))


def downgrade() -> None:
    op.execute(_text(DOWN))
    op.execute(_values("referral_event", "action", *ACTIONS, added=False))


def _values(table: str, column: str, *values: str, added: bool) -> sa.TextClause:
    """Add values to the check of a column, or take them away: whatever others have added stays."""
    listed = ", ".join(f"'{value}'" for value in values)
    kept = "true" if added else f"word[1] NOT IN ({listed})"
    more = f"|| $list$, {listed}$list$" if added else ""
    return sa.text(
        rf"""
        DO $$
        DECLARE listed text;
        BEGIN
            SELECT string_agg(quote_literal(word[1]), ', ' ORDER BY place) {more} INTO listed
            FROM pg_constraint c, regexp_matches(pg_get_constraintdef(c.oid), '''(\w+)''', 'g')
                WITH ORDINALITY AS value (word, place)
            WHERE c.conname = 'ck_{table}_{column}' AND c.connamespace = 's2s'\:\:regnamespace
              AND {kept};
            EXECUTE format('ALTER TABLE s2s.{table} DROP CONSTRAINT ck_{table}_{column},
                ADD CONSTRAINT ck_{table}_{column} CHECK ({column} IN (%s))', listed);
        END $$
        """
    )


def _text(file: Path) -> sa.TextClause:
    return sa.text(file.read_text(encoding="utf-8").replace(":", r"\:"))
