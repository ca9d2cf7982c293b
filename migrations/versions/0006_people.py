"""Who else may see what: the viewer of an academy trust sees counts and charges, no referral.

The statements are in `0006_people.sql` beside this file, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATEMENTS = Path(__file__).with_suffix(".sql")
LEDGER_READERS = "'finance', 'finance_approver', 'send_officer', 'manager', 'auditor', 'system'"


def upgrade() -> None:
    op.execute(sa.text(STATEMENTS.read_text(encoding="utf-8").replace(":", r"\:")))


def downgrade() -> None:
    op.execute("DROP VIEW s2s.school_referral_count")
    for table in ("account", "ledger_entry"):
        op.execute(
            sa.text(
                f"""
                ALTER POLICY {table}_read ON s2s.{table}
                    USING ((SELECT s2s.acts_as({LEDGER_READERS}))
                        OR ((SELECT s2s.acts_as('school_referrer'))
                            AND urn = ANY ((SELECT s2s.acting_establishments())::integer[])))
                """.replace(":", r"\:")
            )
        )
