"""A record is disputed, answered and settled; concerns go to officers alone; typing is kept.

The statements are in the `.sql` files beside this one, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0031"
down_revision = "0028"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")
DOWN = Path(__file__).with_suffix(".down.sql")
ACTIONS = ("record_disputed", "dispute_settled")
PARTS = (
    "facts",
    "people",
    "observed",
    "discussed",
    "recommendations",
    "resources",
    "next",
    "addendum",
    "other",
)
CONCERNS = ("none", "safeguarding", "work")
TABLES = ("record_copy", "concern", "reply_settlement", "record_reply")


def upgrade() -> None:
    op.create_table(
        "record_reply",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        _choice("part", *PARTS),
        sa.Column("addendum_number", sa.SmallInteger(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        *_done(),
        sa.CheckConstraint("text <> ''", name=op.f("ck_record_reply_text")),
        sa.CheckConstraint(
            "(part = 'addendum') = (addendum_number IS NOT NULL)",
            name=op.f("ck_record_reply_addendum"),
        ),
        _reference("record_reply", "referral_id", "referral"),
        _reference("record_reply", "record_id", "visit_record"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_reply")),
        sa.UniqueConstraint("record_id", "number", name=op.f("uq_record_reply_record_id_number")),
        schema="s2s",
    )
    op.create_table(
        "reply_settlement",
        sa.Column("reply_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        _choice("side", "school", "council"),
        sa.Column("words", sa.Text(), server_default="", nullable=False),
        *_done(),
        sa.CheckConstraint(
            "side = 'school' OR words <> ''", name=op.f("ck_reply_settlement_words")
        ),
        _reference("reply_settlement", "reply_id", "record_reply"),
        _reference("reply_settlement", "referral_id", "referral"),
        sa.PrimaryKeyConstraint("reply_id", name=op.f("pk_reply_settlement")),
        schema="s2s",
    )
    _concerns()
    _copies()
    op.add_column("visit_record", sa.Column("dispute_until", sa.Date()), schema="s2s")
    op.add_column("addendum", sa.Column("dispute_until", sa.Date()), schema="s2s")
    op.add_column("addendum", sa.Column("reply_id", sa.BigInteger()), schema="s2s")
    op.create_foreign_key(
        op.f("fk_addendum_reply_id_record_reply"),
        "addendum",
        "record_reply",
        ["reply_id"],
        ["id"],
        source_schema="s2s",
        referent_schema="s2s",
    )
    for name in ("replies", "settled"):
        op.add_column(
            "record_document",
            sa.Column(name, sa.SmallInteger(), server_default="0", nullable=False),
            schema="s2s",
        )
    _documents("addenda", "record_id", "addenda", "replies", "settled")
    op.execute(_values(*ACTIONS, added=True))
    op.execute(_text(UP))


def downgrade() -> None:
    """What a school disputed and what a document said of it is gone; records and addenda stay."""
    op.execute(_text(DOWN))
    op.execute(_values(*ACTIONS, added=False))
    _documents("addenda_replies_settled", "record_id", "addenda")
    for name in ("settled", "replies"):
        op.drop_column("record_document", name, schema="s2s")
    op.drop_constraint(
        op.f("fk_addendum_reply_id_record_reply"), "addendum", schema="s2s", type_="foreignkey"
    )
    op.drop_column("addendum", "reply_id", schema="s2s")
    op.drop_column("addendum", "dispute_until", schema="s2s")
    op.drop_column("visit_record", "dispute_until", schema="s2s")
    for table in TABLES:
        op.drop_table(table, schema="s2s")


def _concerns() -> None:
    op.create_table(
        "concern",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("visit_id", sa.BigInteger(), nullable=False),
        _choice("kind", *CONCERNS),
        sa.Column("passed_to", ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("passed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("words", sa.Text(), server_default="", nullable=False),
        *_done(),
        # Of a worry about a child's safety no word is kept: to whom it went, and when.
        sa.CheckConstraint(
            "(kind = 'safeguarding') = (passed_at IS NOT NULL)"
            " AND (kind = 'safeguarding') = (passed_to <> '{}')",
            name=op.f("ck_concern_passed"),
        ),
        sa.CheckConstraint("(kind = 'work') = (words <> '')", name=op.f("ck_concern_words")),
        sa.CheckConstraint(
            "passed_to <@ ARRAY['school', 'council']", name=op.f("ck_concern_passed_to")
        ),
        _reference("concern", "referral_id", "referral"),
        _reference("concern", "visit_id", "visit"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_concern")),
        schema="s2s",
    )
    op.create_index(op.f("ix_concern_referral_id"), "concern", ["referral_id"], schema="s2s")


def _copies() -> None:
    op.create_table(
        "record_copy",
        sa.Column("visit_id", sa.BigInteger(), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fields", JSONB(), nullable=False),
        _reference("record_copy", "visit_id", "visit"),
        _reference("record_copy", "referral_id", "referral"),
        sa.PrimaryKeyConstraint("visit_id", "by_id", name=op.f("pk_record_copy")),
        schema="s2s",
    )


def _documents(known: str, *unique: str) -> None:
    """One document for each state of a record, by what makes a state."""
    op.drop_constraint(
        op.f(f"uq_record_document_record_id_{known}"),
        "record_document",
        schema="s2s",
        type_="unique",
    )
    op.create_unique_constraint(
        op.f("uq_record_document_" + "_".join(unique)), "record_document", [*unique], schema="s2s"
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


def _values(*values: str, added: bool) -> sa.TextClause:
    """Add actions to those that a referral's history knows, or take them away: others stay."""
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
            WHERE c.conname = 'ck_referral_event_action' AND c.connamespace = 's2s'\:\:regnamespace
              AND {kept};
            EXECUTE format('ALTER TABLE s2s.referral_event DROP CONSTRAINT ck_referral_event_action,
                ADD CONSTRAINT ck_referral_event_action CHECK (action IN (%s))', listed);
        END $$
        """
    )


def _text(file: Path) -> sa.TextClause:
    return sa.text(file.read_text(encoding="utf-8").replace(":", r"\:"))
