-- Fee rules by date, where each charge stands, relief by a second person, closed years.

-- 1. Fee rules -----------------------------------------------------------------------------------
-- What a referral costs, by kind of setting and of referral, from a day until a later rule of the
-- same cell begins. The figures leave the service terms, so that none stands in two places.
CREATE TABLE s2s.fee_rule (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_fee_rule PRIMARY KEY,
    setting varchar(40) NOT NULL CONSTRAINT ck_fee_rule_setting
        CHECK (setting IN ('maintained', 'academy', 'early_years', 'other')),
    kind varchar(40) NOT NULL CONSTRAINT ck_fee_rule_kind
        CHECK (kind IN ('pupil', 'group', 'whole', 'training')),
    valid_from date NOT NULL,
    during daterange NOT NULL,
    amount_pence integer NOT NULL CONSTRAINT ck_fee_rule_amount CHECK (amount_pence BETWEEN 0 AND 10000000),
    due varchar(40) NOT NULL CONSTRAINT ck_fee_rule_due
        CHECK (due IN ('submission', 'acceptance', 'first_visit')),
    reason text NOT NULL CONSTRAINT ck_fee_rule_reason CHECK (reason <> ''),
    source text NOT NULL CONSTRAINT ck_fee_rule_source CHECK (source <> ''),
    at timestamptz NOT NULL,
    by_id text NOT NULL,
    by_name text NOT NULL,
    cell smallint NOT NULL GENERATED ALWAYS AS (
        10 * array_position(ARRAY['maintained', 'academy', 'early_years', 'other'], setting::text)
        + array_position(ARRAY['pupil', 'group', 'whole', 'training'], kind::text)) STORED,
    -- No extension is needed for equality of the cell: a range of one number overlaps itself alone.
    CONSTRAINT ex_fee_rule_overlap EXCLUDE USING gist
        (int4range(cell::integer, cell::integer, '[]') WITH &&, during WITH &&)
);
CREATE INDEX ix_fee_rule_cell ON s2s.fee_rule (cell, valid_from, id);

-- A row says from when; how long it holds follows from the rows around it. The one that held on its
-- first day ends there; one of the same first day never held, and stays as history. A rule counts
-- from tomorrow at the earliest, so a day has one fee and nothing that was received moves.
CREATE FUNCTION s2s.fit_fee_rule() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
DECLARE next_from date;
BEGIN
    SELECT min(r.valid_from) INTO next_from FROM s2s.fee_rule r
        WHERE r.setting = NEW.setting AND r.kind = NEW.kind AND r.valid_from > NEW.valid_from
          AND NOT isempty(r.during);
    UPDATE s2s.fee_rule r SET during = CASE WHEN r.valid_from = NEW.valid_from THEN 'empty'::daterange
            ELSE daterange(r.valid_from, NEW.valid_from) END
        WHERE r.setting = NEW.setting AND r.kind = NEW.kind AND r.during @> NEW.valid_from;
    NEW.during := daterange(NEW.valid_from, next_from);
    RETURN NEW;
END $$;
CREATE TRIGGER fits BEFORE INSERT ON s2s.fee_rule
    FOR EACH ROW EXECUTE FUNCTION s2s.fit_fee_rule();

-- What refuses comes after the policies (a trigger before them would answer whom it is no business of).
CREATE FUNCTION s2s.check_fee_rule_is_later() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    IF current_setting('s2s.roles', true) <> '' AND NOT s2s.acts_as('system')
        AND NEW.valid_from <= (NEW.at AT TIME ZONE 'Europe/London')::date THEN
        RAISE EXCEPTION 'a fee rule begins tomorrow at the earliest' USING ERRCODE = 'check_violation',
            CONSTRAINT = 'ck_fee_rule_later';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER is_later AFTER INSERT ON s2s.fee_rule
    FOR EACH ROW EXECUTE FUNCTION s2s.check_fee_rule_is_later();

