-- Reallocation and supporting practitioners: who sees the case, who writes in it, who hands it on.
-- The tables are in the .py file beside this one.

-- 1. Who sees a case, and who works on it ----------------------------------------------------------
-- What is allocated now, or supported: to a practitioner who is active and of the school they signed
-- on for; to anybody of a lead's school, if the lead's own account is tied there and active too.
CREATE OR REPLACE FUNCTION s2s.allocated_referrals() RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT mine.referral_id
        FROM s2s.practitioner p
        JOIN LATERAL (
            SELECT a.referral_id FROM s2s.allocation a
                WHERE a.practitioner_id = p.id AND a.ended_at IS NULL
            UNION ALL
            SELECT s.referral_id FROM s2s.supporter s
                WHERE s.practitioner_id = p.id AND s.ended_at IS NULL) mine ON true
        WHERE (s2s.acts_as('practitioner') AND p.account_id = s2s.acting_id() AND p.active
                AND p.provider_urn = s2s.acting_provider())
            OR (s2s.acts_as('provider_lead') AND p.provider_urn = s2s.acting_provider()
                AND EXISTS (SELECT FROM s2s.practitioner me
                    WHERE me.account_id = s2s.acting_id() AND me.active
                      AND me.provider_urn = s2s.acting_provider()))
    $$;

-- What the acting practitioner leads: outcomes and hand-over notes are theirs alone.
CREATE FUNCTION s2s.led_referrals() RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT a.referral_id FROM s2s.allocation a
        WHERE a.practitioner_id = s2s.own_practitioner() AND a.ended_at IS NULL
    $$;

-- Where the acting practitioner writes: who shadows reads only.
CREATE FUNCTION s2s.working_referrals() RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT s2s.led_referrals()
        UNION ALL
        SELECT s.referral_id FROM s2s.supporter s
        WHERE s.practitioner_id = s2s.own_practitioner() AND s.ended_at IS NULL
          AND s.role <> 'shadowing'
    $$;
REVOKE ALL ON FUNCTION s2s.led_referrals(), s2s.working_referrals() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.led_referrals(), s2s.working_referrals() TO s2s_app;

ALTER POLICY outcome_wanted_result ON s2s.outcome_wanted
    USING ((SELECT s2s.acts_as('practitioner')) AND referral_id IN (SELECT s2s.led_referrals()));
ALTER POLICY visit_add ON s2s.visit
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('practitioner'))
        AND practitioner_id = (SELECT s2s.own_practitioner())
        AND referral_id IN (SELECT s2s.working_referrals())
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status = 'allocated')));
DO $$
DECLARE
    part text;
    works text := $rule$(SELECT s2s.acts_as('system'))
        OR ((SELECT s2s.acts_as('practitioner'))
            AND referral_id IN (SELECT s2s.working_referrals()))$rule$;
BEGIN
    FOREACH part IN ARRAY ARRAY['visit_record', 'recommendation', 'addendum', 'record_document']
    LOOP
        EXECUTE format('ALTER POLICY %1$s_add ON s2s.%1$I WITH CHECK (%2$s)', part, works);
        IF part IN ('visit_record', 'recommendation') THEN
            EXECUTE format('ALTER POLICY %1$s_change ON s2s.%1$I USING (%2$s)', part, works);
            EXECUTE format('ALTER POLICY %1$s_remove ON s2s.%1$I USING (%2$s)', part, works);
        END IF;
    END LOOP;
END $$;

-- Who shadows reads the messages, and writes none.
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
        OR (((side = 'practitioner' AND (SELECT s2s.acts_as('practitioner'))
                    AND referral_id IN (SELECT s2s.working_referrals()))
                OR (side = 'lead' AND (SELECT s2s.acts_as('provider_lead'))
                    AND referral_id IN (SELECT s2s.allocated_referrals())))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                AND r.status = 'allocated')))));

-- A lead may lock the row too (SELECT FOR UPDATE asks this) to add a supporter; WITH CHECK refuses
-- any change of it.
ALTER POLICY referral_change ON s2s.referral
    USING ((SELECT s2s.acts_as('system'))
        OR (status <> 'draft' AND (SELECT s2s.acts_as('send_officer')))
        OR (urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND status IN ('draft', 'returned', 'submitted', 'waiting', 'accepted', 'allocated')
            AND (SELECT s2s.acts_as('school_referrer')))
        OR ((SELECT s2s.acts_as('practitioner', 'provider_lead'))
            AND id IN (SELECT s2s.allocated_referrals())));

-- 2. A visit is handed over or cancelled by officers; nothing else of it ever changes --------------
-- The same of an allocation: it ends, once, and stays what it was. The service itself may mend.
CREATE FUNCTION s2s.refuse_other_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = s2s, pg_temp
    AS $$
