-- What the database itself refuses. The application becomes the role s2s_app in every transaction
-- and states who acts in the settings s2s.actor_id, s2s.roles, s2s.establishments, s2s.provider.

-- 1. The role ------------------------------------------------------------------------------------
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 's2s_app') THEN
        CREATE ROLE s2s_app NOLOGIN;
    END IF;
    IF NOT pg_has_role(current_user, 's2s_app', 'MEMBER') THEN
        EXECUTE format('GRANT s2s_app TO %I', current_user);
    END IF;
END $$;

GRANT USAGE ON SCHEMA s2s TO s2s_app;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA s2s TO s2s_app;
REVOKE ALL ON s2s.alembic_version FROM s2s_app;
GRANT SELECT ON s2s.alembic_version TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;
GRANT UPDATE ON s2s.establishment, s2s.practitioner, s2s.referral, s2s.allocation, s2s.visit,
    s2s.ledger_head TO s2s_app;
GRANT UPDATE, DELETE ON s2s.referral_subject, s2s.referral_need, s2s.strategy_tried,
    s2s.outcome_wanted, s2s.agreement, s2s.visit_record, s2s.recommendation TO s2s_app;
GRANT UPDATE, DELETE ON s2s.procrastinate_jobs, s2s.procrastinate_events,
    s2s.procrastinate_periodic_defers, s2s.procrastinate_workers TO s2s_app;

-- 2. Who acts ------------------------------------------------------------------------------------
CREATE FUNCTION s2s.acts_as(VARIADIC wanted text[]) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT coalesce(nullif(current_setting('s2s.roles', true), '')::text[] && wanted, false) $$;

CREATE FUNCTION s2s.acting_id() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('s2s.actor_id', true), '') $$;

CREATE FUNCTION s2s.acting_establishments() RETURNS integer[]
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT coalesce(nullif(current_setting('s2s.establishments', true), '')::integer[], '{}') $$;

CREATE FUNCTION s2s.acting_provider() RETURNS integer
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('s2s.provider', true), '')::integer $$;

-- The referrals now allocated to the acting practitioner, or to the acting lead's school. It runs
-- with its owner's rights, as the policies of referral and allocation would else ask each other.
CREATE FUNCTION s2s.allocated_referrals() RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT a.referral_id
        FROM s2s.allocation a JOIN s2s.practitioner p ON p.id = a.practitioner_id
        WHERE a.ended_at IS NULL
          AND ((s2s.acts_as('practitioner') AND p.account_id = s2s.acting_id() AND p.active)
            OR (s2s.acts_as('provider_lead') AND p.provider_urn = s2s.acting_provider()))
    $$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA s2s TO s2s_app;

-- 3. Row-level security on every table of ours ---------------------------------------------------
DO $$
DECLARE thing record;
BEGIN
    FOR thing IN SELECT relname FROM pg_class
        WHERE relnamespace = 's2s'::regnamespace AND relkind = 'r'
          AND relname <> 'alembic_version' AND relname NOT LIKE 'procrastinate\_%'
    LOOP EXECUTE format('ALTER TABLE s2s.%I ENABLE ROW LEVEL SECURITY', thing.relname); END LOOP;
END $$;

-- The public register and the rules by date: readable by anybody who has a role here.
CREATE POLICY establishment_read ON s2s.establishment FOR SELECT
    USING ((SELECT nullif(current_setting('s2s.roles', true), '{}') <> ''));
CREATE POLICY establishment_add ON s2s.establishment FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY establishment_change ON s2s.establishment FOR UPDATE
    USING ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY import_run_read ON s2s.import_run FOR SELECT
    USING ((SELECT s2s.acts_as('administrator', 'auditor', 'system')));
CREATE POLICY import_run_add ON s2s.import_run FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY service_terms_read ON s2s.service_terms FOR SELECT USING (true);
CREATE POLICY service_terms_add ON s2s.service_terms FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY fee_read ON s2s.fee FOR SELECT USING (true);
CREATE POLICY fee_add ON s2s.fee FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY need_type_read ON s2s.need_type FOR SELECT USING (true);
CREATE POLICY need_type_add ON s2s.need_type FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));

-- Practitioners: those who allocate and administer see all, a school sees its own staff.
CREATE POLICY practitioner_read ON s2s.practitioner FOR SELECT
    USING ((SELECT s2s.acts_as('send_officer', 'administrator', 'system'))
        OR ((SELECT s2s.acts_as('practitioner', 'provider_lead'))
            AND provider_urn = (SELECT s2s.acting_provider())));
CREATE POLICY practitioner_add ON s2s.practitioner FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
CREATE POLICY practitioner_change ON s2s.practitioner FOR UPDATE
    USING ((SELECT s2s.acts_as('administrator', 'system')));