-- Only that trigger shortens a rule; nothing else of a row ever changes.
CREATE FUNCTION s2s.refuse_change_of_fee_rule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND pg_trigger_depth() > 1
        AND to_jsonb(NEW) - ARRAY['during', 'cell'] = to_jsonb(OLD) - ARRAY['during', 'cell'] AND NEW.during <@ OLD.during THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'rows of s2s.fee_rule are only ever added: % refused', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.fee_rule
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change_of_fee_rule();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.fee_rule
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();

-- £25 in 2012, then hours and packages bought beforehand; from April 2019 what the terms say.
INSERT INTO s2s.fee_rule (setting, kind, valid_from, during, amount_pence, due, reason, source, at,
    by_id, by_name)
SELECT setting, kind, '2012-09-01', 'empty', CASE setting WHEN 'early_years' THEN 0 ELSE 2500 END,
    'acceptance', CASE setting WHEN 'early_years' THEN 'early years setting' ELSE 'mainstream school' END,
    'Norfolk S2S, charges of 2012', now(), 'system', 'The service'
FROM unnest(ARRAY['maintained', 'academy', 'early_years', 'other']) AS setting,
    unnest(ARRAY['pupil', 'group', 'whole', 'training']) AS kind;
INSERT INTO s2s.fee_rule (setting, kind, valid_from, during, amount_pence, due, reason, source, at,
    by_id, by_name)
SELECT setting, kind, lower(t.during), 'empty', f.amount_pence, 'acceptance', f.reason, t.source,
    now(), 'system', 'The service'
FROM (SELECT t.*, row_number() OVER (ORDER BY lower(during)) AS place FROM s2s.service_terms t) t
JOIN s2s.fee f ON f.terms_id = t.id
JOIN unnest(ARRAY['maintained', 'academy', 'early_years', 'other']) AS setting
    ON (setting = 'early_years') = (f.setting_kind = 'early_years'),
    unnest(ARRAY['pupil', 'group', 'whole', 'training']) AS kind
-- A later set of terms that changes neither the figure nor the words needs no rule of its own.
WHERE NOT EXISTS (SELECT FROM s2s.service_terms b JOIN s2s.fee g ON g.terms_id = b.id
    WHERE b.during -|- t.during AND b.during << t.during AND g.setting_kind = f.setting_kind
      AND (g.amount_pence, g.reason, b.source) = (f.amount_pence, f.reason, t.source))
ORDER BY t.place;
DROP TABLE s2s.fee;

ALTER TABLE s2s.referral ADD COLUMN fee_rule_id bigint
    CONSTRAINT fk_referral_fee_rule_id_fee_rule REFERENCES s2s.fee_rule (id);
ALTER TABLE s2s.ledger_entry ADD COLUMN fee_rule_id bigint
    CONSTRAINT fk_ledger_entry_fee_rule_id_fee_rule REFERENCES s2s.fee_rule (id);

-- 2. What happened to a charge -------------------------------------------------------------------
CREATE TABLE s2s.charge_event (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_charge_event PRIMARY KEY,
    charge_number bigint NOT NULL CONSTRAINT fk_charge_event_charge_number_ledger_entry
        REFERENCES s2s.ledger_entry (number),
    urn integer NOT NULL CONSTRAINT fk_charge_event_urn_establishment REFERENCES s2s.establishment (urn),
    kind varchar(40) NOT NULL CONSTRAINT ck_charge_event_kind
        CHECK (kind IN ('rejected', 'disputed', 'stands', 'credited')),
    side varchar(40) NOT NULL CONSTRAINT ck_charge_event_side
        CHECK (side IN ('school', 'finance', 'service')),
    words text NOT NULL CONSTRAINT ck_charge_event_words CHECK (words <> ''),
    follows bigint NOT NULL,
    at timestamptz NOT NULL,
    by_id text NOT NULL,
    by_name text NOT NULL,
    -- Each event follows the last one: of two at once, one finds that the charge has changed.
    CONSTRAINT uq_charge_event_follows UNIQUE (charge_number, follows)
);

