-- What support achieved, how it ended, and what a school says of it. The tables are in the .py file
-- beside this one.

-- 1. How a referral ended ----------------------------------------------------------------------------
-- Worked out from facts, by the table in docs/decisions/0035: whatever is written there, this wins.
-- `started`: a visit has happened, and its record has been issued.
CREATE FUNCTION s2s.conclusion(status text, closure text, withdrawal text, started boolean)
    RETURNS text LANGUAGE sql IMMUTABLE
    AS $$
        SELECT CASE
            WHEN status IN ('declined', 'advised', 'redirected') THEN 'declined'
            WHEN status = 'unanswered' THEN 'cancelled'
            WHEN status = 'withdrawn' THEN CASE
                WHEN started THEN 'ended_early'
                WHEN withdrawal = 'SENT_BY_MISTAKE' THEN 'cancelled'
                ELSE 'withdrawn_before_start' END
            WHEN status = 'closed' THEN CASE
                WHEN started AND closure IN ('OUTCOMES_MET', 'PARTLY_MET', 'NOT_MET_ESCALATE')
                    THEN 'completed'
                WHEN started THEN 'ended_early'
                WHEN closure IN ('MOVED_SCHOOL', 'LEFT_COUNTY', 'WITHDRAWN_PARENT',
                    'WITHDRAWN_SCHOOL') THEN 'withdrawn_before_start'
                ELSE 'cancelled' END
            END
    $$;

-- With its owner's rights: whoever withdraws or issues may not read all that it goes by.
CREATE FUNCTION s2s.set_conclusion() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
BEGIN
    NEW.conclusion := s2s.conclusion(NEW.status, NEW.closure, NEW.withdrawal,
        NEW.status IN ('closed', 'withdrawn') AND EXISTS (SELECT FROM s2s.visit_record v
            WHERE v.referral_id = NEW.id AND v.issued_at IS NOT NULL
              AND v.attendance = 'happened'));
    RETURN NEW;
END $$;
-- After "school_change", which asks what the school itself has changed.
CREATE TRIGGER set_conclusion BEFORE INSERT OR UPDATE ON s2s.referral
    FOR EACH ROW EXECUTE FUNCTION s2s.set_conclusion();

-- A record that is finished after the school has withdrawn says that support had started.
CREATE FUNCTION s2s.follow_record_issued() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
BEGIN
    UPDATE s2s.referral SET conclusion = NULL
        WHERE id = NEW.referral_id AND status IN ('closed', 'withdrawn');
    RETURN NULL;
END $$;
CREATE TRIGGER follow_record_issued AFTER INSERT OR UPDATE OF issued_at ON s2s.visit_record
    FOR EACH ROW WHEN (NEW.issued_at IS NOT NULL) EXECUTE FUNCTION s2s.follow_record_issued();
REVOKE ALL ON FUNCTION s2s.set_conclusion(), s2s.follow_record_issued() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.set_conclusion(), s2s.follow_record_issued(),
    s2s.conclusion(text, text, text, boolean) TO s2s_app;

