-- The officers' worklist: one narrow row for each referral that has been sent, kept by the database.
-- It says nothing about a child. Lists, counts and filters read it alone, so that their cost does not
-- grow with what lies behind them.

-- 1. What a row says: the one place where it is worked out ---------------------------------------
CREATE VIEW s2s.worklist_source AS
SELECT r.id AS referral_id, r.reference, r.urn, r.school_name, e.phase_code, e.phase_name, e.district,
    r.kind, n.code AS need, r.status,
    CASE
        WHEN r.status = 'submitted' AND EXISTS (SELECT FROM s2s.referral_event ev
            WHERE ev.referral_id = r.id AND ev.action = 'resubmitted') THEN 'resubmitted'
        WHEN r.status = 'submitted' THEN 'new'
        WHEN r.status = 'allocated'
            AND EXISTS (SELECT FROM s2s.outcome_wanted o WHERE o.referral_id = r.id)
            AND NOT EXISTS (SELECT FROM s2s.outcome_wanted o WHERE o.referral_id = r.id
                AND o.achieved IS NULL) THEN 'ready'
        ELSE r.status END AS state,
    r.status NOT IN ('closed', 'declined', 'withdrawn', 'advised', 'redirected', 'unanswered') AS open,
    r.submitted_at, r.received_on, r.intake_window_id AS window_id,
    a.officer_id, a.officer_name, a.at AS assigned_at,
    a.id IS NOT NULL AND a.opened_at IS NULL AS unopened,
    c.step AS due_step, c.due_on, c.warn_on, c.started_at AS waiting_since,
    s.due_on AS answer_by
FROM s2s.referral r
JOIN s2s.establishment e ON e.urn = r.urn
LEFT JOIN s2s.referral_need n ON n.referral_id = r.id AND n.rank = 1
LEFT JOIN s2s.officer_assignment a ON a.referral_id = r.id AND a.ended_at IS NULL
LEFT JOIN LATERAL (SELECT k.step, k.due_on, k.warn_on, k.started_at FROM s2s.referral_clock k
    WHERE k.referral_id = r.id AND k.state = 'running' AND k.step <> 'answer'
    ORDER BY k.due_on, k.id LIMIT 1) c ON true
LEFT JOIN LATERAL (SELECT k.due_on FROM s2s.referral_clock k
    WHERE k.referral_id = r.id AND k.state = 'running' AND k.step = 'answer'
    ORDER BY k.id DESC LIMIT 1) s ON true
WHERE r.submitted_at IS NOT NULL;

-- 2. Keeping it ------------------------------------------------------------------------------------
-- The row is locked first, and what it says is read after that: of two transactions that change
-- different parts of a referral, the later sees what the earlier has done.
CREATE FUNCTION s2s.refresh_worklist(wanted bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
BEGIN
    PERFORM FROM s2s.worklist_entry w WHERE w.referral_id = wanted FOR UPDATE;
    INSERT INTO s2s.worklist_entry AS kept (COLUMNS)
        SELECT COLUMNS FROM s2s.worklist_source v WHERE v.referral_id = wanted
    ON CONFLICT (referral_id) DO UPDATE SET (COLUMNS) = ROW(EXCLUDED_COLUMNS)
        WHERE ROW(KEPT_COLUMNS) IS DISTINCT FROM ROW(EXCLUDED_COLUMNS);
END $$;
REVOKE ALL ON FUNCTION s2s.refresh_worklist(bigint) FROM PUBLIC;

-- Who reads the list never writes it: these run with their owner's rights.
CREATE FUNCTION s2s.follow_in_worklist() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
BEGIN
    IF TG_TABLE_NAME = 'referral' THEN
        PERFORM s2s.refresh_worklist(NEW.id);
    ELSIF TG_TABLE_NAME = 'establishment' THEN
        PERFORM s2s.refresh_worklist(w.referral_id) FROM s2s.worklist_entry w WHERE w.urn = NEW.urn;
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM s2s.refresh_worklist(OLD.referral_id);
    ELSE
        PERFORM s2s.refresh_worklist(NEW.referral_id);
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION s2s.follow_in_worklist() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.follow_in_worklist() TO s2s_app;

CREATE TRIGGER worklist_added AFTER INSERT ON s2s.referral
    FOR EACH ROW WHEN (NEW.submitted_at IS NOT NULL) EXECUTE FUNCTION s2s.follow_in_worklist();
CREATE TRIGGER worklist_changed AFTER UPDATE ON s2s.referral
    FOR EACH ROW WHEN (NEW.submitted_at IS NOT NULL) EXECUTE FUNCTION s2s.follow_in_worklist();
CREATE TRIGGER worklist_needs AFTER INSERT OR UPDATE OR DELETE ON s2s.referral_need
    FOR EACH ROW EXECUTE FUNCTION s2s.follow_in_worklist();
CREATE TRIGGER worklist_outcomes AFTER INSERT OR DELETE OR UPDATE OF achieved ON s2s.outcome_wanted
    FOR EACH ROW EXECUTE FUNCTION s2s.follow_in_worklist();
CREATE TRIGGER worklist_events AFTER INSERT ON s2s.referral_event
    FOR EACH ROW WHEN (NEW.action = 'resubmitted') EXECUTE FUNCTION s2s.follow_in_worklist();
CREATE TRIGGER worklist_clocks AFTER INSERT OR UPDATE ON s2s.referral_clock
    FOR EACH ROW EXECUTE FUNCTION s2s.follow_in_worklist();
CREATE TRIGGER worklist_officers AFTER INSERT OR UPDATE ON s2s.officer_assignment
    FOR EACH ROW EXECUTE FUNCTION s2s.follow_in_worklist();
CREATE TRIGGER worklist_schools AFTER UPDATE ON s2s.establishment
    FOR EACH ROW WHEN ((OLD.phase_code, OLD.phase_name, OLD.district)
        IS DISTINCT FROM (NEW.phase_code, NEW.phase_name, NEW.district))
    EXECUTE FUNCTION s2s.follow_in_worklist();

INSERT INTO s2s.worklist_entry (COLUMNS) SELECT COLUMNS FROM s2s.worklist_source;

-- 3. Who may see it ----------------------------------------------------------------------------------
GRANT SELECT ON s2s.worklist_entry TO s2s_app;
GRANT SELECT, INSERT, UPDATE ON s2s.officer TO s2s_app;
GRANT SELECT, INSERT ON s2s.officer_assignment TO s2s_app;
GRANT UPDATE (ended_at, opened_at) ON s2s.officer_assignment TO s2s_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON s2s.saved_list TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;
ALTER TABLE s2s.worklist_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.officer ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.officer_assignment ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.saved_list ENABLE ROW LEVEL SECURITY;

CREATE POLICY worklist_entry_read ON s2s.worklist_entry FOR SELECT
    USING ((SELECT s2s.acts_as('send_officer', 'system')));
CREATE POLICY officer_read ON s2s.officer FOR SELECT
    USING ((SELECT s2s.acts_as('send_officer', 'system')));
-- Each officer is known by having come, in their own name; what they chose is theirs to change.
CREATE POLICY officer_add ON s2s.officer FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('send_officer'))
        AND account_id = (SELECT s2s.acting_id())));
