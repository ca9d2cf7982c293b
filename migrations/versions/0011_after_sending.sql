-- What may still be written in a referral that has been sent, and what is only ever added.

-- 1. The new tables ------------------------------------------------------------------------------
GRANT SELECT, INSERT ON s2s.section_opening, s2s.section_change, s2s.agreement_withdrawal,
    s2s.service_level TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;

DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['section_opening', 'section_change', 'agreement_withdrawal',
                                'service_level']
    LOOP
        EXECUTE format('ALTER TABLE s2s.%I ENABLE ROW LEVEL SECURITY', part);
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.%I
            FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change()', part);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.%I
            FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
END $$;

CREATE POLICY service_level_read ON s2s.service_level FOR SELECT USING (true);
CREATE POLICY service_level_add ON s2s.service_level FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));

CREATE POLICY section_opening_read ON s2s.section_opening FOR SELECT
    USING (EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
-- The officer who returns it opens sections; a school opens one of its own to amend it, and says why.
CREATE POLICY section_opening_add ON s2s.section_opening FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (transaction_id = txid_current()
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND ((r.status = 'returned' AND (SELECT s2s.acts_as('send_officer')))
              OR (r.status IN ('submitted', 'accepted', 'allocated')
                AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[])
                AND (SELECT s2s.acts_as('school_referrer')))))));
CREATE POLICY section_change_read ON s2s.section_change FOR SELECT
    USING (EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
CREATE POLICY section_change_add ON s2s.section_change FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('school_referrer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status IN ('submitted', 'accepted', 'allocated')
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))));
CREATE POLICY agreement_withdrawal_read ON s2s.agreement_withdrawal FOR SELECT
    USING (EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
CREATE POLICY agreement_withdrawal_add ON s2s.agreement_withdrawal FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system', 'send_officer'))
        OR ((SELECT s2s.acts_as('school_referrer'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                AND r.status IN ('submitted', 'returned', 'accepted', 'allocated')
                AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))));

