-- Before a draft, and how long one is kept. What the database itself refuses.

-- 1. A draft that has expired was not sent either (the word itself: see 0013_before_a_draft.py) ----
ALTER TABLE s2s.referral DROP CONSTRAINT ck_referral_submitted_when_not_draft;
ALTER TABLE s2s.referral ADD CONSTRAINT ck_referral_submitted_when_not_draft
    CHECK ((status IN ('draft', 'expired')) = (submitted_at IS NULL));

-- 2. Who sees and adds what ----------------------------------------------------------------------
GRANT SELECT, INSERT ON s2s.intake_window, s2s.intake_closing, s2s.term_date TO s2s_app;
GRANT DELETE ON s2s.term_date TO s2s_app;
ALTER TABLE s2s.intake_window ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.intake_closing ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.term_date ENABLE ROW LEVEL SECURITY;

-- The rules by date are everybody's to read, as service terms are.
CREATE POLICY intake_window_read ON s2s.intake_window FOR SELECT USING (true);
CREATE POLICY intake_window_add ON s2s.intake_window FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY intake_closing_read ON s2s.intake_closing FOR SELECT USING (true);
CREATE POLICY intake_closing_add ON s2s.intake_closing FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY term_date_read ON s2s.term_date FOR SELECT USING (true);
CREATE POLICY term_date_add ON s2s.term_date FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY term_date_remove ON s2s.term_date FOR DELETE
    USING ((SELECT s2s.acts_as('administrator', 'system')));

-- A draft that has expired was never sent: it is its school's alone, as a draft is. Restrictive, so
-- that it holds beside whatever else lets somebody see a referral.
CREATE POLICY referral_expired ON s2s.referral AS RESTRICTIVE FOR SELECT
    USING (status <> 'expired' OR (SELECT s2s.acts_as('system'))
        OR urn = ANY ((SELECT s2s.acting_establishments())::integer[]));

-- 3. Windows -------------------------------------------------------------------------------------
CREATE FUNCTION s2s.open_intake_window() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.open_during := daterange(NEW.opens, NEW.closes, '[]');
    RETURN NEW;
END $$;
CREATE TRIGGER open_as_set BEFORE INSERT ON s2s.intake_window
    FOR EACH ROW EXECUTE FUNCTION s2s.open_intake_window();

-- A window is never edited; a closing, itself only ever added, narrows what still holds of it.
CREATE FUNCTION s2s.close_intake_window() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    UPDATE s2s.intake_window
        SET open_during = daterange(opens, greatest(NEW.closes + 1, opens), '[)')
        WHERE id = NEW.window_id;
    RETURN NEW;
END $$;
CREATE TRIGGER closes_window AFTER INSERT ON s2s.intake_closing
    FOR EACH ROW EXECUTE FUNCTION s2s.close_intake_window();

CREATE FUNCTION s2s.refuse_change_of_window() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NOT NEW.open_during <@ OLD.open_during
        OR to_jsonb(NEW) - 'open_during' <> to_jsonb(OLD) - 'open_during'
        OR NOT EXISTS (SELECT FROM s2s.intake_closing c WHERE c.window_id = NEW.id) THEN
        RAISE EXCEPTION 'an intake window is never edited: close it early, and add another'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_narrows BEFORE UPDATE OR DELETE ON s2s.intake_window
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change_of_window();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.intake_closing
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.intake_window
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.intake_closing
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();

-- 4. How many are used, and who may know ---------------------------------------------------------
-- Sent in the window; one that was declined, or withdrawn before it was accepted, gives its place
-- back. With its owner's rights: a school may know the number, though not the referrals behind it.
CREATE FUNCTION s2s.intake_used(wanted bigint) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
        SELECT count(*) FROM s2s.referral r
        WHERE r.intake_window_id = wanted AND r.submitted_at IS NOT NULL
          AND NOT (r.status IN ('declined', 'withdrawn')
            AND NOT EXISTS (SELECT FROM s2s.referral_event e
                WHERE e.referral_id = r.id AND e.action = 'accepted'))
    $$;