-- Support was given of which no end report says what came of it: a visit happened, and its record was
-- issued after the last report, if there is one.
CREATE FUNCTION s2s.end_report_due(wanted bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT EXISTS (SELECT FROM s2s.visit_record v
            WHERE v.referral_id = wanted AND v.attendance = 'happened'
              AND v.issued_at > coalesce((SELECT max(e.issued_at) FROM s2s.end_report e
                WHERE e.referral_id = wanted), '-infinity'))
    $$;
REVOKE ALL ON FUNCTION s2s.end_report_due(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.end_report_due(bigint) TO s2s_app;

-- The officers' list says how it ended too, whatever stood there: the other columns stay. Nothing is
-- ready to close while its end report is due.
DO $$
DECLARE
    source text := pg_get_viewdef('s2s.worklist_source'::regclass);
BEGIN
    source := regexp_replace(source, '\mr\.reference,', 'r.reference, r.conclusion,');
    source := replace(source, 'THEN ''ready''', 'AND NOT s2s.end_report_due(r.id) THEN ''ready''');
    DROP VIEW s2s.worklist_source;
    EXECUTE 'CREATE VIEW s2s.worklist_source AS ' || source;
    EXECUTE regexp_replace(pg_get_functiondef('s2s.refresh_worklist(bigint)'::regprocedure),
        '(excluded\.|kept\.|\m)answer_by\M', '\1answer_by, \1conclusion', 'g');
END $$;
CREATE TRIGGER worklist_reports AFTER INSERT OR UPDATE OF issued_at ON s2s.end_report
    FOR EACH ROW WHEN (NEW.issued_at IS NOT NULL) EXECUTE FUNCTION s2s.follow_in_worklist();
CREATE TRIGGER worklist_records AFTER INSERT OR UPDATE OF issued_at ON s2s.visit_record
    FOR EACH ROW WHEN (NEW.issued_at IS NOT NULL) EXECUTE FUNCTION s2s.follow_in_worklist();
UPDATE s2s.referral SET conclusion = NULL WHERE submitted_at IS NOT NULL
    AND status IN ('closed', 'withdrawn', 'declined', 'advised', 'redirected', 'unanswered');

-- 2. Who may read and write ---------------------------------------------------------------------------
GRANT SELECT, INSERT ON s2s.outcome_score, s2s.school_ask, s2s.ask_link, s2s.confidence_answer,
    s2s.school_evaluation, s2s.end_report, s2s.end_report_document, s2s.case_study_consent,
    s2s.case_study TO s2s_app;
GRANT UPDATE (due_on, asked_at, reminded_at, ended_at) ON s2s.school_ask TO s2s_app;
GRANT UPDATE (version, done, changed, goes_on, next_steps, author_id, author_name, saved_at,
    issued_at) ON s2s.end_report TO s2s_app;
GRANT UPDATE (ended_at, ended_by_id, ended_by_name) ON s2s.case_study TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;
DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['outcome_score', 'school_ask', 'ask_link', 'confidence_answer',
        'school_evaluation', 'end_report', 'end_report_document', 'case_study_consent', 'case_study']
    LOOP
        EXECUTE format('ALTER TABLE s2s.%I ENABLE ROW LEVEL SECURITY', part);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.%I
            FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['outcome_score', 'ask_link', 'confidence_answer',
        'school_evaluation', 'end_report_document', 'case_study_consent']
    LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.%I
            FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
    -- Whoever sees the referral reads what was achieved and what its school says of it.
    FOREACH part IN ARRAY ARRAY['outcome_score', 'school_ask', 'confidence_answer',
        'school_evaluation']
    LOOP
        EXECUTE format($p$CREATE POLICY %1$s_read ON s2s.%1$I FOR SELECT
            USING ((SELECT s2s.acts_for_all())
                OR EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id))$p$, part);
    END LOOP;
    -- A school says so in its own name, to what it is asked.
    FOREACH part IN ARRAY ARRAY['confidence_answer', 'school_evaluation']
    LOOP
        EXECUTE format($p$CREATE POLICY %1$s_add ON s2s.%1$I FOR INSERT
            WITH CHECK ((SELECT s2s.acts_as('system'))
                OR (by_id = (SELECT s2s.acting_id()) AND (SELECT s2s.acts_as('school_referrer'))
                    AND EXISTS (SELECT FROM s2s.school_ask a JOIN s2s.referral r
                        ON r.id = a.referral_id
                        WHERE a.id = ask_id AND a.referral_id = %1$I.referral_id
                          AND a.ended_at IS NULL
                          AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))))$p$,
            part);
    END LOOP;
END $$;

-- Each of the two sides scores for itself: a practitioner who leads, and the school.
CREATE POLICY outcome_score_add ON s2s.outcome_score FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id()) AND (
        (rater = 'practitioner' AND kind <> 'later' AND (SELECT s2s.acts_as('practitioner'))
            AND referral_id IN (SELECT s2s.led_referrals())
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                AND r.status = 'allocated'))
        OR (rater = 'school' AND kind <> 'baseline' AND (SELECT s2s.acts_as('school_referrer'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                AND r.status IN ('allocated', 'closed')
                AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))))));