BEGIN
    IF current_user = 's2s_app' AND NOT s2s.acts_as('system')
        AND to_jsonb(NEW) - TG_ARGV IS DISTINCT FROM to_jsonb(OLD) - TG_ARGV THEN
        RAISE EXCEPTION 'of s2s.% nothing is changed but %', TG_TABLE_NAME,
            array_to_string(TG_ARGV, ', ') USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
GRANT EXECUTE ON FUNCTION s2s.refuse_other_change() TO s2s_app;
CREATE TRIGGER only_these BEFORE UPDATE ON s2s.visit
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_other_change('allocation_id', 'practitioner_id',
        'writer_id', 'cancelled_at', 'cancelled_by_id', 'cancelled_by_name');
CREATE TRIGGER only_these BEFORE UPDATE ON s2s.allocation
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_other_change('ended_at', 'ended_reason');
ALTER POLICY visit_change ON s2s.visit USING ((SELECT s2s.acts_as('send_officer', 'system')));

-- A visit that does not take place keeps no promise of a first visit.
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
        SELECT FROM s2s.visit v WHERE v.referral_id = c.referral_id AND v.cancelled_at IS NULL
          AND v.ends_at >= c.started_at
          AND (v.ends_at AT TIME ZONE 'Europe/London')::date <= c.due_on))
    ON CONFLICT (clock_id) DO NOTHING;
    GET DIAGNOSTICS noted = ROW_COUNT;
    RETURN noted;
END $$;

-- 3. An allocation ends once -----------------------------------------------------------------------
CREATE FUNCTION s2s.refuse_second_ending() RETURNS trigger
    LANGUAGE plpgsql SET search_path = s2s, pg_temp
    AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL AND current_user = 's2s_app' AND NOT s2s.acts_as('system') THEN
        RAISE EXCEPTION 'what has ended in s2s.% stays so', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
GRANT EXECUTE ON FUNCTION s2s.refuse_second_ending() TO s2s_app;
CREATE TRIGGER ends_once BEFORE UPDATE ON s2s.allocation
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_second_ending();
CREATE TRIGGER ends_once BEFORE UPDATE ON s2s.supporter
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_second_ending();

-- 4. The new tables --------------------------------------------------------------------------------
GRANT SELECT, INSERT ON s2s.allocation_ending, s2s.hand_over_note, s2s.supporter TO s2s_app;
GRANT UPDATE (ended_at, ended_by_id, ended_by_name, ended_reason) ON s2s.supporter TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;
DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['allocation_ending', 'hand_over_note', 'supporter']
    LOOP
        EXECUTE format('ALTER TABLE s2s.%I ENABLE ROW LEVEL SECURITY', part);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.%I
            FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
    -- Inside the service: officers, and whoever has the case now. Never its school.
    FOREACH part IN ARRAY ARRAY['allocation_ending', 'hand_over_note']
    LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.%I
            FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change()', part);
        EXECUTE format($p$CREATE POLICY %1$s_read ON s2s.%1$I FOR SELECT
            USING ((SELECT s2s.acts_as('send_officer', 'system'))
                OR referral_id IN (SELECT s2s.allocated_referrals()))$p$, part);
    END LOOP;
END $$;
CREATE POLICY allocation_ending_add ON s2s.allocation_ending FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('send_officer'))
        AND by_id = (SELECT s2s.acting_id())));
CREATE POLICY hand_over_note_add ON s2s.hand_over_note FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('practitioner'))
        AND by_id = (SELECT s2s.acting_id())
        AND referral_id IN (SELECT s2s.led_referrals())));

-- A school knows who comes; a lead adds and ends supporters of their own staff alone; whoever
-- writes a last record ends their own row with it.
CREATE POLICY supporter_read ON s2s.supporter FOR SELECT
    USING ((SELECT s2s.acts_as('send_officer', 'system'))
        OR EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
CREATE POLICY supporter_add ON s2s.supporter FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('send_officer', 'system'))
        OR (practitioner_id IN (SELECT s2s.kept_practitioners())
            AND role <> 'writing'
            AND referral_id IN (SELECT s2s.allocated_referrals())));
CREATE POLICY supporter_change ON s2s.supporter FOR UPDATE
    USING ((SELECT s2s.acts_as('send_officer', 'system'))
        OR practitioner_id IN (SELECT s2s.kept_practitioners())
        OR (role = 'writing' AND practitioner_id = (SELECT s2s.own_practitioner())))
    -- Who ends their own row no longer sees the case, and need not.
    WITH CHECK (true);
