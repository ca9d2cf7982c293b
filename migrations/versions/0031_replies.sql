-- Replies to records, concerns for officers alone, and what was typed and not saved.
-- The tables are in the .py file beside this one.

GRANT SELECT, INSERT ON s2s.record_reply, s2s.reply_settlement, s2s.concern TO s2s_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON s2s.record_copy TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;
DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['record_reply', 'reply_settlement', 'concern', 'record_copy']
    LOOP
        EXECUTE format('ALTER TABLE s2s.%I ENABLE ROW LEVEL SECURITY', part);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['record_reply', 'reply_settlement', 'concern']
    LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.%I
            FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change()', part);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.%I
            FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
END $$;

-- 1. Replies: read with the record, written by its school in their own name --------------------------
CREATE POLICY record_reply_read ON s2s.record_reply FOR SELECT
    USING (EXISTS (SELECT FROM s2s.visit_record v WHERE v.id = record_id));
CREATE POLICY record_reply_add ON s2s.record_reply FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id())
        AND (SELECT s2s.acts_as('school_referrer'))
        AND EXISTS (SELECT FROM s2s.visit_record v WHERE v.id = record_id)));
CREATE POLICY reply_settlement_read ON s2s.reply_settlement FOR SELECT
    USING (EXISTS (SELECT FROM s2s.record_reply r WHERE r.id = reply_id));
CREATE POLICY reply_settlement_add ON s2s.reply_settlement FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id())
        AND ((side = 'school' AND (SELECT s2s.acts_as('school_referrer')))
            OR (side = 'council' AND (SELECT s2s.acts_as('send_officer'))))
        AND EXISTS (SELECT FROM s2s.record_reply r WHERE r.id = reply_id)));

-- Of one part of a record one dispute is open at a time, and only what is issued can be disputed.
CREATE FUNCTION s2s.check_reply() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM s2s.visit_record v
            WHERE v.id = NEW.record_id AND v.issued_at IS NOT NULL) THEN
        RAISE EXCEPTION 'only an issued record can be disputed' USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (SELECT FROM s2s.record_reply r WHERE r.record_id = NEW.record_id
            AND r.part = NEW.part AND r.addendum_number IS NOT DISTINCT FROM NEW.addendum_number
            AND NOT EXISTS (SELECT FROM s2s.reply_settlement t WHERE t.reply_id = r.id)) THEN
        RAISE EXCEPTION 'this part of the record is disputed already'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER one_open BEFORE INSERT ON s2s.record_reply
    FOR EACH ROW EXECUTE FUNCTION s2s.check_reply();

-- 2. Concerns: the officers of the referral's team, and whoever wrote it while they have the case ----
CREATE POLICY concern_read ON s2s.concern FOR SELECT
    USING ((SELECT s2s.acts_for_all())
        OR ((SELECT s2s.acts_as('send_officer'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id))
        OR (by_id = (SELECT s2s.acting_id()) AND (SELECT s2s.acts_as('practitioner'))
            AND referral_id IN (SELECT s2s.allocated_referrals())));
CREATE POLICY concern_add ON s2s.concern FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id())
        AND (SELECT s2s.acts_as('practitioner'))
        AND referral_id IN (SELECT s2s.working_referrals())));

-- 3. What was typed and not saved: its writer's alone, while they write there ------------------------
DO $$
DECLARE mine text := $rule$(SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id())
    AND (SELECT s2s.acts_as('practitioner'))
    AND referral_id IN (SELECT s2s.working_referrals()))$rule$;
BEGIN
    EXECUTE format('CREATE POLICY record_copy_read ON s2s.record_copy FOR SELECT USING (%s)', mine);
    EXECUTE format('CREATE POLICY record_copy_add ON s2s.record_copy FOR INSERT WITH CHECK (%s)',
        mine);
    EXECUTE format('CREATE POLICY record_copy_change ON s2s.record_copy FOR UPDATE USING (%s)', mine);
    EXECUTE format('CREATE POLICY record_copy_remove ON s2s.record_copy FOR DELETE USING (%s)', mine);
END $$;

-- Issued, or a parent no longer agrees: nobody goes on typing. With its owner's rights, as a copy may
-- be another's than whoever does it.
CREATE FUNCTION s2s.forget_record_copies() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'referral' THEN
        DELETE FROM s2s.record_copy WHERE referral_id = NEW.id;
    ELSE
        DELETE FROM s2s.record_copy WHERE visit_id = NEW.visit_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER forget_record_copies AFTER UPDATE OF issued_at ON s2s.visit_record
    FOR EACH ROW WHEN (NEW.issued_at IS NOT NULL)
    EXECUTE FUNCTION s2s.forget_record_copies();
CREATE TRIGGER forget_record_copies AFTER UPDATE OF status ON s2s.referral
    FOR EACH ROW WHEN (NEW.status = 'withdrawn' AND NEW.withdrawal = 'WITHDRAWN_PARENT')
    EXECUTE FUNCTION s2s.forget_record_copies();

-- 4. What a programme manager counts of records: no child, no school, no word ------------------------
CREATE VIEW s2s.record_measure AS
    SELECT (v.issued_at AT TIME ZONE 'Europe/London')::date AS issued_on,
        count(r.id) > 0 AS disputed,
        count(r.id) > count(t.reply_id) AS open
    FROM s2s.visit_record v
    LEFT JOIN s2s.record_reply r ON r.record_id = v.id
    LEFT JOIN s2s.reply_settlement t ON t.reply_id = r.id
    WHERE v.issued_at IS NOT NULL AND (SELECT s2s.acts_as('manager', 'system'))
    GROUP BY v.id;
GRANT SELECT ON s2s.record_measure TO s2s_app;

GRANT EXECUTE ON FUNCTION s2s.check_reply(), s2s.forget_record_copies() TO s2s_app;
