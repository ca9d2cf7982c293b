"""Reallocation: how an allocation ended, what was handed over, who supports whoever leads.

A visit can be handed over and cancelled, and what somebody supports weighs less than what they lead.
The statements are in the `.sql` files beside this one, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")
DOWN = Path(__file__).with_suffix(".down.sql")
ACTIONS = ("reallocated", "taken_back", "support_added", "support_ended")
WHY = (
    "left",
    "absent",
    "workload",
    "conflict",
    "school_asked",
    "practitioner_asked",
    "specialism",
    "moved",
    "other",
)
ROLES = ("joint", "shadowing", "specialist", "writing")
TABLES = ("supporter", "hand_over_note", "allocation_ending")
VISIT = ("writer_id", "cancelled_at", "cancelled_by_id", "cancelled_by_name")


def upgrade() -> None:
    op.create_table(
        "allocation_ending",
        sa.Column("allocation_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("next_id", sa.BigInteger(), nullable=True),
        _choice("why", *WHY),
        sa.Column("words", sa.Text(), server_default="", nullable=False),
        sa.Column("hand_over", sa.Text(), server_default="", nullable=False),
        *_done(),
        sa.CheckConstraint(
            "why <> 'other' OR words <> ''", name=op.f("ck_allocation_ending_other_in_words")
        ),
        _reference("allocation_ending", "allocation_id", "allocation"),
        _reference("allocation_ending", "referral_id", "referral"),
        _reference("allocation_ending", "next_id", "allocation"),
        sa.PrimaryKeyConstraint("allocation_id", name=op.f("pk_allocation_ending")),
        schema="s2s",
    )
    op.create_table(
        "hand_over_note",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("allocation_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        *_done(),
        sa.CheckConstraint("text <> ''", name=op.f("ck_hand_over_note_text")),
        _reference("hand_over_note", "referral_id", "referral"),
        _reference("hand_over_note", "allocation_id", "allocation"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hand_over_note")),
        schema="s2s",
    )
    _supporters()
    for name, table, columns, unique in (
        ("ix_allocation_ending_referral_id", "allocation_ending", ["referral_id"], False),
        ("uq_allocation_ending_next", "allocation_ending", ["next_id"], True),
        ("ix_hand_over_note_referral_id", "hand_over_note", ["referral_id"], False),
    ):
        op.create_index(op.f(name), table, columns, unique=unique, schema="s2s")
    for column in (
        sa.Column("writer_id", sa.BigInteger(), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_by_id", sa.Text(), server_default="", nullable=False),
        sa.Column("cancelled_by_name", sa.Text(), server_default="", nullable=False),
    ):
        op.add_column("visit", column, schema="s2s")
    op.create_foreign_key(
        op.f("fk_visit_writer_id_practitioner"),
        "visit",
        "practitioner",
        ["writer_id"],
        ["id"],
        source_schema="s2s",
        referent_schema="s2s",
    )
    op.execute(_values("referral_event", "action", *ACTIONS, added=True))
    op.execute(_values("workload_weight", "kind", "support", added=True))
    op.execute(
        "INSERT INTO s2s.workload_weight (kind, valid_from, minutes, source)"
        " VALUES ('support', '2015-04-01', 40, 'What the service set out with')"
    )
    op.execute(_text(UP))


def downgrade() -> None:
    op.execute(_text(DOWN))
    op.execute(_values("workload_weight", "kind", "support", added=False))
    op.execute(_values("referral_event", "action", *ACTIONS, added=False))
    for column in VISIT:
        op.drop_column("visit", column, schema="s2s")
    for table in TABLES:
        op.drop_table(table, schema="s2s")


def _supporters() -> None:
    op.create_table(
        "supporter",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("practitioner_id", sa.BigInteger(), nullable=False),
        sa.Column("practitioner_name", sa.Text(), nullable=False),
        sa.Column("provider_urn", sa.Integer(), nullable=False),
        sa.Column("provider_name", sa.Text(), nullable=False),
        _choice("role", *ROLES),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_id", sa.Text(), server_default="", nullable=False),
        sa.Column("ended_by_name", sa.Text(), server_default="", nullable=False),
        sa.Column("ended_reason", sa.Text(), server_default="", nullable=False),
        *_done(),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_supporter_reason")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_reason = '')", name=op.f("ck_supporter_ended")
        ),
        _reference("supporter", "referral_id", "referral"),
        _reference("supporter", "practitioner_id", "practitioner"),
        sa.ForeignKeyConstraint(
            ["provider_urn"],
            ["s2s.establishment.urn"],
            name=op.f("fk_supporter_provider_urn_establishment"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supporter")),
        schema="s2s",
    )
    op.create_index(
        "uq_supporter_open",
        "supporter",
        ["referral_id", "practitioner_id"],
        unique=True,
        schema="s2s",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_supporter_practitioner", "supporter", ["practitioner_id", "ended_at"], schema="s2s"
    )


def _choice(name: str, *values: str) -> sa.Column[str]:
    kind = sa.Enum(
        *values, name=name, native_enum=False, create_constraint=True, length=40, schema="s2s"
    )
    return sa.Column(name, kind, nullable=False)


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
