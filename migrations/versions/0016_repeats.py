"""Referrals about the same pupil or class find each other, and evidence of agreement can be a file.

The statements are in `0016_repeats.sql` beside this file, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")

# Which section the new columns belong to. Other revisions write to the same two functions: this
# changes their text where it must and leaves whatever else they say.
SECTIONS = r"""
DO $sections$
DECLARE part record; was text; becomes text;
BEGIN
    FOR part IN SELECT * FROM (VALUES
        ('s2s.section_of_column(text)', $a$SELECT CASE$a$,
         $b$SELECT CASE WHEN name IN ('repeats', 'repeat_reason') THEN 'repeat'$b$),
        ('s2s.section_of_part(text, text, smallint, text)', $a$'evidence', 'privacy_notice'$a$,
         $b$'evidence', 'evidence_file', 'privacy_notice'$b$)) AS parts (name, before, after)
    LOOP
        was := pg_get_functiondef(part.name::regprocedure);
        becomes := replace(was, part.FROM_WORDS, part.TO_WORDS);
        IF was = becomes THEN
            RAISE EXCEPTION '% does not say what this revision changes', part.name;
        END IF;
        EXECUTE becomes;
    END LOOP;
END $sections$
"""


def _sections(old: str, new: str) -> None:
    statement = SECTIONS.replace("FROM_WORDS", old).replace("TO_WORDS", new)
    op.execute(sa.text(statement.replace(":", r"\:")))


def upgrade() -> None:
    op.create_table(
        "match_mark",
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.CheckConstraint("basis IN ('upn', 'name', 'group')", name="ck_match_mark_basis"),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["s2s.referral.id"], name="fk_match_mark_referral_id_referral"
        ),
        sa.PrimaryKeyConstraint("referral_id", "mark", name="pk_match_mark"),
        schema="s2s",
    )
    op.create_index("ix_match_mark_mark", "match_mark", ["mark"], schema="s2s")
    op.add_column(
        "referral",
        sa.Column("repeats", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        schema="s2s",
    )
    op.add_column(
        "referral",
        sa.Column("repeat_reason", sa.Text(), server_default="", nullable=False),
        schema="s2s",
    )
    op.add_column(
        "agreement", sa.Column("evidence_file", sa.SmallInteger(), nullable=True), schema="s2s"
    )
    op.create_foreign_key(
        "fk_agreement_evidence_file",
        "agreement",
        "attachment",
        ["referral_id", "evidence_file"],
        ["referral_id", "number"],
        source_schema="s2s",
        referent_schema="s2s",
    )
    _sections("before", "after")
    op.execute(sa.text(UP.read_text(encoding="utf-8").replace(":", r"\:")))


def downgrade() -> None:
    _sections("after", "before")
    op.execute("DROP FUNCTION s2s.school_search(text, text, timestamptz, bigint, integer)")
    op.execute("DROP FUNCTION s2s.repeats_of(bigint, timestamptz)")
    op.execute("DROP FUNCTION s2s.set_match(bigint, text, text[], text[])")
    op.drop_constraint("fk_agreement_evidence_file", "agreement", schema="s2s")
    op.drop_column("agreement", "evidence_file", schema="s2s")
    op.drop_column("referral", "repeat_reason", schema="s2s")
    op.drop_column("referral", "repeats", schema="s2s")
    op.drop_table("match_mark", schema="s2s")
