-- Back to what 0011 and 0013 say, with the nearest word that there was: whoever waits on the list
-- waits for a decision again, whoever was advised, redirected or did not answer was declined. It stops
-- with an error where a referral was charged anew after its first charge was taken back: the older
-- release cannot hold that, and no entry of the ledger is ever deleted.

DROP TRIGGER one_charge ON s2s.ledger_entry;
ALTER POLICY ledger_entry_add ON s2s.ledger_entry
    WITH CHECK ((SELECT s2s.acts_as('finance_approver', 'system'))
        OR (kind <> 'reversal' AND (SELECT s2s.acts_as('finance')))
        OR (kind = 'charge' AND (SELECT s2s.acts_as('send_officer'))));
DROP FUNCTION s2s.check_one_charge();
DROP FUNCTION s2s.charge_can_be_undone(bigint);
DROP INDEX s2s.ix_ledger_entry_charge;
CREATE UNIQUE INDEX uq_ledger_entry_one_charge ON s2s.ledger_entry (referral_reference, fee_kind)
    WHERE kind = 'charge';

CREATE OR REPLACE VIEW s2s.referral_measure AS
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

CREATE OR REPLACE FUNCTION s2s.intake_used(wanted bigint) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
        SELECT count(*) FROM s2s.referral r
        WHERE r.intake_window_id = wanted AND r.submitted_at IS NOT NULL
          AND NOT (r.status IN ('declined', 'withdrawn')
            AND NOT EXISTS (SELECT FROM s2s.referral_event e
                WHERE e.referral_id = r.id AND e.action = 'accepted'))
    $$;

DROP FUNCTION s2s.waiting_place(text);
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
ALTER POLICY section_opening_add ON s2s.section_opening
    WITH CHECK ((SELECT s2s.acts_as('system')) OR (transaction_id = txid_current()
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND ((r.status = 'returned' AND (SELECT s2s.acts_as('send_officer')))
              OR (r.status IN ('submitted', 'accepted', 'allocated')
                AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[])
                AND (SELECT s2s.acts_as('school_referrer')))))));
ALTER POLICY section_change_add ON s2s.section_change
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('school_referrer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.status IN ('submitted', 'accepted', 'allocated')
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))));
ALTER POLICY agreement_withdrawal_add ON s2s.agreement_withdrawal
    WITH CHECK ((SELECT s2s.acts_as('system', 'send_officer'))
        OR ((SELECT s2s.acts_as('school_referrer'))
            AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
                AND r.status IN ('submitted', 'returned', 'accepted', 'allocated')
                AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]))));

DO $$
BEGIN
    EXECUTE replace(pg_get_functiondef('s2s.section_open(bigint, text)'::regprocedure),
        '''submitted'', ''waiting'', ''accepted''', '''submitted'', ''accepted''');
    EXECUTE replace(replace(pg_get_functiondef('s2s.repeats_of(bigint, timestamptz)'::regprocedure),
        '''draft'', ''submitted'', ''waiting'', ''returned''', '''draft'', ''submitted'', ''returned'''),
        '(''closed'', ''declined'', ''withdrawn'', ''agreement_withdrawn'', ''advised'',
                    ''redirected'', ''unanswered'')',
        '(''closed'', ''declined'', ''withdrawn'', ''agreement_withdrawn'')');
    EXECUTE replace(pg_get_functiondef('s2s.recent_waits(timestamptz)'::regprocedure),
        '(''accepted'', ''declined'', ''advised'', ''redirected'')', '(''accepted'', ''declined'')');
END $$;

UPDATE s2s.referral r SET decline_reason = CASE
        WHEN n.code IN ('DECLINE_CRITERIA', 'DECLINE_CAPACITY', 'REDIRECT', 'DUPLICATE', 'WITHDRAWN')
            THEN n.code ELSE 'DECLINE_CRITERIA' END
    FROM s2s.decision d JOIN s2s.decision_reason n ON n.id = d.reason_id
    WHERE d.referral_id = r.id AND r.status = 'declined'
      AND d.event_id = (SELECT max(l.event_id) FROM s2s.decision l WHERE l.referral_id = r.id);
UPDATE s2s.referral SET status = 'submitted' WHERE status = 'waiting';
UPDATE s2s.referral SET decline_reason = CASE status WHEN 'redirected' THEN 'REDIRECT'
        WHEN 'unanswered' THEN 'WITHDRAWN' ELSE 'DECLINE_CRITERIA' END, status = 'declined'
    WHERE status IN ('advised', 'redirected', 'unanswered');
ALTER TABLE s2s.section_opening DROP COLUMN code_id;
DROP TABLE s2s.decision_check, s2s.decision, s2s.support_level, s2s.decision_reason,
    s2s.other_service;
ALTER TABLE s2s.referral_event DISABLE TRIGGER append_only;
UPDATE s2s.referral_event SET action = 'declined'
    WHERE action IN ('advised', 'redirected', 'unanswered');
DELETE FROM s2s.referral_event WHERE action IN ('held', 'released', 'waiting_listed',
    'decision_undone', 'return_reopened');
ALTER TABLE s2s.referral_event ENABLE TRIGGER append_only;
