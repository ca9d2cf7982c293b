-- Who else may see what: the viewer of an academy trust; how an account is tied to a practitioner.

-- 1. The viewer of a trust -----------------------------------------------------------------------
-- Its schools' charges as the schools themselves read them; of their referrals the number alone.
ALTER POLICY account_read ON s2s.account
    USING ((SELECT s2s.acts_as('finance', 'finance_approver', 'send_officer', 'manager', 'auditor',
                               'system'))
        OR ((SELECT s2s.acts_as('school_referrer', 'trust_viewer'))
            AND urn = ANY ((SELECT s2s.acting_establishments())::integer[])));
ALTER POLICY ledger_entry_read ON s2s.ledger_entry
    USING ((SELECT s2s.acts_as('finance', 'finance_approver', 'send_officer', 'manager', 'auditor',
                               'system'))
        OR ((SELECT s2s.acts_as('school_referrer', 'trust_viewer'))
            AND urn = ANY ((SELECT s2s.acting_establishments())::integer[])));

-- With its owner's rights: a viewer of a trust sees no row of referral.
CREATE VIEW s2s.school_referral_count AS
    SELECT r.urn, count(*) AS sent,
        count(*) FILTER (WHERE r.status NOT IN ('closed', 'declined')) AS open,
        count(*) FILTER (WHERE r.status IN ('closed', 'declined')) AS closed
    FROM s2s.referral r
    WHERE r.submitted_at IS NOT NULL
      AND ((SELECT s2s.acts_as('system'))
        OR ((SELECT s2s.acts_as('trust_viewer'))
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[])))
    GROUP BY r.urn;
GRANT SELECT ON s2s.school_referral_count TO s2s_app;

-- 2. Invitations, and accounts that are nobody here yet -------------------------------------------
ALTER TABLE s2s.practitioner_invitation ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.newcomer ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE ON s2s.practitioner_invitation TO s2s_app;
GRANT SELECT, INSERT ON s2s.newcomer TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;

CREATE POLICY practitioner_invitation_read ON s2s.practitioner_invitation FOR SELECT
    USING ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY practitioner_invitation_add ON s2s.practitioner_invitation FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY practitioner_invitation_change ON s2s.practitioner_invitation FOR UPDATE
    USING ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY newcomer_read ON s2s.newcomer FOR SELECT
    USING ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY newcomer_add ON s2s.newcomer FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (account_id = (SELECT s2s.acting_id())
        AND (SELECT s2s.acts_as('practitioner', 'provider_lead'))));
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.newcomer
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.newcomer
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();

-- Everybody at a Complex Needs School finds their own row, though it be another school's.
ALTER POLICY practitioner_read ON s2s.practitioner
    USING ((SELECT s2s.acts_as('send_officer', 'administrator', 'system'))
        OR ((SELECT s2s.acts_as('practitioner', 'provider_lead'))
            AND (provider_urn = (SELECT s2s.acting_provider())
                OR account_id = (SELECT s2s.acting_id()))));

-- What is allocated now: to a practitioner who is active and still of the school they signed on
-- for; to anybody of a lead's school, if the lead's own account is tied there and active too.
CREATE OR REPLACE FUNCTION s2s.allocated_referrals() RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT a.referral_id
        FROM s2s.allocation a JOIN s2s.practitioner p ON p.id = a.practitioner_id
        WHERE a.ended_at IS NULL
          AND ((s2s.acts_as('practitioner') AND p.account_id = s2s.acting_id() AND p.active
                AND p.provider_urn = s2s.acting_provider())
            OR (s2s.acts_as('provider_lead') AND p.provider_urn = s2s.acting_provider()
                AND EXISTS (SELECT FROM s2s.practitioner me
                    WHERE me.account_id = s2s.acting_id() AND me.active
                      AND me.provider_urn = s2s.acting_provider())))
    $$;

-- Who holds an invitation may read and change neither table. These two act for them: the first says
-- whom the invitation is for, the second ties; both give the same reason when it cannot be done.
CREATE FUNCTION s2s.why_not_tied(invitation s2s.practitioner_invitation, as_of timestamptz)
    RETURNS text
    LANGUAGE sql STABLE SET search_path = s2s, pg_temp
    AS $$
        SELECT CASE
            WHEN invitation.used_at IS NOT NULL THEN 'used'
            WHEN invitation.withdrawn_at IS NOT NULL THEN 'withdrawn'
            WHEN invitation.expires_at <= as_of THEN 'expired'
            WHEN NOT s2s.acts_as(CASE WHEN p.is_lead THEN 'provider_lead' ELSE 'practitioner' END)
                THEN 'role'
            WHEN p.provider_urn IS DISTINCT FROM s2s.acting_provider() THEN 'provider'
            WHEN p.account_id IS NOT NULL THEN 'tied'
            WHEN NOT p.active THEN 'inactive'
            WHEN EXISTS (SELECT FROM s2s.practitioner q WHERE q.account_id = s2s.acting_id())
                THEN 'account'
        END
        FROM s2s.practitioner p WHERE p.id = invitation.practitioner_id
    $$;

CREATE FUNCTION s2s.invited(token_digest text, as_of timestamptz)
    RETURNS TABLE (name text, is_lead boolean, provider_name text, why_not text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT p.name, p.is_lead, e.name, s2s.why_not_tied(i, as_of)
        FROM s2s.practitioner_invitation i
        JOIN s2s.practitioner p ON p.id = i.practitioner_id
        JOIN s2s.establishment e ON e.urn = p.provider_urn
        WHERE i.digest = token_digest
    $$;

CREATE FUNCTION s2s.tie_by_invitation(token_digest text, as_of timestamptz, by_name text)
    RETURNS TABLE (practitioner_id bigint, why_not text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    invitation s2s.practitioner_invitation;
    reason text;
BEGIN
    -- Whoever ties, unties or withdraws locks the practitioner first, so that of two who come at
    -- once the second reads the invitation as the first has left it.
    PERFORM FROM s2s.practitioner p
        WHERE p.id = (SELECT i.practitioner_id FROM s2s.practitioner_invitation i
            WHERE i.digest = token_digest) FOR UPDATE;
    SELECT * INTO invitation FROM s2s.practitioner_invitation i WHERE i.digest = token_digest;
    IF NOT FOUND THEN RETURN; END IF;
    reason := s2s.why_not_tied(invitation, as_of);
    IF reason IS NULL THEN
        UPDATE s2s.practitioner SET account_id = s2s.acting_id()
            WHERE id = invitation.practitioner_id;
        UPDATE s2s.practitioner_invitation
            SET used_at = as_of, used_by_id = s2s.acting_id(), used_by_name = by_name
            WHERE id = invitation.id;
    END IF;
    RETURN QUERY SELECT invitation.practitioner_id, reason;
END $$;
REVOKE ALL ON FUNCTION s2s.invited(text, timestamptz),
    s2s.tie_by_invitation(text, timestamptz, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.invited(text, timestamptz),
    s2s.tie_by_invitation(text, timestamptz, text) TO s2s_app;
