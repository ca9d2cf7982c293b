-- Back to one team: whoever is an officer sees every referral again, and what panels wrote goes.
DROP TRIGGER worklist_panels ON s2s.panel_item;
DROP TRIGGER worklist_meetings ON s2s.panel_meeting;
DO $$
DECLARE
    source text := pg_get_viewdef('s2s.worklist_source'::regclass);
BEGIN
    source := regexp_replace(source, '\mr\.body,\s+p\.meets_on AS panel_on,', '');
    -- The last join of the view is ours; what it joins stays behind one bracket less.
    source := regexp_replace(source, 'FROM \(', 'FROM ');
    source := regexp_replace(source, '\)\s+LEFT JOIN LATERAL \( SELECT m\.meets_on.*\) p ON \(true\)', '');
    DROP VIEW s2s.worklist_source;
    EXECUTE 'CREATE VIEW s2s.worklist_source AS ' || source;
    EXECUTE regexp_replace(pg_get_functiondef('s2s.refresh_worklist(bigint)'::regprocedure),
        ', (excluded\.|kept\.|)body, (excluded\.|kept\.|)panel_on', '', 'g');
    EXECUTE regexp_replace(pg_get_functiondef('s2s.follow_in_worklist()'::regprocedure),
        'ELSIF TG_TABLE_NAME = ''panel_meeting''.*(ELSIF TG_OP = ''DELETE'')', '\1');
    EXECUTE replace(pg_get_functiondef('s2s.repeats_of(bigint, timestamptz)'::regprocedure),
        '(r.body = ANY (s2s.acting_bodies()) AND other.body = ANY (s2s.acting_bodies())',
        '(s2s.acts_as(''send_officer'', ''system'')');
    EXECUTE replace(pg_get_functiondef('s2s.waiting_place(text)'::regprocedure),
        '(r.body = ANY (s2s.acting_bodies()) OR', '(s2s.acts_as(''send_officer'', ''system'') OR');
END $$;
DROP INDEX s2s.ix_worklist_entry_officer, s2s.ix_worklist_entry_officer_new;
CREATE INDEX ix_worklist_entry_officer ON s2s.worklist_entry (officer_id, submitted_at, referral_id)
    WHERE open;
CREATE INDEX ix_worklist_entry_officer_new
    ON s2s.worklist_entry (officer_id, submitted_at, referral_id) WHERE open AND unopened;
DROP FUNCTION s2s.worklist_counts(integer, date, timestamptz, text);
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

ALTER POLICY worklist_entry_read ON s2s.worklist_entry
    USING ((SELECT s2s.acts_as('send_officer', 'system')));
ALTER TABLE s2s.worklist_entry DROP COLUMN body, DROP COLUMN panel_on;
ALTER POLICY officer_read ON s2s.officer USING ((SELECT s2s.acts_as('send_officer', 'system')));
ALTER POLICY agreement_withdrawal_add ON s2s.agreement_withdrawal
    WITH CHECK ((SELECT s2s.acts_as('system', 'send_officer'))
        OR ((SELECT s2s.acts_as('school_referrer'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                AND r.status IN ('submitted', 'returned', 'waiting', 'accepted', 'allocated')
                AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))));
DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['decision_check', 'internal_note', 'flag', 'flag_resolution',
        'officer_assignment']
    LOOP
        EXECUTE format($p$ALTER POLICY %1$s_read ON s2s.%1$I
            USING ((SELECT s2s.acts_as('send_officer', 'system')))$p$, part);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['decision_check', 'officer_assignment', 'allocation']
    LOOP
        EXECUTE format($p$ALTER POLICY %1$s_add ON s2s.%1$I
            WITH CHECK ((SELECT s2s.acts_as('send_officer', 'system')))$p$, part);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['officer_assignment', 'allocation']
    LOOP
        EXECUTE format($p$ALTER POLICY %1$s_change ON s2s.%1$I
            USING ((SELECT s2s.acts_as('send_officer', 'system')))$p$, part);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['internal_note', 'flag', 'flag_resolution']
    LOOP
        EXECUTE format($p$ALTER POLICY %1$s_add ON s2s.%1$I WITH CHECK ((SELECT s2s.acts_as('system'))
            OR ((SELECT s2s.acts_as('send_officer')) AND by_id = (SELECT s2s.acting_id())))$p$, part);
    END LOOP;
