-- As `0006_people.sql` and `0003_guards.sql` have them.
DROP TRIGGER identity ON s2s.practitioner;
DROP FUNCTION s2s.refuse_identity_change();
ALTER POLICY practitioner_add ON s2s.practitioner
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
DROP POLICY practitioner_change ON s2s.practitioner;
CREATE POLICY practitioner_change ON s2s.practitioner FOR UPDATE
    USING ((SELECT s2s.acts_as('administrator', 'system')));
DROP TABLE s2s.practitioner_event;
DROP TABLE s2s.practitioner_conflict;
DROP TABLE s2s.practitioner_absence;
DROP TABLE s2s.practitioner_release;
DROP TABLE s2s.practitioner_need;
DROP FUNCTION s2s.open_cases(bigint);
DROP FUNCTION s2s.own_practitioner();
DROP FUNCTION s2s.kept_practitioners();
DROP FUNCTION s2s.leads_provider();