CREATE FUNCTION s2s.check_charge_event() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
DECLARE
    last_id bigint;
    disputed boolean;
BEGIN
    SELECT coalesce(max(id), 0), coalesce((array_agg(kind ORDER BY id DESC)
            FILTER (WHERE kind <> 'rejected'))[1] = 'disputed', false)
        INTO last_id, disputed FROM s2s.charge_event
        WHERE charge_number = NEW.charge_number AND id <> NEW.id;
    IF NEW.follows <> last_id THEN
        RAISE EXCEPTION 'the charge has changed' USING ERRCODE = 'unique_violation',
            CONSTRAINT = 'uq_charge_event_follows';
    END IF;
    IF NOT EXISTS (SELECT FROM s2s.ledger_entry e WHERE e.number = NEW.charge_number
            AND e.kind = 'charge' AND e.urn = NEW.urn)
        OR (NEW.kind = 'disputed' AND disputed)
        OR (NEW.kind IN ('stands', 'credited') AND NOT disputed)
        OR (NEW.kind = 'rejected' AND NOT EXISTS
            (SELECT FROM s2s.pull_line p WHERE p.entry_number = NEW.charge_number)) THEN
        RAISE EXCEPTION 'this cannot happen to charge % now', NEW.charge_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_charge_event_order';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER in_order AFTER INSERT ON s2s.charge_event
    FOR EACH ROW EXECUTE FUNCTION s2s.check_charge_event();

-- 3. Relief: waived, credited, written off by a second person ------------------------------------
CREATE TABLE s2s.relief_request (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_relief_request PRIMARY KEY,
    charge_number bigint NOT NULL CONSTRAINT fk_relief_request_charge_number_ledger_entry
        REFERENCES s2s.ledger_entry (number),
    kind varchar(40) NOT NULL CONSTRAINT ck_relief_request_kind
        CHECK (kind IN ('waive', 'credit', 'write_off')),
    reason varchar(40) NOT NULL CONSTRAINT ck_relief_request_reason CHECK (reason IN
        ('promise_broken', 'charged_in_error', 'dispute_upheld', 'no_visit', 'school_closed',
         'cannot_be_collected', 'other')),
    words text NOT NULL CONSTRAINT ck_relief_request_words CHECK (words <> ''),
    amount_pence integer NOT NULL CONSTRAINT ck_relief_request_amount CHECK (amount_pence > 0),
    seen text NOT NULL,
    follows bigint NOT NULL,
    at timestamptz NOT NULL,
    by_id text NOT NULL,
    by_name text NOT NULL,
    CONSTRAINT uq_relief_request_follows UNIQUE (charge_number, follows)
);
CREATE TABLE s2s.relief_answer (
    request_id bigint CONSTRAINT pk_relief_answer PRIMARY KEY
        CONSTRAINT fk_relief_answer_request_id_relief_request REFERENCES s2s.relief_request (id),
    outcome varchar(40) NOT NULL CONSTRAINT ck_relief_answer_outcome
        CHECK (outcome IN ('approved', 'refused', 'withdrawn', 'overtaken')),
    words text NOT NULL DEFAULT '',
    entry_number bigint CONSTRAINT fk_relief_answer_entry_number_ledger_entry
        REFERENCES s2s.ledger_entry (number),
    at timestamptz NOT NULL,
    by_id text NOT NULL,
    by_name text NOT NULL,
    CONSTRAINT uq_relief_answer_entry_number UNIQUE (entry_number),
    CONSTRAINT ck_relief_answer_posted CHECK ((outcome = 'approved') = (entry_number IS NOT NULL)),
    CONSTRAINT ck_relief_answer_said_why CHECK (outcome <> 'refused' OR words <> '')
);

