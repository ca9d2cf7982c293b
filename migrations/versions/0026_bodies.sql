-- Two triage bodies, each with its own queue and officers; panels; several referrals at a time.

-- 1. Whose queue ---------------------------------------------------------------------------------
INSERT INTO s2s.triage_body (code, name, position) VALUES
    ('send', 'SEND team', 1), ('early_years', 'Early years team', 2);
-- As the fee rules and the questions before a draft tell them apart: a nursery school is an early
-- years setting, a reception class belongs to its mainstream school.
INSERT INTO s2s.triage_rule (valid_from, what, body, source, at, by_id, by_name)
SELECT '2000-01-01', what, body, 'What the service set out with', now(), 'system', 'The service'
FROM (VALUES ('early_years_setting', 'early_years'), ('nursery_child', 'early_years'),
    ('other', 'send')) AS first (what, body);

ALTER TABLE s2s.referral
    ADD COLUMN body text NOT NULL DEFAULT 'send'
        CONSTRAINT fk_referral_body_triage_body REFERENCES s2s.triage_body (code),
    ADD COLUMN body_rule_id bigint
        CONSTRAINT fk_referral_body_rule_id_triage_rule REFERENCES s2s.triage_rule (id);
UPDATE s2s.referral r SET body = 'early_years'
    FROM s2s.establishment e WHERE e.urn = r.urn AND e.phase_code = 1 AND r.submitted_at IS NOT NULL;

-- Which bodies somebody acts for. An officer of whom nothing is said acts for all.
CREATE FUNCTION s2s.acting_bodies() RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
DECLARE
    mine text[];
BEGIN
    IF s2s.acts_as('send_officer') AND NOT s2s.acts_as('system') THEN
        SELECT array_agg(m.body) INTO mine FROM s2s.officer_body m
            WHERE m.account_id = s2s.acting_id();
        IF mine IS NOT NULL THEN
            RETURN mine;
        END IF;
    ELSIF NOT s2s.acts_as('system') THEN
        RETURN '{}';
    END IF;
    RETURN ARRAY(SELECT b.code FROM s2s.triage_body b);
END $$;
-- Whether there is nothing to tell apart: what is asked of each row is asked once instead.
CREATE FUNCTION s2s.acts_for_all() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT s2s.acts_as('send_officer', 'system')
            AND s2s.acting_bodies() @> ARRAY(SELECT b.code FROM s2s.triage_body b)
    $$;

ALTER POLICY referral_read ON s2s.referral
    USING ((SELECT s2s.acts_as('system'))
        OR (status <> 'draft' AND (SELECT s2s.acts_as('send_officer'))
            AND body = ANY ((SELECT s2s.acting_bodies())::text[]))
        OR (urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND (SELECT s2s.acts_as('school_referrer')))
        OR id IN (SELECT s2s.allocated_referrals()));
ALTER POLICY referral_change ON s2s.referral
    USING ((SELECT s2s.acts_as('system'))
        OR (status <> 'draft' AND (SELECT s2s.acts_as('send_officer'))
            AND body = ANY ((SELECT s2s.acting_bodies())::text[]))
        OR (urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND status IN ('draft', 'returned', 'submitted', 'waiting', 'accepted', 'allocated')
            AND (SELECT s2s.acts_as('school_referrer')))
        OR ((SELECT s2s.acts_as('practitioner', 'provider_lead'))
            AND id IN (SELECT s2s.allocated_referrals())));

-- What officers alone read or write about a referral goes by the referral itself now. (What
-- practitioners carry stays for every officer to count: their time is one. See referral_case.)
DO $$
DECLARE
    part text;
    theirs text := $rule$(SELECT s2s.acts_for_all()) OR ((SELECT s2s.acts_as('send_officer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id))$rule$;
BEGIN
    FOREACH part IN ARRAY ARRAY['decision_check', 'internal_note', 'flag', 'officer_assignment']
    LOOP
        EXECUTE format('ALTER POLICY %1$s_read ON s2s.%1$I USING (%2$s)', part, theirs);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['decision_check', 'officer_assignment', 'allocation']
    LOOP
        EXECUTE format('ALTER POLICY %1$s_add ON s2s.%1$I WITH CHECK (%2$s)', part, theirs);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['officer_assignment', 'allocation']
    LOOP
        EXECUTE format('ALTER POLICY %1$s_change ON s2s.%1$I USING (%2$s)', part, theirs);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['internal_note', 'flag']
    LOOP
        EXECUTE format($p$ALTER POLICY %1$s_add ON s2s.%1$I WITH CHECK ((SELECT s2s.acts_as('system'))
            OR (by_id = (SELECT s2s.acting_id()) AND (%2$s)))$p$, part, theirs);
    END LOOP;
END $$;
ALTER POLICY flag_resolution_read ON s2s.flag_resolution
    USING (EXISTS (SELECT FROM s2s.flag f WHERE f.id = flag_id));
ALTER POLICY flag_resolution_add ON s2s.flag_resolution
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id())
        AND (SELECT s2s.acts_as('send_officer'))
        AND EXISTS (SELECT FROM s2s.flag f WHERE f.id = flag_id)));
