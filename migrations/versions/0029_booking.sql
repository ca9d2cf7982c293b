-- Visits that are moved or cancelled supersede; plans; calendar feeds; attempts to reach a school.
-- The tables are in the .py file beside this one.

-- 1. A visit is moved or cancelled by whoever makes it, once, and stays what it was ----------------
-- More columns may change than 0025 let; which ones a practitioner may, the next trigger says.
DROP TRIGGER only_these ON s2s.visit;
CREATE TRIGGER only_these BEFORE UPDATE ON s2s.visit
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_other_change('allocation_id', 'practitioner_id',
        'writer_id', 'cancelled_at', 'cancelled_by_id', 'cancelled_by_name', 'asked_by',
        'why_moved', 'moved_words', 'short_notice');
CREATE TRIGGER only_cancelled BEFORE UPDATE ON s2s.visit
    FOR EACH ROW WHEN (NOT s2s.acts_as('send_officer', 'system'))
    EXECUTE FUNCTION s2s.refuse_other_change('cancelled_at', 'cancelled_by_id',
        'cancelled_by_name', 'asked_by', 'why_moved', 'moved_words', 'short_notice');

CREATE FUNCTION s2s.refuse_change_of_cancelled() RETURNS trigger
    LANGUAGE plpgsql SET search_path = s2s, pg_temp
    AS $$
BEGIN
    IF current_user = 's2s_app' AND NOT s2s.acts_as('system') THEN
        RAISE EXCEPTION 'a cancelled visit stays as it is'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
GRANT EXECUTE ON FUNCTION s2s.refuse_change_of_cancelled() TO s2s_app;
CREATE TRIGGER stays_cancelled BEFORE UPDATE ON s2s.visit
    FOR EACH ROW WHEN (OLD.cancelled_at IS NOT NULL)
    EXECUTE FUNCTION s2s.refuse_change_of_cancelled();

-- What it replaces is of the same referral, and does not take place.
CREATE FUNCTION s2s.check_replaced_visit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM s2s.visit v WHERE v.id = NEW.replaces_id
            AND v.referral_id = NEW.referral_id AND v.cancelled_at IS NOT NULL
            AND v.moves = NEW.moves - 1
            AND NEW.first_number = coalesce(v.first_number, v.number)) THEN
        RAISE EXCEPTION 'a visit replaces one of its own referral that was cancelled'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION s2s.check_replaced_visit() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.check_replaced_visit() TO s2s_app;
CREATE TRIGGER replaces_cancelled BEFORE INSERT ON s2s.visit
    FOR EACH ROW WHEN (NEW.replaces_id IS NOT NULL)
    EXECUTE FUNCTION s2s.check_replaced_visit();

-- Their own, in their own name, as long as nobody has begun to write what happened on it.
CREATE POLICY visit_cancel ON s2s.visit FOR UPDATE
    USING ((SELECT s2s.acts_as('practitioner'))
        AND practitioner_id = (SELECT s2s.own_practitioner())
        AND referral_id IN (SELECT s2s.working_referrals())
        AND cancelled_at IS NULL
        AND NOT EXISTS (SELECT FROM s2s.visit_record w WHERE w.visit_id = visit.id))
    WITH CHECK ((SELECT s2s.acts_as('practitioner')) AND asked_by IS NOT NULL
        AND cancelled_by_id = (SELECT s2s.acting_id()));

-- 2. Plans, answers, attempts: only ever added -----------------------------------------------------
GRANT SELECT, INSERT ON s2s.visit_plan, s2s.planned_visits, s2s.plan_answer, s2s.contact_attempt
    TO s2s_app;
