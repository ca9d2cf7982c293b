-- An administrator who changes what work weighs must see what it does to people's workload, and a
-- programme manager where the work is. Neither may read a referral, an allocation or a visit. These
-- say how much there is and nothing of what it is about: no reference, no school, no name, no child.

-- What `services.workload.load` needs of each practitioner who is no lead: `tiers` of their open
-- referrals and of those `offered`, first and last moments of planned visits, how many they support,
-- release patterns, absences. A test holds it to the workload that an officer reads. Planned visits:
-- far enough ahead for twenty school days.
CREATE FUNCTION s2s.workload_measure(today date)
    RETURNS TABLE (practitioner_id bigint, provider_urn integer, leaving_on date, tiers smallint[],
        offered smallint[], starts timestamptz[], ends timestamptz[], supported bigint, releases jsonb, absences jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
    SELECT p.id, p.provider_urn, p.leaving_on, c.tiers, o.offered, v.starts, v.ends,
        (SELECT count(*) FROM supporter su JOIN referral ref ON ref.id = su.referral_id
            WHERE su.practitioner_id = p.id AND su.ended_at IS NULL AND ref.status = 'allocated'),
        r.releases, a.absences
    FROM practitioner p
    LEFT JOIN (
        SELECT al.practitioner_id, array_agg((
            SELECT l.code::smallint FROM decision d JOIN support_level l ON l.id = d.level_id
            WHERE d.referral_id = al.referral_id AND l.code ~ '^[0-9]{1,4}$'
            ORDER BY d.event_id DESC LIMIT 1)) AS tiers
        FROM allocation al JOIN referral ref ON ref.id = al.referral_id
        WHERE al.ended_at IS NULL AND ref.status = 'allocated'
        GROUP BY al.practitioner_id
    ) c ON c.practitioner_id = p.id
    LEFT JOIN (
        SELECT f.practitioner_id, array_agg(f.tier) AS offered
        FROM offer f WHERE f.ended_at IS NULL GROUP BY f.practitioner_id
    ) o ON o.practitioner_id = p.id
    LEFT JOIN (
        SELECT vi.practitioner_id, array_agg(vi.starts_at ORDER BY vi.starts_at, vi.id) AS starts,
            array_agg(vi.ends_at ORDER BY vi.ends_at, vi.id) AS ends
        FROM visit vi
        JOIN allocation al ON al.id = vi.allocation_id
        JOIN referral ref ON ref.id = vi.referral_id
        WHERE vi.starts_at >= today::timestamp AT TIME ZONE 'Europe/London'
            AND vi.starts_at < (today + 120)::timestamp AT TIME ZONE 'Europe/London'
            AND vi.cancelled_at IS NULL AND al.ended_at IS NULL AND ref.status = 'allocated'
        GROUP BY vi.practitioner_id
    ) v ON v.practitioner_id = p.id
    LEFT JOIN (
        SELECT pr.practitioner_id, jsonb_agg(jsonb_build_array(pr.valid_from, pr.until, pr.minutes)
            ORDER BY pr.valid_from DESC, pr.id DESC) AS releases
        FROM practitioner_release pr GROUP BY pr.practitioner_id
    ) r ON r.practitioner_id = p.id
    LEFT JOIN (
        SELECT ab.practitioner_id,
            jsonb_agg(jsonb_build_array(ab.starts, ab.ends) ORDER BY ab.starts) AS absences
        FROM practitioner_absence ab WHERE ab.ends >= today GROUP BY ab.practitioner_id
    ) a ON a.practitioner_id = p.id
    WHERE NOT p.is_lead AND (p.active OR c.tiers IS NOT NULL)
        AND (SELECT acts_as('send_officer', 'manager', 'administrator', 'system'))
    $$;

-- Open referrals by district of the school, and how many of them are accepted and with nobody.
CREATE FUNCTION s2s.district_measure()
    RETURNS TABLE (district text, open bigint, with_nobody bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = s2s, pg_temp
    AS $$
    SELECT w.district, count(*), count(*) FILTER (WHERE w.status = 'accepted')
    FROM worklist_entry w
    WHERE w.open AND (SELECT acts_as('send_officer', 'manager', 'system'))
    GROUP BY w.district
    $$;
REVOKE ALL ON FUNCTION s2s.workload_measure(date), s2s.district_measure() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s2s.workload_measure(date), s2s.district_measure() TO s2s_app;