ALTER POLICY agreement_withdrawal_add ON s2s.agreement_withdrawal
    WITH CHECK ((SELECT s2s.acts_for_all())
        OR ((SELECT s2s.acts_as('send_officer'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id))
        OR ((SELECT s2s.acts_as('school_referrer'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                AND r.status IN ('submitted', 'returned', 'waiting', 'accepted', 'allocated')
                AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))));
-- What offers, reallocation and those who join in have brought goes by the referral too. (Open offers
-- and supporters are read by every officer, as they take somebody's time.)
DO $$
DECLARE
    part text;
    theirs text := $rule$(SELECT s2s.acts_for_all()) OR ((SELECT s2s.acts_as('send_officer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id))$rule$;
    own text := $rule$(SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id()) AND (%s))$rule$;
BEGIN
    FOREACH part IN ARRAY ARRAY['allocation_ending', 'hand_over_note']
    LOOP
        EXECUTE format('ALTER POLICY %1$s_read ON s2s.%1$I
            USING (%2$s OR referral_id IN (SELECT s2s.allocated_referrals()))', part, theirs);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['allocation_ending', 'offer']
    LOOP
        EXECUTE format('ALTER POLICY %1$s_add ON s2s.%1$I WITH CHECK (%2$s)', part,
            format(own, theirs));
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

-- An administrator says for which body an officer acts, so has to read who there is.
ALTER POLICY officer_read ON s2s.officer
    USING ((SELECT s2s.acts_as('send_officer', 'administrator', 'system')));

DO $$
BEGIN
    EXECUTE replace(pg_get_functiondef('s2s.repeats_of(bigint, timestamptz)'::regprocedure),
        '(s2s.acts_as(''send_officer'', ''system'')
                AND',
        '(r.body = ANY (s2s.acting_bodies()) AND other.body = ANY (s2s.acting_bodies())
                AND');
    EXECUTE replace(pg_get_functiondef('s2s.waiting_place(text)'::regprocedure),
        '(s2s.acts_as(''send_officer'', ''system'') OR',
        '(r.body = ANY (s2s.acting_bodies()) OR');
END $$;

-- What a practitioner's open referrals weigh, whichever body accepted them: without this an officer
-- of one body would take somebody for free whom the other has filled. No child, no words. Others
-- see what they saw: a practitioner and a lead their own.
CREATE VIEW s2s.referral_case AS
    SELECT r.id, r.urn, r.status,
        (SELECT l.code::smallint FROM s2s.decision d JOIN s2s.support_level l ON l.id = d.level_id
         WHERE d.referral_id = r.id AND l.code ~ '^[0-9]{1,4}$'
         ORDER BY d.event_id DESC LIMIT 1) AS tier
    FROM s2s.referral r
    WHERE r.submitted_at IS NOT NULL
      AND ((SELECT s2s.acts_as('send_officer', 'system'))
        OR r.id IN (SELECT s2s.allocated_referrals()));
GRANT SELECT ON s2s.referral_case TO s2s_app;

-- 2. Handing over --------------------------------------------------------------------------------
-- Whoever hands over may not see the referral afterwards, which the policies of an UPDATE refuse. So
-- it is done here, with the owner's rights: by an officer of the body that has it, before it is
-- decided, with the row of the hand-over beside it. Nothing else moves a referral that was sent.
CREATE FUNCTION s2s.check_body_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user = 's2s_app' AND OLD.submitted_at IS NOT NULL
        AND (NEW.body, NEW.body_rule_id) IS DISTINCT FROM (OLD.body, OLD.body_rule_id) THEN
        RAISE EXCEPTION 'a referral that was sent goes to another team by a hand-over alone'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER body_change BEFORE UPDATE OF body, body_rule_id ON s2s.referral
    FOR EACH ROW EXECUTE FUNCTION s2s.check_body_change();
GRANT EXECUTE ON FUNCTION s2s.check_body_change() TO s2s_app;

CREATE FUNCTION s2s.follow_handover() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    UPDATE s2s.referral r SET body = NEW.to_body, version = version + 1
        WHERE r.id = NEW.referral_id AND r.body = NEW.from_body
          AND r.status IN ('submitted', 'waiting')
          AND r.body = ANY (s2s.acting_bodies());
    IF NOT FOUND THEN
        RAISE EXCEPTION 'only a team that has a referral hands it over, before it is decided'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER follow AFTER INSERT ON s2s.triage_handover
    FOR EACH ROW EXECUTE FUNCTION s2s.follow_handover();
REVOKE ALL ON FUNCTION s2s.follow_handover(), s2s.acting_bodies(), s2s.acts_for_all() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.follow_handover(), s2s.acting_bodies(), s2s.acts_for_all() TO s2s_app;

-- 3. The new tables ------------------------------------------------------------------------------
GRANT SELECT ON s2s.triage_body TO s2s_app;
GRANT SELECT, INSERT ON s2s.triage_rule, s2s.triage_handover, s2s.panel_meeting, s2s.panel_reviewer,
    s2s.panel_item, s2s.panel_comment, s2s.bulk_run TO s2s_app;
GRANT SELECT, INSERT, DELETE ON s2s.officer_body TO s2s_app;
GRANT UPDATE (ended_at, ended_by_id, ended_by_name, present) ON s2s.panel_meeting TO s2s_app;
GRANT UPDATE (opened_at, opened_by_name, removed_at, removed_by_name, removed_why)
    ON s2s.panel_item TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;
DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['triage_body', 'triage_rule', 'officer_body', 'triage_handover',
        'panel_meeting', 'panel_reviewer', 'panel_item', 'panel_comment', 'bulk_run']
    LOOP
        EXECUTE format('ALTER TABLE s2s.%I ENABLE ROW LEVEL SECURITY', part);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['triage_rule', 'triage_handover', 'panel_reviewer', 'panel_comment',
        'bulk_run']
    LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.%I
            FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change()', part);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.%I
            FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
END $$;
CREATE POLICY triage_body_read ON s2s.triage_body FOR SELECT USING (true);
-- A school reads the rule as it sends.
CREATE POLICY triage_rule_read ON s2s.triage_rule FOR SELECT USING (true);
CREATE POLICY triage_rule_add ON s2s.triage_rule FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY officer_body_read ON s2s.officer_body FOR SELECT
    USING ((SELECT s2s.acts_as('send_officer', 'administrator', 'system')));
CREATE POLICY officer_body_add ON s2s.officer_body FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY officer_body_remove ON s2s.officer_body FOR DELETE
    USING ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY triage_handover_read ON s2s.triage_handover FOR SELECT
    USING ((SELECT s2s.acts_for_all()) OR ((SELECT s2s.acts_as('send_officer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id)));
CREATE POLICY triage_handover_add ON s2s.triage_handover FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('send_officer', 'system'))
        AND from_body = ANY ((SELECT s2s.acting_bodies())::text[]));

-- A panel is of one body, and inside the service: nobody but that body's officers reads of it.
CREATE POLICY panel_meeting_read ON s2s.panel_meeting FOR SELECT
    USING (body = ANY ((SELECT s2s.acting_bodies())::text[]));
CREATE POLICY panel_meeting_add ON s2s.panel_meeting FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id())
        AND body = ANY ((SELECT s2s.acting_bodies())::text[])));
-- Its record is written once, by its chair.
CREATE POLICY panel_meeting_change ON s2s.panel_meeting FOR UPDATE
    USING (ended_at IS NULL AND body = ANY ((SELECT s2s.acting_bodies())::text[])
        AND (chair_id = (SELECT s2s.acting_id()) OR (SELECT s2s.acts_as('system'))))
    WITH CHECK (body = ANY ((SELECT s2s.acting_bodies())::text[]));
CREATE POLICY panel_reviewer_read ON s2s.panel_reviewer FOR SELECT
    USING (EXISTS (SELECT FROM s2s.panel_meeting m WHERE m.id = meeting_id));
CREATE POLICY panel_reviewer_add ON s2s.panel_reviewer FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system'))
        OR EXISTS (SELECT FROM s2s.panel_meeting m WHERE m.id = meeting_id
            AND m.ended_at IS NULL AND m.by_id = (SELECT s2s.acting_id())));
CREATE POLICY panel_item_read ON s2s.panel_item FOR SELECT
    USING (EXISTS (SELECT FROM s2s.panel_meeting m WHERE m.id = meeting_id));
CREATE POLICY panel_item_add ON s2s.panel_item FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id())
        AND EXISTS (SELECT FROM s2s.panel_meeting m WHERE m.id = meeting_id AND m.ended_at IS NULL)
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id)));
CREATE POLICY panel_item_change ON s2s.panel_item FOR UPDATE
    USING (removed_at IS NULL AND (SELECT s2s.acts_as('send_officer', 'system'))
        AND EXISTS (SELECT FROM s2s.panel_meeting m WHERE m.id = meeting_id AND m.ended_at IS NULL))
    WITH CHECK ((SELECT s2s.acts_as('send_officer', 'system')));

