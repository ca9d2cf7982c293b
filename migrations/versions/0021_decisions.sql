-- Decisions: levels, reasons, other services, a waiting list, holds, and what was decided.

-- 1. The new tables ------------------------------------------------------------------------------
GRANT SELECT, INSERT ON s2s.support_level, s2s.decision_reason, s2s.other_service, s2s.decision,
    s2s.decision_check TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;

DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['support_level', 'decision_reason', 'other_service', 'decision',
                                'decision_check']
    LOOP
        EXECUTE format('ALTER TABLE s2s.%I ENABLE ROW LEVEL SECURITY', part);
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.%I
            FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change()', part);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.%I
            FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
    -- The lists are everybody's to read, as every rule by date is.
    FOREACH part IN ARRAY ARRAY['support_level', 'decision_reason', 'other_service']
    LOOP
        EXECUTE format('CREATE POLICY %1$s_read ON s2s.%1$I FOR SELECT USING (true)', part);
        EXECUTE format($p$CREATE POLICY %1$s_add ON s2s.%1$I FOR INSERT
            WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')))$p$, part);
    END LOOP;
END $$;

-- Whoever sees the referral reads what was decided; only officers decide.
CREATE POLICY decision_read ON s2s.decision FOR SELECT
    USING (EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
CREATE POLICY decision_add ON s2s.decision FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('send_officer', 'system'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
-- How an officer came to it stays inside the service.
CREATE POLICY decision_check_read ON s2s.decision_check FOR SELECT
    USING ((SELECT s2s.acts_as('send_officer', 'system')));
CREATE POLICY decision_check_add ON s2s.decision_check FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('send_officer', 'system')));

-- 2. The waiting list ----------------------------------------------------------------------------
-- A referral on it is under way: its school may amend and withdraw it. Where these four policies
-- and the functions name the three statuses that were under way, there are four now.
ALTER POLICY referral_change ON s2s.referral
    USING ((SELECT s2s.acts_as('system'))
        OR (status <> 'draft' AND (SELECT s2s.acts_as('send_officer')))
        OR (urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND status IN ('draft', 'returned', 'submitted', 'waiting', 'accepted', 'allocated')
            AND (SELECT s2s.acts_as('school_referrer')))
        OR ((SELECT s2s.acts_as('practitioner')) AND id IN (SELECT s2s.allocated_referrals())))
    WITH CHECK ((SELECT s2s.acts_as('system', 'send_officer'))
        OR (urn = ANY ((SELECT s2s.acting_establishments())::integer[])
            AND status IN ('draft', 'returned', 'submitted', 'waiting', 'accepted', 'allocated', 'withdrawn')
            AND (SELECT s2s.acts_as('school_referrer'))));
ALTER POLICY section_opening_add ON s2s.section_opening
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (transaction_id = txid_current()
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND ((r.status = 'returned' AND (SELECT s2s.acts_as('send_officer')))
              OR (r.status IN ('submitted', 'waiting', 'accepted', 'allocated')
                AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[])
                AND (SELECT s2s.acts_as('school_referrer')))))));
ALTER POLICY section_change_add ON s2s.section_change
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('school_referrer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status IN ('submitted', 'waiting', 'accepted', 'allocated')
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))));
ALTER POLICY agreement_withdrawal_add ON s2s.agreement_withdrawal
    WITH CHECK ((SELECT s2s.acts_as('system', 'send_officer'))
        OR ((SELECT s2s.acts_as('school_referrer'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                AND r.status IN ('submitted', 'returned', 'waiting', 'accepted', 'allocated')
                AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))));

DO $$
BEGIN
    EXECUTE replace(pg_get_functiondef('s2s.section_open(bigint, text)'::regprocedure),
        '''submitted'', ''accepted''', '''submitted'', ''waiting'', ''accepted''');
    EXECUTE replace(replace(pg_get_functiondef('s2s.repeats_of(bigint, timestamptz)'::regprocedure),
        '''draft'', ''submitted'', ''returned''', '''draft'', ''submitted'', ''waiting'', ''returned'''),
        '(''closed'', ''declined'', ''withdrawn'', ''agreement_withdrawn'')',
        '(''closed'', ''declined'', ''withdrawn'', ''agreement_withdrawn'', ''advised'',
                    ''redirected'', ''unanswered'')');
    EXECUTE replace(pg_get_functiondef('s2s.recent_waits(timestamptz)'::regprocedure),
        '(''accepted'', ''declined'')', '(''accepted'', ''declined'', ''advised'', ''redirected'')');
END $$;

