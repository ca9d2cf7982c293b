-- What goes to and comes from Finance in files and through the API: who may see and write it.

-- 1. Rights ----------------------------------------------------------------------------------------
GRANT SELECT, INSERT ON s2s.pull_download, s2s.response_file, s2s.response_line, s2s.api_answer,
    s2s.api_use TO s2s_app;
GRANT UPDATE (count), DELETE ON s2s.api_use TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;
ALTER TABLE s2s.pull_download ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.response_file ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.response_line ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.api_answer ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.api_use ENABLE ROW LEVEL SECURITY;

-- Finance and its auditor see what was taken and what was answered; nobody writes in another's name.
CREATE POLICY pull_download_read ON s2s.pull_download FOR SELECT
    USING ((SELECT s2s.acts_as('finance', 'finance_approver', 'auditor', 'system')));
CREATE POLICY pull_download_add ON s2s.pull_download FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('finance', 'finance_approver'))
        AND by_id = (SELECT s2s.acting_id())));
CREATE POLICY response_file_read ON s2s.response_file FOR SELECT
    USING ((SELECT s2s.acts_as('finance', 'finance_approver', 'auditor', 'system')));
CREATE POLICY response_file_add ON s2s.response_file FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('finance', 'finance_approver'))
        AND by_id = (SELECT s2s.acting_id())));
CREATE POLICY response_line_read ON s2s.response_line FOR SELECT
    USING ((SELECT s2s.acts_as('finance', 'finance_approver', 'auditor', 'system')));
CREATE POLICY response_line_add ON s2s.response_line FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR EXISTS (SELECT FROM s2s.response_file f
        WHERE f.id = response_id AND f.by_id = (SELECT s2s.acting_id())));

-- What the API keeps of a client is that client's alone.
CREATE POLICY api_answer_read ON s2s.api_answer FOR SELECT
    USING ((SELECT s2s.acts_as('system')) OR by_id = (SELECT s2s.acting_id()));
CREATE POLICY api_answer_add ON s2s.api_answer FOR INSERT
    WITH CHECK ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('finance'))
        AND by_id = (SELECT s2s.acting_id())));
CREATE POLICY api_use_own ON s2s.api_use FOR ALL
    USING ((SELECT s2s.acts_as('system')) OR ((SELECT s2s.acts_as('finance'))
        AND by_id = (SELECT s2s.acting_id())));

-- 2. What never changes ----------------------------------------------------------------------------
DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['pull_download', 'response_file', 'response_line', 'api_answer']
    LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.%I
            FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change()', part);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.%I
            FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()', part);
    END LOOP;
END $$;
