-- Back to one practitioner for each case, who keeps it.
DROP TRIGGER ends_once ON s2s.allocation;
DROP TRIGGER ends_once ON s2s.supporter;
DROP FUNCTION s2s.refuse_second_ending();
DROP TRIGGER only_these ON s2s.allocation;
DROP TRIGGER only_these ON s2s.visit;
DROP FUNCTION s2s.refuse_other_change();

-- What happened is told in the words there were before: given to somebody, accepted with nobody.
ALTER TABLE s2s.referral_event DISABLE TRIGGER append_only;
UPDATE s2s.referral_event SET action = CASE action WHEN 'reallocated' THEN 'allocated'
        WHEN 'taken_back' THEN 'accepted' END
    WHERE action IN ('reallocated', 'taken_back');
DELETE FROM s2s.referral_event WHERE action IN ('support_added', 'support_ended');
ALTER TABLE s2s.referral_event ENABLE TRIGGER append_only;
ALTER TABLE s2s.workload_weight DISABLE TRIGGER append_only;
DELETE FROM s2s.workload_weight WHERE kind = 'support';
ALTER TABLE s2s.workload_weight ENABLE TRIGGER append_only;

ALTER POLICY outcome_wanted_result ON s2s.outcome_wanted
    USING ((SELECT s2s.acts_as('practitioner'))
        AND referral_id IN (SELECT s2s.allocated_referrals()));
ALTER POLICY visit_add ON s2s.visit
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('practitioner'))
        AND referral_id IN (SELECT s2s.allocated_referrals())
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status = 'allocated')));
ALTER POLICY visit_change ON s2s.visit
    USING ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('practitioner'))
        AND referral_id IN (SELECT s2s.allocated_referrals())));
DO $$
DECLARE
    part text;
    allocated text := $rule$(SELECT s2s.acts_as('system'))
        OR ((SELECT s2s.acts_as('practitioner'))
            AND referral_id IN (SELECT s2s.allocated_referrals()))$rule$;
BEGIN
    FOREACH part IN ARRAY ARRAY['visit_record', 'recommendation', 'addendum', 'record_document']
    LOOP
        EXECUTE format('ALTER POLICY %1$s_add ON s2s.%1$I WITH CHECK (%2$s)', part, allocated);
        IF part IN ('visit_record', 'recommendation') THEN
            EXECUTE format('ALTER POLICY %1$s_change ON s2s.%1$I USING (%2$s)', part, allocated);
            EXECUTE format('ALTER POLICY %1$s_remove ON s2s.%1$I USING (%2$s)', part, allocated);
        END IF;
    END LOOP;
END $$;
ALTER POLICY message_add ON s2s.message
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id()) AND (
        (side = 'school' AND (SELECT s2s.acts_as('school_referrer'))
            AND (EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                    AND r.status NOT IN ('draft', 'expired')
                    AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))
                OR EXISTS (SELECT FROM s2s.advice_request a WHERE a.id = advice_id
                    AND a.referral_id IS NULL
                    AND a.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))))
        OR (side = 'council' AND (SELECT s2s.acts_as('send_officer'))
            AND (EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                    AND r.status NOT IN ('draft', 'expired'))
                OR EXISTS (SELECT FROM s2s.advice_request a WHERE a.id = advice_id
                    AND a.referral_id IS NULL)))
        OR (((side = 'practitioner' AND (SELECT s2s.acts_as('practitioner')))
                OR (side = 'lead' AND (SELECT s2s.acts_as('provider_lead'))))
            AND referral_id IN (SELECT s2s.allocated_referrals())
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                AND r.status = 'allocated')))));
ALTER POLICY referral_change ON s2s.referral
    USING ((SELECT s2s.acts_as('system'))
        OR (status <> 'draft' AND (SELECT s2s.acts_as('send_officer')))
        OR (urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND status IN ('draft', 'returned', 'submitted', 'waiting', 'accepted', 'allocated')
            AND (SELECT s2s.acts_as('school_referrer')))
        OR ((SELECT s2s.acts_as('practitioner')) AND id IN (SELECT s2s.allocated_referrals())));
DROP POLICY supporter_read ON s2s.supporter;
DROP POLICY supporter_add ON s2s.supporter;
DROP POLICY supporter_change ON s2s.supporter;
DROP POLICY hand_over_note_add ON s2s.hand_over_note;
DROP FUNCTION s2s.working_referrals();
DROP FUNCTION s2s.led_referrals();
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

CREATE OR REPLACE FUNCTION s2s.note_breaches(day date, wanted bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
DECLARE
    today date := LEAST(day, (now() AT TIME ZONE 'Europe/London')::date);
    noted bigint;
BEGIN
    INSERT INTO s2s.clock_breach (clock_id, referral_id, step, due_on, noted_on, noted_at)
    SELECT c.id, c.referral_id, c.step, c.due_on, today, now()
    FROM s2s.referral_clock c
    WHERE c.state = 'running' AND c.due_on < today
      AND (wanted IS NULL OR c.referral_id = wanted)
      AND NOT EXISTS (SELECT FROM s2s.clock_breach b WHERE b.clock_id = c.id)
      AND NOT (c.step = 'first_visit' AND EXISTS (
        SELECT FROM s2s.visit v WHERE v.referral_id = c.referral_id
          AND v.ends_at >= c.started_at
          AND (v.ends_at AT TIME ZONE 'Europe/London')::date <= c.due_on))
    ON CONFLICT (clock_id) DO NOTHING;
    GET DIAGNOSTICS noted = ROW_COUNT;
    RETURN noted;
END $$;
