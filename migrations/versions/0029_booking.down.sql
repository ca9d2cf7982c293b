-- Back to visits that are booked and not moved by whoever makes them.
DROP FUNCTION s2s.calendar_feed_of(text, timestamptz);
DROP TRIGGER replaces_cancelled ON s2s.visit;
DROP FUNCTION s2s.check_replaced_visit();
DROP TRIGGER stays_cancelled ON s2s.visit;
DROP FUNCTION s2s.refuse_change_of_cancelled();
DROP TRIGGER only_cancelled ON s2s.visit;
DROP TRIGGER only_these ON s2s.visit;
CREATE TRIGGER only_these BEFORE UPDATE ON s2s.visit
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_other_change('allocation_id', 'practitioner_id',
        'writer_id', 'cancelled_at', 'cancelled_by_id', 'cancelled_by_name');
DROP POLICY visit_cancel ON s2s.visit;
-- A visit that was moved stays as one that was booked, and one that does not take place.
ALTER TABLE s2s.referral_event DISABLE TRIGGER append_only;
UPDATE s2s.referral_event SET action = 'visit_booked' WHERE action = 'visit_moved';
DELETE FROM s2s.referral_event WHERE action IN ('visit_cancelled', 'plan_proposed', 'plan_agreed',
    'plan_change_asked', 'contact_tried', 'not_reached');
ALTER TABLE s2s.referral_event ENABLE TRIGGER append_only;