-- A referral: officers (never a draft), the school it is from, those it is allocated to now.
CREATE POLICY referral_read ON s2s.referral FOR SELECT
    USING ((SELECT s2s.acts_as('system'))
        OR (status <> 'draft' AND (SELECT s2s.acts_as('send_officer')))
        OR (urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND (SELECT s2s.acts_as('school_referrer')))
        OR id IN (SELECT s2s.allocated_referrals()));
CREATE POLICY referral_add ON s2s.referral FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system'))
        OR (status = 'draft' AND urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND (SELECT s2s.acts_as('school_referrer'))));
CREATE POLICY referral_change ON s2s.referral FOR UPDATE
    USING ((SELECT s2s.acts_as('system'))
        OR (status <> 'draft' AND (SELECT s2s.acts_as('send_officer')))
        OR (urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND status IN ('draft', 'returned') AND (SELECT s2s.acts_as('school_referrer')))
        -- A practitioner may lock the row (SELECT FOR UPDATE asks this) but WITH CHECK refuses any
        -- change of it.
        OR ((SELECT s2s.acts_as('practitioner')) AND id IN (SELECT s2s.allocated_referrals())))
    WITH CHECK ((SELECT s2s.acts_as('system', 'send_officer'))
        OR (urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND status IN ('draft', 'returned', 'submitted')
            AND (SELECT s2s.acts_as('school_referrer'))));

-- What belongs to a referral is seen by whoever sees the referral (its own policy applies inside),
-- and written by the school while the referral is in its hands.
-- A policy for each command, not one FOR ALL: that would be asked at every read too.
DO $$
DECLARE
    part text;
    in_hand text := $rule$(SELECT s2s.acts_as('system'))
        OR ((SELECT s2s.acts_as('school_referrer'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                AND r.status IN ('draft', 'returned')
                AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[])))$rule$;
BEGIN
    FOREACH part IN ARRAY ARRAY['referral_subject', 'referral_need', 'strategy_tried',
                                'outcome_wanted', 'agreement']
    LOOP
        EXECUTE format($p$
            CREATE POLICY %1$s_read ON s2s.%1$I FOR SELECT
                USING (EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
            CREATE POLICY %1$s_add ON s2s.%1$I FOR INSERT WITH CHECK (%2$s);
            CREATE POLICY %1$s_change ON s2s.%1$I FOR UPDATE USING (%2$s);
            CREATE POLICY %1$s_remove ON s2s.%1$I FOR DELETE USING (%2$s)
        $p$, part, in_hand);
    END LOOP;
END $$;
CREATE POLICY outcome_wanted_result ON s2s.outcome_wanted FOR UPDATE
    USING ((SELECT s2s.acts_as('practitioner'))
        AND referral_id IN (SELECT s2s.allocated_referrals()));

CREATE POLICY referral_event_read ON s2s.referral_event FOR SELECT
    USING (EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
CREATE POLICY referral_event_add ON s2s.referral_event FOR INSERT
    WITH CHECK (EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));

-- An officer sees every referral that can have an allocation or a visit, so need not be asked which.
CREATE POLICY allocation_read ON s2s.allocation FOR SELECT
    USING ((SELECT s2s.acts_as('send_officer', 'system'))
        OR EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
CREATE POLICY allocation_add ON s2s.allocation FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('send_officer', 'system')));
CREATE POLICY allocation_change ON s2s.allocation FOR UPDATE
    USING ((SELECT s2s.acts_as('send_officer', 'system')));

-- Visits and records: written by the allocated practitioner; a draft record is not the school's.
CREATE POLICY visit_read ON s2s.visit FOR SELECT
    USING ((SELECT s2s.acts_as('send_officer', 'system'))
        OR EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
CREATE POLICY visit_add ON s2s.visit FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('practitioner'))
        AND referral_id IN (SELECT s2s.allocated_referrals())));
CREATE POLICY visit_change ON s2s.visit FOR UPDATE
    USING ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('practitioner'))
        AND referral_id IN (SELECT s2s.allocated_referrals())));
