-- Follow-ups, reminders of records owed, reimbursement. Nothing in these tables names a child, but
-- for what a school says of a recommendation, which is read by whoever reads the recommendation.

-- 1. Tables --------------------------------------------------------------------------------------
CREATE TABLE s2s.follow_up_progress (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_follow_up_progress PRIMARY KEY,
    referral_id bigint NOT NULL
        CONSTRAINT fk_follow_up_progress_referral_id_referral REFERENCES s2s.referral (id),
    recommendation_id bigint NOT NULL
        CONSTRAINT fk_follow_up_progress_recommendation_id_recommendation
        REFERENCES s2s.recommendation (id),
    state varchar(40) NOT NULL CONSTRAINT ck_follow_up_progress_state
        CHECK (state IN ('not_started', 'trying', 'embedded', 'stopped')),
    words text NOT NULL DEFAULT '',
    at timestamptz NOT NULL,
    by_id text NOT NULL,
    by_name text NOT NULL,
    CONSTRAINT ck_follow_up_progress_said CHECK (state <> 'not_started'),
    CONSTRAINT ck_follow_up_progress_stopped_why CHECK (state <> 'stopped' OR words <> '')
);
CREATE INDEX ix_follow_up_progress_recommendation
    ON s2s.follow_up_progress (recommendation_id, id);
CREATE INDEX ix_follow_up_progress_referral_id ON s2s.follow_up_progress (referral_id);

CREATE TABLE s2s.follow_up (
    recommendation_id bigint CONSTRAINT pk_follow_up PRIMARY KEY
        CONSTRAINT fk_follow_up_recommendation_id_recommendation REFERENCES s2s.recommendation (id),
    referral_id bigint NOT NULL
        CONSTRAINT fk_follow_up_referral_id_referral REFERENCES s2s.referral (id),
    record_id bigint NOT NULL
        CONSTRAINT fk_follow_up_record_id_visit_record REFERENCES s2s.visit_record (id),
    urn integer NOT NULL
        CONSTRAINT fk_follow_up_urn_establishment REFERENCES s2s.establishment (urn),
    provider_urn integer NOT NULL
        CONSTRAINT fk_follow_up_provider_urn_establishment REFERENCES s2s.establishment (urn),
    issued_on date NOT NULL,
    due_on date NOT NULL,
    state varchar(40) NOT NULL CONSTRAINT ck_follow_up_state
        CHECK (state IN ('not_started', 'trying', 'embedded', 'stopped')),
    said_at timestamptz,
    progress_id bigint CONSTRAINT fk_follow_up_progress_id_follow_up_progress
        REFERENCES s2s.follow_up_progress (id)
);
CREATE INDEX ix_follow_up_due ON s2s.follow_up (due_on, recommendation_id)
    WHERE state IN ('not_started', 'trying');
CREATE INDEX ix_follow_up_school ON s2s.follow_up (urn, due_on, recommendation_id)
    WHERE state IN ('not_started', 'trying');
CREATE INDEX ix_follow_up_provider ON s2s.follow_up (provider_urn, due_on, recommendation_id)
    WHERE state IN ('not_started', 'trying');
CREATE INDEX ix_follow_up_referral_id ON s2s.follow_up (referral_id);

CREATE TABLE s2s.follow_up_reminder (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_follow_up_reminder PRIMARY KEY,
    urn integer NOT NULL
        CONSTRAINT fk_follow_up_reminder_urn_establishment REFERENCES s2s.establishment (urn),
    sent_on date NOT NULL,
    number integer NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT uq_follow_up_reminder_urn_sent_on UNIQUE (urn, sent_on)
);

CREATE TABLE s2s.record_nudge (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_record_nudge PRIMARY KEY,
    referral_id bigint NOT NULL
        CONSTRAINT fk_record_nudge_referral_id_referral REFERENCES s2s.referral (id),
    visit_id bigint NOT NULL
        CONSTRAINT fk_record_nudge_visit_id_visit REFERENCES s2s.visit (id),
    on_day date NOT NULL,
    copied boolean NOT NULL,
    at timestamptz NOT NULL,
    by_id text NOT NULL,
    by_name text NOT NULL,
    CONSTRAINT uq_record_nudge_day UNIQUE (visit_id, on_day)
);
CREATE INDEX ix_record_nudge_referral_id ON s2s.record_nudge (referral_id);

