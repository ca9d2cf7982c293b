"""Colleagues on one draft: a section is filled in by somebody who was asked; a head agrees.

The statements are in `0014_colleagues.sql` beside this file, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0011"
branch_labels = None
depends_on = None

STATEMENTS = Path(__file__).with_suffix(".sql")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _contribution()
    op.create_table(
        "head_decision",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("answer", _choice("answer", "asked", "agreed", "not_yet"), nullable=False),
        _words("statement"),
        sa.Column("fee_pence", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("marks", postgresql.JSONB(), nullable=False),
        *_done(),
        sa.CheckConstraint(
            "(answer = 'agreed') = (statement <> '')", name=op.f("ck_head_decision_statement")
        ),
        _reference("head_decision", "referral_id", "referral"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_head_decision")),
        schema="s2s",
    )
    op.create_table(
        "head_remark",
        sa.Column("decision_id", sa.BigInteger(), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        _reference("head_remark", "decision_id", "head_decision"),
        _reference("head_remark", "referral_id", "referral"),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_head_remark")),
        schema="s2s",
    )
    for table in ("contribution", "head_decision", "head_remark"):
        op.create_index(op.f(f"ix_{table}_referral_id"), table, ["referral_id"], schema="s2s")
    op.execute(sa.text(STATEMENTS.read_text(encoding="utf-8").replace(":", r"\:")))


def _contribution() -> None:
    op.create_table(
        "contribution",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("urn", sa.Integer(), nullable=False),
        sa.Column("school_name", sa.Text(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("form_version", sa.SmallInteger(), nullable=False),
        _words("about"),
        _words("by_email"),
        sa.Column("colleague_name", sa.Text(), nullable=False),
        sa.Column("colleague_email", sa.Text(), nullable=False),
        _words("message"),
        _words("seen"),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("account_id", sa.Text(), nullable=True),
        _words("account_name"),
        sa.Column("tied_at", INSTANT, nullable=True),
        sa.Column("answers", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("saved_at", INSTANT, nullable=True),
        sa.Column("handed_back_at", INSTANT, nullable=True),
        sa.Column("taken_at", INSTANT, nullable=True),
        _words("taken_by_name"),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("ending", _choice("ending", "withdrawn", "expired", "sent"), nullable=True),
        *_done(),
        sa.CheckConstraint(
            "(account_id IS NULL) = (tied_at IS NULL)", name=op.f("ck_contribution_tied")
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ending IS NULL) AND (ended_at IS NULL OR taken_at IS NULL)",
            name=op.f("ck_contribution_ended"),
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL AND taken_at IS NULL)"
            " OR (answers IS NULL AND about = '' AND message = '')",
            name=op.f("ck_contribution_nothing_left"),
        ),
        sa.CheckConstraint(
            "handed_back_at IS NULL OR saved_at IS NOT NULL",
            name=op.f("ck_contribution_handed_back"),
        ),
        _reference("contribution", "referral_id", "referral"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contribution")),
        sa.UniqueConstraint("digest", name=op.f("uq_contribution_digest")),
        schema="s2s",
    )
    op.create_index(
        "uq_contribution_open",
        "contribution",
        ["referral_id", "section"],
        unique=True,
        schema="s2s",
        postgresql_where=sa.text("ended_at IS NULL AND taken_at IS NULL"),
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER end_contributions ON s2s.referral")
    op.execute("DROP FUNCTION s2s.end_contributions()")
    op.execute("DROP FUNCTION s2s.tie_contribution(text, timestamptz, text)")
    op.execute("DROP FUNCTION s2s.contribution_offer(text, timestamptz)")
    op.execute("DROP FUNCTION s2s.why_not_contribute(s2s.contribution, timestamptz)")
    op.drop_table("head_remark", schema="s2s")
    op.drop_table("head_decision", schema="s2s")
    op.drop_table("contribution", schema="s2s")
    op.execute("DROP FUNCTION s2s.check_contribution_change()")


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(
        *values, name=name, native_enum=False, create_constraint=True, length=40, schema="s2s"
    )


def _words(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _done() -> list[sa.Column[object]]:
    return [
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
    ]


def _reference(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"s2s.{to}.id"], name=op.f(f"fk_{table}_{column}_{to}")
    )
