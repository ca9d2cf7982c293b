"""After sending: named questions, amendments with a reason, withdrawal, and dates that are promised.

The statements are in the `.sql` files beside this one, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0013"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")
DOWN = Path(__file__).with_suffix(".down.sql")

WITHDRAWALS = (
    "MOVED_SCHOOL",
    "LEFT_COUNTY",
    "OTHER_SUPPORT",
    "NO_LONGER_NEEDED",
    "WITHDRAWN_PARENT",
    "SENT_BY_MISTAKE",
    "WITHDRAWN_SCHOOL",
)
ACTIONS = ("amended", "withdrawn", "agreement_withdrawn")
# domain.md 2.4: the working days within which each step is taken, until a council says otherwise.
LEVELS = (("decision", 5), ("allocation", 10), ("contact", 5))


def upgrade() -> None:
    op.create_table(
        "service_level",
        sa.Column("step", _choice("step", *(step for step, _ in LEVELS)), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("working_days", sa.SmallInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint("working_days > 0", name=op.f("ck_service_level_working_days")),
        sa.PrimaryKeyConstraint("step", "valid_from", name=op.f("pk_service_level")),
        schema="s2s",
    )
    for step, days in LEVELS:
        op.execute(
            "INSERT INTO s2s.service_level (step, valid_from, working_days, source)"
            f" VALUES ('{step}', '2015-04-01', {days}, 'What the service set out with')"
        )
    op.add_column(
        "referral",
        sa.Column("withdrawal", _choice("withdrawal", *WITHDRAWALS), nullable=True),
        schema="s2s",
    )
    op.add_column("referral", sa.Column("due_on", sa.Date(), nullable=True), schema="s2s")
    op.create_index(
        "ix_referral_school_status",
        "referral",
        ["urn", "status", "created_at", "id"],
        schema="s2s",
    )
    _changes()
    op.execute(_values("referral", "status", "withdrawn", added=True))
    op.execute(_values("referral_event", "action", *ACTIONS, added=True))
    op.execute(_text(UP))


def _changes() -> None:
    op.create_table(
        "section_opening",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(), nullable=False),
        sa.Column(
            "transaction_id",
            sa.BigInteger(),
            server_default=sa.text("txid_current()"),
            nullable=False,
        ),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_section_opening_reason")),
        _reference("section_opening", "referral_id", "referral", "id"),
        _reference("section_opening", "event_id", "referral_event", "id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_section_opening")),
        sa.UniqueConstraint(
            "event_id", "section", name=op.f("uq_section_opening_event_id_section")
        ),
        schema="s2s",
    )
    op.create_table(
        "section_change",
        sa.Column("opening_id", sa.BigInteger(), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("after", postgresql.JSONB(), nullable=False),
        *_done(),
        _reference("section_change", "opening_id", "section_opening", "id"),
        _reference("section_change", "referral_id", "referral", "id"),
        sa.PrimaryKeyConstraint("opening_id", name=op.f("pk_section_change")),
        schema="s2s",
    )
    op.create_table(
        "agreement_withdrawal",
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_by", sa.Text(), nullable=False),
        sa.Column("told_to", sa.Text(), nullable=False),
        sa.Column("told_on", sa.Date(), nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        *_done(),
        _reference("agreement_withdrawal", "referral_id", "referral", "id"),
        sa.PrimaryKeyConstraint("referral_id", name=op.f("pk_agreement_withdrawal")),
        schema="s2s",
    )
    for table in ("section_opening", "section_change"):
        op.create_index(op.f(f"ix_{table}_referral_id"), table, ["referral_id"], schema="s2s")


def downgrade() -> None:
    op.execute(_text(DOWN))
    op.execute(_values("referral_event", "action", *ACTIONS, added=False))
    op.execute(_values("referral", "status", "withdrawn", added=False))
    op.drop_index("ix_referral_school_status", "referral", schema="s2s")
    op.drop_column("referral", "due_on", schema="s2s")
    op.drop_column("referral", "withdrawal", schema="s2s")


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(
        *values, name=name, native_enum=False, create_constraint=True, length=40, schema="s2s"
    )


def _done() -> list[sa.Column[object]]:
    return [
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
    ]


def _reference(table: str, column: str, to: str, key: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"s2s.{to}.{key}"], name=op.f(f"fk_{table}_{column}_{to}")
    )


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