CREATE FUNCTION s2s.check_relief_request() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    IF NEW.follows <> coalesce((SELECT max(id) FROM s2s.relief_request
            WHERE charge_number = NEW.charge_number AND id <> NEW.id), 0)
        OR EXISTS (SELECT FROM s2s.relief_request r
            WHERE r.charge_number = NEW.charge_number AND r.id <> NEW.id
            AND NOT EXISTS (SELECT FROM s2s.relief_answer a WHERE a.request_id = r.id)) THEN
        RAISE EXCEPTION 'somebody has asked for this already' USING ERRCODE = 'unique_violation',
            CONSTRAINT = 'uq_relief_request_follows';
    END IF;
    IF NOT EXISTS (SELECT FROM s2s.ledger_entry e WHERE e.number = NEW.charge_number
            AND e.kind = 'charge' AND e.amount_pence = NEW.amount_pence) THEN
        RAISE EXCEPTION 'relief is of a whole charge' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER in_order AFTER INSERT ON s2s.relief_request
    FOR EACH ROW EXECUTE FUNCTION s2s.check_relief_request();

-- Whoever asked does not answer, and what is approved is the entry that undoes this charge.
CREATE FUNCTION s2s.check_relief_answer() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
DECLARE asked s2s.relief_request;
BEGIN
    SELECT * INTO asked FROM s2s.relief_request WHERE id = NEW.request_id;
    IF NEW.outcome IN ('approved', 'refused') AND NEW.by_id = asked.by_id THEN
        RAISE EXCEPTION 'whoever asked for relief does not answer the request'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_relief_answer_second_person';
    END IF;
    IF NEW.outcome = 'withdrawn' AND NEW.by_id <> asked.by_id THEN
        RAISE EXCEPTION 'only whoever asked withdraws a request'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_relief_answer_own';
    END IF;
    IF NEW.entry_number IS NOT NULL AND NOT EXISTS (SELECT FROM s2s.ledger_entry e
            WHERE e.number = NEW.entry_number AND e.reverses_number = asked.charge_number) THEN
        RAISE EXCEPTION 'entry % does not undo charge %', NEW.entry_number, asked.charge_number
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER second_person AFTER INSERT ON s2s.relief_answer
    FOR EACH ROW EXECUTE FUNCTION s2s.check_relief_answer();

-- An entry that undoes a charge needs somebody else's open request; the service itself does not.
CREATE FUNCTION s2s.relief_asked_by_another(charge bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
        SELECT EXISTS (SELECT FROM s2s.relief_request r WHERE r.charge_number = charge
            AND r.by_id <> s2s.acting_id()
            AND NOT EXISTS (SELECT FROM s2s.relief_answer a WHERE a.request_id = r.id))
    $$;
ALTER POLICY ledger_entry_add ON s2s.ledger_entry
    WITH CHECK ((SELECT s2s.acts_as('system'))
        OR ((SELECT s2s.acts_as('finance', 'finance_approver'))
            AND (kind <> 'reversal' OR s2s.relief_asked_by_another(reverses_number)))
        OR ((SELECT s2s.acts_as('send_officer')) AND (kind = 'charge'
            OR (kind = 'reversal' AND s2s.charge_can_be_undone(reverses_number)))));

-- Whoever reads the whole ledger reads every posting: asked once, not of each row. And the check of
-- the ledger, which runs as the service, would else never see a posting that has lost its entry.
ALTER POLICY posting_read ON s2s.posting
    USING ((SELECT s2s.acts_as('finance', 'finance_approver', 'send_officer', 'manager', 'auditor',
                               'system'))
        OR EXISTS (SELECT FROM s2s.ledger_entry e WHERE e.number = entry_number));

-- 4. Closed years --------------------------------------------------------------------------------
CREATE FUNCTION s2s.financial_year(day date) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT format('%s/%s', y, lpad(((y + 1) % 100)::text, 2, '0'))
        FROM (SELECT extract(year FROM day - interval '3 months')::integer AS y) AS first
    $$;
CREATE TABLE s2s.year_close_request (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_year_close_request PRIMARY KEY,
    financial_year text NOT NULL CONSTRAINT ck_year_close_request_year CHECK (financial_year ~ '^\d{4}/\d{2}$'),
    words text NOT NULL DEFAULT '',
    at timestamptz NOT NULL,
    by_id text NOT NULL,
    by_name text NOT NULL
);
CREATE INDEX ix_year_close_request_financial_year ON s2s.year_close_request (financial_year, id);
CREATE TABLE s2s.year_close (
    financial_year text CONSTRAINT pk_year_close PRIMARY KEY,
    request_id bigint NOT NULL CONSTRAINT fk_year_close_request_id_year_close_request
        REFERENCES s2s.year_close_request (id),
    last_entry bigint NOT NULL,
    last_hash text NOT NULL,
    carried_pence bigint NOT NULL,
    at timestamptz NOT NULL,
    by_id text NOT NULL,
    by_name text NOT NULL
);
CREATE TABLE s2s.carried_balance (
    financial_year text NOT NULL CONSTRAINT fk_carried_balance_financial_year_year_close
        REFERENCES s2s.year_close (financial_year),
    urn integer NOT NULL CONSTRAINT fk_carried_balance_urn_establishment
        REFERENCES s2s.establishment (urn),
    balance_pence bigint NOT NULL CONSTRAINT ck_carried_balance_something CHECK (balance_pence <> 0),
    CONSTRAINT pk_carried_balance PRIMARY KEY (financial_year, urn)
);

CREATE FUNCTION s2s.check_year_close() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM s2s.year_close_request r WHERE r.id = NEW.request_id
            AND r.financial_year = NEW.financial_year AND r.by_id <> NEW.by_id) THEN
        RAISE EXCEPTION 'a year is closed by a second person' USING ERRCODE = 'check_violation',
            CONSTRAINT = 'ck_year_close_second_person';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER second_person AFTER INSERT ON s2s.year_close
    FOR EACH ROW EXECUTE FUNCTION s2s.check_year_close();