-- What the others wrote is read only once every reviewer has written, or the chair has opened it.
CREATE FUNCTION s2s.panel_is_open(item bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
        SELECT i.opened_at IS NOT NULL OR m.ended_at IS NOT NULL
            OR NOT EXISTS (SELECT FROM s2s.panel_reviewer r WHERE r.meeting_id = m.id
                AND NOT EXISTS (SELECT FROM s2s.panel_comment c
                    WHERE c.item_id = i.id AND c.by_id = r.account_id))
        FROM s2s.panel_item i JOIN s2s.panel_meeting m ON m.id = i.meeting_id
        WHERE i.id = item
    $$;
-- Who has written, without what: for those who wait for the others.
CREATE FUNCTION s2s.panel_written(item bigint) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
        SELECT coalesce(array_agg(c.by_name ORDER BY c.id), '{}') FROM s2s.panel_comment c
        JOIN s2s.panel_item i ON i.id = c.item_id JOIN s2s.panel_meeting m ON m.id = i.meeting_id
        WHERE c.item_id = item AND m.body = ANY (s2s.acting_bodies())
    $$;
REVOKE ALL ON FUNCTION s2s.panel_is_open(bigint), s2s.panel_written(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.panel_is_open(bigint), s2s.panel_written(bigint) TO s2s_app;
CREATE POLICY panel_comment_read ON s2s.panel_comment FOR SELECT
    USING ((SELECT s2s.acts_as('system')) OR ((by_id = (SELECT s2s.acting_id())
            OR s2s.panel_is_open(item_id))
        AND EXISTS (SELECT FROM s2s.panel_item i WHERE i.id = item_id)));
-- Each their own, as one of the reviewers, while the meeting has not ended.
CREATE POLICY panel_comment_add ON s2s.panel_comment FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id())
        AND EXISTS (SELECT FROM s2s.panel_item i JOIN s2s.panel_meeting m ON m.id = i.meeting_id
            JOIN s2s.panel_reviewer w ON w.meeting_id = m.id
            WHERE i.id = item_id AND i.removed_at IS NULL AND m.ended_at IS NULL
              AND w.account_id = (SELECT s2s.acting_id()))));
