"""People: the viewer of an academy trust, and how an account is tied to a practitioner.

A trust sees counts and charges, no referral. A practitioner or lead is tied to an account by an
invitation or by an administrator; untied, switched off or gone to another school they see no
referral. The statements are in `0006_people.sql` beside this file, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATEMENTS = Path(__file__).with_suffix(".sql")
INSTANT = sa.DateTime(timezone=True)

# As `0003_guards.sql` has them.
BEFORE = """
ALTER POLICY account_read ON s2s.account
    USING ((SELECT s2s.acts_as('finance', 'finance_approver', 'send_officer', 'manager', 'auditor',
                               'system'))
        OR ((SELECT s2s.acts_as('school_referrer'))
            AND urn = ANY ((SELECT s2s.acting_establishments())::integer[])));
ALTER POLICY ledger_entry_read ON s2s.ledger_entry
    USING ((SELECT s2s.acts_as('finance', 'finance_approver', 'send_officer', 'manager', 'auditor',
                               'system'))
        OR ((SELECT s2s.acts_as('school_referrer'))
            AND urn = ANY ((SELECT s2s.acting_establishments())::integer[])));
ALTER POLICY practitioner_read ON s2s.practitioner
    USING ((SELECT s2s.acts_as('send_officer', 'administrator', 'system'))
        OR ((SELECT s2s.acts_as('practitioner', 'provider_lead'))
            AND provider_urn = (SELECT s2s.acting_provider())));
CREATE OR REPLACE FUNCTION s2s.allocated_referrals() RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT a.referral_id
        FROM s2s.allocation a JOIN s2s.practitioner p ON p.id = a.practitioner_id
        WHERE a.ended_at IS NULL
          AND ((s2s.acts_as('practitioner') AND p.account_id = s2s.acting_id() AND p.active)
            OR (s2s.acts_as('provider_lead') AND p.provider_urn = s2s.acting_provider()))
    $$;
DROP VIEW s2s.school_referral_count;
DROP FUNCTION s2s.tie_by_invitation(text, timestamptz, text);
DROP FUNCTION s2s.invited(text, timestamptz);
DROP FUNCTION s2s.why_not_tied(s2s.practitioner_invitation, timestamptz);
"""


def upgrade() -> None:
    op.create_table(
        "practitioner_invitation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("practitioner_id", sa.BigInteger(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", INSTANT, nullable=True),
        sa.Column("used_at", INSTANT, nullable=True),
        sa.Column("used_by_id", sa.Text(), nullable=True),
        sa.Column("used_by_name", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(used_at IS NULL) = (used_by_id IS NULL)", name="ck_practitioner_invitation_used"
        ),
        sa.ForeignKeyConstraint(
            ["practitioner_id"],
            ["s2s.practitioner.id"],
            name="fk_practitioner_invitation_practitioner_id_practitioner",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_practitioner_invitation"),
        sa.UniqueConstraint("digest", name="uq_practitioner_invitation_digest"),
        schema="s2s",
    )
    op.create_index(
        "ix_practitioner_invitation_practitioner_id",
        "practitioner_invitation",
        ["practitioner_id"],
        schema="s2s",
    )
    op.create_table(
        "newcomer",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("provider_urn", sa.Integer(), nullable=True),
        sa.Column("is_practitioner", sa.Boolean(), nullable=False),
        sa.Column("is_lead", sa.Boolean(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_newcomer"),
        schema="s2s",
    )
    op.execute(sa.text(STATEMENTS.read_text(encoding="utf-8").replace(":", r"\:")))


def downgrade() -> None:
    op.execute(sa.text(BEFORE.replace(":", r"\:")))
    op.drop_table("newcomer", schema="s2s")
    op.drop_table("practitioner_invitation", schema="s2s")
