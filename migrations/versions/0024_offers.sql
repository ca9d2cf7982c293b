-- Offers: who may see and write them, what never changes of them, and when one is over of itself.

-- 1. Rights ----------------------------------------------------------------------------------------
GRANT SELECT, INSERT ON s2s.offer, s2s.case_request, s2s.lead_confirmation TO s2s_app;
GRANT UPDATE (reminded_on, accepted_at, accepted_by_id, accepted_by_name, released_at, released_by_id,
    released_by_name, ended_at, ended_by_id, ended_by_name, ended, refusal, comment)
    ON s2s.offer TO s2s_app;
GRANT UPDATE (ended_at, ended_by_id, ended_by_name, ended, comment) ON s2s.case_request TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;
ALTER TABLE s2s.offer ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.case_request ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.lead_confirmation ENABLE ROW LEVEL SECURITY;

-- What is offered is read by whom it is offered to and by the lead of their school; neither writes
-- the row: the service does, in their name, once it has looked whether the answer is theirs to give.
CREATE POLICY offer_read ON s2s.offer FOR SELECT
    USING ((SELECT s2s.acts_as('send_officer', 'system'))
        OR practitioner_id = (SELECT s2s.own_practitioner())
        OR provider_urn = (SELECT s2s.leads_provider()));
CREATE POLICY offer_add ON s2s.offer FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('send_officer'))
        AND by_id = (SELECT s2s.acting_id())));
CREATE POLICY offer_change ON s2s.offer FOR UPDATE
    USING ((SELECT s2s.acts_as('send_officer', 'system')));
CREATE POLICY case_request_read ON s2s.case_request FOR SELECT
    USING ((SELECT s2s.acts_as('send_officer', 'system'))
        OR practitioner_id = (SELECT s2s.own_practitioner()));
CREATE POLICY case_request_add ON s2s.case_request FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')));
CREATE POLICY case_request_change ON s2s.case_request FOR UPDATE
    USING ((SELECT s2s.acts_as('send_officer', 'system')));
-- Whether the lead of a school confirms release: the lead or an administrator says so.
CREATE POLICY lead_confirmation_read ON s2s.lead_confirmation FOR SELECT
    USING ((SELECT s2s.acts_as('send_officer', 'administrator', 'system'))
        OR provider_urn = (SELECT s2s.leads_provider()));
CREATE POLICY lead_confirmation_add ON s2s.lead_confirmation FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id())
        AND ((SELECT s2s.acts_as('administrator'))
            OR provider_urn = (SELECT s2s.leads_provider()))));
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.lead_confirmation
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.lead_confirmation
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();

-- 2. An answer that was given stays as it was -------------------------------------------------------
CREATE FUNCTION s2s.refuse_change_of_answered() RETURNS trigger
    LANGUAGE plpgsql SET search_path = s2s, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'an answer that was given is not changed: % of s2s.% refused', TG_OP,
            TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_TABLE_NAME = 'offer' AND (
            (to_jsonb(OLD)->>'accepted_at' IS NOT NULL AND (to_jsonb(OLD)->'accepted_at',
                to_jsonb(OLD)->'accepted_by_id') IS DISTINCT FROM
                (to_jsonb(NEW)->'accepted_at', to_jsonb(NEW)->'accepted_by_id'))
            OR (to_jsonb(OLD)->>'released_at' IS NOT NULL AND (to_jsonb(OLD)->'released_at',
                to_jsonb(OLD)->'released_by_id') IS DISTINCT FROM
                (to_jsonb(NEW)->'released_at', to_jsonb(NEW)->'released_by_id'))) THEN
        RAISE EXCEPTION 'an answer that was given is not changed'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER answered_is_final BEFORE UPDATE OR DELETE ON s2s.offer
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change_of_answered();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.offer
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();
CREATE TRIGGER answered_is_final BEFORE UPDATE OR DELETE ON s2s.case_request
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change_of_answered();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.case_request
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();
GRANT EXECUTE ON FUNCTION s2s.refuse_change_of_answered() TO s2s_app;

