"""Fee rules by date, where each charge stands, relief by a second person, closed financial years.

The statements are in the `.sql` files beside this one, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")
DOWN = Path(__file__).with_suffix(".down.sql")


def upgrade() -> None:
    op.execute(sa.text(UP.read_text(encoding="utf-8").replace(":", r"\:")))


def downgrade() -> None:
    op.execute(sa.text(DOWN.read_text(encoding="utf-8").replace(":", r"\:")))
