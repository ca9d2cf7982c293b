-- Colleagues on one draft: who is asked to fill in a section, and whether the head agrees.

-- 1. A section that somebody was asked to fill in ------------------------------------------------
-- What a colleague is shown and writes is in this row alone: they read no row of the referral.
ALTER TABLE s2s.contribution ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.head_decision ENABLE ROW LEVEL SECURITY;
ALTER TABLE s2s.head_remark ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON s2s.contribution TO s2s_app;
GRANT SELECT, INSERT ON s2s.head_decision TO s2s_app;
GRANT SELECT, INSERT, DELETE ON s2s.head_remark TO s2s_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app;

DO $$
DECLARE
    mine text := $rule$((SELECT s2s.acts_as('school_referrer'))
        AND EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id
            AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[]) %s))$rule$;
    draft text := format(mine, $rule$AND r.status = 'draft'$rule$);
    asked text := $rule$(account_id = (SELECT s2s.acting_id())
        AND ended_at IS NULL AND taken_at IS NULL)$rule$;
BEGIN
    EXECUTE format($p$
        CREATE POLICY contribution_read ON s2s.contribution FOR SELECT
            USING ((SELECT s2s.acts_as('system')) OR %1$s OR %3$s);
        CREATE POLICY contribution_add ON s2s.contribution FOR INSERT
            WITH CHECK ((SELECT s2s.acts_as('system'))
                OR (by_id = (SELECT s2s.acting_id()) AND account_id IS NULL AND %2$s));
        -- Handed back, it is out of the colleague's hands: they read it, and change it no more.
        CREATE POLICY contribution_change ON s2s.contribution FOR UPDATE
            USING ((SELECT s2s.acts_as('system')) OR %2$s OR (%3$s AND handed_back_at IS NULL))
            WITH CHECK ((SELECT s2s.acts_as('system')) OR %2$s OR %3$s);
        CREATE POLICY contribution_remove ON s2s.contribution FOR DELETE
            USING ((SELECT s2s.acts_as('system')));

        CREATE POLICY head_decision_read ON s2s.head_decision FOR SELECT
            USING (EXISTS (SELECT FROM s2s.referral r WHERE r.id = referral_id));
        -- Anybody of the school asks; that the head answers is for the head to say, in their name.
        CREATE POLICY head_decision_add ON s2s.head_decision FOR INSERT
            WITH CHECK ((SELECT s2s.acts_as('system'))
                OR (by_id = (SELECT s2s.acting_id()) AND %2$s
                    AND (answer = 'asked' OR (SELECT s2s.acts_as('school_head')))));
        CREATE POLICY head_remark_read ON s2s.head_remark FOR SELECT
            USING ((SELECT s2s.acts_as('system')) OR %1$s);
        CREATE POLICY head_remark_add ON s2s.head_remark FOR INSERT
            WITH CHECK ((SELECT s2s.acts_as('system'))
                OR ((SELECT s2s.acts_as('school_head')) AND %2$s));
        -- What a head wrote may be about a child, so it goes with an expired draft.
        CREATE POLICY head_remark_remove ON s2s.head_remark FOR DELETE
            USING ((SELECT s2s.acts_as('system')));
    $p$, format(mine, ''), draft, asked);
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.head_decision
    FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.head_decision
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.contribution
    FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change();

-- 2. Who changes what of it ----------------------------------------------------------------------
-- The colleague: what they write, and that they hand it back. The school: never what they wrote,
-- but that it ends. Nobody: for whom and what it is, and one that has ended.
CREATE FUNCTION s2s.check_contribution_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    theirs text[] := ARRAY['answers', 'saved_at', 'handed_back_at'];
    fixed text[] := ARRAY['id', 'referral_id', 'reference', 'urn', 'school_name', 'section', 'kind',
        'form_version', 'colleague_name', 'colleague_email', 'seen', 'at', 'by_id', 'by_name',
        'by_email'];
    name text;