-- 3. When an offer is over of itself ---------------------------------------------------------------
-- What is no longer accepted, or is on hold, is offered to nobody; a request for what is no longer
-- accepted needs no answer. Whoever moved the referral on ends them (a school may see neither), and
-- is told only whom to tell. Of a referral that still waits nothing is ended.
CREATE FUNCTION s2s.end_offers(wanted bigint, as_of timestamptz, by_name text)
    RETURNS TABLE (kind text, practitioner_id bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    given bigint;
BEGIN
    IF EXISTS (SELECT FROM s2s.referral r WHERE r.id = wanted AND r.status = 'accepted'
            AND r.held_until IS NULL) THEN
        RETURN;
    END IF;
    SELECT a.practitioner_id INTO given FROM s2s.allocation a
        WHERE a.referral_id = wanted AND a.ended_at IS NULL;
    RETURN QUERY
        WITH gone AS (UPDATE s2s.offer o SET ended = 'overtaken', ended_at = as_of,
                ended_by_id = s2s.acting_id(), ended_by_name = by_name
            WHERE o.referral_id = wanted AND o.ended_at IS NULL
            RETURNING o.practitioner_id)
        SELECT 'offer', gone.practitioner_id FROM gone
        WHERE gone.practitioner_id IS DISTINCT FROM given;  -- who has it now is told that
    IF EXISTS (SELECT FROM s2s.referral r WHERE r.id = wanted AND r.status = 'accepted') THEN
        RETURN;
    END IF;
    UPDATE s2s.case_request c SET ended = 'granted', ended_at = as_of,
            ended_by_id = s2s.acting_id(), ended_by_name = by_name
        WHERE c.referral_id = wanted AND c.ended_at IS NULL AND c.practitioner_id = given;
    RETURN QUERY
        UPDATE s2s.case_request c SET ended = 'overtaken', ended_at = as_of,
            ended_by_id = s2s.acting_id(), ended_by_name = by_name
        WHERE c.referral_id = wanted AND c.ended_at IS NULL
        RETURNING 'request', c.practitioner_id;
END $$;
REVOKE ALL ON FUNCTION s2s.end_offers(bigint, timestamptz, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.end_offers(bigint, timestamptz, text) TO s2s_app;

-- And nobody forgets it: at the end of a transaction no such referral has an offer that is open.
CREATE FUNCTION s2s.check_no_open_offer() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM s2s.offer o JOIN s2s.referral r ON r.id = o.referral_id
        WHERE o.referral_id = NEW.id AND o.ended_at IS NULL
          AND (r.status <> 'accepted' OR r.held_until IS NOT NULL)) THEN
        RAISE EXCEPTION 'referral % has an open offer', NEW.reference
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ends_offers AFTER UPDATE ON s2s.referral
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.status = 'accepted'
        AND (NEW.status <> 'accepted' OR NEW.held_until IS DISTINCT FROM OLD.held_until))
    EXECUTE FUNCTION s2s.check_no_open_offer();
GRANT EXECUTE ON FUNCTION s2s.check_no_open_offer() TO s2s_app;

-- 4. What a practitioner can ask for ----------------------------------------------------------------
-- Accepted referrals that are with nobody, offered to nobody and not on hold, which suit the acting
-- practitioner: the school and the need, nothing about a child. Who is not sent to a school does not
-- find it here, and is not told why; nor does who has asked for it before.
CREATE FUNCTION s2s.cases_to_ask_for(wanted smallint[], day date, most integer)
    RETURNS TABLE (reference text, school_name text, phase_name text, easting integer,
        northing integer, need text, level text, received_on date)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT r.reference, r.school_name, e.phase_name, e.easting, e.northing,
            coalesce(t.label, ''),
            coalesce((SELECT l.label FROM s2s.decision d
                JOIN s2s.support_level l ON l.id = d.level_id
                WHERE d.referral_id = r.id ORDER BY d.event_id DESC LIMIT 1), ''),
            r.received_on
        FROM s2s.practitioner me
        JOIN s2s.referral r ON r.status = 'accepted' AND r.held_until IS NULL
        JOIN s2s.establishment e ON e.urn = r.urn
        LEFT JOIN s2s.referral_need n ON n.referral_id = r.id AND n.rank = 1
        LEFT JOIN s2s.need_type t ON t.code = n.code
        WHERE me.id = s2s.own_practitioner() AND NOT me.is_lead
          AND (me.leaving_on IS NULL OR me.leaving_on >= day)
          AND e.phase_code = ANY (wanted)
          AND (n.code IS NULL OR EXISTS (SELECT FROM s2s.practitioner_need k
            WHERE k.practitioner_id = me.id AND k.code = n.code))
          AND (me.areas = '{}' OR e.district = ANY (me.areas))
          AND NOT EXISTS (SELECT FROM s2s.practitioner_conflict x
            WHERE x.practitioner_id = me.id AND x.urn = r.urn
              AND coalesce(x.starts, day) <= day AND coalesce(x.ends, day) >= day)
          AND NOT EXISTS (SELECT FROM s2s.offer o
            WHERE o.referral_id = r.id AND o.ended_at IS NULL)
          AND NOT EXISTS (SELECT FROM s2s.case_request c WHERE c.referral_id = r.id
            AND c.practitioner_id = me.id AND (c.ended IS NULL OR c.ended = 'refused'))
        ORDER BY r.received_on, r.id
        LIMIT most
    $$;
REVOKE ALL ON FUNCTION s2s.cases_to_ask_for(smallint[], date, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.cases_to_ask_for(smallint[], date, integer) TO s2s_app;