GRANT SELECT, INSERT ON s2s.calendar_feed TO s2s_app;
GRANT UPDATE (used_at, ended_at, ended_by_id, ended_by_name) ON s2s.calendar_feed TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;
ALTER TABLE s2s.calendar_feed ENABLE ROW LEVEL SECURITY;
DO $$
DECLARE
    part text;
    officers text := $rule$(SELECT s2s.acts_for_all()) OR ((SELECT s2s.acts_as('send_officer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id))$rule$;
BEGIN
    FOREACH part IN ARRAY ARRAY['visit_plan', 'planned_visits', 'plan_answer', 'contact_attempt']
    LOOP
        EXECUTE format('ALTER TABLE s2s.%I ENABLE ROW LEVEL SECURITY', part);
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.%I
            FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change()', part);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.%I
            FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
    -- A plan is for whoever sees the referral; that a school was not reached it need not read.
    FOREACH part IN ARRAY ARRAY['visit_plan', 'planned_visits', 'plan_answer']
    LOOP
        EXECUTE format('CREATE POLICY %1$s_read ON s2s.%1$I FOR SELECT
            USING ((SELECT s2s.acts_for_all())
                OR EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id))', part);
    END LOOP;
    EXECUTE format('CREATE POLICY contact_attempt_read ON s2s.contact_attempt FOR SELECT
        USING (%s OR referral_id IN (SELECT s2s.allocated_referrals()))', officers);
END $$;
-- Proposed by whoever leads the case, in their own name; answered by its school in theirs.
CREATE POLICY visit_plan_add ON s2s.visit_plan FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('practitioner'))
        AND by_id = (SELECT s2s.acting_id())
        AND referral_id IN (SELECT s2s.led_referrals())
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status = 'allocated')));
CREATE POLICY planned_visits_add ON s2s.planned_visits FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('practitioner'))
        AND EXISTS (SELECT FROM s2s.visit_plan p WHERE p.id = plan_id
            AND p.referral_id = planned_visits.referral_id AND p.by_id = (SELECT s2s.acting_id()))
        AND referral_id IN (SELECT s2s.led_referrals())));
CREATE POLICY plan_answer_add ON s2s.plan_answer FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('school_referrer'))
        AND by_id = (SELECT s2s.acting_id())
        AND EXISTS (SELECT FROM s2s.visit_plan p JOIN s2s.referral r ON r.id = p.referral_id
            WHERE p.id = plan_id AND p.referral_id = plan_answer.referral_id
              AND r.status = 'allocated'
              AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))));
CREATE POLICY contact_attempt_add ON s2s.contact_attempt FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('practitioner'))
        AND by_id = (SELECT s2s.acting_id())
        AND referral_id IN (SELECT s2s.working_referrals())
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status = 'allocated')));

-- 3. Calendar feeds --------------------------------------------------------------------------------
-- Each their own; of a school, its people see and end each other's.
CREATE POLICY calendar_feed_read ON s2s.calendar_feed FOR SELECT
    USING ((SELECT s2s.acts_as('system')) OR by_id = (SELECT s2s.acting_id())
        OR (of = 'school' AND (SELECT s2s.acts_as('school_referrer'))
            AND urn = ANY ((SELECT s2s.acting_establishments())::integer[])));
CREATE POLICY calendar_feed_add ON s2s.calendar_feed FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id()) AND (
        (of = 'school' AND (SELECT s2s.acts_as('school_referrer'))
            AND urn = ANY ((SELECT s2s.acting_establishments())::integer[]))
        OR (of = 'practitioner' AND (SELECT s2s.acts_as('practitioner'))
            AND (SELECT s2s.own_practitioner()) IS NOT NULL
            AND urn = (SELECT s2s.acting_provider())))));
CREATE POLICY calendar_feed_change ON s2s.calendar_feed FOR UPDATE
    USING (ended_at IS NULL AND ((SELECT s2s.acts_as('system')) OR by_id = (SELECT s2s.acting_id())
        OR (of = 'school' AND (SELECT s2s.acts_as('school_referrer'))
            AND urn = ANY ((SELECT s2s.acting_establishments())::integer[]))))
    WITH CHECK ((SELECT s2s.acts_as('system')) OR by_id = (SELECT s2s.acting_id())
        OR (of = 'school' AND (SELECT s2s.acts_as('school_referrer'))
            AND urn = ANY ((SELECT s2s.acting_establishments())::integer[])));
CREATE TRIGGER ends_once BEFORE UPDATE ON s2s.calendar_feed
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_second_ending();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.calendar_feed
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();

-- Whose feed a token opens: asked by whoever comes with one, without a sign-on. Nobody's, once it
-- has ended or run out, or when the practitioner's account is not tied there any more.
CREATE FUNCTION s2s.calendar_feed_of(wanted text, moment timestamptz)
    RETURNS TABLE (id bigint, kind text, urn integer, owner_id text, owner_name text,
        used_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT f.id, f.of::text, f.urn, f.by_id, f.by_name, f.used_at
        FROM s2s.calendar_feed f
        WHERE f.digest = wanted AND f.ended_at IS NULL AND f.expires_at > moment
          AND (f.of = 'school' OR EXISTS (SELECT FROM s2s.practitioner p
            WHERE p.account_id = f.by_id AND p.active AND p.provider_urn = f.urn))
    $$;
REVOKE ALL ON FUNCTION s2s.calendar_feed_of(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.calendar_feed_of(text, timestamptz) TO s2s_app;