CREATE POLICY officer_change ON s2s.officer FOR UPDATE
    USING ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('send_officer'))
        AND account_id = (SELECT s2s.acting_id())));
CREATE POLICY officer_assignment_read ON s2s.officer_assignment FOR SELECT
    USING ((SELECT s2s.acts_as('send_officer', 'system')));
CREATE POLICY officer_assignment_add ON s2s.officer_assignment FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('send_officer', 'system')));
CREATE POLICY officer_assignment_change ON s2s.officer_assignment FOR UPDATE
    USING ((SELECT s2s.acts_as('send_officer', 'system')));
CREATE POLICY saved_list_mine ON s2s.saved_list
    USING ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('send_officer'))
        AND officer_id = (SELECT s2s.acting_id())));

-- 4. Counting -------------------------------------------------------------------------------------
-- Each number stops at `most`; `day` is today and `lately` since when an assignment is new. Of "mine"
-- it counts those of whoever asks and of nobody else. From the index alone, for officers alone: as
-- the planner does not know how few are overdue, it would sooner read the whole table.
DROP FUNCTION s2s.worklist_counts(integer);
CREATE FUNCTION s2s.worklist_counts(most integer, day date, lately timestamptz)
    RETURNS TABLE (pile text, number bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off
    AS $$
DECLARE
    me text := s2s.acting_id();
BEGIN
    IF NOT s2s.acts_as('send_officer', 'system') THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT p.pile, (SELECT count(*) FROM (
            SELECT FROM s2s.worklist_entry w WHERE w.state = p.pile LIMIT most) AS found)
        FROM unnest(ARRAY['new', 'resubmitted', 'returned', 'accepted']) AS p (pile);
    RETURN QUERY SELECT 'due', (SELECT count(*) FROM (
        SELECT FROM s2s.worklist_entry w WHERE w.due_sort = day LIMIT most) AS found);
    RETURN QUERY SELECT 'overdue', (SELECT count(*) FROM (
        SELECT FROM s2s.worklist_entry w WHERE w.due_sort < day LIMIT most) AS found);
    RETURN QUERY SELECT 'mine', (SELECT count(*) FROM (
        SELECT FROM s2s.worklist_entry w WHERE w.officer_id = me AND w.open LIMIT most) AS found);
    RETURN QUERY SELECT 'new-to-me', (SELECT count(*) FROM (
        SELECT FROM s2s.worklist_entry w WHERE w.officer_id = me AND w.open AND w.unopened
            AND w.assigned_at >= lately LIMIT most) AS found);
END $$;
REVOKE ALL ON FUNCTION s2s.worklist_counts(integer, date, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.worklist_counts(integer, date, timestamptz) TO s2s_app;