CREATE TABLE s2s.release_rate (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_release_rate PRIMARY KEY,
    provider_urn integer
        CONSTRAINT fk_release_rate_provider_urn_establishment REFERENCES s2s.establishment (urn),
    during daterange NOT NULL,
    per varchar(40) NOT NULL CONSTRAINT ck_release_rate_per CHECK (per IN ('day', 'hour')),
    time_pence integer NOT NULL,
    mile_pence integer NOT NULL,
    source text NOT NULL,
    at timestamptz NOT NULL,
    by_id text NOT NULL,
    by_name text NOT NULL,
    CONSTRAINT ck_release_rate_during CHECK (NOT isempty(during) AND NOT lower_inf(during)),
    CONSTRAINT ck_release_rate_pence CHECK (time_pence >= 0 AND mile_pence >= 0),
    -- A range of one number, as the server may have no btree_gist.
    CONSTRAINT ex_release_rate_overlap EXCLUDE USING gist (
        int4range(coalesce(provider_urn, 0), coalesce(provider_urn, 0), '[]') WITH &&,
        during WITH &&)
);

CREATE TABLE s2s.reimbursement_statement (
    number integer CONSTRAINT pk_reimbursement_statement PRIMARY KEY,
    provider_urn integer NOT NULL CONSTRAINT fk_reimbursement_statement_provider_urn_establishment
        REFERENCES s2s.establishment (urn),
    provider_name text NOT NULL,
    period varchar(40) NOT NULL CONSTRAINT ck_reimbursement_statement_period
        CHECK (period IN ('month', 'term', 'year')),
    period_words text NOT NULL,
    starts date NOT NULL,
    ends date NOT NULL,
    day_minutes smallint NOT NULL,
    minutes integer NOT NULL,
    miles numeric(8, 1) NOT NULL,
    time_pence integer NOT NULL,
    mile_pence integer NOT NULL,
    total_pence integer NOT NULL,
    token text NOT NULL,
    digest text NOT NULL,
    pdf bytea NOT NULL,
    transaction_id bigint NOT NULL DEFAULT txid_current(),
    at timestamptz NOT NULL,
    by_id text NOT NULL,
    by_name text NOT NULL,
    CONSTRAINT uq_reimbursement_statement_token UNIQUE (token),
    CONSTRAINT ck_reimbursement_statement_dates CHECK (ends >= starts),
    CONSTRAINT ck_reimbursement_statement_day CHECK (day_minutes > 0),
    CONSTRAINT ck_reimbursement_statement_total CHECK (total_pence = time_pence + mile_pence)
);
CREATE INDEX ix_reimbursement_statement_provider
    ON s2s.reimbursement_statement (provider_urn, number);

CREATE TABLE s2s.reimbursement_line (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_reimbursement_line PRIMARY KEY,
    statement_number integer NOT NULL
        CONSTRAINT fk_reimbursement_line_statement_number_reimbursement_statement
        REFERENCES s2s.reimbursement_statement (number),
    position integer NOT NULL,
    record_id bigint NOT NULL
        CONSTRAINT fk_reimbursement_line_record_id_visit_record REFERENCES s2s.visit_record (id),
    correction boolean NOT NULL,
    reference text NOT NULL,
    urn integer NOT NULL,
    school_name text NOT NULL,
    practitioner_name text NOT NULL,
    kind varchar(40) NOT NULL,
    visited_on date NOT NULL,
    minutes integer NOT NULL,
    miles numeric(6, 1) NOT NULL,
    rate_id bigint NOT NULL
        CONSTRAINT fk_reimbursement_line_rate_id_release_rate REFERENCES s2s.release_rate (id),
    time_pence integer NOT NULL,
    mile_pence integer NOT NULL,
    CONSTRAINT uq_reimbursement_line_position UNIQUE (statement_number, position),
    CONSTRAINT ck_reimbursement_line_kind CHECK (kind IN ('VIS', 'OBS', 'ADV', 'MOD', 'TRN', 'RES',
        'PLN', 'MTG', 'RVS', 'SGN', 'FUP')),
    CONSTRAINT ck_reimbursement_line_corrected CHECK (correction OR (minutes >= 0 AND miles >= 0))
);
-- An activity is stated once; what changes of it afterwards comes as a correction.
CREATE UNIQUE INDEX uq_reimbursement_line_record ON s2s.reimbursement_line (record_id)
    WHERE NOT correction;

-- 2. Follow-ups keep themselves --------------------------------------------------------------------
-- Of which school the practitioner was who made a visit, when they made it.
CREATE FUNCTION s2s.visit_provider(wanted bigint) RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT coalesce(
            (SELECT a.provider_urn FROM allocation a
                WHERE a.id = v.allocation_id AND a.practitioner_id = v.practitioner_id),
            (SELECT su.provider_urn FROM supporter su
                WHERE su.referral_id = v.referral_id AND su.practitioner_id = v.practitioner_id
                ORDER BY su.id LIMIT 1),
            (SELECT p.provider_urn FROM practitioner p WHERE p.id = v.practitioner_id))
        FROM visit v WHERE v.id = wanted
    $$;

