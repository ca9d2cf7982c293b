"""Clocks: service levels in days of a kind, closures of the council, and what was promised to whom.

The statements that are not tables are in `0019_clocks.sql` beside this file. A referral under way
gets the clock that its promised date came from.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0016"
branch_labels = None
depends_on = None

RULES = Path(__file__).with_suffix(".sql")
OLD_STEPS = ("decision", "allocation", "contact")
NEW_STEPS = ("acknowledgement", "first_visit", "record", "answer", "closure")
STEPS = (*OLD_STEPS, *NEW_STEPS)
UNITS = ("working_days", "school_days", "school_weeks")
STATES = ("running", "paused", "met", "stopped")
KINDS = ("started", "paused", "resumed", "recomputed", "met", "stopped")
# domain.md 2.4; for an answer of the school nothing is published, so ten of its own days.
LEVELS = (
    ("acknowledgement", 2, "working_days"),
    ("first_visit", 4, "school_weeks"),
    ("record", 10, "working_days"),
    ("answer", 10, "school_days"),
    ("closure", 10, "working_days"),
)


def _choice(table: str, column: str, *values: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(
        f"{column} IN ({', '.join(repr(value) for value in values)})",
        name=op.f(f"ck_{table}_{column}"),
    )


def _done() -> tuple[sa.Column, ...]:
    return (
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
    )


def _reference(table: str, column: str, other: str, key: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"s2s.{other}.{key}"], name=op.f(f"fk_{table}_{column}_{other}")
    )


def upgrade() -> None:
    _levels()
    op.create_table(
        "council_closure",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("starts", sa.Date(), nullable=False),
        sa.Column("ends", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        *_done(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_council_closure")),
        sa.UniqueConstraint("starts", "ends", name=op.f("uq_council_closure_starts_ends")),
        sa.CheckConstraint("ends >= starts", name=op.f("ck_council_closure_dates")),
        schema="s2s",
    )
    _clocks()
    op.execute(sa.text(RULES.read_text(encoding="utf-8").replace(":", r"\:")))


def _levels() -> None:
    op.drop_constraint("pk_service_level", "service_level", schema="s2s")
    op.drop_constraint("ck_service_level_working_days", "service_level", schema="s2s")
    op.alter_column("service_level", "working_days", new_column_name="length", schema="s2s")
    for column in (
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("unit", sa.String(40), nullable=False, server_default="working_days"),
        sa.Column("warning", sa.SmallInteger(), nullable=False, server_default="1"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("by_id", sa.Text(), nullable=False, server_default="system"),
        sa.Column("by_name", sa.Text(), nullable=False, server_default="The service"),
    ):
        op.add_column("service_level", column, schema="s2s")
    for name in ("unit", "warning", "at", "by_id", "by_name"):
        op.alter_column("service_level", name, server_default=None, schema="s2s")
    op.create_primary_key("pk_service_level", "service_level", ["id"], schema="s2s")
    op.execute(_steps(*NEW_STEPS, added=True))
    _allow("unit", *UNITS)
    for name, rule in (("length", "length > 0"), ("warning", "warning >= 0")):
        op.create_check_constraint(
            op.f(f"ck_service_level_{name}"), "service_level", rule, schema="s2s"
        )
    op.create_index(
        "ix_service_level_step", "service_level", ["step", "valid_from", "id"], schema="s2s"
    )
    for step, length, unit in LEVELS:
        op.execute(
            "INSERT INTO s2s.service_level"
            " (step, valid_from, length, unit, warning, source, at, by_id, by_name)"
            f" VALUES ('{step}', '2015-04-01', {length}, '{unit}', 1,"
            " 'What the service set out with', now(), 'system', 'The service')"
        )


def _steps(*values: str, added: bool) -> sa.TextClause:
    """Add to the steps that a rule can be about, or take away: what others have added stays."""
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
            WHERE c.conname = 'ck_service_level_step'
              AND c.connamespace = 's2s'\:\:regnamespace AND {kept};
            EXECUTE format('ALTER TABLE s2s.service_level
                DROP CONSTRAINT ck_service_level_step,
                ADD CONSTRAINT ck_service_level_step CHECK (step IN (%s))', listed);
        END $$
        """
    )


def _allow(column: str, *values: str) -> None:
    rule = f"{column} IN ({', '.join(repr(value) for value in values)})"
    name = op.f(f"ck_service_level_{column}")
    op.create_check_constraint(name, "service_level", rule, schema="s2s")


