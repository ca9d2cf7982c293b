"""Sign-ons that have ended, and the counts of the officers' worklist.

A host that keeps its session in a cookie cannot take it back: what has ended is written down here,
and every request of ours looks. The counts come from a function with its owner's rights, so that
PostgreSQL can count from the index alone; it answers officers only.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Whose row it is: a session's digest belongs to whoever has the session, an account to its owner.
MINE = "key LIKE 'session:%' OR key = 'account:' || (SELECT s2s.acting_id())"

UPGRADE = f"""
ALTER TABLE s2s.ended_sign_on ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON s2s.ended_sign_on TO s2s_app;
CREATE POLICY ended_sign_on_read ON s2s.ended_sign_on FOR SELECT
    USING ((SELECT s2s.acts_as('administrator', 'system')) OR {MINE});
CREATE POLICY ended_sign_on_add ON s2s.ended_sign_on FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')) OR {MINE});
CREATE POLICY ended_sign_on_change ON s2s.ended_sign_on FOR UPDATE
    USING ((SELECT s2s.acts_as('administrator', 'system')) OR {MINE});
CREATE POLICY ended_sign_on_remove ON s2s.ended_sign_on FOR DELETE
    USING ((SELECT s2s.acts_as('system')));

-- What has ended stays ended: an end may only be moved later.
CREATE FUNCTION s2s.refuse_earlier_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.key <> OLD.key OR NEW.ended_at < OLD.ended_at THEN
        RAISE EXCEPTION 'a sign-on that has ended stays ended'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stays_ended BEFORE UPDATE ON s2s.ended_sign_on
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_earlier_end();

CREATE FUNCTION s2s.worklist_counts(most integer)
    RETURNS TABLE (status text, number bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
BEGIN
    IF NOT s2s.acts_as('send_officer', 'system') THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT pile.status, (SELECT count(*) FROM (
            SELECT FROM s2s.referral r WHERE r.status = pile.status LIMIT most) AS found)
        FROM unnest(ARRAY['submitted', 'returned', 'accepted', 'allocated', 'closed', 'declined'])
            AS pile (status);
END $$;
REVOKE ALL ON FUNCTION s2s.worklist_counts(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.worklist_counts(integer) TO s2s_app;
"""


def upgrade() -> None:
    op.create_table(
        "ended_sign_on",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_ended_sign_on"),
        schema="s2s",
    )
    op.execute(sa.text(UPGRADE.replace(":", r"\:")))


def downgrade() -> None:
    op.execute("DROP FUNCTION s2s.worklist_counts(integer)")
    op.drop_table("ended_sign_on", schema="s2s")
    op.execute("DROP FUNCTION s2s.refuse_earlier_end()")