-- A record names a day for each recommendation; one of long ago may not: four weeks then.
CREATE FUNCTION s2s.begin_follow_ups() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
BEGIN
    INSERT INTO follow_up (recommendation_id, referral_id, record_id, urn, provider_urn,
        issued_on, due_on, state)
    SELECT advice.id, advice.referral_id, NEW.id, r.urn, visit_provider(NEW.visit_id),
        (NEW.issued_at AT TIME ZONE 'Europe/London')::date,
        coalesce(advice.by_when, (NEW.issued_at AT TIME ZONE 'Europe/London')::date + 28),
        'not_started'
    FROM recommendation advice JOIN referral r ON r.id = advice.referral_id
    WHERE advice.record_id = NEW.id
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER follow_ups AFTER UPDATE OF issued_at ON s2s.visit_record FOR EACH ROW
    WHEN (OLD.issued_at IS NULL AND NEW.issued_at IS NOT NULL)
    EXECUTE FUNCTION s2s.begin_follow_ups();

CREATE FUNCTION s2s.move_follow_up() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
BEGIN
    UPDATE follow_up SET state = NEW.state, said_at = NEW.at, progress_id = NEW.id
        WHERE recommendation_id = NEW.recommendation_id AND referral_id = NEW.referral_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a school speaks of a recommendation of an issued record of the referral'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER follow AFTER INSERT ON s2s.follow_up_progress
    FOR EACH ROW EXECUTE FUNCTION s2s.move_follow_up();

INSERT INTO s2s.follow_up (recommendation_id, referral_id, record_id, urn, provider_urn, issued_on,
    due_on, state)
SELECT advice.id, advice.referral_id, v.id, r.urn, s2s.visit_provider(v.visit_id),
    (v.issued_at AT TIME ZONE 'Europe/London')::date,
    coalesce(advice.by_when, (v.issued_at AT TIME ZONE 'Europe/London')::date + 28), 'not_started'
FROM s2s.recommendation advice
JOIN s2s.visit_record v ON v.id = advice.record_id
JOIN s2s.referral r ON r.id = advice.referral_id
WHERE v.issued_at IS NOT NULL;

-- 3. What staff did in a time: the one place where reimbursement reads it --------------------------
-- Minutes that nobody said are those between start and finish, where the visit happened. A lead
-- reads what the staff of their own school did, whoever has the referral now; no child, no words.
CREATE FUNCTION s2s.release_activity(provider integer, since date, until date)
    RETURNS TABLE (record_id bigint, reference text, urn integer, school_name text, kind text,
        visited_on date, practitioner_id bigint, practitioner_name text, minutes integer,
        miles numeric)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
    SELECT done.id, r.reference, r.urn, r.school_name, done.kind::text, done.visited_on,
        v.practitioner_id, p.name,
        (coalesce(done.contact_minutes, CASE WHEN done.attendance = 'happened'
            THEN extract(epoch FROM done.finished_at - done.started_at) / 60 END, 0)
        + coalesce(done.preparation_minutes, 0) + coalesce(done.write_up_minutes, 0)
        + coalesce(done.travel_minutes, 0))::integer,
        coalesce(done.miles, 0)
    FROM visit_record done
    JOIN visit v ON v.id = done.visit_id
    JOIN referral r ON r.id = done.referral_id
    JOIN practitioner p ON p.id = v.practitioner_id
    WHERE done.issued_at IS NOT NULL AND v.cancelled_at IS NULL
      AND done.visited_on BETWEEN since AND until
      AND (SELECT acts_as('system') OR provider = leads_provider())
      AND v.practitioner_id IN (
        SELECT a.practitioner_id FROM allocation a WHERE a.provider_urn = provider
        UNION SELECT su.practitioner_id FROM supporter su WHERE su.provider_urn = provider
        UNION SELECT own.id FROM practitioner own WHERE own.provider_urn = provider)
      AND visit_provider(v.id) = provider
    $$;