-- Always one row: the window of `kind` that holds on `on_day`, or nulls, and when the next opens.
CREATE FUNCTION s2s.intake_standing(kind text, on_day date)
    RETURNS TABLE (window_id bigint, opens date, closes date, quota integer, used bigint,
        next_opens date, source text)
    LANGUAGE sql STABLE SET search_path = s2s, pg_temp AS $$
        SELECT w.id, w.opens, upper(w.open_during) - 1, w.quota,
            CASE WHEN w.quota IS NOT NULL THEN s2s.intake_used(w.id) END,
            (SELECT min(n.opens) FROM s2s.intake_window n
                WHERE n.setting_kind = kind AND n.opens > on_day AND NOT isempty(n.open_during)),
            w.source
        FROM (VALUES (1)) AS one
        LEFT JOIN s2s.intake_window w ON w.setting_kind = kind AND w.open_during @> on_day
    $$;

-- How long schools waited: the middle value in days, of those decided or first visited since then.
-- Fewer than five are too few to say, and could be somebody's own: no figure leaves the database.
CREATE FUNCTION s2s.recent_waits(since timestamptz)
    RETURNS TABLE (decision_days integer, visit_days integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
        WITH decided AS (
            SELECT (min(e.at) AT TIME ZONE 'Europe/London')::date - min(r.received_on) AS days
            FROM s2s.referral_event e JOIN s2s.referral r ON r.id = e.referral_id
            WHERE e.action IN ('accepted', 'declined') AND e.at >= since
              AND r.received_on IS NOT NULL
            GROUP BY e.referral_id),
        visited AS (
            SELECT min(v.visited_on) - min(r.received_on) AS days
            FROM s2s.visit_record v JOIN s2s.referral r ON r.id = v.referral_id
            WHERE v.issued_at IS NOT NULL AND r.received_on IS NOT NULL
              AND v.visited_on >= (since AT TIME ZONE 'Europe/London')::date
              AND NOT EXISTS (SELECT FROM s2s.visit_record earlier
                  WHERE earlier.referral_id = v.referral_id AND earlier.issued_at IS NOT NULL
                    AND earlier.visited_on < (since AT TIME ZONE 'Europe/London')::date)
            GROUP BY v.referral_id)
        SELECT
            (SELECT CASE WHEN count(*) >= 5
                THEN percentile_disc(0.5) WITHIN GROUP (ORDER BY days) END FROM decided),
            (SELECT CASE WHEN count(*) >= 5
                THEN percentile_disc(0.5) WITHIN GROUP (ORDER BY days) END FROM visited)
    $$;

-- The last word on a limit, whoever else sends at the same moment: the window is locked, then
-- counted. (Not FOR UPDATE: that would wait for every referral that points at the window.)
CREATE FUNCTION s2s.hold_intake() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
DECLARE places integer;
BEGIN
    SELECT w.quota INTO places FROM s2s.intake_window w
        WHERE w.id = NEW.intake_window_id AND w.open_during @> NEW.received_on;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no intake window is open on %', NEW.received_on
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_referral_intake_open';
    END IF;
    IF places IS NOT NULL THEN
        PERFORM FROM s2s.intake_window w WHERE w.id = NEW.intake_window_id FOR NO KEY UPDATE;
        IF s2s.intake_used(NEW.intake_window_id) >= places THEN
            RAISE EXCEPTION 'all % requests of this intake window are used', places
                USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_referral_intake_quota';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER within_intake BEFORE UPDATE ON s2s.referral
    FOR EACH ROW WHEN (OLD.submitted_at IS NULL AND NEW.submitted_at IS NOT NULL)
    EXECUTE FUNCTION s2s.hold_intake();

REVOKE ALL ON FUNCTION s2s.intake_used(bigint), s2s.intake_standing(text, date),
    s2s.recent_waits(timestamptz), s2s.hold_intake(), s2s.close_intake_window() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.intake_used(bigint), s2s.intake_standing(text, date),
    s2s.recent_waits(timestamptz) TO s2s_app;

-- 5. The first windows: from April 2015 on, no limit and no closing date -------------------------
INSERT INTO s2s.intake_window (setting_kind, opens, source, at, by_id, by_name)
    SELECT kind, DATE '2015-04-01', 'MI Sheet 44/19 names no limit', now(), 'system', 'The service'
    FROM unnest(ARRAY['mainstream', 'early_years']) AS kind;
-- Nursery phase (1) is early years, as in the fee rules.
UPDATE s2s.referral r SET intake_window_id = w.id
    FROM s2s.intake_window w, s2s.establishment e
    WHERE e.urn = r.urn AND r.submitted_at IS NOT NULL
      AND w.setting_kind = CASE WHEN e.phase_code = 1 THEN 'early_years' ELSE 'mainstream' END;
UPDATE s2s.referral SET saved_on = (created_at AT TIME ZONE 'Europe/London')::date;