CREATE FUNCTION s2s.check_year_is_open() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM s2s.year_close c
            WHERE c.financial_year IN (s2s.financial_year(NEW.event_date), NEW.financial_year)) THEN
        RAISE EXCEPTION 'the financial year % is closed', s2s.financial_year(NEW.event_date)
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_ledger_entry_year_is_open';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER closed_year_refuses BEFORE INSERT ON s2s.ledger_entry
    FOR EACH ROW EXECUTE FUNCTION s2s.check_year_is_open();

-- 5. Where an entry stands -----------------------------------------------------------------------
-- Worked out from the entries, the pulls and the events; a charge that is disputed waits outside the
-- pulls. What is open of a charge stands on its own line, with what its reversal gives back.
CREATE VIEW s2s.charge_state WITH (security_invoker = true) AS
    SELECT e.number, coalesce(e.reverses_number, e.number) AS charge_number, e.kind, e.urn, e.route,
        e.payer_name, e.event_date, e.amount_pence, p.pull_number,
        p.entry_number IS NULL AND NOT (coalesce(v.disputed, false) AND r.number IS NULL) AS due,
        (CASE
            WHEN r.idempotency_key LIKE 'undone:%' THEN 'taken_back'
            WHEN r.idempotency_key LIKE 'waive:%' THEN 'waived'
            WHEN r.idempotency_key LIKE 'write_off:%' THEN 'written_off'
            WHEN r.number IS NOT NULL THEN 'credited'
            WHEN v.disputed THEN 'disputed'
            WHEN c.number IS NOT NULL THEN 'collected'
            WHEN v.rejected THEN 'rejected'
            WHEN p.entry_number IS NOT NULL THEN 'in_pull'
            ELSE 'posted'
        END)::varchar(40) AS state,
        CASE WHEN e.kind = 'charge' THEN
            CASE WHEN c.number IS NULL THEN e.amount_pence ELSE 0 END
            + CASE WHEN r.number IS NOT NULL AND rc.number IS NULL THEN r.amount_pence ELSE 0 END
        ELSE 0 END AS open_pence, coalesce(v.last_id, 0) AS last_event,
        c.number IS NOT NULL AS settled
    FROM s2s.ledger_entry e
    LEFT JOIN s2s.pull_line p ON p.entry_number = e.number
    LEFT JOIN s2s.ledger_entry c ON c.settles_number = e.number
    LEFT JOIN s2s.ledger_entry r ON r.reverses_number = e.number
    LEFT JOIN s2s.ledger_entry rc ON rc.settles_number = r.number
    LEFT JOIN (SELECT charge_number, max(id) AS last_id, bool_or(kind = 'rejected') AS rejected,
            (array_agg(kind ORDER BY id DESC) FILTER (WHERE kind <> 'rejected'))[1] = 'disputed' AS disputed
        FROM s2s.charge_event GROUP BY charge_number) v ON v.charge_number = e.number
    WHERE e.kind IN ('charge', 'reversal');