END $$;
DO $$
DECLARE
    part text;
    theirs text := $rule$(SELECT s2s.acts_as('send_officer', 'system'))$rule$;
BEGIN
    FOREACH part IN ARRAY ARRAY['allocation_ending', 'hand_over_note']
    LOOP
        EXECUTE format('ALTER POLICY %1$s_read ON s2s.%1$I
            USING (%2$s OR referral_id IN (SELECT s2s.allocated_referrals()))', part, theirs);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['allocation_ending', 'offer']
    LOOP
        EXECUTE format($p$ALTER POLICY %1$s_add ON s2s.%1$I WITH CHECK ((SELECT s2s.acts_as('system'))
            OR ((SELECT s2s.acts_as('send_officer')) AND by_id = (SELECT s2s.acting_id())))$p$, part);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['offer', 'case_request', 'visit']
    LOOP
        EXECUTE format('ALTER POLICY %1$s_change ON s2s.%1$I USING (%2$s)', part, theirs);
    END LOOP;
    EXECUTE format('ALTER POLICY case_request_read ON s2s.case_request
        USING (%s OR practitioner_id = (SELECT s2s.own_practitioner()))', theirs);
    EXECUTE format($p$ALTER POLICY supporter_add ON s2s.supporter WITH CHECK (%s
        OR (practitioner_id IN (SELECT s2s.kept_practitioners()) AND role <> 'writing'
            AND referral_id IN (SELECT s2s.allocated_referrals())))$p$, theirs);
    EXECUTE format($p$ALTER POLICY supporter_change ON s2s.supporter USING (%s
        OR practitioner_id IN (SELECT s2s.kept_practitioners())
        OR (role = 'writing' AND practitioner_id = (SELECT s2s.own_practitioner())))$p$, theirs);
END $$;
ALTER POLICY referral_read ON s2s.referral
    USING ((SELECT s2s.acts_as('system'))
        OR (status <> 'draft' AND (SELECT s2s.acts_as('send_officer')))
        OR (urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND (SELECT s2s.acts_as('school_referrer')))
        OR id IN (SELECT s2s.allocated_referrals()));
ALTER POLICY referral_change ON s2s.referral
    USING ((SELECT s2s.acts_as('system'))
        OR (status <> 'draft' AND (SELECT s2s.acts_as('send_officer')))
        OR (urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND status IN ('draft', 'returned', 'submitted', 'waiting', 'accepted', 'allocated')
            AND (SELECT s2s.acts_as('school_referrer')))
        OR ((SELECT s2s.acts_as('practitioner', 'provider_lead'))
            AND id IN (SELECT s2s.allocated_referrals())));

DROP VIEW s2s.referral_case;
DROP TRIGGER follow ON s2s.triage_handover;
DROP TRIGGER body_change ON s2s.referral;
DROP FUNCTION s2s.follow_handover();
DROP FUNCTION s2s.check_body_change();
ALTER TABLE s2s.referral DROP COLUMN body, DROP COLUMN body_rule_id;
DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['panel_comment', 'panel_item', 'panel_reviewer', 'panel_meeting',
        'triage_handover', 'bulk_run']
    LOOP
        EXECUTE (SELECT string_agg(format('DROP POLICY %I ON s2s.%I', policyname, part), '; ')
            FROM pg_policies WHERE schemaname = 's2s' AND tablename = part);
    END LOOP;
END $$;
DROP FUNCTION s2s.panel_is_open(bigint);
DROP FUNCTION s2s.panel_written(bigint);
DROP FUNCTION s2s.acts_for_all();
