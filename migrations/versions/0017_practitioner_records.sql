-- Practitioners as records: who keeps them, who reads them, and what nobody but an administrator
-- changes. The tables are in the .py file beside this one.

-- 1. Who keeps whom --------------------------------------------------------------------------------
-- The school whose lead is acting, if the lead's own account is tied there and active.
CREATE FUNCTION s2s.leads_provider() RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT me.provider_urn FROM s2s.practitioner me
        WHERE s2s.acts_as('provider_lead') AND me.account_id = s2s.acting_id() AND me.active
          AND me.provider_urn = s2s.acting_provider()
    $$;

-- The practitioners whose records the acting lead keeps: those of their school, leads excepted.
CREATE FUNCTION s2s.kept_practitioners() RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT p.id FROM s2s.practitioner p
        WHERE p.provider_urn = s2s.leads_provider() AND NOT p.is_lead
    $$;

-- The acting practitioner's own number.
CREATE FUNCTION s2s.own_practitioner() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT p.id FROM s2s.practitioner p
        WHERE s2s.acts_as('practitioner') AND p.account_id = s2s.acting_id() AND p.active
          AND p.provider_urn = s2s.acting_provider()
    $$;

-- How many open referrals somebody has: an administrator, who sees no referral, has to know before
-- they say that the person is no longer active. NULL for whoever may not ask.
CREATE FUNCTION s2s.open_cases(number bigint) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT CASE WHEN s2s.acts_as('administrator', 'send_officer', 'system')
                OR number IN (SELECT s2s.kept_practitioners())
            THEN (SELECT count(*) FROM s2s.allocation a JOIN s2s.referral r ON r.id = a.referral_id
                WHERE a.practitioner_id = number AND a.ended_at IS NULL
                  AND r.status = 'allocated') END
    $$;
REVOKE ALL ON FUNCTION s2s.leads_provider(), s2s.kept_practitioners(), s2s.own_practitioner(),
    s2s.open_cases(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.leads_provider(), s2s.kept_practitioners(), s2s.own_practitioner(),
    s2s.open_cases(bigint) TO s2s_app;

-- 2. The practitioner ------------------------------------------------------------------------------
ALTER POLICY practitioner_add ON s2s.practitioner
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system'))
        OR (provider_urn = (SELECT s2s.leads_provider()) AND NOT is_lead AND account_id IS NULL));
-- An officer may lock the row while allocating (SELECT FOR UPDATE asks this), but WITH CHECK refuses
-- any change of it.
ALTER POLICY practitioner_change ON s2s.practitioner
    USING ((SELECT s2s.acts_as('administrator', 'send_officer', 'system'))
        OR id IN (SELECT s2s.kept_practitioners()))
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system'))
        OR (provider_urn = (SELECT s2s.leads_provider()) AND NOT is_lead));

-- A lead keeps the record, but says neither whose account it is nor who leads, and moves nobody to
-- another school. An invitation ties with its owner's rights, so it is not stopped here.
CREATE FUNCTION s2s.refuse_identity_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = s2s, pg_temp
    AS $$
BEGIN
    IF current_user = 's2s_app' AND NOT s2s.acts_as('administrator', 'system')
        AND (NEW.account_id, NEW.is_lead, NEW.provider_urn)
            IS DISTINCT FROM (OLD.account_id, OLD.is_lead, OLD.provider_urn) THEN
        RAISE insufficient_privilege
            USING MESSAGE = 'only an administrator changes whose account it is, who leads, and where';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER identity BEFORE UPDATE ON s2s.practitioner
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_identity_change();

-- 3. What hangs on a practitioner ------------------------------------------------------------------
GRANT SELECT, INSERT, DELETE ON s2s.practitioner_need, s2s.practitioner_absence,
    s2s.practitioner_conflict TO s2s_app;
GRANT UPDATE ON s2s.practitioner_need TO s2s_app;
GRANT SELECT, INSERT ON s2s.practitioner_release, s2s.practitioner_event TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;
DO $$
DECLARE
    part text;
    keeps text := $rule$(SELECT s2s.acts_as('administrator', 'system'))
        OR practitioner_id IN (SELECT s2s.kept_practitioners())$rule$;
    reads text := $rule$(SELECT s2s.acts_as('administrator', 'send_officer', 'system'))
        OR practitioner_id IN (SELECT s2s.kept_practitioners())$rule$;
    own text := $rule$ OR practitioner_id = (SELECT s2s.own_practitioner())$rule$;
BEGIN
    FOREACH part IN ARRAY ARRAY['practitioner_need', 'practitioner_release', 'practitioner_absence',
        'practitioner_conflict', 'practitioner_event']
    LOOP
        EXECUTE format('ALTER TABLE s2s.%I ENABLE ROW LEVEL SECURITY', part);
        -- Who is in conflict with which school, and what was changed of that, is not for colleagues.
        EXECUTE format('CREATE POLICY %I ON s2s.%I FOR SELECT USING (%s)', part || '_read', part,
            reads || CASE WHEN part IN ('practitioner_conflict', 'practitioner_event')
                THEN '' ELSE own END);
        EXECUTE format('CREATE POLICY %I ON s2s.%I FOR INSERT WITH CHECK (%s)', part || '_add',
            part, CASE WHEN part = 'practitioner_event'
                THEN $rule$(SELECT s2s.acts_as('system'))
                    OR (by_id = (SELECT s2s.acting_id()) AND ($rule$ || keeps || '))'
                ELSE keeps END);
        IF part NOT IN ('practitioner_release', 'practitioner_event') THEN
            EXECUTE format('CREATE POLICY %I ON s2s.%I FOR DELETE USING (%s)', part || '_remove',
                part, keeps);
        END IF;
    END LOOP;
    EXECUTE format('CREATE POLICY practitioner_need_change ON s2s.practitioner_need FOR UPDATE'
        ' USING (%s)', keeps);
    FOREACH part IN ARRAY ARRAY['practitioner_release', 'practitioner_event']
    LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.%I'
            ' FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change()', part);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.%I'
            ' FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
END $$;