CREATE POLICY visit_record_read ON s2s.visit_record FOR SELECT
    USING ((issued_at IS NOT NULL OR (SELECT s2s.acts_as('practitioner', 'provider_lead', 'system')))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
CREATE POLICY recommendation_read ON s2s.recommendation FOR SELECT
    USING (EXISTS (SELECT FROM s2s.visit_record v WHERE v.id = record_id));
DO $$
DECLARE
    part text;
    allocated text := $rule$(SELECT s2s.acts_as('system'))
        OR ((SELECT s2s.acts_as('practitioner'))
            AND referral_id IN (SELECT s2s.allocated_referrals()))$rule$;
BEGIN
    FOREACH part IN ARRAY ARRAY['visit_record', 'recommendation']
    LOOP
        EXECUTE format($p$
            CREATE POLICY %1$s_add ON s2s.%1$I FOR INSERT WITH CHECK (%2$s);
            CREATE POLICY %1$s_change ON s2s.%1$I FOR UPDATE USING (%2$s);
            CREATE POLICY %1$s_remove ON s2s.%1$I FOR DELETE USING (%2$s)
        $p$, part, allocated);
    END LOOP;
END $$;
CREATE POLICY addendum_read ON s2s.addendum FOR SELECT
    USING (EXISTS (SELECT FROM s2s.visit_record v WHERE v.id = record_id));
CREATE POLICY addendum_add ON s2s.addendum FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('practitioner'))
        AND referral_id IN (SELECT s2s.allocated_referrals())));
CREATE POLICY acknowledgement_read ON s2s.acknowledgement FOR SELECT
    USING (EXISTS (SELECT FROM s2s.visit_record v WHERE v.id = record_id));
CREATE POLICY acknowledgement_add ON s2s.acknowledgement FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('school_referrer', 'system'))
        AND EXISTS (SELECT FROM s2s.visit_record v WHERE v.id = record_id));
CREATE POLICY record_document_read ON s2s.record_document FOR SELECT
    USING (EXISTS (SELECT FROM s2s.visit_record v WHERE v.id = record_id));
CREATE POLICY record_document_add ON s2s.record_document FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('practitioner'))
        AND referral_id IN (SELECT s2s.allocated_referrals())));

-- The ledger: Finance and those who report on it see all of it, a school sees its own lines.
CREATE POLICY account_read ON s2s.account FOR SELECT
    USING ((SELECT s2s.acts_as('finance', 'finance_approver', 'send_officer', 'manager', 'auditor',
                               'system'))
        OR ((SELECT s2s.acts_as('school_referrer'))
            AND urn = ANY ((SELECT s2s.acting_establishments())::integer[])));
CREATE POLICY account_add ON s2s.account FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('finance', 'finance_approver', 'send_officer', 'system')));
CREATE POLICY ledger_head_use ON s2s.ledger_head FOR ALL
    USING ((SELECT s2s.acts_as('finance', 'finance_approver', 'send_officer', 'system')));
CREATE POLICY ledger_entry_read ON s2s.ledger_entry FOR SELECT
    USING ((SELECT s2s.acts_as('finance', 'finance_approver', 'send_officer', 'manager', 'auditor',
                               'system'))
        OR ((SELECT s2s.acts_as('school_referrer'))
            AND urn = ANY ((SELECT s2s.acting_establishments())::integer[])));
CREATE POLICY ledger_entry_add ON s2s.ledger_entry FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('finance_approver', 'system'))
        OR (kind <> 'reversal' AND (SELECT s2s.acts_as('finance')))
        OR (kind = 'charge' AND (SELECT s2s.acts_as('send_officer'))));
CREATE POLICY posting_read ON s2s.posting FOR SELECT
    USING (EXISTS (SELECT FROM s2s.ledger_entry e WHERE e.number = entry_number));
CREATE POLICY posting_add ON s2s.posting FOR INSERT
    WITH CHECK (EXISTS (SELECT FROM s2s.ledger_entry e WHERE e.number = entry_number)
        AND (SELECT s2s.acts_as('finance', 'finance_approver', 'send_officer', 'system')));
CREATE POLICY ledger_verification_read ON s2s.ledger_verification FOR SELECT USING (true);
CREATE POLICY ledger_verification_add ON s2s.ledger_verification FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('finance', 'finance_approver', 'system')));
DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['pull', 'pull_line', 'pull_file']
    LOOP
        EXECUTE format($p$
            CREATE POLICY %1$s_read ON s2s.%1$I FOR SELECT
                USING ((SELECT s2s.acts_as('finance', 'finance_approver', 'auditor', 'system')));
            CREATE POLICY %1$s_add ON s2s.%1$I FOR INSERT
                WITH CHECK ((SELECT s2s.acts_as('finance', 'finance_approver', 'system')))
        $p$, part);
    END LOOP;
END $$;

-- The audit trail: everybody adds to it, only the auditor reads it.
CREATE POLICY audit_entry_read ON s2s.audit_entry FOR SELECT
    USING ((SELECT s2s.acts_as('auditor', 'system')));
CREATE POLICY audit_entry_add ON s2s.audit_entry FOR INSERT
    WITH CHECK (by_id = coalesce((SELECT s2s.acting_id()), ''));