-- Where a referral is on the waiting list, of how many: first come, first served, early years and
-- mainstream apart. For whoever sees it, though not the others on the list.
CREATE FUNCTION s2s.waiting_place(wanted text, OUT place bigint, OUT total bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
DECLARE mine record;
BEGIN
    SELECT r.id, r.submitted_at, e.phase_code = 1 AS early INTO mine
    FROM s2s.referral r JOIN s2s.establishment e ON e.urn = r.urn
    WHERE r.reference = wanted AND r.status = 'waiting'
      AND (s2s.acts_as('send_officer', 'system') OR (s2s.acts_as('school_referrer')
        AND r.urn = ANY (s2s.acting_establishments())));
    IF FOUND THEN
        SELECT count(*) FILTER (WHERE (r.submitted_at, r.id) <= (mine.submitted_at, mine.id)),
            count(*) INTO place, total
        FROM s2s.referral r JOIN s2s.establishment e ON e.urn = r.urn
        WHERE r.status = 'waiting' AND (e.phase_code = 1) = mine.early;
    END IF;
END $$;

-- 3. What a request that was turned away gives back ----------------------------------------------
-- As before, and now also where it was advised, redirected or not answered; an acceptance that was
-- taken back does not count.
CREATE OR REPLACE FUNCTION s2s.intake_used(wanted bigint) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
        SELECT count(*) FROM s2s.referral r
        WHERE r.intake_window_id = wanted AND r.submitted_at IS NOT NULL
          AND NOT (r.status IN ('declined', 'withdrawn', 'advised', 'redirected', 'unanswered')
            AND NOT EXISTS (SELECT FROM s2s.referral_event e
                WHERE e.referral_id = r.id AND e.action = 'accepted'
                  AND NOT EXISTS (SELECT FROM s2s.referral_event u WHERE u.referral_id = r.id
                    AND u.action = 'decision_undone' AND u.id > e.id)))
    $$;

CREATE OR REPLACE VIEW s2s.school_referral_count AS
    SELECT r.urn, count(*) AS sent,
        count(*) FILTER (WHERE r.status NOT IN ('closed', 'declined', 'withdrawn', 'advised',
            'redirected', 'unanswered')) AS open,
        count(*) FILTER (WHERE r.status IN ('closed', 'declined', 'withdrawn', 'advised',
            'redirected', 'unanswered')) AS closed
    FROM s2s.referral r
    WHERE r.submitted_at IS NOT NULL
      AND ((SELECT s2s.acts_as('system'))
        OR ((SELECT s2s.acts_as('trust_viewer'))
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[])))
    GROUP BY r.urn;

-- The first decision that still stands.
CREATE OR REPLACE VIEW s2s.referral_measure AS
    SELECT r.urn, r.status, r.received_on, r.submitted_at, r.fee_pence, r.closure,
        n.code AS primary_need, r.terms_id,
        (SELECT min(e.at) FROM s2s.referral_event e WHERE e.referral_id = r.id
            AND e.action IN ('accepted', 'declined', 'advised', 'redirected')
            AND NOT EXISTS (SELECT FROM s2s.referral_event u WHERE u.referral_id = r.id
                AND u.action = 'decision_undone' AND u.id > e.id)) AS decided_at,
        (SELECT min(v.starts_at) FROM s2s.visit v JOIN s2s.visit_record vr ON vr.visit_id = v.id
            WHERE v.referral_id = r.id AND vr.issued_at IS NOT NULL) AS first_visit_at,
        (SELECT count(*) FROM s2s.outcome_wanted o WHERE o.referral_id = r.id
            AND o.achieved IS NOT NULL) AS outcomes_judged,
        (SELECT count(*) FROM s2s.outcome_wanted o WHERE o.referral_id = r.id
            AND o.achieved = 'achieved') AS outcomes_achieved
    FROM s2s.referral r
    LEFT JOIN s2s.referral_need n ON n.referral_id = r.id AND n.rank = 1
    WHERE r.submitted_at IS NOT NULL AND (SELECT s2s.acts_as('manager', 'system'));

-- 4. Money ---------------------------------------------------------------------------------------
-- One charge for a referral that stands. It was a unique index; a charge that was reversed because its
-- decision was taken back leaves room for the next, and one that Finance has waived does not. Every
-- writer holds the head of the ledger, so nobody adds another meanwhile.
DROP INDEX s2s.uq_ledger_entry_one_charge;
CREATE INDEX ix_ledger_entry_charge ON s2s.ledger_entry (referral_reference, fee_kind)
    WHERE kind = 'charge';
CREATE FUNCTION s2s.check_one_charge() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM s2s.ledger_entry e
        WHERE e.kind = 'charge' AND e.referral_reference = NEW.referral_reference
          AND e.fee_kind = NEW.fee_kind AND e.number <> NEW.number
          AND NOT EXISTS (SELECT FROM s2s.ledger_entry r WHERE r.reverses_number = e.number
            AND r.idempotency_key LIKE 'undone:%')) THEN
        RAISE EXCEPTION 'uq_ledger_entry_one_charge: % has been charged', NEW.referral_reference
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'uq_ledger_entry_one_charge';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER one_charge AFTER INSERT ON s2s.ledger_entry
    FOR EACH ROW WHEN (NEW.kind = 'charge') EXECUTE FUNCTION s2s.check_one_charge();

-- An officer who takes an acceptance back reverses its charge; never one that Finance has pulled,
-- nor one of a referral that has gone on. Other reversals stay with those who approve for Finance.
CREATE FUNCTION s2s.charge_can_be_undone(charge bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
        SELECT EXISTS (SELECT FROM s2s.ledger_entry e
            JOIN s2s.referral r ON r.reference = e.referral_reference
            WHERE e.number = charge AND e.kind = 'charge' AND r.status = 'accepted'
              AND NOT EXISTS (SELECT FROM s2s.pull_line p WHERE p.entry_number = e.number))
    $$;
ALTER POLICY ledger_entry_add ON s2s.ledger_entry
    WITH CHECK ((SELECT s2s.acts_as('finance_approver', 'system'))
        OR (kind <> 'reversal' AND (SELECT s2s.acts_as('finance')))
        OR ((SELECT s2s.acts_as('send_officer')) AND (kind = 'charge'
            OR (kind = 'reversal' AND s2s.charge_can_be_undone(reverses_number)))));

REVOKE ALL ON FUNCTION s2s.waiting_place(text), s2s.check_one_charge(),
    s2s.charge_can_be_undone(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.waiting_place(text), s2s.charge_can_be_undone(bigint) TO s2s_app;
