"""The weights by which a plan for the whole worklist is made, by date.

The statements are in the `.sql` file beside this one, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0018"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")
# The county is some seventy miles across: need and phase outweigh any distance, as in the table.
FIRST = {
    "need_miles": 200,
    "phase_miles": 100,
    "contact_miles": 2,
    "full_miles": 5,
    "unknown_miles": 50,
}


def upgrade() -> None:
    op.create_table(
        "plan_rule",
        sa.Column("valid_from", sa.Date(), nullable=False),
        *(sa.Column(name, sa.SmallInteger(), nullable=False) for name in FIRST),
        sa.Column("source", sa.Text(), nullable=False),
        *(
            sa.CheckConstraint(f"{name} BETWEEN 0 AND 1000", name=op.f(f"ck_plan_rule_{name}"))
            for name in FIRST
        ),
        sa.PrimaryKeyConstraint("valid_from", name=op.f("pk_plan_rule")),
        schema="s2s",
    )
    op.execute(
        f"INSERT INTO s2s.plan_rule (valid_from, {', '.join(FIRST)}, source)"
        f" VALUES ('2015-04-01', {', '.join(map(str, FIRST.values()))},"
        " 'What the service set out with')"
    )
    op.execute(sa.text(UP.read_text(encoding="utf-8").replace(":", r"\:")))


def downgrade() -> None:
    op.drop_table("plan_rule", schema="s2s")
