"""The officers' worklist: a row for each referral, who looks after it, and the lists they keep.

The statements that are not tables are in `0020_worklist.sql` beside this file.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

RULES = Path(__file__).with_suffix(".sql")
COLUMNS = (
    "referral_id",
    "reference",
    "urn",
    "school_name",
    "phase_code",
    "phase_name",
    "district",
    "kind",
    "need",
    "status",
    "state",
    "open",
    "submitted_at",
    "received_on",
    "window_id",
    "officer_id",
    "officer_name",
    "assigned_at",
    "unopened",
    "due_step",
    "due_on",
    "warn_on",
    "waiting_since",
    "answer_by",
)
ACTIONS = ("assigned",)


def _done() -> tuple[sa.Column, ...]:
    return (
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
    )


def upgrade() -> None:
    op.execute(_values(*ACTIONS, added=True))
    op.create_table(
        "officer",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), server_default="", nullable=False),
        sa.Column("seen_on", sa.Date(), nullable=False),
        sa.Column("digest", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_officer")),
        sa.UniqueConstraint("account_id", name=op.f("uq_officer_account_id")),
        schema="s2s",
    )
    op.create_table(
        "officer_assignment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("officer_id", sa.Text(), nullable=False),
        sa.Column("officer_name", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        *_done(),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["s2s.referral.id"],
            name=op.f("fk_officer_assignment_referral_id_referral"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_officer_assignment")),
        schema="s2s",
    )
    op.create_index(
        "uq_officer_assignment_open",
        "officer_assignment",
        ["referral_id"],
        unique=True,
        schema="s2s",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        op.f("ix_officer_assignment_referral_id"),
        "officer_assignment",
        ["referral_id"],
        schema="s2s",
    )
    op.create_table(
        "saved_list",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("officer_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_list")),
        sa.CheckConstraint("name <> ''", name=op.f("ck_saved_list_name")),
        schema="s2s",
    )
    op.create_index(
        "uq_saved_list_name",
        "saved_list",
        ["officer_id", sa.text("lower(name)")],
        unique=True,
        schema="s2s",
    )
    op.create_index(
        "uq_saved_list_default",
        "saved_list",
        ["officer_id"],
        unique=True,
        schema="s2s",
        postgresql_where=sa.text("is_default"),
    )
    _entries()
    rules = RULES.read_text(encoding="utf-8").replace(":", r"\:")
    for name in ("EXCLUDED", "KEPT"):
        listed = ", ".join(f"{name.lower()}.{column}" for column in COLUMNS)
        rules = rules.replace(f"{name}_COLUMNS", listed)
    op.execute(sa.text(rules.replace("COLUMNS", ", ".join(COLUMNS))))


def _entries() -> None:
    op.create_table(
        "worklist_entry",
        sa.Column("referral_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("urn", sa.Integer(), nullable=False),
        sa.Column("school_name", sa.Text(), nullable=False),
        sa.Column("phase_code", sa.SmallInteger(), nullable=False),
        sa.Column("phase_name", sa.Text(), nullable=False),
        sa.Column("district", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("need", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("window_id", sa.BigInteger(), nullable=True),
        sa.Column("officer_id", sa.Text(), nullable=True),
        sa.Column("officer_name", sa.Text(), nullable=True),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unopened", sa.Boolean(), nullable=False),
        sa.Column("due_step", sa.Text(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("warn_on", sa.Date(), nullable=True),
        sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer_by", sa.Date(), nullable=True),
        sa.Column(
            "due_sort",
            sa.Date(),
            sa.Computed("coalesce(due_on, '9999-12-31'::date)", persisted=True),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["s2s.referral.id"],
            name=op.f("fk_worklist_entry_referral_id_referral"),
        ),
        sa.PrimaryKeyConstraint("referral_id", name=op.f("pk_worklist_entry")),
        sa.UniqueConstraint("reference", name=op.f("uq_worklist_entry_reference")),
        schema="s2s",
    )
    age, due = ["submitted_at", "referral_id"], ["due_sort", "submitted_at", "referral_id"]
    for name, columns, where in (
        ("state", ["state", *age], None),
        ("state_due", ["state", *due], None),
        ("status", ["status", *age], None),
        ("status_due", ["status", *due], None),
        ("all", age, None),
        ("due", due, None),
        ("school", ["urn", *age], None),
        ("officer", ["officer_id", *age], "open"),
        ("officer_due", ["officer_id", *due], "open"),
        ("officer_new", ["officer_id", *age], "open AND unopened"),
    ):
        op.create_index(
            f"ix_worklist_entry_{name}",
            "worklist_entry",
            columns,
            schema="s2s",
            postgresql_where=sa.text(where) if where else None,
        )


def downgrade() -> None:
    for table, name in (
        ("referral", "added"),
        ("referral", "changed"),
        ("referral_need", "needs"),
        ("outcome_wanted", "outcomes"),
        ("referral_event", "events"),
        ("referral_clock", "clocks"),
        ("establishment", "schools"),
    ):
        op.execute(f"DROP TRIGGER worklist_{name} ON s2s.{table}")
    op.execute("DROP FUNCTION s2s.worklist_counts(integer, date, timestamptz)")
    op.execute("DROP VIEW s2s.worklist_source")
    for table in ("worklist_entry", "saved_list", "officer_assignment", "officer"):
        op.drop_table(table, schema="s2s")
    op.execute("DROP FUNCTION s2s.follow_in_worklist()")
    op.execute("DROP FUNCTION s2s.refresh_worklist(bigint)")
    op.execute(sa.text(OLD_COUNTS.replace(":", r"\:")))
    op.execute("ALTER TABLE s2s.referral_event DISABLE TRIGGER append_only")
    op.execute("DELETE FROM s2s.referral_event WHERE action = 'assigned'")
    op.execute("ALTER TABLE s2s.referral_event ENABLE TRIGGER append_only")
    op.execute(_values(*ACTIONS, added=False))


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


# As 0011 left it.
OLD_COUNTS = """
CREATE FUNCTION s2s.worklist_counts(most integer)
    RETURNS TABLE (status text, number bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
BEGIN
    IF NOT s2s.acts_as('send_officer', 'system') THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT pile.status, (SELECT count(*) FROM (
            SELECT FROM s2s.referral r WHERE r.status = pile.status LIMIT most) AS found)
        FROM unnest(ARRAY['submitted', 'returned', 'accepted', 'allocated', 'closed', 'declined',
                          'withdrawn']) AS pile (status);
END $$;
REVOKE ALL ON FUNCTION s2s.worklist_counts(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.worklist_counts(integer) TO s2s_app;
"""
