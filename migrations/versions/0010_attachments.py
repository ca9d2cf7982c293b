"""Files that a school attaches: who may see and add them, and that none is had before it is scanned.

A school adds a file as `waiting` and may remove it while the referral is in its hands; only the
service itself can say that a file is clean. What a file is never changes, and what is gone stays so.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0006"
branch_labels = None
depends_on = None

IN_HAND = """(SELECT s2s.acts_as('school_referrer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status IN ('draft', 'returned')
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))"""

UPGRADE = f"""
ALTER TABLE s2s.attachment ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE ON s2s.attachment TO s2s_app;
CREATE POLICY attachment_read ON s2s.attachment FOR SELECT
    USING (EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
CREATE POLICY attachment_add ON s2s.attachment FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system'))
        OR (state = 'waiting' AND added_by_id = (SELECT s2s.acting_id()) AND {IN_HAND}));
CREATE POLICY attachment_change ON s2s.attachment FOR UPDATE
    USING ((SELECT s2s.acts_as('system')) OR ({IN_HAND}))
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (state = 'removed' AND {IN_HAND}));

CREATE FUNCTION s2s.check_attachment_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.referral_id, NEW.number, NEW.type, NEW.extension, NEW.size, NEW.sha256, NEW.name,
            NEW.added_at, NEW.added_by_id, NEW.added_by_name)
        IS DISTINCT FROM (OLD.referral_id, OLD.number, OLD.type, OLD.extension, OLD.size,
            OLD.sha256, OLD.name, OLD.added_at, OLD.added_by_id, OLD.added_by_name)
        OR (NEW.label <> OLD.label AND NEW.label <> '')
    THEN
        RAISE EXCEPTION 'what an attached file is never changes'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state IN ('removed', 'disposed')
            OR NEW.state = 'waiting' OR (NEW.state = 'clean' AND OLD.state <> 'waiting')) THEN
        RAISE EXCEPTION 'an attached file does not become % after it was %', NEW.state, OLD.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_onwards BEFORE UPDATE ON s2s.attachment
    FOR EACH ROW EXECUTE FUNCTION s2s.check_attachment_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.attachment
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();
"""

TYPES = ("ISP", "PMAP", "EHCP", "RPT", "CONS", "BEH", "RISK", "ATT", "OPP", "OTH")
STATES = ("waiting", "clean", "refused", "removed", "disposed")


def choice(values: tuple[str, ...], name: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def moment(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def words(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def upgrade() -> None:
    op.create_table(
        "attachment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("type", choice(TYPES, "type"), nullable=False),
        words("label"),
        sa.Column("extension", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", choice(STATES, "state"), nullable=False),
        moment("added_at", nullable=False),
        sa.Column("added_by_id", sa.Text(), nullable=False),
        sa.Column("added_by_name", sa.Text(), nullable=False),
        moment("tried_at"),
        moment("scanned_at"),
        words("found"),
        moment("gone_at"),
        words("gone_by_id"),
        words("gone_by_name"),
        moment("deleted_at"),
        sa.CheckConstraint("number > 0 AND size > 0", name=op.f("ck_attachment_sizes")),
        sa.CheckConstraint(
            "(state IN ('removed', 'disposed')) = (gone_at IS NOT NULL)",
            name=op.f("ck_attachment_gone"),
        ),
        sa.CheckConstraint("gone_at IS NULL OR label = ''", name=op.f("ck_attachment_label_gone")),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["s2s.referral.id"], name="fk_attachment_referral_id_referral"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_attachment"),
        sa.UniqueConstraint("name", name="uq_attachment_name"),
        sa.UniqueConstraint("referral_id", "number", name="uq_attachment_referral_id_number"),
        schema="s2s",
    )
    op.create_index("ix_attachment_added", "attachment", ["added_by_id", "added_at"], schema="s2s")
    op.create_index(
        "ix_attachment_waiting",
        "attachment",
        ["added_at"],
        schema="s2s",
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "ix_attachment_content_left",
        "attachment",
        ["id"],
        schema="s2s",
        postgresql_where=sa.text(
            "state IN ('refused', 'removed', 'disposed') AND deleted_at IS NULL"
        ),
    )
    op.execute(sa.text(UPGRADE.replace(":", r"\:")))


def downgrade() -> None:
    op.drop_table("attachment", schema="s2s")
    op.execute("DROP FUNCTION s2s.check_attachment_change()")
