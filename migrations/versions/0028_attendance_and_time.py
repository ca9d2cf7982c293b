"""Whether a visit happened, and the time and miles that it took.

Records issued before this revision are of visits that happened; nobody said what time they took.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

TIMES = ("contact_minutes", "preparation_minutes", "write_up_minutes", "travel_minutes")


def upgrade() -> None:
    attendance = sa.Enum(
        "happened",
        "school_not_ready",
        "pupil_absent",
        "practitioner_unavailable",
        "weather",
        name="attendance",
        native_enum=False,
        create_constraint=True,
        length=40,
    )
    op.add_column(
        "visit_record",
        sa.Column("attendance", attendance, nullable=False, server_default="happened"),
        schema="s2s",
    )
    for name in TIMES:
        op.add_column("visit_record", sa.Column(name, sa.SmallInteger()), schema="s2s")
    op.add_column("visit_record", sa.Column("miles", sa.Numeric(4, 1)), schema="s2s")
    op.create_check_constraint(
        op.f("ck_visit_record_minutes"),
        "visit_record",
        " AND ".join(f"{name} BETWEEN 0 AND 1440" for name in TIMES),
        schema="s2s",
    )
    op.create_check_constraint(
        op.f("ck_visit_record_miles"), "visit_record", "miles BETWEEN 0 AND 999", schema="s2s"
    )


def downgrade() -> None:
    for name in ("miles", *reversed(TIMES), "attendance"):
        op.drop_column("visit_record", name, schema="s2s")