-- The same, kept for lists and totals, so that they cost as much at a million entries as at a
-- thousand. `flask s2s ledger verify` holds it to the view.
CREATE TABLE s2s.entry_standing (
    number bigint CONSTRAINT pk_entry_standing PRIMARY KEY
        CONSTRAINT fk_entry_standing_number_ledger_entry REFERENCES s2s.ledger_entry (number),
    charge_number bigint NOT NULL,
    kind varchar(40) NOT NULL CONSTRAINT ck_entry_standing_kind CHECK (kind IN ('charge', 'reversal')),
    urn integer NOT NULL,
    route varchar(40) NOT NULL,
    payer_name text NOT NULL,
    event_date date NOT NULL,
    amount_pence integer NOT NULL,
    pull_number integer,
    due boolean NOT NULL,
    state varchar(40) NOT NULL CONSTRAINT ck_entry_standing_state CHECK (state IN ('posted', 'in_pull',
        'collected', 'rejected', 'disputed', 'credited', 'waived', 'written_off', 'taken_back')),
    open_pence integer NOT NULL,
    last_event bigint NOT NULL,
    settled boolean NOT NULL
);
INSERT INTO s2s.entry_standing SELECT number, charge_number, kind, urn, route, payer_name, event_date,
    amount_pence, pull_number, due, state, open_pence, last_event, settled FROM s2s.charge_state;
CREATE INDEX ix_entry_standing_due ON s2s.entry_standing (number) INCLUDE (amount_pence) WHERE due;
CREATE INDEX ix_entry_standing_state ON s2s.entry_standing (state, number);
CREATE INDEX ix_entry_standing_pulled ON s2s.entry_standing (number) INCLUDE (amount_pence)
    WHERE pull_number IS NOT NULL AND NOT settled;
CREATE INDEX ix_entry_standing_undone ON s2s.entry_standing (number)
    WHERE state IN ('credited', 'waived', 'written_off', 'taken_back');
CREATE INDEX ix_entry_standing_open ON s2s.entry_standing (number) WHERE open_pence <> 0;

CREATE TABLE s2s.account_balance (
    account_code text CONSTRAINT pk_account_balance PRIMARY KEY
        CONSTRAINT fk_account_balance_account_code_account REFERENCES s2s.account (code),
    urn integer,
    balance_pence bigint NOT NULL
);
INSERT INTO s2s.account_balance SELECT a.code, a.urn, coalesce(sum(p.amount_pence), 0)
    FROM s2s.account a JOIN s2s.posting p ON p.account_code = a.code GROUP BY a.code, a.urn;
CREATE INDEX ix_account_balance_urn ON s2s.account_balance (urn) WHERE balance_pence <> 0;

