-- Back to records that nobody disputes. What was disputed is gone, and every PDF that told of it; the
-- latest one before stays, and the record with its addenda.
DROP VIEW s2s.record_measure;
DROP TRIGGER forget_record_copies ON s2s.visit_record;
DROP TRIGGER forget_record_copies ON s2s.referral;
DROP FUNCTION s2s.forget_record_copies();
DROP TRIGGER one_open ON s2s.record_reply;
DROP FUNCTION s2s.check_reply();

ALTER TABLE s2s.referral_event DISABLE TRIGGER append_only;
DELETE FROM s2s.referral_event WHERE action IN ('record_disputed', 'dispute_settled');
ALTER TABLE s2s.referral_event ENABLE TRIGGER append_only;
-- Of each number of addenda, the first document is the one that the older release would have made
-- (or the one nearest to it).
ALTER TABLE s2s.record_document DISABLE TRIGGER append_only;
DELETE FROM s2s.record_document d USING s2s.record_document first
    WHERE first.record_id = d.record_id AND first.addenda = d.addenda AND first.id < d.id;
ALTER TABLE s2s.record_document ENABLE TRIGGER append_only;
DROP POLICY reply_settlement_read ON s2s.reply_settlement;
DROP POLICY reply_settlement_add ON s2s.reply_settlement;
DROP POLICY record_reply_read ON s2s.record_reply;
DROP POLICY record_reply_add ON s2s.record_reply;
