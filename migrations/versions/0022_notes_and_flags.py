"""Notes that officers write for each other, and flags addressed to one of them or the team."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

LABELS = ("general", "call", "evidence", "capacity", "panel")
TABLES = ("internal_note", "flag", "flag_resolution")

RULES = """
GRANT SELECT, INSERT ON s2s.internal_note, s2s.flag, s2s.flag_resolution TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;
DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['internal_note', 'flag', 'flag_resolution']
    LOOP
        EXECUTE format('ALTER TABLE s2s.%I ENABLE ROW LEVEL SECURITY', part);
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.%I
            FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change()', part);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.%I
            FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()', part);
        -- Inside the service: officers alone read it, and each signs with their own name.
        EXECUTE format($p$CREATE POLICY %1$s_read ON s2s.%1$I FOR SELECT
            USING ((SELECT s2s.acts_as('send_officer', 'system')))$p$, part);
        EXECUTE format($p$CREATE POLICY %1$s_add ON s2s.%1$I FOR INSERT
            WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('send_officer'))
                AND by_id = (SELECT s2s.acting_id())))$p$, part);
    END LOOP;
END $$;
"""


def upgrade() -> None:
    op.create_table(
        "internal_note",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "label",
            sa.Enum(
                *LABELS,
                name="label",
                native_enum=False,
                create_constraint=True,
                length=40,
                schema="s2s",
            ),
            nullable=False,
        ),
        sa.Column("text", sa.Text(), nullable=False),
        *_done(),
        sa.CheckConstraint("text <> ''", name=op.f("ck_internal_note_text")),
        _reference("internal_note", "referral_id", "referral"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_internal_note")),
        schema="s2s",
    )
    op.create_table(
        "flag",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("to_id", sa.Text(), server_default="", nullable=False),
        sa.Column("to_name", sa.Text(), server_default="", nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        *_done(),
        sa.CheckConstraint("message <> ''", name=op.f("ck_flag_message")),
        _reference("flag", "referral_id", "referral"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flag")),
        schema="s2s",
    )
    op.create_table(
        "flag_resolution",
        sa.Column("flag_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        *_done(),
        _reference("flag_resolution", "flag_id", "flag"),
        sa.PrimaryKeyConstraint("flag_id", name=op.f("pk_flag_resolution")),
        schema="s2s",
    )
    for table in ("internal_note", "flag"):
        op.create_index(op.f(f"ix_{table}_referral_id"), table, ["referral_id"], schema="s2s")
    op.create_index("ix_flag_to_id", "flag", ["to_id", "due_on", "id"], schema="s2s")
    op.execute(sa.text(RULES.replace(":", r"\:")))


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table, schema="s2s")


def _done() -> list[sa.Column[object]]:
    return [
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
    ]


def _reference(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"s2s.{to}.id"], name=op.f(f"fk_{table}_{column}_{to}")
    )