-- What a programme manager counts: no child, no free text, and nothing for anybody else.
CREATE VIEW s2s.referral_measure AS
    SELECT r.urn, r.status, r.received_on, r.submitted_at, r.fee_pence, r.closure,
        n.code AS primary_need, r.terms_id,
        (SELECT min(e.at) FROM s2s.referral_event e WHERE e.referral_id = r.id
            AND e.action IN ('accepted', 'declined')) AS decided_at,
        (SELECT min(v.starts_at) FROM s2s.visit v JOIN s2s.visit_record vr ON vr.visit_id = v.id
            WHERE v.referral_id = r.id AND vr.issued_at IS NOT NULL) AS first_visit_at,
        (SELECT count(*) FROM s2s.outcome_wanted o WHERE o.referral_id = r.id
            AND o.achieved IS NOT NULL) AS outcomes_judged,
        (SELECT count(*) FROM s2s.outcome_wanted o WHERE o.referral_id = r.id
            AND o.achieved = 'achieved') AS outcomes_achieved
    FROM s2s.referral r
    LEFT JOIN s2s.referral_need n ON n.referral_id = r.id AND n.rank = 1
    WHERE r.submitted_at IS NOT NULL AND (SELECT s2s.acts_as('manager', 'system'));
GRANT SELECT ON s2s.referral_measure TO s2s_app;

-- 4. What never changes --------------------------------------------------------------------------
CREATE FUNCTION s2s.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of s2s.% are only ever added: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;

DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['referral_event', 'addendum', 'acknowledgement', 'record_document',
        'ledger_entry', 'posting', 'account', 'pull', 'pull_line', 'pull_file',
        'ledger_verification', 'audit_entry', 'import_run', 'service_terms', 'fee']
    LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.%I
            FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change()', part);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.%I
            FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
END $$;

CREATE FUNCTION s2s.refuse_change_of_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.issued_at IS NOT NULL THEN
        RAISE EXCEPTION 'an issued visit record never changes: % refused', TG_OP
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER issued_is_final BEFORE UPDATE OR DELETE ON s2s.visit_record
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change_of_issued();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.visit_record
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();

CREATE FUNCTION s2s.refuse_change_of_recommendation() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM s2s.visit_record v WHERE v.issued_at IS NOT NULL
            AND v.id IN (CASE WHEN TG_OP <> 'INSERT' THEN OLD.record_id END,
                         CASE WHEN TG_OP <> 'DELETE' THEN NEW.record_id END)) THEN
        RAISE EXCEPTION 'the recommendations of an issued visit record never change: % refused',
            TG_OP USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER issued_is_final BEFORE INSERT OR UPDATE OR DELETE ON s2s.recommendation
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change_of_recommendation();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.recommendation
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();

-- 5. The ledger ----------------------------------------------------------------------------------
CREATE FUNCTION s2s.check_entry_balances() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
DECLARE
    entry bigint := CASE TG_TABLE_NAME WHEN 'posting' THEN (to_jsonb(NEW)->>'entry_number')::bigint
        ELSE (to_jsonb(NEW)->>'number')::bigint END;
    lines integer;
    total bigint;
BEGIN
    SELECT count(*), coalesce(sum(amount_pence), 0) INTO lines, total
    FROM s2s.posting WHERE entry_number = entry;
    IF lines < 2 OR total <> 0 THEN
        RAISE EXCEPTION 'ledger entry % does not balance: % postings, sum % pence',
            entry, lines, total USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER entry_balances AFTER INSERT ON s2s.ledger_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION s2s.check_entry_balances();
CREATE CONSTRAINT TRIGGER posting_balances AFTER INSERT ON s2s.posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION s2s.check_entry_balances();

-- An entry is the one its locked head announces: no gap, no fork.
CREATE FUNCTION s2s.check_entry_is_next() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM s2s.ledger_head h WHERE h.number = NEW.number AND h.hash = NEW.hash)
        OR NEW.previous_hash <> coalesce(
            (SELECT e.hash FROM s2s.ledger_entry e WHERE e.number = NEW.number - 1),
            repeat('0', 64)) THEN
        RAISE EXCEPTION 'ledger entry % does not follow the head of the ledger', NEW.number
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER entry_is_next BEFORE INSERT ON s2s.ledger_entry
    FOR EACH ROW EXECUTE FUNCTION s2s.check_entry_is_next();

CREATE FUNCTION s2s.check_head_moves_by_one() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.number <> OLD.number + 1 THEN
        RAISE EXCEPTION 'the head of the ledger moves on by one entry at a time'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER moves_by_one BEFORE UPDATE OR DELETE ON s2s.ledger_head
    FOR EACH ROW EXECUTE FUNCTION s2s.check_head_moves_by_one();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.ledger_head
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();
