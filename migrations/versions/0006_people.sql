-- Who else may see what: the viewer of an academy trust.

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
