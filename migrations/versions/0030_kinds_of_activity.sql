-- What counts as support given, the time that it took, and who reads and writes of a training what.
-- The tables are in the .py file beside this one.

-- 1. A visit that did not happen is no support -----------------------------------------------------
-- How long schools waited, as in 0013: until somebody really came.
DO $$
BEGIN
    EXECUTE replace(replace(
        pg_get_functiondef('s2s.recent_waits(timestamptz)'::regprocedure),
        'WHERE v.issued_at IS NOT NULL AND', 'WHERE v.issued_at IS NOT NULL AND v.support_given AND'),
        'earlier.issued_at IS NOT NULL', 'earlier.issued_at IS NOT NULL AND earlier.support_given');
    EXECUTE 'CREATE OR REPLACE VIEW s2s.referral_measure AS ' || replace(
        pg_get_viewdef('s2s.referral_measure'::regclass),
        '(vr.issued_at IS NOT NULL)', '(vr.issued_at IS NOT NULL) AND vr.support_given');
    -- A first visit that its record says did not happen keeps no promise.
    EXECUTE replace(
        pg_get_functiondef('s2s.note_breaches(date, bigint)'::regprocedure),
        'v.cancelled_at IS NULL', 'v.cancelled_at IS NULL
          AND NOT EXISTS (SELECT FROM s2s.visit_record lost WHERE lost.visit_id = v.id
            AND lost.issued_at IS NOT NULL AND NOT lost.support_given)');
    -- A text that has changed meanwhile would have been left as it is, without a word.
    IF pg_get_functiondef('s2s.recent_waits(timestamptz)'::regprocedure) !~ 'v.support_given'
        OR pg_get_functiondef('s2s.recent_waits(timestamptz)'::regprocedure) !~ 'earlier.support_given'
        OR pg_get_viewdef('s2s.referral_measure'::regclass) !~ 'support_given'
        OR pg_get_functiondef('s2s.note_breaches(date, bigint)'::regprocedure) !~ 'support_given'
    THEN
        RAISE EXCEPTION 'what counts as a visit could not be put right';
    END IF;
END $$;

-- 2. Time ------------------------------------------------------------------------------------------
GRANT SELECT, INSERT ON s2s.time_correction TO s2s_app;
ALTER TABLE s2s.time_correction ENABLE ROW LEVEL SECURITY;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.time_correction
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change();
-- Never a school: what somebody's time is spent on is between them and those who pay for it.
CREATE POLICY time_correction_read ON s2s.time_correction FOR SELECT
    USING ((SELECT s2s.acts_as('send_officer', 'practitioner', 'provider_lead', 'system'))
        AND EXISTS (SELECT FROM s2s.visit_record v WHERE v.id = record_id));
CREATE POLICY time_correction_add ON s2s.time_correction FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('practitioner'))
        AND by_id = (SELECT s2s.acting_id())
        AND referral_id IN (SELECT s2s.working_referrals())
        AND EXISTS (SELECT FROM s2s.visit_record v WHERE v.id = record_id
            AND v.referral_id = time_correction.referral_id AND v.issued_at IS NOT NULL)));

-- The time that each issued record says, as last corrected: one row for each. Contact that nobody
-- has said is what lies between start and finish. It asks the tables with the reader's own rights.
CREATE VIEW s2s.activity_time WITH (security_invoker = true) AS
    SELECT vr.id AS record_id, vr.referral_id, vr.visit_id, v.practitioner_id,
        coalesce((SELECT s.provider_urn FROM s2s.supporter s
            WHERE s.referral_id = v.referral_id AND s.practitioner_id = v.practitioner_id
              AND a.practitioner_id <> v.practitioner_id
            ORDER BY s.id LIMIT 1), a.provider_urn) AS provider_urn,
        vr.visited_on, vr.kind, vr.attendance, vr.support_given,
        coalesce(c.contact_minutes, vr.contact_minutes,
            extract(epoch FROM vr.finished_at - vr.started_at)::integer / 60, 0) AS contact_minutes,
        coalesce(c.preparation_minutes, vr.preparation_minutes, 0) AS preparation_minutes,
        coalesce(c.write_up_minutes, vr.write_up_minutes, 0) AS write_up_minutes,
        coalesce(c.travel_minutes, vr.travel_minutes, 0) AS travel_minutes,
        coalesce(c.miles, vr.miles, 0) AS miles,
        c.id IS NOT NULL AS corrected
    FROM s2s.visit_record vr
    JOIN s2s.visit v ON v.id = vr.visit_id
    JOIN s2s.allocation a ON a.id = v.allocation_id
    LEFT JOIN LATERAL (SELECT t.* FROM s2s.time_correction t WHERE t.record_id = vr.id
        ORDER BY t.id DESC LIMIT 1) c ON true
    WHERE vr.issued_at IS NOT NULL
      AND (SELECT s2s.acts_as('send_officer', 'practitioner', 'provider_lead', 'system'));
GRANT SELECT ON s2s.activity_time TO s2s_app;

