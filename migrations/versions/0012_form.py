"""What the form asks by kind of referral and by version, and what was typed but not saved yet.

A referral keeps the number of the form it was started with: those that exist have the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None


def _columns() -> dict[str, list[sa.Column]]:
    return {
        "referral": [
            sa.Column("form_version", sa.SmallInteger(), nullable=False, server_default="1"),
            sa.Column("criteria", ARRAY(sa.Text()), nullable=False, server_default="{}"),
            sa.Column("fewer_cycles", sa.Text(), nullable=False, server_default=""),
        ],
        "referral_subject": [
            sa.Column("services", JSONB(), nullable=False, server_default="[]"),
            sa.Column("audience", sa.Text(), nullable=False, server_default=""),
            sa.Column("staff_count", sa.SmallInteger(), nullable=True),
            sa.Column("themes", ARRAY(sa.Text()), nullable=False, server_default="{}"),
            sa.Column("topic", sa.Text(), nullable=False, server_default=""),
            sa.Column("preferred_dates", sa.Text(), nullable=False, server_default=""),
        ],
        "strategy_tried": [
            sa.Column("assessed", sa.Text(), nullable=False, server_default=""),
            sa.Column("delivered", sa.Text(), nullable=False, server_default=""),
        ],
        "outcome_wanted": [sa.Column("baseline", sa.SmallInteger(), nullable=True)],
        "agreement": [
            sa.Column("parental_responsibility", sa.Boolean(), nullable=True),
            sa.Column("scope", ARRAY(sa.Text()), nullable=False, server_default="{}"),
            sa.Column("shared_with", sa.Text(), nullable=False, server_default=""),
            sa.Column("evidence", sa.Text(), nullable=False, server_default=""),
            sa.Column("pupil_agreed", sa.Boolean(), nullable=True),
            sa.Column("pupil_agreed_on", sa.Date(), nullable=True),
        ],
    }


CHECKS = (
    ("referral", "ck_referral_form_version", "form_version >= 1"),
    ("referral_subject", "ck_referral_subject_services", "jsonb_typeof(services) = 'array'"),
    ("referral_subject", "ck_referral_subject_staff_count", "staff_count BETWEEN 1 AND 2000"),
    ("outcome_wanted", "ck_outcome_wanted_baseline", "baseline BETWEEN 0 AND 10"),
)

# A copy is its writer's alone, while the referral is in the school's hands.
MINE = """(SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id())
    AND (SELECT s2s.acts_as('school_referrer'))
    AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
        AND r.status IN ('draft', 'returned')
        AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[])))"""

UPGRADE = f"""
ALTER TABLE s2s.draft_copy ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON s2s.draft_copy TO s2s_app;
CREATE POLICY draft_copy_read ON s2s.draft_copy FOR SELECT USING ({MINE});
CREATE POLICY draft_copy_add ON s2s.draft_copy FOR INSERT WITH CHECK ({MINE});
CREATE POLICY draft_copy_change ON s2s.draft_copy FOR UPDATE USING ({MINE});
CREATE POLICY draft_copy_remove ON s2s.draft_copy FOR DELETE USING ({MINE});

-- Sent, so nobody goes on typing: with its owner's rights, as a colleague's copy is not the sender's.
CREATE FUNCTION s2s.forget_draft_copies() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    DELETE FROM s2s.draft_copy WHERE referral_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER forget_draft_copies AFTER UPDATE OF status ON s2s.referral
    FOR EACH ROW WHEN (NEW.status NOT IN ('draft', 'returned'))
    EXECUTE FUNCTION s2s.forget_draft_copies();

-- Whatever the code above forgets: no named pupil without a parent's or carer's agreement.
CREATE FUNCTION s2s.refuse_without_agreement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM s2s.agreement a WHERE a.referral_id = NEW.id AND a.agreed) THEN
        RAISE EXCEPTION 'a named pupil is not referred without agreement'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_without_agreement BEFORE UPDATE OF status ON s2s.referral
    FOR EACH ROW WHEN (NEW.kind = 'pupil' AND NEW.status = 'submitted'
        AND OLD.status IN ('draft', 'returned'))
    EXECUTE FUNCTION s2s.refuse_without_agreement();
"""

DOWNGRADE = """
DROP TRIGGER refuse_without_agreement ON s2s.referral;
DROP FUNCTION s2s.refuse_without_agreement();
DROP TRIGGER forget_draft_copies ON s2s.referral;
DROP FUNCTION s2s.forget_draft_copies();
"""


def _kinds(*kinds: str) -> None:
    op.drop_constraint(op.f("ck_referral_kind"), "referral", schema="s2s", type_="check")
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.create_check_constraint(
        op.f("ck_referral_kind"), "referral", f"kind IN ({listed})", schema="s2s"
    )


def upgrade() -> None:
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column, schema="s2s")
    for table, name, rule in CHECKS:
        op.create_check_constraint(op.f(name), table, rule, schema="s2s")
    _kinds("pupil", "group", "whole", "training")
    op.create_table(
        "draft_copy",
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fields", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["s2s.referral.id"],
            name="fk_draft_copy_referral_id_referral",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("referral_id", "section", "by_id", name="pk_draft_copy"),
        schema="s2s",
    )
    op.execute(sa.text(UPGRADE.replace(":", r"\:")))


def downgrade() -> None:
    """Referrals of a kind that the first form does not know keep no kind."""
    op.execute(DOWNGRADE)
    op.drop_table("draft_copy", schema="s2s")
    op.execute("UPDATE s2s.referral SET kind = NULL WHERE kind IN ('whole', 'training')")
    _kinds("pupil", "group")
    for table, name, _rule in CHECKS:
        op.drop_constraint(op.f(name), table, schema="s2s", type_="check")
    for table, columns in _columns().items():
        for column in columns:
            op.drop_column(table, column.name, schema="s2s")
