"""What is counted of open work for those who may not read the work: by practitioner, by district.

The statements are in the `.sql` file beside this one, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    op.execute(sa.text(UP.read_text(encoding="utf-8").replace(":", r"\:")))


def downgrade() -> None:
    op.execute("DROP FUNCTION s2s.workload_measure(date), s2s.district_measure()")