-- What a visit took beside its own length (the middle value, in minutes), for whoever says what work
-- weighs and may read no record. Fewer than five are too few to say.
CREATE FUNCTION s2s.time_measure(since date) RETURNS TABLE (visits bigint, beside integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
        WITH timed AS (
            SELECT coalesce(c.preparation_minutes, vr.preparation_minutes, 0)
                + coalesce(c.write_up_minutes, vr.write_up_minutes, 0)
                + coalesce(c.travel_minutes, vr.travel_minutes, 0) AS minutes
            FROM visit_record vr
            LEFT JOIN LATERAL (SELECT t.* FROM time_correction t WHERE t.record_id = vr.id
                ORDER BY t.id DESC LIMIT 1) c ON true
            WHERE vr.issued_at IS NOT NULL AND vr.support_given AND vr.visited_on >= since
              AND (c.id IS NOT NULL OR vr.write_up_minutes IS NOT NULL
                OR vr.travel_minutes IS NOT NULL OR vr.preparation_minutes IS NOT NULL))
        SELECT count(*), CASE WHEN count(*) >= 5
            THEN percentile_disc(0.5) WITHIN GROUP (ORDER BY minutes) END
        FROM timed
        WHERE (SELECT acts_as('send_officer', 'manager', 'administrator', 'system'))
    $$;
REVOKE ALL ON FUNCTION s2s.time_measure(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.time_measure(date) TO s2s_app;

-- 3. Training --------------------------------------------------------------------------------------
GRANT SELECT, INSERT, DELETE ON s2s.training_school, s2s.training_attendee TO s2s_app;
GRANT UPDATE (visit_id, place, starts_at, ends_at, record_id) ON s2s.training_school TO s2s_app;
GRANT UPDATE (record_id, position) ON s2s.training_attendee TO s2s_app;
GRANT SELECT, INSERT ON s2s.training_evaluation TO s2s_app;
GRANT UPDATE (useful, confident, words, at, by_id, by_name) ON s2s.training_evaluation TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;
DO $$
DECLARE
    part text;
    works text := $rule$(SELECT s2s.acts_as('system'))
        OR ((SELECT s2s.acts_as('practitioner'))
            AND referral_id IN (SELECT s2s.working_referrals()))$rule$;
BEGIN
    FOREACH part IN ARRAY ARRAY['training_school', 'training_attendee', 'training_evaluation',
        'time_correction']
    LOOP
        EXECUTE format('ALTER TABLE s2s.%I ENABLE ROW LEVEL SECURITY', part);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.%I
            FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['training_school', 'training_attendee']
    LOOP
        EXECUTE format('CREATE POLICY %1$s_change ON s2s.%1$I FOR UPDATE USING (%2$s)', part, works);
        EXECUTE format('CREATE POLICY %1$s_remove ON s2s.%1$I FOR DELETE USING (%2$s)', part, works);
    END LOOP;
    EXECUTE format('CREATE POLICY training_attendee_add ON s2s.training_attendee FOR INSERT
        WITH CHECK (%s)', works);
END $$;

-- A school that joins reads its own row, never the host's referral nor that another joins.
CREATE POLICY training_school_read ON s2s.training_school FOR SELECT
    USING (EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
CREATE POLICY training_school_add ON s2s.training_school FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('practitioner'))
        AND by_id = (SELECT s2s.acting_id())
        AND referral_id IN (SELECT s2s.working_referrals())
        AND EXISTS (SELECT FROM s2s.visit v WHERE v.id = visit_id AND v.cancelled_at IS NULL
            AND v.referral_id IN (SELECT s2s.working_referrals()))));
CREATE FUNCTION s2s.refuse_change_of_joined() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.record_id IS NOT NULL THEN
        RAISE EXCEPTION 'a school that has its record of a training stays: % refused', TG_OP
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;
GRANT EXECUTE ON FUNCTION s2s.refuse_change_of_joined() TO s2s_app;
CREATE TRIGGER recorded_is_final BEFORE UPDATE OR DELETE ON s2s.training_school
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change_of_joined();

-- Who took part is of one school, and of one record: whoever reads both reads it.
CREATE POLICY training_attendee_read ON s2s.training_attendee FOR SELECT
    USING (EXISTS (SELECT FROM s2s.visit_record v WHERE v.id = record_id)
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
CREATE FUNCTION s2s.refuse_change_of_attendee() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM s2s.visit_record v WHERE v.issued_at IS NOT NULL
            AND v.id IN (CASE WHEN TG_OP <> 'INSERT' THEN OLD.record_id END,
                         CASE WHEN TG_OP <> 'DELETE' THEN NEW.record_id END)) THEN
        RAISE EXCEPTION 'the attendees of an issued visit record never change: % refused', TG_OP
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;
GRANT EXECUTE ON FUNCTION s2s.refuse_change_of_attendee() TO s2s_app;
CREATE TRIGGER issued_is_final BEFORE INSERT OR UPDATE OR DELETE ON s2s.training_attendee
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change_of_attendee();

-- What a school thought of it: its own words, while its referral is open.
CREATE POLICY training_evaluation_read ON s2s.training_evaluation FOR SELECT
    USING (EXISTS (SELECT FROM s2s.visit_record v WHERE v.id = record_id));
DO $$
DECLARE theirs text := $rule$(SELECT s2s.acts_as('system'))
    OR ((SELECT s2s.acts_as('school_referrer')) AND by_id = (SELECT s2s.acting_id())
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id AND r.status = 'allocated'
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))
        AND EXISTS (SELECT FROM s2s.visit_record v WHERE v.id = record_id
            AND v.referral_id = training_evaluation.referral_id AND v.kind = 'TRN'))$rule$;
BEGIN
    EXECUTE format('CREATE POLICY training_evaluation_add ON s2s.training_evaluation FOR INSERT
        WITH CHECK (%s)', theirs);
    -- Of one school several people may answer: the last word is kept, and who said it.
    EXECUTE format('CREATE POLICY training_evaluation_change ON s2s.training_evaluation FOR UPDATE
        USING (EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id)) WITH CHECK (%s)', theirs);
END $$;
