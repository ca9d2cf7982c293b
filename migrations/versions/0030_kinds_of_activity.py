"""Each kind of activity has a record of its own, training joins schools, time can be corrected.

Records that were begun before this revision are of edition 1: they show the parts that every record
had then. The statements that are not tables are in the `.sql` files beside this one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0028"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")
DOWN = Path(__file__).with_suffix(".down.sql")
ACTIONS = ("training_joined", "training_left", "training_evaluated")
WORDS = (
    "focus",
    "progress",
    "pupil_voice",
    "covered",
    "made",
    "intended_for",
    "how_to_use",
    "service",
    "reason",
    "how_to_reach",
    "agreed",
)
TABLES = ("training_attendee", "training_school", "training_evaluation", "time_correction")
# Staff were spoken with although the pupil was away: that is support. Nothing else but a visit is.
GIVEN = "attendance = 'happened' OR (attendance = 'pupil_absent' AND talked)"


def upgrade() -> None:
    for table in ("visit", "visit_record"):
        op.execute(_values(table, "kind", "REM", added=True))
    op.execute(_values("referral_event", "action", *ACTIONS, added=True))
    _record()
    _training()
    _times()
    op.execute(_text(UP))


def downgrade() -> None:
    op.execute(_text(DOWN))
    for table in TABLES:
        op.drop_table(table, schema="s2s")
    op.execute("DROP FUNCTION s2s.refuse_change_of_attendee(), s2s.refuse_change_of_joined()")
    for name in ("support_given", "reached_by", "talked", "edition", *reversed(WORDS)):
        op.drop_column("visit_record", name, schema="s2s")
    op.execute("ALTER TABLE s2s.referral_event DISABLE TRIGGER append_only")
    listed = ", ".join(f"'{action}'" for action in ACTIONS)
    op.execute(f"DELETE FROM s2s.referral_event WHERE action IN ({listed})")
    op.execute("ALTER TABLE s2s.referral_event ENABLE TRIGGER append_only")
    op.execute(_values("referral_event", "action", *ACTIONS, added=False))
    for table in ("visit", "visit_record"):
        op.execute(_values(table, "kind", "REM", added=False))


def _record() -> None:
    """What a record can say beside what it could; it was all asked of every kind before."""
    reached = sa.Enum(
        "phone",
        "video",
        "email",
        name="reached_by",
        native_enum=False,
        create_constraint=True,
        length=40,
    )
    columns: list[sa.Column[Any]] = [
        sa.Column("edition", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("talked", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("reached_by", reached, nullable=True),
        *(sa.Column(name, sa.Text(), server_default="", nullable=False) for name in WORDS),
        sa.Column("support_given", sa.Boolean(), sa.Computed(GIVEN, persisted=True)),
    ]
    for column in columns:
        op.add_column("visit_record", column, schema="s2s")
    op.alter_column("visit_record", "edition", server_default="2", schema="s2s")


def _training() -> None:
    op.create_table(
        "training_school",
        _id(),
        _number("visit_id"),
        _number("referral_id"),
        sa.Column("school_name", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=True),
        *_done(),
        _reference("training_school", "visit_id", "visit"),
        _reference("training_school", "referral_id", "referral"),
        _reference("training_school", "record_id", "visit_record"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_school")),
        sa.UniqueConstraint("visit_id", "referral_id", name="uq_training_school_visit_id"),
        schema="s2s",
    )
    op.create_table(
        "training_attendee",
        _id(),
        _number("referral_id"),
        _number("record_id"),
        sa.Column("joined_id", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("people", sa.SmallInteger(), nullable=True),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("people BETWEEN 1 AND 999", name=op.f("ck_training_attendee_people")),
        _reference("training_attendee", "referral_id", "referral"),
        _reference("training_attendee", "record_id", "visit_record"),
        _reference("training_attendee", "joined_id", "training_school"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_attendee")),
        sa.UniqueConstraint("record_id", "position", name="uq_training_attendee_record_id"),
        schema="s2s",
    )
    op.create_table(
        "training_evaluation",
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        _number("referral_id"),
        sa.Column("useful", sa.SmallInteger(), nullable=False),
        sa.Column("confident", sa.SmallInteger(), nullable=False),
        sa.Column("words", sa.Text(), server_default="", nullable=False),
        *_done(),
        sa.CheckConstraint(
            "useful BETWEEN 1 AND 5 AND confident BETWEEN 1 AND 5",
            name=op.f("ck_training_evaluation_scale"),
        ),
        _reference("training_evaluation", "record_id", "visit_record"),
        _reference("training_evaluation", "referral_id", "referral"),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_training_evaluation")),
        schema="s2s",
    )
    op.create_index(
        "ix_training_school_referral_id", "training_school", ["referral_id"], schema="s2s"
    )


def _times() -> None:
    minutes = ("contact_minutes", "preparation_minutes", "write_up_minutes", "travel_minutes")
    op.create_table(
        "time_correction",
        _id(),
        _number("referral_id"),
        _number("record_id"),
        *(sa.Column(name, sa.SmallInteger(), nullable=False) for name in minutes),
        sa.Column("miles", sa.Numeric(4, 1), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        *_done(),
        sa.CheckConstraint(
            " AND ".join(f"{name} BETWEEN 0 AND 1440" for name in minutes),
            name=op.f("ck_time_correction_minutes"),
        ),
        sa.CheckConstraint("miles BETWEEN 0 AND 999", name=op.f("ck_time_correction_miles")),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_time_correction_reason")),
        _reference("time_correction", "referral_id", "referral"),
        _reference("time_correction", "record_id", "visit_record"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_time_correction")),
        schema="s2s",
    )
    op.create_index(
        "ix_time_correction_record_id", "time_correction", ["record_id", "id"], schema="s2s"
    )


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


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
