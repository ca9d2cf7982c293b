"""Two triage bodies with a queue each, panels, and several referrals at a time.

The statements that are not tables are in the `.sql` files beside this one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")
DOWN = Path(__file__).with_suffix(".down.sql")
ACTIONS = ("handed_over", "panel_listed", "panel_removed")
WHAT = ("early_years_setting", "nursery_child", "other")
REASONS = ("AGE", "SETTING", "KNOWN", "SENT_WRONG", "OTHER")
ADVICE = ("accept", "return", "advise", "redirect", "decline", "unsure")
BULK = ("assign", "flag", "panel", "hand-over", "close")


def upgrade() -> None:
    op.execute(_values(*ACTIONS, added=True))
    _bodies()
    _panels()
    _table(
        "bulk_run",
        _id(),
        _text("token"),
        sa.Column("what", _choice("what", *BULK), nullable=False),
        sa.Column("results", sa.dialects.postgresql.JSONB(), nullable=False),
        *_done(),
        sa.UniqueConstraint("token", name=op.f("uq_bulk_run_token")),
    )
    op.execute(sa.text(UP.read_text(encoding="utf-8").replace(":", r"\:")))
    age, due = ["submitted_at", "referral_id"], ["due_sort", "submitted_at", "referral_id"]
    for name, columns in (
        ("body_state", ["body", "state", *age]),
        ("body_state_due", ["body", "state", *due]),
        ("body_status", ["body", "status", *age]),
        ("body_status_due", ["body", "status", *due]),
        ("body", ["body", *age]),
        ("body_due", ["body", *due]),
    ):
        op.create_index(f"ix_worklist_entry_{name}", "worklist_entry", columns, schema="s2s")


def _bodies() -> None:
    _table("triage_body", _text("code", key=True), _text("name"), _small("position"))
    _table(
        "triage_rule",
        _id(),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("what", _choice("what", *WHAT), nullable=False),
        _text("body"),
        _text("source"),
        *_done(),
        _reference("triage_rule", "body", "triage_body", "code"),
    )
    _table(
        "officer_body",
        _text("account_id", key=True),
        _text("body", key=True),
        *_done(),
        _reference("officer_body", "body", "triage_body", "code"),
    )
    _table(
        "triage_handover",
        sa.Column("event_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        _number("referral_id"),
        _text("from_body"),
        _text("to_body"),
        sa.Column("reason", _choice("reason", *REASONS), nullable=False),
        _reference("triage_handover", "event_id", "referral_event"),
        _reference("triage_handover", "referral_id", "referral"),
        _reference("triage_handover", "from_body", "triage_body", "code"),
        _reference("triage_handover", "to_body", "triage_body", "code"),
        sa.CheckConstraint("from_body <> to_body", name=op.f("ck_triage_handover_moves")),
    )
    _index("triage_handover", "referral_id")


def _panels() -> None:
    _table(
        "panel_meeting",
        _id(),
        _text("body"),
        sa.Column("meets_on", sa.Date(), nullable=False),
        _text("chair_id"),
        _text("chair_name"),
        _text("present", default=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_id", sa.Text(), nullable=True),
        sa.Column("ended_by_name", sa.Text(), nullable=True),
        *_done(),
        _reference("panel_meeting", "body", "triage_body", "code"),
    )
    op.create_index("ix_panel_meeting_body", "panel_meeting", ["body", "meets_on"], schema="s2s")
    _table(
        "panel_reviewer",
        sa.Column("meeting_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        _text("account_id", key=True),
        _text("name"),
        _reference("panel_reviewer", "meeting_id", "panel_meeting"),
    )
    _table(
        "panel_item",
        _id(),
        _number("meeting_id"),
        _number("referral_id"),
        _text("why"),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_by_name", sa.Text(), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_by_name", sa.Text(), nullable=True),
        _text("removed_why", default=True),
        *_done(),
        _reference("panel_item", "meeting_id", "panel_meeting"),
        _reference("panel_item", "referral_id", "referral"),
    )
    _index("panel_item", "referral_id")
    op.create_index(
        "uq_panel_item_listed",
        "panel_item",
        ["meeting_id", "referral_id"],
        unique=True,
        schema="s2s",
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    _table(
        "panel_comment",
        _id(),
        _number("item_id"),
        sa.Column("recommends", _choice("recommends", *ADVICE), nullable=False),
        sa.Column("level_id", sa.BigInteger(), nullable=True),
        _text("text"),
        *_done(),
        _reference("panel_comment", "item_id", "panel_item"),
        _reference("panel_comment", "level_id", "support_level"),
        sa.CheckConstraint("text <> ''", name=op.f("ck_panel_comment_text")),
        sa.CheckConstraint(
            "(recommends = 'accept') = (level_id IS NOT NULL)", name=op.f("ck_panel_comment_level")
        ),
        sa.UniqueConstraint("item_id", "by_id", name=op.f("uq_panel_comment_item_id_by_id")),
    )


def downgrade() -> None:
    op.execute(sa.text(DOWN.read_text(encoding="utf-8").replace(":", r"\:")))
    for table in ("bulk_run", "panel_comment", "panel_item", "panel_reviewer", "panel_meeting"):
        op.drop_table(table, schema="s2s")
    for table in ("triage_handover", "officer_body", "triage_rule", "triage_body"):
        op.drop_table(table, schema="s2s")
    op.execute(sa.text("DROP FUNCTION s2s.acting_bodies()"))
    op.execute(sa.text("ALTER TABLE s2s.referral_event DISABLE TRIGGER append_only"))
    listed = ", ".join(f"'{action}'" for action in ACTIONS)
    op.execute(sa.text(f"DELETE FROM s2s.referral_event WHERE action IN ({listed})"))
    op.execute(sa.text("ALTER TABLE s2s.referral_event ENABLE TRIGGER append_only"))
    op.execute(_values(*ACTIONS, added=False))


def _table(name: str, *parts: Any) -> None:
    keys = [part.name for part in parts if isinstance(part, sa.Column) and part.primary_key]
    for part in parts:
        if isinstance(part, sa.Column):
            part.primary_key = False
    op.create_table(
        name, *parts, sa.PrimaryKeyConstraint(*keys, name=op.f(f"pk_{name}")), schema="s2s"
    )


def _id() -> sa.Column[Any]:
    identity = sa.Identity(always=True)
    return sa.Column("id", sa.BigInteger(), identity, primary_key=True, nullable=False)


def _text(name: str, *, key: bool = False, default: bool = False) -> sa.Column[Any]:
    given: dict[str, Any] = {"server_default": ""} if default else {}
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False, **given)


def _small(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.SmallInteger(), nullable=False)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(
        *values, name=name, native_enum=False, create_constraint=True, length=40, schema="s2s"
    )


def _done() -> list[sa.Column[Any]]:
    return [
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
    ]


def _reference(table: str, column: str, to: str, key: str = "id") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"s2s.{to}.{key}"], name=op.f(f"fk_{table}_{column}_{to}")
    )


def _index(table: str, column: str) -> None:
    op.create_index(op.f(f"ix_{table}_{column}"), table, [column], schema="s2s")


def _values(*values: str, added: bool) -> sa.TextClause:
    """Add to the actions that an event can have, or take away: what others have added stays."""
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
            WHERE c.conname = 'ck_referral_event_action'
              AND c.connamespace = 's2s'\:\:regnamespace AND {kept};
            EXECUTE format('ALTER TABLE s2s.referral_event
                DROP CONSTRAINT ck_referral_event_action,
                ADD CONSTRAINT ck_referral_event_action CHECK (action IN (%s))', listed);
        END $$
        """
    )
