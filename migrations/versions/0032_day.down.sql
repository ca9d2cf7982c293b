-- Back to recommendations that nobody speaks of, and time that nobody pays for.
DROP TRIGGER follow_ups ON s2s.visit_record;
DROP TABLE s2s.reimbursement_line, s2s.reimbursement_statement, s2s.release_rate, s2s.record_nudge,
    s2s.follow_up_reminder, s2s.follow_up, s2s.follow_up_progress;
DROP FUNCTION s2s.begin_follow_ups(), s2s.move_follow_up(), s2s.release_activity(integer, date, date),
    s2s.visit_provider(bigint), s2s.refuse_rate_change(), s2s.refuse_later_line();
