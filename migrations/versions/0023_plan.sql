-- The weights of a plan for the worklist: rows that are only ever added, each from a day on.
GRANT SELECT, INSERT ON s2s.plan_rule TO s2s_app;

ALTER TABLE s2s.plan_rule ENABLE ROW LEVEL SECURITY;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.plan_rule
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.plan_rule
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();

CREATE POLICY plan_rule_read ON s2s.plan_rule FOR SELECT
    USING ((SELECT s2s.acts_as('send_officer', 'administrator', 'system')));
CREATE POLICY plan_rule_add ON s2s.plan_rule FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')));
