"""Practitioners as records: needs with a level, release by date, absences, conflicts, history.

`practitioner.needs` becomes rows of `practitioner_need`, each at working knowledge: nobody has said
more of them yet. Phases, and how many open cases somebody takes at once, stay where they are. The
statements are in the `.sql` files beside this one, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0022"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")
DOWN = Path(__file__).with_suffix(".down.sql")


def upgrade() -> None:
    for column in (
        sa.Column("areas", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("leaving_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
    ):
        op.add_column("practitioner", column, schema="s2s")
    _table(
        "practitioner_need",
        sa.Column("code", sa.Text(), nullable=False),
        _choice("level", "working", "experienced", "specialist"),
        sa.Column("expires_on", sa.Date(), nullable=True),
        _reference("practitioner_need", "code", "need_type", "code"),
        sa.PrimaryKeyConstraint("practitioner_id", "code", name="pk_practitioner_need"),
    )
    _table(
        "practitioner_release",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("minutes", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        *_done(),
        sa.CheckConstraint(
            "array_length(minutes, 1) = 5 AND array_position(minutes, NULL) IS NULL"
            " AND 0 <= ALL (minutes) AND 600 >= ALL (minutes)",
            name="ck_practitioner_release_minutes",
        ),
        sa.CheckConstraint("until >= valid_from", name="ck_practitioner_release_dates"),
        sa.PrimaryKeyConstraint("id", name="pk_practitioner_release"),
    )
    _table(
        "practitioner_absence",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("starts", sa.Date(), nullable=False),
        sa.Column("ends", sa.Date(), nullable=False),
        _choice("kind", "away", "leave", "training", "school"),
        *_done(),
        sa.CheckConstraint("ends >= starts", name="ck_practitioner_absence_dates"),
        sa.PrimaryKeyConstraint("id", name="pk_practitioner_absence"),
    )
    _table(
        "practitioner_conflict",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("urn", sa.Integer(), nullable=False),
        _choice("kind", "former_school", "relative", "other"),
        _choice("weight", "excluded", "ask_first"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("starts", sa.Date(), nullable=True),
        sa.Column("ends", sa.Date(), nullable=True),
        *_done(),
        sa.CheckConstraint("reason <> ''", name="ck_practitioner_conflict_reason"),
        sa.CheckConstraint("ends >= starts", name="ck_practitioner_conflict_dates"),
        _reference("practitioner_conflict", "urn", "establishment", "urn"),
        sa.PrimaryKeyConstraint("id", name="pk_practitioner_conflict"),
        sa.UniqueConstraint(
            "practitioner_id", "urn", name="uq_practitioner_conflict_practitioner_id_urn"
        ),
    )
    _table(
        "practitioner_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(), nullable=False),
        sa.Column("after", postgresql.JSONB(), nullable=False),
        *_done(),
        sa.PrimaryKeyConstraint("id", name="pk_practitioner_event"),
    )
    for table in ("release", "absence", "conflict", "event"):
        op.create_index(
            f"ix_practitioner_{table}_practitioner_id",
            f"practitioner_{table}",
            ["practitioner_id"],
            schema="s2s",
        )
    op.execute(
        "INSERT INTO s2s.practitioner_need (practitioner_id, code, level)"
        " SELECT DISTINCT p.id, t.code, 'working' FROM s2s.practitioner p"
        " CROSS JOIN unnest(p.needs) AS had (code) JOIN s2s.need_type t ON t.code = had.code"
    )
    op.drop_column("practitioner", "needs", schema="s2s")
    op.execute(_text(UP))


def downgrade() -> None:
    op.add_column(
        "practitioner",
        sa.Column("needs", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        schema="s2s",
    )
    op.execute(
        "UPDATE s2s.practitioner p SET needs = n.codes FROM (SELECT practitioner_id,"
        " array_agg(code ORDER BY code) AS codes FROM s2s.practitioner_need GROUP BY 1) n"
        " WHERE n.practitioner_id = p.id"
    )
    op.alter_column("practitioner", "needs", server_default=None, schema="s2s")
    op.execute(_text(DOWN))
    for column in ("version", "leaving_on", "areas"):
        op.drop_column("practitioner", column, schema="s2s")


def _table(name: str, *parts: sa.schema.SchemaItem) -> None:
    """A table of what hangs on a practitioner."""
    op.create_table(
        name,
        sa.Column("practitioner_id", sa.BigInteger(), nullable=False),
        *parts,
        _reference(name, "practitioner_id", "practitioner", "id"),
        schema="s2s",
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


def _reference(table: str, column: str, to: str, key: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"s2s.{to}.{key}"], name=op.f(f"fk_{table}_{column}_{to}")
    )


def _text(file: Path) -> sa.TextClause:
    return sa.text(file.read_text(encoding="utf-8").replace(":", r"\:"))
