"""The guards: the role `s2s_app`, row-level security, append-only tables, a ledger that balances.

The statements are in `0003_guards.sql` beside this file, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

GUARDS = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    op.execute(sa.text(GUARDS.read_text(encoding="utf-8").replace(":", r"\:")))


def downgrade() -> None:
    """Take the guards off. The role stays: roles belong to the cluster, and others may use it."""
    op.execute(
        sa.text(
            """
            DO $$
            DECLARE thing record;
            BEGIN
                FOR thing IN SELECT policyname, tablename FROM pg_policies WHERE schemaname = 's2s'
                LOOP EXECUTE format('DROP POLICY %I ON s2s.%I', thing.policyname, thing.tablename);
                END LOOP;
                FOR thing IN SELECT relname FROM pg_class
                    WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 's2s')
                      AND relrowsecurity
                LOOP EXECUTE format('ALTER TABLE s2s.%I DISABLE ROW LEVEL SECURITY', thing.relname);
                END LOOP;
            END $$
            """.replace(":", r"\:")
        )
    )
    op.execute("DROP VIEW s2s.referral_measure")
    for name in (
        "refuse_change()",
        "refuse_change_of_issued()",
        "refuse_change_of_recommendation()",
        "check_entry_balances()",
        "check_entry_is_next()",
        "check_head_moves_by_one()",
        "allocated_referrals()",
        "acts_as(text[])",
        "acting_id()",
        "acting_establishments()",
        "acting_provider()",
    ):
        op.execute(f"DROP FUNCTION s2s.{name} CASCADE")
    op.execute("REVOKE ALL ON ALL TABLES IN SCHEMA s2s FROM s2s_app")
    op.execute("REVOKE ALL ON ALL SEQUENCES IN SCHEMA s2s FROM s2s_app")
    op.execute("REVOKE USAGE ON SCHEMA s2s FROM s2s_app")
