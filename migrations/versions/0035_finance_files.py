"""Each download of a pull's file, Finance's answers, and what the API keeps of its clients.

The statements that are not tables are in the `.sql` file beside this one, where a DBA reads them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")
TABLES = ("api_use", "api_answer", "response_line", "response_file", "pull_download")


def upgrade() -> None:
    _table(
        "pull_download",
        sa.Column("pull_number", sa.Integer(), nullable=False),
        _text("name"),
        sa.Column("copy", sa.Integer(), nullable=False),
        *_done(),
        _reference("pull_download", "pull_number", "pull", "number"),
        sa.PrimaryKeyConstraint("pull_number", "name", "copy", name=op.f("pk_pull_download")),
    )
    op.create_index("ix_pull_download_by_id", "pull_download", ["by_id", "at"], schema="s2s")
    _responses()
    _table(
        "api_answer",
        _text("key"),
        _text("fingerprint"),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        _text("location", empty=True),
        _text("body"),
        *_done(),
        sa.PrimaryKeyConstraint("by_id", "key", name=op.f("pk_api_answer")),
    )
    _table(
        "api_use",
        _text("by_id"),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("by_id", "minute", name=op.f("pk_api_use")),
    )
    op.execute(sa.text(UP.read_text(encoding="utf-8").replace(":", r"\:")))


def _responses() -> None:
    _table(
        "response_file",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("pull_number", sa.Integer(), nullable=False),
        _text("sha256"),
        *_done(),
        _reference("response_file", "pull_number", "pull", "number"),
        sa.UniqueConstraint("sha256", name=op.f("uq_response_file_sha256")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_response_file")),
    )
    op.create_index(
        op.f("ix_response_file_pull_number"), "response_file", ["pull_number"], schema="s2s"
    )
    _table(
        "response_line",
        sa.Column("response_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("entry_number", sa.BigInteger(), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum(
                "collected",
                "rejected",
                "query",
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=40,
                schema="s2s",
            ),
            nullable=False,
        ),
        _text("finance_reference", empty=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("amount_pence", sa.BigInteger(), nullable=False),
        _text("reason", empty=True),
        sa.CheckConstraint(
            "outcome = 'collected' OR reason <> ''", name=op.f("ck_response_line_reason")
        ),
        _reference("response_line", "response_id", "response_file", "id"),
        _reference("response_line", "entry_number", "ledger_entry", "number"),
        sa.PrimaryKeyConstraint("response_id", "line", name=op.f("pk_response_line")),
    )
    op.create_index(
        "ix_response_line_entry_number",
        "response_line",
        ["entry_number", "response_id"],
        schema="s2s",
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table, schema="s2s")


def _table(name: str, *parts: sa.schema.SchemaItem) -> None:
    op.create_table(name, *parts, schema="s2s")


def _text(name: str, *, empty: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="" if empty else None, nullable=False)


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