BEGIN
    IF OLD.ended_at IS NOT NULL OR OLD.taken_at IS NOT NULL THEN
        RAISE EXCEPTION 'what a colleague was asked for has ended and changes no more'
            USING ERRCODE = 'restrict_violation';
    END IF;
    FOREACH name IN ARRAY fixed LOOP
        IF to_jsonb(NEW) -> name IS DISTINCT FROM to_jsonb(OLD) -> name THEN
            RAISE EXCEPTION 'what a colleague was asked for never changes: %', name
                USING ERRCODE = 'restrict_violation';
        END IF;
    END LOOP;
    -- The functions below run with their owner's rights, and are asked nothing further.
    IF current_user <> 's2s_app' THEN
        RETURN NEW;
    END IF;
    IF NEW.account_id IS DISTINCT FROM OLD.account_id THEN
        RAISE EXCEPTION 'an account is tied by whoever holds the link, and by nobody else'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF s2s.acts_as('system')
        OR (OLD.account_id = s2s.acting_id() AND to_jsonb(NEW) - theirs = to_jsonb(OLD) - theirs)
    THEN
        RETURN NEW;
    END IF;
    IF NOT s2s.acts_as('school_referrer') OR NEW.digest IS DISTINCT FROM OLD.digest
        OR (NEW.answers IS NOT NULL AND NEW.answers IS DISTINCT FROM OLD.answers)
        OR NEW.saved_at IS DISTINCT FROM OLD.saved_at
        OR NEW.handed_back_at IS DISTINCT FROM OLD.handed_back_at THEN
        RAISE EXCEPTION 'what a colleague wrote is changed by nobody else'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_ones_own BEFORE UPDATE ON s2s.contribution
    FOR EACH ROW EXECUTE FUNCTION s2s.check_contribution_change();

-- Sent, or no longer a draft otherwise: nobody goes on, and nothing of it stays.
CREATE FUNCTION s2s.end_contributions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
BEGIN
    UPDATE s2s.contribution
        SET ended_at = now(), ending = 'sent', answers = NULL, about = '', message = ''
        WHERE referral_id = NEW.id AND ended_at IS NULL AND taken_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER end_contributions AFTER UPDATE OF status ON s2s.referral
    FOR EACH ROW WHEN (OLD.status = 'draft' AND NEW.status <> 'draft')
    EXECUTE FUNCTION s2s.end_contributions();

-- 3. The link ------------------------------------------------------------------------------------
-- Who holds it may read no row yet. The first says what it is for, the second ties the account; both
-- give the same reason when it cannot be done.
CREATE FUNCTION s2s.why_not_contribute(asked s2s.contribution, as_of timestamptz) RETURNS text
    LANGUAGE sql STABLE SET search_path = s2s, pg_temp
    AS $$
        SELECT CASE
            WHEN asked.ended_at IS NOT NULL THEN asked.ending
            WHEN asked.taken_at IS NOT NULL THEN 'taken'
            WHEN asked.account_id IS NOT NULL AND asked.account_id <> s2s.acting_id() THEN 'used'
            WHEN asked.handed_back_at IS NULL AND asked.expires_at <= as_of THEN 'expired'
            WHEN (cardinality(s2s.acting_establishments()) > 0
                    AND NOT asked.urn = ANY (s2s.acting_establishments()))
                OR s2s.acting_provider() <> asked.urn THEN 'school'
        END
    $$;

CREATE FUNCTION s2s.contribution_offer(token_digest text, as_of timestamptz)
    RETURNS TABLE (number bigint, is_tied boolean, colleague_name text, school_name text,
        section text, kind text, form_version smallint, by_name text, expires_at timestamptz,
        why_not text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
        SELECT c.id, c.account_id IS NOT NULL, c.colleague_name, c.school_name, c.section, c.kind,
            c.form_version, c.by_name, c.expires_at, s2s.why_not_contribute(c, as_of)
        FROM s2s.contribution c WHERE c.digest = token_digest
    $$;

CREATE FUNCTION s2s.tie_contribution(token_digest text, as_of timestamptz, name text)
    RETURNS TABLE (number bigint, reference text, why_not text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    asked s2s.contribution;
    reason text;
BEGIN
    -- Of two who press at once the second finds it tied.
    SELECT * INTO asked FROM s2s.contribution c WHERE c.digest = token_digest FOR UPDATE;
    IF NOT FOUND THEN RETURN; END IF;
    reason := s2s.why_not_contribute(asked, as_of);
    IF reason IS NULL AND asked.account_id IS NULL THEN
        UPDATE s2s.contribution
            SET account_id = s2s.acting_id(), account_name = tie_contribution.name, tied_at = as_of
            WHERE id = asked.id;
    END IF;
    RETURN QUERY SELECT asked.id, asked.reference, reason;
END $$;
REVOKE ALL ON FUNCTION s2s.contribution_offer(text, timestamptz),
    s2s.tie_contribution(text, timestamptz, text), s2s.end_contributions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.contribution_offer(text, timestamptz),
    s2s.tie_contribution(text, timestamptz, text) TO s2s_app;
