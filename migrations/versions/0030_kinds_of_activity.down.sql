-- Back to records that all asked the same. What a kind was asked for itself goes with its columns;
-- contact from afar becomes advice, the nearest that there was.
DROP VIEW s2s.activity_time;
DROP FUNCTION s2s.time_measure(date);
DO $$
BEGIN
    EXECUTE replace(replace(
        pg_get_functiondef('s2s.recent_waits(timestamptz)'::regprocedure),
        ' AND v.support_given', ''), ' AND earlier.support_given', '');
    EXECUTE 'CREATE OR REPLACE VIEW s2s.referral_measure AS ' || replace(
        pg_get_viewdef('s2s.referral_measure'::regclass), ' AND vr.support_given', '');
    EXECUTE regexp_replace(
        pg_get_functiondef('s2s.note_breaches(date, bigint)'::regprocedure),
        '\s+AND NOT EXISTS \(SELECT FROM s2s\.visit_record lost.*?NOT lost\.support_given\)', '');
END $$;
ALTER TABLE s2s.visit_record DISABLE TRIGGER issued_is_final;
UPDATE s2s.visit_record SET kind = 'ADV' WHERE kind = 'REM';
ALTER TABLE s2s.visit_record ENABLE TRIGGER issued_is_final;
UPDATE s2s.visit SET kind = 'ADV' WHERE kind = 'REM';