-- What became of several at once is for whoever asked for it.
CREATE POLICY bulk_run_read ON s2s.bulk_run FOR SELECT
    USING (by_id = (SELECT s2s.acting_id()) OR (SELECT s2s.acts_as('system')));
CREATE POLICY bulk_run_add ON s2s.bulk_run FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id())
        AND (SELECT s2s.acts_as('send_officer'))));

-- 4. The worklist --------------------------------------------------------------------------------
-- What the list says is added to what it says by now, whatever stood there: the other columns stay.
ALTER TABLE s2s.worklist_entry ADD COLUMN body text NOT NULL DEFAULT 'send',
    ADD COLUMN panel_on date;
DO $$
DECLARE
    source text := pg_get_viewdef('s2s.worklist_source'::regclass);
BEGIN
    source := regexp_replace(source, '\mr\.reference,', 'r.reference, r.body, p.meets_on AS panel_on,');
    source := replace(source, 'WHERE (r.submitted_at IS NOT NULL);', $join$
        LEFT JOIN LATERAL (SELECT m.meets_on FROM s2s.panel_item i
            JOIN s2s.panel_meeting m ON m.id = i.meeting_id
            WHERE i.referral_id = r.id AND i.removed_at IS NULL AND m.ended_at IS NULL
            ORDER BY i.id DESC LIMIT 1) p ON true
        WHERE r.submitted_at IS NOT NULL$join$);
    DROP VIEW s2s.worklist_source;
    EXECUTE 'CREATE VIEW s2s.worklist_source AS ' || source;
    EXECUTE regexp_replace(pg_get_functiondef('s2s.refresh_worklist(bigint)'::regprocedure),
        '(excluded\.|kept\.|\m)answer_by\M', '\1answer_by, \1body, \1panel_on', 'g');
    EXECUTE replace(pg_get_functiondef('s2s.follow_in_worklist()'::regprocedure),
        'ELSIF TG_OP = ''DELETE''', 'ELSIF TG_TABLE_NAME = ''panel_meeting'' THEN
        PERFORM s2s.refresh_worklist(i.referral_id) FROM s2s.panel_item i
            WHERE i.meeting_id = NEW.id;
    ELSIF TG_OP = ''DELETE''');
END $$;
UPDATE s2s.worklist_entry w SET body = r.body FROM s2s.referral r
    WHERE r.id = w.referral_id AND r.body <> 'send';
CREATE TRIGGER worklist_panels AFTER INSERT OR UPDATE OF removed_at ON s2s.panel_item
    FOR EACH ROW EXECUTE FUNCTION s2s.follow_in_worklist();
CREATE TRIGGER worklist_meetings AFTER UPDATE OF ended_at ON s2s.panel_meeting
    FOR EACH ROW EXECUTE FUNCTION s2s.follow_in_worklist();

-- Not as a condition that an index could be searched by: a list of two bodies is read in its order.
ALTER POLICY worklist_entry_read ON s2s.worklist_entry
    USING ((SELECT s2s.acts_for_all()) OR body = ANY ((SELECT s2s.acting_bodies())::text[]));

-- What an officer looks after is counted by body too, so the body is in the index that it is
-- counted from: without it each row that is counted is fetched from the table.
DROP INDEX s2s.ix_worklist_entry_officer, s2s.ix_worklist_entry_officer_new;
CREATE INDEX ix_worklist_entry_officer ON s2s.worklist_entry (officer_id, submitted_at, referral_id)
    INCLUDE (body) WHERE open;
CREATE INDEX ix_worklist_entry_officer_new
    ON s2s.worklist_entry (officer_id, submitted_at, referral_id)
    INCLUDE (body, assigned_at) WHERE open AND unopened;

-- As before, of the bodies of whoever asks, or of the one that is `wanted`.
DROP FUNCTION s2s.worklist_counts(integer, date, timestamptz);
CREATE FUNCTION s2s.worklist_counts(most integer, day date, lately timestamptz, wanted text)
    RETURNS TABLE (pile text, number bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off
    AS $$
DECLARE
    me text := s2s.acting_id();
    mine text[] := ARRAY(SELECT b FROM unnest(s2s.acting_bodies()) AS b
        WHERE wanted = '' OR b = wanted);
BEGIN
    RETURN QUERY
        SELECT p.pile, (SELECT count(*) FROM (
            SELECT FROM s2s.worklist_entry w
            WHERE w.body = ANY (mine) AND w.state = p.pile LIMIT most) AS found)
        FROM unnest(ARRAY['new', 'resubmitted', 'returned', 'accepted']) AS p (pile);
    RETURN QUERY SELECT 'due', (SELECT count(*) FROM (
        SELECT FROM s2s.worklist_entry w
        WHERE w.body = ANY (mine) AND w.due_sort = day LIMIT most) AS found);
    RETURN QUERY SELECT 'overdue', (SELECT count(*) FROM (
        SELECT FROM s2s.worklist_entry w
        WHERE w.body = ANY (mine) AND w.due_sort < day LIMIT most) AS found);
    RETURN QUERY SELECT 'mine', (SELECT count(*) FROM (
        SELECT FROM s2s.worklist_entry w WHERE w.officer_id = me AND w.open
            AND w.body = ANY (mine) LIMIT most) AS found);
    RETURN QUERY SELECT 'new-to-me', (SELECT count(*) FROM (
        SELECT FROM s2s.worklist_entry w WHERE w.officer_id = me AND w.open AND w.unopened
            AND w.assigned_at >= lately AND w.body = ANY (mine) LIMIT most) AS found);
END $$;
REVOKE ALL ON FUNCTION s2s.worklist_counts(integer, date, timestamptz, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.worklist_counts(integer, date, timestamptz, text) TO s2s_app;
