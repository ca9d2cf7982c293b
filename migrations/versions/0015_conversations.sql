-- Messages and requests for advice: who reads and writes them, and what the database keeps of them.

-- 1. Rights --------------------------------------------------------------------------------------
-- Of a conversation, and of what a request for advice has come to, only the triggers below write.
GRANT SELECT, INSERT ON s2s.advice_request, s2s.advice_event, s2s.message, s2s.message_seen
    TO s2s_app;
GRANT UPDATE ON s2s.message_seen TO s2s_app;
GRANT SELECT ON s2s.conversation TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;

DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['advice_request', 'advice_event', 'message', 'conversation',
                                'message_seen']
    LOOP
        EXECUTE format('ALTER TABLE s2s.%I ENABLE ROW LEVEL SECURITY', part);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.%I
            FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['advice_event', 'message']
    LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.%I
            FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
END $$;

-- 2. A request for advice ------------------------------------------------------------------------
-- Its school and the officers; and whoever now works on the referral that came of it.
CREATE POLICY advice_request_read ON s2s.advice_request FOR SELECT
    USING ((SELECT s2s.acts_as('send_officer', 'system'))
        OR (urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND (SELECT s2s.acts_as('school_referrer')))
        OR referral_id IN (SELECT s2s.allocated_referrals()));
CREATE POLICY advice_request_add ON s2s.advice_request FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system'))
        OR (status = 'open' AND referral_id IS NULL AND helped IS NULL
            AND asked_by_id = (SELECT s2s.acting_id())
            AND urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND (SELECT s2s.acts_as('school_referrer'))));

CREATE POLICY advice_event_read ON s2s.advice_event FOR SELECT
    USING (EXISTS (SELECT FROM s2s.advice_request a WHERE a.id = advice_id));
CREATE POLICY advice_event_add ON s2s.advice_event FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id()) AND (
        (action IN ('closed', 'reopened') AND (SELECT s2s.acts_as('send_officer')))
        OR (action <> 'closed' AND (SELECT s2s.acts_as('school_referrer'))
            AND EXISTS (SELECT FROM s2s.advice_request a WHERE a.id = advice_id
                AND a.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))
            AND (referral_id IS NULL OR EXISTS (SELECT FROM s2s.referral r
                WHERE r.id = referral_id
                  AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[])))))));

-- The row follows its events, and is never written otherwise.
CREATE FUNCTION s2s.follow_advice_event() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    IF NEW.action = 'converted' AND NOT EXISTS (SELECT FROM s2s.referral r
            JOIN s2s.advice_request a ON a.urn = r.urn
            WHERE r.id = NEW.referral_id AND a.id = NEW.advice_id) THEN
        RAISE EXCEPTION 'a request for advice becomes a referral of its own school'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_advice_event_own_school';
    END IF;
    UPDATE s2s.advice_request SET
        status = CASE WHEN NEW.action IN ('closed', 'converted') THEN 'closed'
            WHEN NEW.action = 'reopened' THEN 'open' ELSE status END,
        outcome = CASE NEW.action WHEN 'closed' THEN NEW.outcome
            WHEN 'converted' THEN 'BECAME_REFERRAL'
            WHEN 'reopened' THEN NULL ELSE outcome END,
        helped = CASE NEW.action WHEN 'helped' THEN true WHEN 'not_helped' THEN false
            WHEN 'reopened' THEN NULL ELSE helped END,
        referral_id = coalesce(NEW.referral_id, referral_id)
        WHERE id = NEW.advice_id;
    RETURN NEW;
END $$;
CREATE TRIGGER follow AFTER INSERT ON s2s.advice_event
    FOR EACH ROW EXECUTE FUNCTION s2s.follow_advice_event();

-- 3. Messages ------------------------------------------------------------------------------------
-- Read by whoever sees what they are about: the policies of those tables apply inside.
DO $$
DECLARE
    part text;
    seen text := $rule$EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id)
        OR EXISTS (SELECT FROM s2s.advice_request a WHERE a.id = advice_id)$rule$;
BEGIN
    FOREACH part IN ARRAY ARRAY['message', 'conversation']
    LOOP
        EXECUTE format('CREATE POLICY %1$s_read ON s2s.%1$I FOR SELECT USING (%2$s)', part, seen);
    END LOOP;