REVOKE ALL ON FUNCTION s2s.visit_provider(bigint), s2s.begin_follow_ups(), s2s.move_follow_up(),
    s2s.release_activity(integer, date, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.begin_follow_ups(), s2s.move_follow_up(),
    s2s.release_activity(integer, date, date) TO s2s_app;

-- 4. Rights ----------------------------------------------------------------------------------------
GRANT SELECT ON s2s.follow_up TO s2s_app;
GRANT SELECT, INSERT ON s2s.follow_up_progress, s2s.follow_up_reminder, s2s.record_nudge,
    s2s.release_rate, s2s.reimbursement_statement, s2s.reimbursement_line TO s2s_app;
GRANT UPDATE (during) ON s2s.release_rate TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;
DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['follow_up', 'follow_up_progress', 'follow_up_reminder',
        'record_nudge', 'release_rate', 'reimbursement_statement', 'reimbursement_line']
    LOOP
        EXECUTE format('ALTER TABLE s2s.%I ENABLE ROW LEVEL SECURITY', part);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.%I
            FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['follow_up_progress', 'follow_up_reminder', 'record_nudge',
        'reimbursement_statement', 'reimbursement_line']
    LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.%I
            FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['follow_up', 'follow_up_progress']
    LOOP
        EXECUTE format('CREATE POLICY %1$s_read ON s2s.%1$I FOR SELECT
            USING ((SELECT s2s.acts_for_all())
                OR EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id))', part);
    END LOOP;
END $$;
CREATE POLICY follow_up_progress_add ON s2s.follow_up_progress FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('school_referrer'))
        AND by_id = (SELECT s2s.acting_id())
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status IN ('allocated', 'closed')
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))));
CREATE POLICY follow_up_reminder_use ON s2s.follow_up_reminder FOR ALL
    USING ((SELECT s2s.acts_as('system')));

-- A reminder is between the service and its staff: no school reads of it.
CREATE POLICY record_nudge_read ON s2s.record_nudge FOR SELECT
    USING ((SELECT s2s.acts_for_all())
        OR ((SELECT s2s.acts_as('send_officer', 'practitioner', 'provider_lead'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id)));
CREATE POLICY record_nudge_add ON s2s.record_nudge FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (by_id = (SELECT s2s.acting_id())
        AND (SELECT s2s.acts_as('send_officer', 'provider_lead'))
        AND EXISTS (SELECT FROM s2s.visit v JOIN s2s.referral r ON r.id = v.referral_id
            WHERE v.id = visit_id AND v.referral_id = record_nudge.referral_id)));

CREATE POLICY release_rate_read ON s2s.release_rate FOR SELECT
    USING ((SELECT s2s.acts_as('administrator', 'finance', 'finance_approver', 'auditor', 'system'))
        OR provider_urn = (SELECT s2s.leads_provider())
        OR (provider_urn IS NULL AND (SELECT s2s.leads_provider()) IS NOT NULL));
CREATE POLICY release_rate_add ON s2s.release_rate FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY release_rate_end ON s2s.release_rate FOR UPDATE
    USING ((SELECT s2s.acts_as('administrator', 'system')));
CREATE FUNCTION s2s.refuse_rate_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = s2s, pg_temp
    AS $$
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(NEW) - 'during' IS DISTINCT FROM to_jsonb(OLD) - 'during'
        OR lower(NEW.during) IS DISTINCT FROM lower(OLD.during)
        OR NOT upper_inf(OLD.during) OR upper_inf(NEW.during) THEN
        RAISE EXCEPTION 'a rate ends once, and nothing else of it changes'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
GRANT EXECUTE ON FUNCTION s2s.refuse_rate_change() TO s2s_app;
CREATE TRIGGER ends_once BEFORE UPDATE OR DELETE ON s2s.release_rate
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_rate_change();

CREATE POLICY reimbursement_statement_read ON s2s.reimbursement_statement FOR SELECT
    USING ((SELECT s2s.acts_as('finance', 'finance_approver', 'auditor', 'system'))
        OR provider_urn = (SELECT s2s.leads_provider()));
CREATE POLICY reimbursement_statement_add ON s2s.reimbursement_statement FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system'))
        OR (by_id = (SELECT s2s.acting_id()) AND provider_urn = (SELECT s2s.leads_provider())));
CREATE POLICY reimbursement_line_read ON s2s.reimbursement_line FOR SELECT
    USING (EXISTS (SELECT FROM s2s.reimbursement_statement s WHERE s.number = statement_number));
CREATE POLICY reimbursement_line_add ON s2s.reimbursement_line FOR INSERT
    WITH CHECK (EXISTS (SELECT FROM s2s.reimbursement_statement s WHERE s.number = statement_number
        AND ((SELECT s2s.acts_as('system'))
            OR (s.by_id = (SELECT s2s.acting_id())
                AND s.provider_urn = (SELECT s2s.leads_provider())))));
-- A statement that stands takes no line more.
CREATE FUNCTION s2s.refuse_later_line() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM reimbursement_statement s
        WHERE s.number = NEW.statement_number AND s.transaction_id = txid_current()) THEN
        RAISE EXCEPTION 'a statement that was issued takes no line more'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION s2s.refuse_later_line() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.refuse_later_line() TO s2s_app;
CREATE TRIGGER in_one_go BEFORE INSERT ON s2s.reimbursement_line
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_later_line();
