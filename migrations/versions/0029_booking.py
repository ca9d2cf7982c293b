"""Visits that are moved or cancelled, plans of visits, calendar feeds, attempts to reach a school.

The statements are in the `.sql` files beside this one, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")
DOWN = Path(__file__).with_suffix(".down.sql")
ACTIONS = (
    "visit_moved",
    "visit_cancelled",
    "plan_proposed",
    "plan_agreed",
    "plan_change_asked",
    "contact_tried",
    "not_reached",
)
KINDS = ("VIS", "OBS", "ADV", "MOD", "TRN", "RES", "PLN", "MTG", "RVS", "SGN", "FUP")
ASKED_BY = ("practitioner", "school", "service")
WHY = (
    "staff_away",
    "not_ready",
    "pupil_away",
    "unavailable",
    "clash",
    "weather",
    "not_needed",
    "other",
)
CHECKS = {
    "moved_whole": "(asked_by IS NULL) = (why_moved IS NULL)"
    " AND (asked_by IS NULL) = (short_notice IS NULL)"
    " AND (asked_by IS NULL OR cancelled_at IS NOT NULL)",
    "other_in_words": "coalesce(why_moved <> 'other', true) OR moved_words <> ''",
    "moves": "(replaces_id IS NULL) = (moves = 0)",
}
TABLES = ("contact_attempt", "calendar_feed", "plan_answer", "planned_visits", "visit_plan")


def upgrade() -> None:
    _visits()
    _plans()
    op.create_table(
        "calendar_feed",
        _key(),
        _choice("of", "practitioner", "school"),
        sa.Column("urn", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        _words("ended_by_id"),
        _words("ended_by_name"),
        *_done(),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by_id = '')", name=op.f("ck_calendar_feed_ended")
        ),
        _reference("calendar_feed", "urn", "establishment", "urn"),
        sa.UniqueConstraint("digest", name=op.f("uq_calendar_feed_digest")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feed")),
        schema="s2s",
    )
    op.create_index(
        "uq_calendar_feed_going",
        "calendar_feed",
        ["by_id", "of", "urn"],
        unique=True,
        schema="s2s",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "contact_attempt",
        _key(),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("allocation_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("tried_on", sa.Date(), nullable=False),
        _choice("how", "phone", "email", "message", "called"),
        _words("note"),
        *_done(),
        sa.CheckConstraint("number >= 1", name=op.f("ck_contact_attempt_number")),
        _reference("contact_attempt", "referral_id", "referral"),
        _reference("contact_attempt", "allocation_id", "allocation"),
        sa.UniqueConstraint(
            "referral_id", "number", name=op.f("uq_contact_attempt_referral_id_number")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_attempt")),
        schema="s2s",
    )
    op.create_index(
        "ix_contact_attempt_allocation_id", "contact_attempt", ["allocation_id"], schema="s2s"
    )
    op.execute(_values("referral_event", "action", *ACTIONS, added=True))
    op.execute(_text(UP))


def downgrade() -> None:
    op.execute(_text(DOWN))
    op.execute(_values("referral_event", "action", *ACTIONS, added=False))
    for table in TABLES:
        op.drop_table(table, schema="s2s")
    for name in (
        "short_of_time",
        "unusual_day",
        "short_notice",
        "moved_words",
        "why_moved",
        "asked_by",
        "moves",
        "first_number",
        "replaces_id",
    ):
        op.drop_column("visit", name, schema="s2s")


def _visits() -> None:
    for column in (
        sa.Column("replaces_id", sa.BigInteger(), nullable=True),
        sa.Column("first_number", sa.SmallInteger(), nullable=True),
        sa.Column("moves", sa.SmallInteger(), server_default="0", nullable=False),
        _choice("asked_by", *ASKED_BY, nullable=True),
        _choice("why_moved", *WHY, nullable=True),
        _words("moved_words"),
        sa.Column("short_notice", sa.Boolean(), nullable=True),
        _words("unusual_day"),
        _words("short_of_time"),
    ):
        op.add_column("visit", column, schema="s2s")
    op.create_foreign_key(
        op.f("fk_visit_replaces_id_visit"),
        "visit",
        "visit",
        ["replaces_id"],
        ["id"],
        source_schema="s2s",
        referent_schema="s2s",
    )
    op.create_unique_constraint("uq_visit_replaces_id", "visit", ["replaces_id"], schema="s2s")
    for name, rule in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_visit_{name}"), "visit", rule, schema="s2s")
    op.create_index(
        "ix_visit_short_notice",
        "visit",
        ["referral_id"],
        schema="s2s",
        postgresql_where=sa.text("short_notice IS TRUE"),
    )


def _plans() -> None:
    op.create_table(
        "visit_plan",
        _key(),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.Column("total", sa.SmallInteger(), nullable=False),
        sa.Column("fewer_than", sa.SmallInteger(), nullable=True),
        _words("why"),
        *_done(),
        sa.CheckConstraint("total BETWEEN 1 AND 99", name=op.f("ck_visit_plan_total")),
        sa.CheckConstraint(
            "fewer_than IS NULL OR (fewer_than > total AND why <> '')",
            name=op.f("ck_visit_plan_fewer"),
        ),
        _reference("visit_plan", "referral_id", "referral"),
        sa.UniqueConstraint(
            "referral_id", "version", name=op.f("uq_visit_plan_referral_id_version")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_plan")),
        schema="s2s",
    )
    op.create_table(
        "planned_visits",
        _key(),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        _choice("kind", *KINDS),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.CheckConstraint("number BETWEEN 1 AND 20", name=op.f("ck_planned_visits_number")),
        _reference("planned_visits", "plan_id", "visit_plan"),
        _reference("planned_visits", "referral_id", "referral"),
        sa.UniqueConstraint("plan_id", "position", name=op.f("uq_planned_visits_plan_id_position")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_planned_visits")),
        schema="s2s",
    )
    op.create_table(
        "plan_answer",
        sa.Column("plan_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        _choice("says", "agreed", "change"),
        _words("words"),
        *_done(),
        sa.CheckConstraint(
            "says <> 'change' OR words <> ''", name=op.f("ck_plan_answer_change_in_words")
        ),
        _reference("plan_answer", "plan_id", "visit_plan"),
        _reference("plan_answer", "referral_id", "referral"),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_plan_answer")),
        schema="s2s",
    )


def _key() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False)


def _words(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _choice(name: str, *values: str, nullable: bool = False) -> sa.Column[str]:
    kind = sa.Enum(
        *values, name=name, native_enum=False, create_constraint=True, length=40, schema="s2s"
    )
    return sa.Column(name, kind, nullable=nullable)


def _done() -> list[sa.Column[object]]:
    return [
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
    ]


def _reference(table: str, column: str, to: str, key: str = "id") -> sa.ForeignKeyConstraint:
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
