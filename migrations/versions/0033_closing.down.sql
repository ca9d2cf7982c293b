-- Back to a referral of which nobody says how it ended.
DO $$
DECLARE
    source text := pg_get_viewdef('s2s.worklist_source'::regclass);
BEGIN
    source := regexp_replace(source, '\mr\.conclusion,', '');
    source := regexp_replace(source, ' AND \(NOT (s2s\.)?end_report_due\(r\.id\)\)', '');
    DROP VIEW s2s.worklist_source;
    EXECUTE 'CREATE VIEW s2s.worklist_source AS ' || source;
    EXECUTE regexp_replace(pg_get_functiondef('s2s.refresh_worklist(bigint)'::regprocedure),
        ', (excluded\.|kept\.|)conclusion', '', 'g');
END $$;
DROP FUNCTION s2s.note_mail(bigint, timestamptz, text, text);
DROP TRIGGER worklist_reports ON s2s.end_report;
DROP TRIGGER worklist_records ON s2s.visit_record;
DROP FUNCTION s2s.end_report_due(bigint);
DROP TRIGGER follow_agreement ON s2s.agreement_withdrawal;
DROP TRIGGER follow_consent ON s2s.case_study_consent;
DROP FUNCTION s2s.follow_consent();
DROP TRIGGER agreed ON s2s.case_study;
DROP FUNCTION s2s.check_case_study();
DROP TRIGGER ends_once ON s2s.case_study;
DROP FUNCTION s2s.refuse_change_of_case_study();
DROP TRIGGER issued_is_final ON s2s.end_report;
DROP FUNCTION s2s.refuse_change_of_issued_report();
DROP FUNCTION s2s.answer_by_link(text, timestamptz, date, text, integer, text, jsonb);
DROP FUNCTION s2s.ask_by_link(text, timestamptz);
DROP FUNCTION s2s.open_ask(text, timestamptz);
DROP TRIGGER follow_record_issued ON s2s.visit_record;
DROP FUNCTION s2s.follow_record_issued();
DROP TRIGGER set_conclusion ON s2s.referral;
DROP FUNCTION s2s.set_conclusion();
DROP FUNCTION s2s.conclusion(text, text, text, boolean);
