-- Marks of what a referral is about (keyed hashes): who may set them, and who learns what.

-- 1. The marks are the service's alone. Everybody else goes through the two functions below.
GRANT SELECT, INSERT, DELETE ON s2s.match_mark TO s2s_app;
ALTER TABLE s2s.match_mark ENABLE ROW LEVEL SECURITY;
CREATE POLICY match_mark_use ON s2s.match_mark FOR ALL
    USING ((SELECT s2s.acts_as('system')));

-- 2. A school sets those of a referral of its own while it may change whom it is about. Two people
-- of one school who send at the same moment wait for each other here, so that the later one sees
-- the earlier; a school never waits for another, or the wait would tell.
CREATE FUNCTION s2s.set_match(wanted bigint, made_with text, bases text[], marks text[])
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
DECLARE
    held record;
BEGIN
    SELECT r.urn, r.status INTO held FROM s2s.referral r WHERE r.id = wanted;
    IF NOT s2s.acts_as('system') AND NOT coalesce(s2s.acts_as('school_referrer')
        AND held.urn = ANY (s2s.acting_establishments())
        AND (held.status IN ('draft', 'returned')
            OR s2s.section_open(wanted, 'subject') OR s2s.section_open(wanted, 'schooling')), false)
    THEN
        RAISE EXCEPTION 'the marks of this referral are not yours to set'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('s2s.match' || held.urn || m, 0))
        FROM (SELECT unnest(marks) AS m ORDER BY 1) AS each;
    DELETE FROM s2s.match_mark WHERE referral_id = wanted;
    INSERT INTO s2s.match_mark (referral_id, mark, basis, key_id)
        SELECT wanted, m, min(b), made_with FROM unnest(marks, bases) AS u (m, b) GROUP BY m;
END $$;

-- 3. Which others are about the same. An officer: of all that have been sent. A school: of its own
-- alone, drafts too. That another school has asked about a child is not this school's to know.
-- Those under way count, and those that came to their end since.
CREATE FUNCTION s2s.repeats_of(wanted bigint, since timestamptz)
    RETURNS TABLE (referral_id bigint, basis text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
        SELECT other.id, max(theirs.basis)
        FROM s2s.referral r
        JOIN s2s.match_mark mine ON mine.referral_id = r.id
        JOIN s2s.match_mark theirs ON theirs.mark = mine.mark AND theirs.referral_id <> r.id
        JOIN s2s.referral other ON other.id = theirs.referral_id
        WHERE r.id = wanted
          AND ((s2s.acts_as('send_officer', 'system')
                AND r.submitted_at IS NOT NULL AND other.submitted_at IS NOT NULL)
            OR (s2s.acts_as('school_referrer', 'system') AND other.urn = r.urn
                AND (s2s.acts_as('system') OR r.urn = ANY (s2s.acting_establishments()))))
          AND (other.status IN ('draft', 'submitted', 'returned', 'accepted', 'allocated')
            OR EXISTS (SELECT FROM s2s.referral_event e WHERE e.referral_id = other.id
                AND e.action IN ('closed', 'declined', 'withdrawn', 'agreement_withdrawn')
                AND e.at >= since))
        GROUP BY other.id
    $$;

REVOKE ALL ON FUNCTION s2s.set_match(bigint, text, text[], text[]),
    s2s.repeats_of(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.set_match(bigint, text, text[], text[]),
    s2s.repeats_of(bigint, timestamptz) TO s2s_app;

-- 4. A school looks for a name among its own. The rules for each row cost more than looking does, so
-- they are asked once: the acting schools' own referrals, newest first, so many. What this answers
-- with is read through the ordinary policies. A pattern has no line break, so it meets one name.
CREATE FUNCTION s2s.school_search(pattern text, wanted text, before timestamptz, before_id bigint,
    most integer)
    RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp AS $$
        SELECT r.id
        FROM s2s.referral r LEFT JOIN s2s.referral_subject s ON s.referral_id = r.id
        WHERE (SELECT s2s.acts_as('school_referrer'))
          AND r.urn = ANY ((SELECT s2s.acting_establishments())::integer[])
          AND (wanted IS NULL OR r.status = wanted)
          AND (before IS NULL OR (r.created_at, r.id) < (before, before_id))
          AND lower(concat_ws(E'\n', s.forenames || ' ' || s.surname,
                nullif(s.known_as, '') || ' ' || s.surname, s.group_name, r.contact_name,
                r.reference)) LIKE lower(pattern)
        ORDER BY r.created_at DESC, r.id DESC
        LIMIT most
    $$;
REVOKE ALL ON FUNCTION s2s.school_search(text, text, timestamptz, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.school_search(text, text, timestamptz, bigint, integer) TO s2s_app;