CREATE FUNCTION s2s.refresh_standing(charge bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
DECLARE one bigint;
BEGIN
    -- Whoever changes the same charge meanwhile waits here, and then sees what this one did.
    PERFORM FROM s2s.entry_standing s WHERE s.number = charge FOR UPDATE;
    FOR one IN SELECT charge UNION ALL
        SELECT e.number FROM s2s.ledger_entry e WHERE e.reverses_number = charge
    LOOP
        INSERT INTO s2s.entry_standing AS s SELECT number, charge_number, kind, urn, route, payer_name,
            event_date, amount_pence, pull_number, due, state, open_pence, last_event, settled
            FROM s2s.charge_state WHERE number = one
        ON CONFLICT (number) DO UPDATE SET pull_number = excluded.pull_number, due = excluded.due,
            state = excluded.state, open_pence = excluded.open_pence,
            last_event = excluded.last_event, settled = excluded.settled;
    END LOOP;
END $$;
CREATE FUNCTION s2s.follow_entry() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    IF NEW.kind IN ('charge', 'reversal', 'collection') THEN
        PERFORM s2s.refresh_standing(coalesce(NEW.reverses_number,
            (SELECT coalesce(e.reverses_number, e.number) FROM s2s.ledger_entry e
                WHERE e.number = NEW.settles_number), NEW.number));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER follow AFTER INSERT ON s2s.ledger_entry
    FOR EACH ROW EXECUTE FUNCTION s2s.follow_entry();
CREATE FUNCTION s2s.follow_pull_line() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    PERFORM s2s.refresh_standing((SELECT coalesce(e.reverses_number, e.number)
        FROM s2s.ledger_entry e WHERE e.number = NEW.entry_number));
    RETURN NULL;
END $$;
CREATE TRIGGER follow AFTER INSERT ON s2s.pull_line
    FOR EACH ROW EXECUTE FUNCTION s2s.follow_pull_line();
CREATE FUNCTION s2s.follow_charge_event() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    PERFORM s2s.refresh_standing(NEW.charge_number);
    RETURN NULL;
END $$;
CREATE TRIGGER follow AFTER INSERT ON s2s.charge_event
    FOR EACH ROW EXECUTE FUNCTION s2s.follow_charge_event();
CREATE FUNCTION s2s.follow_posting() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    INSERT INTO s2s.account_balance AS b SELECT a.code, a.urn, NEW.amount_pence
        FROM s2s.account a WHERE a.code = NEW.account_code
    ON CONFLICT (account_code) DO UPDATE SET balance_pence = b.balance_pence + excluded.balance_pence;
    RETURN NULL;
END $$;
CREATE TRIGGER follow AFTER INSERT ON s2s.posting
    FOR EACH ROW EXECUTE FUNCTION s2s.follow_posting();

-- 6. What is to come -----------------------------------------------------------------------------
-- Fees that will fall due if nothing changes. No child, no words of the school: Finance reads it.
CREATE FUNCTION s2s.proposed_fees() RETURNS TABLE (reference text, urn integer, school_name text,
        amount_pence integer, verdict text, received_on date)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
        SELECT r.reference, r.urn, r.school_name, r.fee_pence, r.fee_verdict, r.received_on
        FROM s2s.referral r
        WHERE r.fee_pence > 0 AND r.submitted_at IS NOT NULL
          AND r.status IN ('submitted', 'returned', 'waiting', 'accepted', 'allocated')
          AND NOT EXISTS (SELECT FROM s2s.ledger_entry e WHERE e.referral_reference = r.reference
            AND e.kind = 'charge' AND NOT EXISTS (SELECT FROM s2s.ledger_entry u
                WHERE u.reverses_number = e.number AND u.idempotency_key LIKE 'undone:%'))
          AND (s2s.acts_as('finance', 'finance_approver', 'system') OR (s2s.acts_as('school_referrer')
            AND r.urn = ANY (s2s.acting_establishments())))
        ORDER BY r.received_on, r.reference LIMIT 1000
    $$;
-- What recent referrals cost and what a rule needs to be tried on them: figures and codes alone.
CREATE FUNCTION s2s.recent_fees(most integer) RETURNS TABLE (urn integer, kind text,
        received_on date, fee_pence integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
        SELECT r.urn, r.kind::text, r.received_on, r.fee_pence FROM s2s.referral r
        WHERE r.submitted_at IS NOT NULL AND r.fee_pence IS NOT NULL
          AND s2s.acts_as('administrator', 'system')
        ORDER BY r.submitted_at DESC, r.id DESC LIMIT most
    $$;

-- 7. Who may -------------------------------------------------------------------------------------
GRANT SELECT, INSERT ON s2s.fee_rule, s2s.charge_event, s2s.relief_request, s2s.relief_answer,
    s2s.year_close_request, s2s.year_close, s2s.carried_balance TO s2s_app;
GRANT SELECT ON s2s.charge_state, s2s.entry_standing, s2s.account_balance TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;
DO $$
DECLARE
    part text;
    reads text := $rule$(SELECT s2s.acts_as('finance', 'finance_approver', 'send_officer', 'manager',
            'auditor', 'system'))
        OR ((SELECT s2s.acts_as('school_referrer', 'trust_viewer'))
            AND urn = ANY ((SELECT s2s.acting_establishments())::integer[]))$rule$;
    finance text := $rule$(SELECT s2s.acts_as('finance', 'finance_approver', 'auditor', 'system'))$rule$;
    own text := $rule$(SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('finance',
        'finance_approver')) AND by_id = (SELECT s2s.acting_id()))$rule$;
BEGIN
    FOREACH part IN ARRAY ARRAY['fee_rule', 'charge_event', 'relief_request', 'relief_answer',
        'year_close_request', 'year_close', 'carried_balance', 'entry_standing', 'account_balance']
    LOOP
        EXECUTE format('ALTER TABLE s2s.%I ENABLE ROW LEVEL SECURITY', part);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['charge_event', 'relief_request', 'relief_answer',
        'year_close_request', 'year_close', 'carried_balance']
    LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.%I
            FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change()', part);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.%I
            FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['charge_event', 'carried_balance', 'entry_standing', 'account_balance']
    LOOP
        EXECUTE format('CREATE POLICY %1$s_read ON s2s.%1$I FOR SELECT USING (%2$s)', part, reads);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['relief_request', 'relief_answer', 'year_close_request']
    LOOP
        EXECUTE format('CREATE POLICY %1$s_read ON s2s.%1$I FOR SELECT USING (%2$s)', part, finance);
    END LOOP;
    FOREACH part IN ARRAY ARRAY['relief_request', 'relief_answer', 'year_close_request', 'year_close']
    LOOP
        EXECUTE format('CREATE POLICY %1$s_add ON s2s.%1$I FOR INSERT WITH CHECK (%2$s)', part, own);
    END LOOP;
    EXECUTE format('CREATE POLICY charge_event_add ON s2s.charge_event FOR INSERT WITH CHECK (%s
        OR (kind = ''disputed'' AND side = ''school'' AND by_id = (SELECT s2s.acting_id())
            AND (SELECT s2s.acts_as(''school_referrer''))
            AND urn = ANY ((SELECT s2s.acting_establishments())::integer[])))', own);
END $$;
CREATE POLICY fee_rule_read ON s2s.fee_rule FOR SELECT USING (true);
CREATE POLICY fee_rule_add ON s2s.fee_rule FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
-- Which years are closed is no secret: whoever posts has to know.
CREATE POLICY year_close_read ON s2s.year_close FOR SELECT USING (true);
CREATE POLICY carried_balance_add ON s2s.carried_balance FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('finance', 'finance_approver', 'system')));

REVOKE ALL ON FUNCTION s2s.fit_fee_rule(), s2s.check_fee_rule_is_later(), s2s.refuse_change_of_fee_rule(), s2s.check_charge_event(),
    s2s.check_relief_request(), s2s.check_relief_answer(), s2s.relief_asked_by_another(bigint),
    s2s.check_year_close(), s2s.check_year_is_open(), s2s.refresh_standing(bigint),
    s2s.follow_entry(), s2s.follow_pull_line(), s2s.follow_charge_event(), s2s.follow_posting(),
    s2s.proposed_fees(), s2s.recent_fees(integer), s2s.financial_year(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.relief_asked_by_another(bigint), s2s.proposed_fees(),
    s2s.recent_fees(integer), s2s.financial_year(date), s2s.refuse_change_of_fee_rule() TO s2s_app;
