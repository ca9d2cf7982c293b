-- Who may see and move a clock, and what nobody may: a promise that was broken stays as it was.

GRANT SELECT, INSERT, DELETE ON s2s.council_closure TO s2s_app;
GRANT SELECT, INSERT ON s2s.referral_clock, s2s.clock_change TO s2s_app;
GRANT UPDATE (level_id, calendar, due_on, warn_on, state, ended_at) ON s2s.referral_clock TO s2s_app;
GRANT SELECT ON s2s.clock_breach TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;

ALTER TABLE s2s.council_closure ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.referral_clock ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.clock_change ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.clock_breach ENABLE ROW LEVEL SECURITY;
DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['clock_change', 'clock_breach']
    LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.%I
            FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change()', part);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.%I
            FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
END $$;

CREATE POLICY council_closure_read ON s2s.council_closure FOR SELECT USING (true);
CREATE POLICY council_closure_add ON s2s.council_closure FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY council_closure_remove ON s2s.council_closure FOR DELETE
    USING ((SELECT s2s.acts_as('administrator', 'system')));

-- Whoever sees a referral sees its clocks. An administrator sees the dates alone, to know what a
-- new rule would move; a clock says nothing about a child.
CREATE POLICY referral_clock_read ON s2s.referral_clock FOR SELECT
    USING ((SELECT s2s.acts_as('administrator', 'system'))
        OR EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
CREATE POLICY referral_clock_add ON s2s.referral_clock FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system'))
        OR ((SELECT s2s.acts_as('send_officer', 'school_referrer', 'practitioner'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id)));
CREATE POLICY referral_clock_change ON s2s.referral_clock FOR UPDATE
    USING ((SELECT s2s.acts_as('system'))
        OR ((SELECT s2s.acts_as('send_officer', 'school_referrer', 'practitioner'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id)));
CREATE POLICY clock_change_read ON s2s.clock_change FOR SELECT
    USING ((SELECT s2s.acts_as('administrator', 'system'))
        OR EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
CREATE POLICY clock_change_add ON s2s.clock_change FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system'))
        OR ((SELECT s2s.acts_as('send_officer', 'school_referrer', 'practitioner'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id)));
CREATE POLICY clock_breach_read ON s2s.clock_breach FOR SELECT
    USING ((SELECT s2s.acts_as('system'))
        OR EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));

-- A clock that has ended stays so, and one that was broken keeps its date. A date moves when the
-- clock goes on after a pause; else it is for the service to move it, with a reason.
CREATE FUNCTION s2s.check_clock_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'a clock that has ended is not changed'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.due_on, NEW.level_id, NEW.calendar) = (OLD.due_on, OLD.level_id, OLD.calendar) THEN
        RETURN NEW;
    END IF;
    IF EXISTS (SELECT FROM s2s.clock_breach b WHERE b.clock_id = OLD.id) THEN
        RAISE EXCEPTION 'a promise that has been broken keeps its date'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT s2s.acts_as('system') AND current_user = 's2s_app'
        AND NOT (OLD.state = 'paused' AND NEW.state = 'running') THEN
        RAISE EXCEPTION 'a promised date moves only when the clock goes on after a pause'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER promise_kept BEFORE UPDATE ON s2s.referral_clock
    FOR EACH ROW EXECUTE FUNCTION s2s.check_clock_change();
GRANT EXECUTE ON FUNCTION s2s.check_clock_change() TO s2s_app;

-- Write down each promise that was broken before `day`: of one referral, or of all. Nobody adds
-- such a row in another way, nobody can look ahead, and to say it twice changes nothing. A first
-- visit that was made in time is no breach, though nobody has written its record yet.
CREATE FUNCTION s2s.note_breaches(day date, wanted bigint) RETURNS bigint
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
REVOKE ALL ON FUNCTION s2s.note_breaches(date, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.note_breaches(date, bigint) TO s2s_app;

-- What was promised before there were clocks.
INSERT INTO s2s.referral_clock (referral_id, urn, step, level_id, started_at, day_zero, due_on,
    warn_on, state)
SELECT r.id, r.urn, w.step, l.id, e.at, (e.at AT TIME ZONE 'Europe/London')::date, r.due_on,
    r.due_on, 'running'
FROM s2s.referral r
JOIN (VALUES ('submitted', 'decision'), ('accepted', 'allocation'), ('allocated', 'contact'))
    AS w (status, step) ON w.status = r.status
JOIN LATERAL (SELECT ev.at FROM s2s.referral_event ev WHERE ev.referral_id = r.id
    AND ev.action IN ('submitted', 'resubmitted', 'accepted', 'allocated', 'reopened')
    ORDER BY ev.id DESC LIMIT 1) e ON true
JOIN LATERAL (SELECT sl.id FROM s2s.service_level sl WHERE sl.step = w.step
    ORDER BY sl.valid_from DESC, sl.id DESC LIMIT 1) l ON true
WHERE r.due_on IS NOT NULL
  AND NOT (r.status = 'allocated' AND EXISTS (SELECT FROM s2s.visit v WHERE v.referral_id = r.id));
INSERT INTO s2s.clock_change (clock_id, referral_id, kind, on_day, due_on, reason, at, by_id, by_name)
SELECT c.id, c.referral_id, 'started', c.day_zero, c.due_on,
    'The date promised before there were clocks', now(), 'system', 'The service'
FROM s2s.referral_clock c;
