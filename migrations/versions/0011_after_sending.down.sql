-- Back to what 0003, 0005 and 0006 say. A withdrawn referral becomes a closed one, which is the nearest
-- that there was; the history says "closed" too, as the older release knows no other word.

DROP TRIGGER school_change ON s2s.referral;
ALTER TABLE s2s.referral_event DISABLE TRIGGER append_only;
UPDATE s2s.referral SET status = 'closed', closure = CASE
    WHEN withdrawal = 'WITHDRAWN_PARENT' THEN 'WITHDRAWN_PARENT' ELSE 'WITHDRAWN_SCHOOL' END
    WHERE status = 'withdrawn';
UPDATE s2s.referral_event SET action = 'closed' WHERE action IN ('withdrawn', 'agreement_withdrawn');
DROP TABLE s2s.section_change, s2s.section_opening, s2s.agreement_withdrawal, s2s.service_level;
DELETE FROM s2s.referral_event WHERE action = 'amended';
ALTER TABLE s2s.referral_event ENABLE TRIGGER append_only;

ALTER POLICY referral_change ON s2s.referral
    USING ((SELECT s2s.acts_as('system'))
        OR (status <> 'draft' AND (SELECT s2s.acts_as('send_officer')))
        OR (urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND status IN ('draft', 'returned') AND (SELECT s2s.acts_as('school_referrer')))
        OR ((SELECT s2s.acts_as('practitioner')) AND id IN (SELECT s2s.allocated_referrals())))
    WITH CHECK ((SELECT s2s.acts_as('system', 'send_officer'))
        OR (urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND status IN ('draft', 'returned', 'submitted')
            AND (SELECT s2s.acts_as('school_referrer'))));
DO $$
DECLARE
    part text;
    in_hand text := $rule$(SELECT s2s.acts_as('system'))
        OR ((SELECT s2s.acts_as('school_referrer'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                AND r.status IN ('draft', 'returned')
                AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[])))$rule$;
BEGIN
    FOREACH part IN ARRAY ARRAY['referral_subject', 'referral_need', 'strategy_tried',
                                'outcome_wanted', 'agreement']
    LOOP
        EXECUTE format('ALTER POLICY %1$s_add ON s2s.%1$I WITH CHECK (%2$s)', part, in_hand);
        EXECUTE format('ALTER POLICY %1$s_change ON s2s.%1$I USING (%2$s)', part, in_hand);
        EXECUTE format('ALTER POLICY %1$s_remove ON s2s.%1$I USING (%2$s)', part, in_hand);
    END LOOP;
END $$;
ALTER POLICY visit_add ON s2s.visit
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('practitioner'))
        AND referral_id IN (SELECT s2s.allocated_referrals())));
ALTER POLICY attachment_add ON s2s.attachment
    WITH CHECK ((SELECT s2s.acts_as('system'))
        OR (state = 'waiting' AND added_by_id = (SELECT s2s.acting_id()) AND (SELECT s2s.acts_as('school_referrer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status IN ('draft', 'returned')
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))));
ALTER POLICY attachment_change ON s2s.attachment
    USING ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('school_referrer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status IN ('draft', 'returned')
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))))
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (state = 'removed' AND (SELECT s2s.acts_as('school_referrer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status IN ('draft', 'returned')
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))));
DROP TRIGGER school_change ON s2s.referral_subject;
DROP TRIGGER school_change ON s2s.agreement;
DROP FUNCTION s2s.check_part_change();
DROP FUNCTION s2s.section_of_part(text, text, smallint, text);
DROP FUNCTION s2s.check_school_change();
DROP FUNCTION s2s.section_of_column(text);
DROP FUNCTION s2s.section_open(bigint, text);

CREATE OR REPLACE FUNCTION s2s.worklist_counts(most integer)
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

CREATE OR REPLACE VIEW s2s.school_referral_count AS
    SELECT r.urn, count(*) AS sent,
        count(*) FILTER (WHERE r.status NOT IN ('closed', 'declined')) AS open,
        count(*) FILTER (WHERE r.status IN ('closed', 'declined')) AS closed
    FROM s2s.referral r
    WHERE r.submitted_at IS NOT NULL
      AND ((SELECT s2s.acts_as('system'))
        OR ((SELECT s2s.acts_as('trust_viewer'))
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[])))
    GROUP BY r.urn;