END $$;

-- Written in one's own name, on the side one is on, and never about what has not been sent.
CREATE POLICY message_add ON s2s.message FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id()) AND (
        (side = 'school' AND (SELECT s2s.acts_as('school_referrer'))
            AND (EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                    AND r.status NOT IN ('draft', 'expired')
                    AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))
                OR EXISTS (SELECT FROM s2s.advice_request a WHERE a.id = advice_id
                    AND a.referral_id IS NULL
                    AND a.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))))
        OR (side = 'council' AND (SELECT s2s.acts_as('send_officer'))
            AND (EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                    AND r.status NOT IN ('draft', 'expired'))
                OR EXISTS (SELECT FROM s2s.advice_request a WHERE a.id = advice_id
                    AND a.referral_id IS NULL)))
        OR (((side = 'practitioner' AND (SELECT s2s.acts_as('practitioner')))
                OR (side = 'lead' AND (SELECT s2s.acts_as('provider_lead'))))
            AND referral_id IN (SELECT s2s.allocated_referrals())
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                AND r.status = 'allocated')))));

CREATE POLICY message_seen_read ON s2s.message_seen FOR SELECT
    USING ((SELECT s2s.acts_as('system')) OR person_id = (SELECT s2s.acting_id()));
CREATE POLICY message_seen_add ON s2s.message_seen FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (person_id = (SELECT s2s.acting_id())
        AND EXISTS (SELECT FROM s2s.conversation c WHERE c.id = conversation_id)));
CREATE POLICY message_seen_change ON s2s.message_seen FOR UPDATE
    USING ((SELECT s2s.acts_as('system')) OR person_id = (SELECT s2s.acting_id()));

-- The turn follows the messages. What needs an answer puts it with whom it is for, since the first
-- that waits; what needs none takes it from its own writer. Whoever has a mail about a message that
-- they have not read gets no second one (what needs no answer is mailed to schools only). The row
-- of the conversation is locked first, so two who write at once are told apart.
CREATE FUNCTION s2s.follow_message() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
DECLARE
    talk s2s.conversation;
    own text := CASE NEW.side WHEN 'lead' THEN 'practitioner' ELSE NEW.side END;
BEGIN
    SELECT * INTO talk FROM s2s.conversation c
        WHERE c.referral_id = NEW.referral_id OR c.advice_id = NEW.advice_id FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO s2s.conversation (referral_id, advice_id, last_message_id)
            VALUES (NEW.referral_id, NEW.advice_id, NEW.id)
            ON CONFLICT DO NOTHING;
        SELECT * INTO STRICT talk FROM s2s.conversation c
            WHERE c.referral_id = NEW.referral_id OR c.advice_id = NEW.advice_id FOR UPDATE;
    END IF;
    NEW.mailed := NEW.text <> '' AND (NEW.needs_answer OR NEW.to_side = 'school')
        AND NOT EXISTS (SELECT FROM s2s.message m
            WHERE (m.referral_id = NEW.referral_id OR m.advice_id = NEW.advice_id)
              AND m.to_side = NEW.to_side AND m.mailed
              AND m.id > coalesce((SELECT max(s.up_to) FROM s2s.message_seen s
                  WHERE s.conversation_id = talk.id AND s.side = NEW.to_side), 0));
    IF NEW.needs_answer THEN
        IF talk.waits_for IS DISTINCT FROM NEW.to_side THEN
            talk.waits_since := NEW.at;
        END IF;
        talk.waits_for := NEW.to_side;
    ELSIF talk.waits_for = own THEN
        talk.waits_for := NULL;
        talk.waits_since := NULL;
    END IF;
    UPDATE s2s.conversation SET waits_for = talk.waits_for, waits_since = talk.waits_since,
        last_message_id = NEW.id WHERE id = talk.id;
    RETURN NEW;
END $$;
CREATE TRIGGER follow BEFORE INSERT ON s2s.message
    FOR EACH ROW EXECUTE FUNCTION s2s.follow_message();

REVOKE ALL ON FUNCTION s2s.follow_advice_event(), s2s.follow_message() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.follow_advice_event(), s2s.follow_message() TO s2s_app;