def _clocks() -> None:
    op.create_table(
        "referral_clock",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("urn", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(40), nullable=False),
        sa.Column("visit_id", sa.BigInteger(), nullable=True),
        sa.Column("level_id", sa.BigInteger(), nullable=False),
        sa.Column("calendar", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day_zero", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("warn_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        _choice("referral_clock", "step", *STEPS),
        _choice("referral_clock", "state", *STATES),
        sa.CheckConstraint(
            "(state IN ('met', 'stopped')) = (ended_at IS NOT NULL)",
            name=op.f("ck_referral_clock_ended"),
        ),
        _reference("referral_clock", "referral_id", "referral", "id"),
        _reference("referral_clock", "urn", "establishment", "urn"),
        _reference("referral_clock", "visit_id", "visit", "id"),
        _reference("referral_clock", "level_id", "service_level", "id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral_clock")),
        schema="s2s",
    )
    op.create_index(
        "ix_referral_clock_referral_id", "referral_clock", ["referral_id", "id"], schema="s2s"
    )
    op.create_index(
        "uq_referral_clock_open",
        "referral_clock",
        ["referral_id", "step", "visit_id"],
        unique=True,
        schema="s2s",
        postgresql_where=sa.text("state IN ('running', 'paused')"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(
        "ix_referral_clock_due_on",
        "referral_clock",
        ["due_on", "id"],
        schema="s2s",
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_table(
        "clock_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("clock_id", sa.BigInteger(), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        *_done(),
        _choice("clock_change", "kind", *KINDS),
        _reference("clock_change", "clock_id", "referral_clock", "id"),
        _reference("clock_change", "referral_id", "referral", "id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock_change")),
        schema="s2s",
    )
    op.create_index("ix_clock_change_clock_id", "clock_change", ["clock_id", "id"], schema="s2s")
    op.create_table(
        "clock_breach",
        sa.Column("clock_id", sa.BigInteger(), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.String(40), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("noted_on", sa.Date(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        _choice("clock_breach", "step", *STEPS),
        sa.CheckConstraint("noted_on > due_on", name=op.f("ck_clock_breach_past")),
        _reference("clock_breach", "clock_id", "referral_clock", "id"),
        _reference("clock_breach", "referral_id", "referral", "id"),
        sa.PrimaryKeyConstraint("clock_id", name=op.f("pk_clock_breach")),
        schema="s2s",
    )
    op.create_index("ix_clock_breach_referral_id", "clock_breach", ["referral_id"], schema="s2s")


def downgrade() -> None:
    op.execute("DROP FUNCTION s2s.note_breaches(date, bigint)")
    for table in ("clock_breach", "clock_change", "referral_clock", "council_closure"):
        op.drop_table(table, schema="s2s")
    op.execute("DROP FUNCTION s2s.check_clock_change()")
    op.execute("ALTER TABLE s2s.service_level DISABLE TRIGGER append_only")
    # An older release counts working days alone, and knows one rule for a step and a day.
    op.execute(
        "DELETE FROM s2s.service_level l WHERE unit <> 'working_days'"
        f" OR step IN ({', '.join(repr(step) for step in NEW_STEPS)})"
        " OR EXISTS (SELECT FROM s2s.service_level o WHERE o.step = l.step"
        " AND o.valid_from = l.valid_from AND o.id > l.id)"
    )
    op.execute("ALTER TABLE s2s.service_level ENABLE TRIGGER append_only")
    op.drop_index("ix_service_level_step", "service_level", schema="s2s")
    op.drop_constraint("pk_service_level", "service_level", schema="s2s")
    for name in ("unit", "length", "warning"):
        op.drop_constraint(op.f(f"ck_service_level_{name}"), "service_level", schema="s2s")
    for name in ("id", "unit", "warning", "at", "by_id", "by_name"):
        op.drop_column("service_level", name, schema="s2s")
    op.alter_column("service_level", "length", new_column_name="working_days", schema="s2s")
    op.create_primary_key("pk_service_level", "service_level", ["step", "valid_from"], schema="s2s")
    op.create_check_constraint(
        op.f("ck_service_level_working_days"), "service_level", "working_days > 0", schema="s2s"
    )
    op.execute(_steps(*NEW_STEPS, added=False))
