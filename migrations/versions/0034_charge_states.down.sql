-- Back to one fee for each set of terms and kind of setting, and to entries alone.
CREATE TABLE s2s.fee (
    terms_id bigint NOT NULL CONSTRAINT fk_fee_terms_id_service_terms REFERENCES s2s.service_terms (id),
    setting_kind varchar(40) NOT NULL CONSTRAINT ck_fee_setting_kind
        CHECK (setting_kind IN ('mainstream', 'early_years')),
    amount_pence integer NOT NULL CONSTRAINT ck_fee_amount CHECK (amount_pence >= 0),
    reason text NOT NULL,
    CONSTRAINT pk_fee PRIMARY KEY (terms_id, setting_kind)
);
INSERT INTO s2s.fee (terms_id, setting_kind, amount_pence, reason)
SELECT t.id, CASE r.setting WHEN 'early_years' THEN 'early_years' ELSE 'mainstream' END,
    r.amount_pence, r.reason
FROM s2s.service_terms t JOIN s2s.fee_rule r ON r.during @> lower(t.during)
WHERE r.kind = 'pupil' AND r.setting IN ('maintained', 'early_years');
GRANT SELECT, INSERT ON s2s.fee TO s2s_app;
ALTER TABLE s2s.fee ENABLE ROW LEVEL SECURITY;
CREATE POLICY fee_read ON s2s.fee FOR SELECT USING (true);
CREATE POLICY fee_add ON s2s.fee FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.fee
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.fee
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();

ALTER POLICY ledger_entry_add ON s2s.ledger_entry
    WITH CHECK ((SELECT s2s.acts_as('finance_approver', 'system'))
        OR (kind <> 'reversal' AND (SELECT s2s.acts_as('finance')))
        OR ((SELECT s2s.acts_as('send_officer')) AND (kind = 'charge'
            OR (kind = 'reversal' AND s2s.charge_can_be_undone(reverses_number)))));
ALTER POLICY posting_read ON s2s.posting
    USING (EXISTS (SELECT FROM s2s.ledger_entry e WHERE e.number = entry_number));
DROP TRIGGER follow ON s2s.ledger_entry;
DROP TRIGGER follow ON s2s.pull_line;
DROP TRIGGER follow ON s2s.posting;
DROP TRIGGER closed_year_refuses ON s2s.ledger_entry;
DROP VIEW s2s.charge_state;
DROP TABLE s2s.entry_standing, s2s.account_balance, s2s.carried_balance, s2s.year_close,
    s2s.year_close_request, s2s.relief_answer, s2s.relief_request, s2s.charge_event;
ALTER TABLE s2s.referral DROP COLUMN fee_rule_id;
ALTER TABLE s2s.ledger_entry DROP COLUMN fee_rule_id;
DROP TABLE s2s.fee_rule;
DROP FUNCTION s2s.fit_fee_rule(), s2s.check_fee_rule_is_later(), s2s.refuse_change_of_fee_rule(), s2s.check_charge_event(),
    s2s.check_relief_request(), s2s.check_relief_answer(), s2s.relief_asked_by_another(bigint),
    s2s.check_year_close(), s2s.check_year_is_open(), s2s.refresh_standing(bigint),
    s2s.follow_entry(), s2s.follow_pull_line(), s2s.follow_charge_event(), s2s.follow_posting(),
    s2s.proposed_fees(), s2s.recent_fees(integer), s2s.financial_year(date);