-- What a school is asked follows from what an officer does with the referral.
CREATE POLICY school_ask_add ON s2s.school_ask FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('send_officer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id)));
CREATE POLICY school_ask_change ON s2s.school_ask FOR UPDATE
    USING ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('send_officer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id)));
CREATE POLICY ask_link_read ON s2s.ask_link FOR SELECT USING ((SELECT s2s.acts_as('system')));
CREATE POLICY ask_link_add ON s2s.ask_link FOR INSERT WITH CHECK ((SELECT s2s.acts_as('system')));

-- A draft is its author's; issued, it is for whoever sees the referral.
CREATE POLICY end_report_read ON s2s.end_report FOR SELECT
    USING ((SELECT s2s.acts_as('system'))
        OR (issued_at IS NOT NULL AND ((SELECT s2s.acts_for_all())
            OR EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id)))
        OR ((SELECT s2s.acts_as('practitioner'))
            AND referral_id IN (SELECT s2s.led_referrals())));
DO $$
DECLARE
    theirs text := $rule$(SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('practitioner'))
        AND referral_id IN (SELECT s2s.led_referrals())
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status = 'allocated'))$rule$;
BEGIN
    EXECUTE format('CREATE POLICY end_report_add ON s2s.end_report FOR INSERT WITH CHECK (%s)',
        theirs);
    EXECUTE format('CREATE POLICY end_report_change ON s2s.end_report FOR UPDATE USING (%s)',
        theirs);
    EXECUTE format('CREATE POLICY end_report_document_add ON s2s.end_report_document
        FOR INSERT WITH CHECK (%s)', theirs);
END $$;
CREATE POLICY end_report_document_read ON s2s.end_report_document FOR SELECT
    USING (EXISTS (SELECT FROM s2s.end_report e WHERE e.id = report_id));
CREATE FUNCTION s2s.refuse_change_of_issued_report() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.issued_at IS NOT NULL OR TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'an issued end report never changes: % refused', TG_OP
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
GRANT EXECUTE ON FUNCTION s2s.refuse_change_of_issued_report() TO s2s_app;
CREATE TRIGGER issued_is_final BEFORE UPDATE OR DELETE ON s2s.end_report
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change_of_issued_report();

-- 3. The link that was mailed -------------------------------------------------------------------------
-- Whoever holds it may read no row. One function says what is asked, and of the referral no more than
-- its reference, its school and how many outcomes there are; the other answers, once. What is not to
-- be answered by this link is no row: unknown, over, answered and ended look the same.
CREATE FUNCTION s2s.open_ask(token_digest text, as_of timestamptz) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT a.id FROM s2s.ask_link l
        JOIN s2s.school_ask a ON a.id = l.ask_id
        JOIN s2s.referral r ON r.id = a.referral_id
        WHERE l.digest = token_digest AND l.expires_at > as_of AND a.ended_at IS NULL
          AND a.stage <> 'evaluation'
          AND r.status = CASE a.stage WHEN 'before' THEN 'allocated' ELSE 'closed' END
          AND NOT EXISTS (SELECT FROM s2s.confidence_answer c WHERE c.ask_id = a.id)
    $$;
CREATE FUNCTION s2s.ask_by_link(token_digest text, as_of timestamptz)
    RETURNS TABLE (reference text, school_name text, stage text, positions smallint[])
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT r.reference, r.school_name, a.stage,
            ARRAY(SELECT o.position FROM s2s.outcome_wanted o WHERE o.referral_id = r.id
                ORDER BY o.position)
        FROM s2s.school_ask a JOIN s2s.referral r ON r.id = a.referral_id
        WHERE a.id = s2s.open_ask(token_digest, as_of)
    $$;
CREATE FUNCTION s2s.answer_by_link(token_digest text, as_of timestamptz, today date, name text,
        confidence integer, still_using text, scores jsonb)
    RETURNS TABLE (reference text, stage text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    asked s2s.school_ask;
BEGIN
    -- Of two who press at once the second finds it answered.
    SELECT * INTO asked FROM s2s.school_ask a
        WHERE a.id = s2s.open_ask(token_digest, as_of) FOR UPDATE;
    IF NOT FOUND OR s2s.open_ask(token_digest, as_of) IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO s2s.confidence_answer
            (referral_id, ask_id, stage, revision, confidence, still_using, by_link, at, by_id,
                by_name)
        VALUES (asked.referral_id, asked.id, asked.stage, 1, answer_by_link.confidence,
            answer_by_link.still_using, true, as_of, 'link', name);
    IF asked.stage = 'later' THEN
        INSERT INTO s2s.outcome_score
                (referral_id, position, kind, rater, score, on_day, at, by_id, by_name)
            SELECT asked.referral_id, o.position, 'later', 'school',
                (scores ->> o.position::text)::smallint, today, as_of, 'link', name
            FROM s2s.outcome_wanted o
            WHERE o.referral_id = asked.referral_id AND scores ->> o.position::text IS NOT NULL;
    END IF;
    INSERT INTO s2s.referral_event (referral_id, action, at, by_id, by_name)
        VALUES (asked.referral_id, 'confidence_given', as_of, 'link', name);
    RETURN QUERY SELECT r.reference, asked.stage::text FROM s2s.referral r
        WHERE r.id = asked.referral_id;
END $$;
REVOKE ALL ON FUNCTION s2s.open_ask(text, timestamptz), s2s.ask_by_link(text, timestamptz),
    s2s.answer_by_link(text, timestamptz, date, text, integer, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.ask_by_link(text, timestamptz),
    s2s.answer_by_link(text, timestamptz, date, text, integer, text, jsonb) TO s2s_app;

-- 4. Case studies --------------------------------------------------------------------------------------
-- Between the school and the officers: who agreed is no business of a practitioner.
DO $$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['case_study_consent', 'case_study']
    LOOP
        EXECUTE format($p$CREATE POLICY %1$s_read ON s2s.%1$I FOR SELECT
            USING ((SELECT s2s.acts_for_all())
                OR ((SELECT s2s.acts_as('send_officer', 'school_referrer'))
                    AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id)))$p$, part);
    END LOOP;
END $$;
-- A school says who agreed; that somebody takes it back, an officer may be told too.
CREATE POLICY case_study_consent_add ON s2s.case_study_consent FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id()) AND (
        ((SELECT s2s.acts_as('school_referrer'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[])))
        OR (NOT given AND (SELECT s2s.acts_as('send_officer'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id)))));