-- 2. Which sections are open ---------------------------------------------------------------------
-- A draft: all. Returned: those the officer named (all, if it was returned before sections were
-- named). Sent: those that this very transaction has opened with a reason. Otherwise none.
CREATE FUNCTION s2s.section_open(wanted_referral bigint, wanted_section text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT CASE
            WHEN r.status = 'draft' THEN true
            WHEN r.status = 'returned' THEN coalesce((
                SELECT bool_or(o.section = wanted_section) FROM s2s.section_opening o
                WHERE o.referral_id = r.id AND o.event_id = (
                    SELECT max(e.id) FROM s2s.referral_event e
                    WHERE e.referral_id = r.id AND e.action = 'returned')), true)
            WHEN r.status IN ('submitted', 'accepted', 'allocated') THEN EXISTS (
                SELECT FROM s2s.section_opening o
                WHERE o.referral_id = r.id AND o.section = wanted_section
                  AND o.transaction_id = txid_current_if_assigned())
            ELSE false END
        FROM s2s.referral r WHERE r.id = wanted_referral
    $$;

-- The section that a column of the referral's own row belongs to; `kept` may change with any, and
-- NULL, which a column has that is not named here, never does once the referral is sent.
CREATE FUNCTION s2s.section_of_column(name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
        SELECT CASE
            WHEN name IN ('contact_name', 'contact_role', 'contact_email', 'contact_phone',
                          'leader_name', 'leader_agreed_on') THEN 'school'
            WHEN name = 'kind' THEN 'kind'
            WHEN name = 'criteria' THEN 'criteria'
            WHEN name = 'fewer_cycles' THEN 'tried'
            WHEN name IN ('reason', 'support') THEN 'support'
            WHEN name IN ('preferred_days', 'visit_notes', 'safety_notes', 'purchase_order')
                THEN 'practicalities'
            WHEN name = 'declared_by' THEN 'declaration'
            WHEN name IN ('status', 'version', 'answered', 'submit_token', 'declaration',
                          'withdrawal', 'due_on', 'saved_on', 'reminded_on',
                          'expires_on') THEN 'kept'
        END
    $$;

-- A school's own hand on a referral that it has sent. (An officer or the service is not asked.)
CREATE FUNCTION s2s.check_school_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    name text;
    section text;
BEGIN
    IF OLD.status = 'draft' OR NOT s2s.acts_as('school_referrer')
        OR s2s.acts_as('system', 'send_officer') THEN
        RETURN NEW;
    END IF;
    IF NEW.status <> OLD.status AND NEW.status <> 'withdrawn'
        AND NOT (OLD.status = 'returned' AND NEW.status = 'submitted') THEN
        RAISE EXCEPTION 'a school does not make a referral %', NEW.status
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF OLD.status <> 'returned' AND NEW.status = OLD.status AND NOT EXISTS (
        SELECT FROM s2s.section_opening o
        WHERE o.referral_id = OLD.id AND o.transaction_id = txid_current_if_assigned()) THEN
        RAISE EXCEPTION 'a referral that has been sent is amended with a reason or not at all'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF OLD.status = 'returned' AND s2s.section_open(OLD.id, '') THEN
        RETURN NEW; -- returned before sections were named
    END IF;
    FOR name IN SELECT n.key FROM jsonb_each(to_jsonb(NEW)) n
        WHERE n.value IS DISTINCT FROM to_jsonb(OLD) -> n.key
    LOOP
        section := s2s.section_of_column(name);
        IF section IS NULL OR (section <> 'kept' AND NOT s2s.section_open(OLD.id, section))
            OR (name = 'purchase_order' AND OLD.status IN ('accepted', 'allocated')) THEN
            RAISE EXCEPTION 'the school may not change % of a referral that is %', name, OLD.status
                USING ERRCODE = 'insufficient_privilege';
        END IF;
    END LOOP;
    RETURN NEW;
END $$;
CREATE TRIGGER school_change BEFORE UPDATE ON s2s.referral
    FOR EACH ROW EXECUTE FUNCTION s2s.check_school_change();

REVOKE ALL ON FUNCTION s2s.section_open(bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.section_open(bigint, text), s2s.section_of_column(text),
    s2s.check_school_change() TO s2s_app;

-- A school may hold a referral that is under way, to amend or withdraw it: the trigger says what.
ALTER POLICY referral_change ON s2s.referral
    USING ((SELECT s2s.acts_as('system'))
        OR (status <> 'draft' AND (SELECT s2s.acts_as('send_officer')))
        OR (urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND status IN ('draft', 'returned', 'submitted', 'accepted', 'allocated')
            AND (SELECT s2s.acts_as('school_referrer')))
        OR ((SELECT s2s.acts_as('practitioner')) AND id IN (SELECT s2s.allocated_referrals())))
    WITH CHECK ((SELECT s2s.acts_as('system', 'send_officer'))
        OR (urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND status IN ('draft', 'returned', 'submitted', 'accepted', 'allocated', 'withdrawn')
            AND (SELECT s2s.acts_as('school_referrer'))));

-- 3. The parts of a referral: by section ---------------------------------------------------------
DO $$
DECLARE
    part record;
    mine text := $rule$(SELECT s2s.acts_as('system'))
            OR ((SELECT s2s.acts_as('school_referrer'))
                AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                    AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))
                AND (%s))$rule$;
    whole text := format(mine, $rule$s2s.section_open(referral_id, '')$rule$);
    open text;
BEGIN
    FOR part IN SELECT * FROM (VALUES ('referral_need', 'needs'), ('strategy_tried', 'tried'),
        ('outcome_wanted', 'outcomes')) AS parts (name, section)
    LOOP
        open := format(mine, format('s2s.section_open(referral_id, %L)', part.section));
        EXECUTE format('ALTER POLICY %1$s_add ON s2s.%1$I WITH CHECK (%2$s)', part.name, open);
        EXECUTE format('ALTER POLICY %1$s_change ON s2s.%1$I USING (%2$s)', part.name, open);
        EXECUTE format('ALTER POLICY %1$s_remove ON s2s.%1$I USING (%2$s)', part.name, open);
    END LOOP;
    -- One row that holds several sections: it is there when a referral is sent, and stays. What may
    -- be written in it is for the trigger below, column by column.
    FOR part IN SELECT * FROM (VALUES
        ('referral_subject', ARRAY['subject', 'schooling', 'services']),
        ('agreement', ARRAY['consent', 'sharing', 'own'])) AS parts (name, sections)
    LOOP
        SELECT format(mine, string_agg(format('s2s.section_open(referral_id, %L)', s), ' OR '))
            INTO open FROM unnest(part.sections) AS s;
        EXECUTE format('ALTER POLICY %1$s_add ON s2s.%1$I WITH CHECK (%2$s)', part.name, whole);
        EXECUTE format('ALTER POLICY %1$s_change ON s2s.%1$I USING (%2$s)', part.name, open);
        EXECUTE format('ALTER POLICY %1$s_remove ON s2s.%1$I USING (%2$s)', part.name, whole);
    END LOOP;
END $$;

-- The section that a column of those two belongs to: the first form asked everything of a pupil in
-- one. `privacy_notice` is written with the agreement itself where nothing else asks for it.
CREATE FUNCTION s2s.section_of_part(part text, name text, form smallint, kind text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
        SELECT CASE
            WHEN part = 'agreement' THEN CASE
                WHEN form = 1 OR kind = 'group' THEN 'consent'
                WHEN name IN ('scope', 'shared_with', 'evidence', 'privacy_notice') THEN 'sharing'
                WHEN name IN ('pupil_agreed', 'pupil_agreed_on') THEN 'own'
                ELSE 'consent' END
            WHEN name = 'services' THEN 'services'
            WHEN form > 1 AND kind = 'pupil'
                AND name IN ('upn', 'year_group', 'out_of_year', 'sen_provision') THEN 'schooling'
            ELSE 'subject'
        END
    $$;

CREATE FUNCTION s2s.check_part_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    name text;
    held record;
BEGIN
    IF NOT s2s.acts_as('school_referrer') OR s2s.acts_as('system', 'send_officer') THEN
        RETURN NEW;
    END IF;
    SELECT r.status, r.form_version, r.kind INTO held FROM s2s.referral r
        WHERE r.id = OLD.referral_id;
    IF held.status = 'draft' THEN
        RETURN NEW;
    END IF;
    FOR name IN SELECT n.key FROM jsonb_each(to_jsonb(NEW)) n
        WHERE n.value IS DISTINCT FROM to_jsonb(OLD) -> n.key
    LOOP
        IF name = 'referral_id' OR NOT s2s.section_open(OLD.referral_id,
            s2s.section_of_part(TG_TABLE_NAME, name, held.form_version, held.kind)) THEN
            RAISE EXCEPTION 'the school may not change % of a referral that is %', name, held.status
                USING ERRCODE = 'insufficient_privilege';
        END IF;
    END LOOP;
    RETURN NEW;
END $$;
CREATE TRIGGER school_change BEFORE UPDATE ON s2s.referral_subject
    FOR EACH ROW EXECUTE FUNCTION s2s.check_part_change();
CREATE TRIGGER school_change BEFORE UPDATE ON s2s.agreement
    FOR EACH ROW EXECUTE FUNCTION s2s.check_part_change();
GRANT EXECUTE ON FUNCTION s2s.section_of_part(text, text, smallint, text),
    s2s.check_part_change() TO s2s_app;

-- Files are a section too, by the name that an officer opens it with.
ALTER POLICY attachment_add ON s2s.attachment
    WITH CHECK ((SELECT s2s.acts_as('system'))
        OR (state = 'waiting' AND added_by_id = (SELECT s2s.acting_id()) AND (SELECT s2s.acts_as('school_referrer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status IN ('draft', 'returned')
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))
            AND s2s.section_open(referral_id, 'files')));
ALTER POLICY attachment_change ON s2s.attachment
    USING ((SELECT s2s.acts_as('system'))
        OR ((SELECT s2s.acts_as('school_referrer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status IN ('draft', 'returned')
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[])) AND s2s.section_open(referral_id, 'files')))
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (state = 'removed' AND (SELECT s2s.acts_as('school_referrer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status IN ('draft', 'returned')
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))));

-- 4. Involvement stops: no visit is booked unless the referral is with a practitioner now -----------
ALTER POLICY visit_add ON s2s.visit
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('practitioner'))
        AND referral_id IN (SELECT s2s.allocated_referrals())
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status = 'allocated')));

CREATE OR REPLACE FUNCTION s2s.worklist_counts(most integer)
    RETURNS TABLE (status text, number bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
BEGIN
    IF NOT s2s.acts_as('send_officer', 'system') THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT pile.status, (SELECT count(*) FROM (
            SELECT FROM s2s.referral r WHERE r.status = pile.status LIMIT most) AS found)
        FROM unnest(ARRAY['submitted', 'returned', 'accepted', 'allocated', 'closed', 'declined',
                          'withdrawn']) AS pile (status);
END $$;

-- What a trust's viewer counts: a withdrawn referral is no open one.
CREATE OR REPLACE VIEW s2s.school_referral_count AS
    SELECT r.urn, count(*) AS sent,
        count(*) FILTER (WHERE r.status NOT IN ('closed', 'declined', 'withdrawn')) AS open,
        count(*) FILTER (WHERE r.status IN ('closed', 'declined', 'withdrawn')) AS closed
    FROM s2s.referral r
    WHERE r.submitted_at IS NOT NULL
      AND ((SELECT s2s.acts_as('system'))
        OR ((SELECT s2s.acts_as('trust_viewer'))
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[])))
    GROUP BY r.urn;