CREATE POLICY case_study_add ON s2s.case_study FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id())
        AND (SELECT s2s.acts_as('send_officer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id)));
CREATE POLICY case_study_change ON s2s.case_study FOR UPDATE
    USING ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('send_officer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id)));

-- The school has agreed, and of a named pupil the parent too, and neither has taken it back; nor has
-- a parent ended the support itself.
CREATE FUNCTION s2s.case_study_agreed(wanted bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT bool_and(coalesce((SELECT c.given FROM s2s.case_study_consent c
                WHERE c.referral_id = wanted AND c.party = p.party
                ORDER BY c.id DESC LIMIT 1), false))
            AND NOT EXISTS (SELECT FROM s2s.agreement_withdrawal w WHERE w.referral_id = wanted)
        FROM s2s.referral r
        JOIN (VALUES ('school'), ('parent')) AS p (party)
            ON p.party = 'school' OR r.kind = 'pupil' OR r.kind IS NULL
        WHERE r.id = wanted
    $$;
CREATE FUNCTION s2s.check_case_study() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
BEGIN
    IF NOT coalesce(s2s.case_study_agreed(NEW.referral_id), false) THEN
        RAISE EXCEPTION 'nobody is made a case study without consent'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_case_study_agreed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER agreed BEFORE INSERT ON s2s.case_study
    FOR EACH ROW EXECUTE FUNCTION s2s.check_case_study();
CREATE FUNCTION s2s.refuse_change_of_case_study() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL OR TG_OP = 'DELETE' OR NEW.text <> OLD.text THEN
        RAISE EXCEPTION 'a case study ends, once, and never changes: % refused', TG_OP
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
GRANT EXECUTE ON FUNCTION s2s.refuse_change_of_case_study() TO s2s_app;
CREATE TRIGGER ends_once BEFORE UPDATE OR DELETE ON s2s.case_study
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change_of_case_study();
-- Taken back, it ends in the same transaction, whoever took it back.
CREATE FUNCTION s2s.follow_consent() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
BEGIN
    UPDATE s2s.case_study SET ended_at = NEW.at, ended_by_id = NEW.by_id,
            ended_by_name = NEW.by_name
        WHERE referral_id = NEW.referral_id AND ended_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER follow_consent AFTER INSERT ON s2s.case_study_consent
    FOR EACH ROW WHEN (NOT NEW.given) EXECUTE FUNCTION s2s.follow_consent();
CREATE TRIGGER follow_agreement AFTER INSERT ON s2s.agreement_withdrawal
    FOR EACH ROW EXECUTE FUNCTION s2s.follow_consent();
REVOKE ALL ON FUNCTION s2s.case_study_agreed(bigint), s2s.check_case_study(), s2s.follow_consent()
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.case_study_agreed(bigint), s2s.check_case_study(),
    s2s.follow_consent() TO s2s_app;

-- 5. Which mail went to whom -------------------------------------------------------------------------
-- By role, without an address and without what it said: whoever sends one may not see the referral any
-- more by then, so it is noted with the owner's rights.
CREATE FUNCTION s2s.note_mail(wanted bigint, as_of timestamptz, notice text, recipient text)
    RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        INSERT INTO s2s.mail_note (referral_id, at, notice, recipient)
            VALUES (wanted, as_of, notice, recipient)
    $$;
REVOKE ALL ON FUNCTION s2s.note_mail(bigint, timestamptz, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.note_mail(bigint, timestamptz, text, text) TO s2s_app;
GRANT SELECT ON s2s.mail_note TO s2s_app;
ALTER TABLE s2s.mail_note ENABLE ROW LEVEL SECURITY;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.mail_note
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.mail_note
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();
-- Officers read of all, the others of their own.
CREATE POLICY mail_note_read ON s2s.mail_note FOR SELECT
    USING ((SELECT s2s.acts_for_all())
        OR ((SELECT s2s.acts_as('send_officer'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id))
        OR (recipient = 'school' AND (SELECT s2s.acts_as('school_referrer'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[])))
        OR (recipient IN ('practitioner', 'lead')
            AND referral_id IN (SELECT s2s.allocated_referrals())));
