"""Rows in bulk: some thousands of whole referrals, as SQL makes them fastest."""

from __future__ import annotations

from sqlalchemy import Connection, text

ALPHABET = "34679CDFGHJKMNPQRTVWXY"

# A reference from a number: four digits to the base of the alphabet's length.
REFERENCE = "'S2S-19-' || " + " || ".join(
    f"substr('{ALPHABET}', (n / {22**place}) % 22 + 1, 1)" for place in (3, 2, 1, 0)
)

STATEMENTS = (
    # Schools over the county, and practitioners at forty providers of twelve each.
    """
    INSERT INTO s2s.establishment (urn, local_authority, establishment_number, name, type_code,
        type_name, status_code, phase_code, phase_name, street, town, postcode, district,
        trust_name, easting, northing)
    SELECT 910000 + n, 926, n, 'Bench School ' || n, CASE WHEN n <= 40 THEN 7 ELSE 1 END, '', 1,
        CASE WHEN n % 4 = 0 THEN 4 ELSE 2 END,
        CASE WHEN n % 4 = 0 THEN 'Secondary' ELSE 'Primary' END, '', 'Inventon',
        'NR0 0AA', '', '', 580000 + (n * 7919) % 70000, 300000 + (n * 104729) % 45000
    FROM generate_series(1, 440) n
    """,
    """
    INSERT INTO s2s.practitioner (name, email, account_id, provider_urn, phases, capacity, is_lead,
        active)
    SELECT 'Bench Practitioner ' || n, 'p' || n || '@school.example', 'bench-' || n,
        910000 + 1 + n % 40, ARRAY[CASE WHEN n % 4 = 0 THEN '4' ELSE '2' END], 6, false, true
    FROM generate_series(1, {practitioners}) n
    """,
    """
    INSERT INTO s2s.practitioner_need (practitioner_id, code, level)
    SELECT p.id, (ARRAY['SEMH', 'ASD', 'SLCN', 'MLD'])[1 + p.id % 4], 'experienced'
    FROM s2s.practitioner p WHERE p.account_id LIKE 'bench-%'
    """,
    """
    INSERT INTO s2s.practitioner_release (practitioner_id, valid_from, minutes, at, by_id, by_name)
    SELECT p.id, '2018-09-01', '{{0,210,0,420,0}}', now(), 'bench', 'Bench'
    FROM s2s.practitioner p WHERE p.account_id LIKE 'bench-%'
    """,
    """
    INSERT INTO s2s.referral (reference, urn, status, kind, version, created_at, created_by_id,
        created_by_name, answered, contact_name, contact_role, contact_email, contact_phone,
        leader_name, reason, support, preferred_days, visit_notes, safety_notes, purchase_order,
        submit_token, submitted_at, received_on, school_name, declared_by, declaration, terms_id,
        fee_pence, fee_verdict)
    SELECT {reference}, 910041 + n % 400,
        CASE WHEN n % 10 < 6 THEN 'submitted' WHEN n % 10 < 8 THEN 'allocated' ELSE 'accepted' END,
        'pupil', 1, at, 'bench', 'Bench', '{{}}', 'Sam', 'SENCO', 's@school.example', '', '',
        'A reason of some length, as people write it. ' || repeat('More of it. ', 20), ARRAY['ADV'],
        '', '', '', '', 'bench-' || n, at, at::date, 'Bench School ' || (41 + n % 400), 'Sam', '',
        (SELECT id FROM s2s.service_terms WHERE during @> date '2019-05-14'), 10000,
        '£100: mainstream school, received 14 May 2019, MI Sheet 44/19'
    FROM generate_series(1, {referrals}) n,
        LATERAL (SELECT timestamptz '2019-04-01 09:00Z' + n * interval '37 minutes' AS at) t
    """,
    """
    INSERT INTO s2s.referral_subject (referral_id, surname, forenames, date_of_birth, year_group,
        out_of_year, sen_provision)
    SELECT id, 'Invented', 'Pupil', '2010-09-02', '4', false, 'K' FROM s2s.referral
        WHERE created_by_id = 'bench'
    """,
    """
    INSERT INTO s2s.referral_need (referral_id, code, rank)
    SELECT id, (ARRAY['SEMH', 'ASD', 'SLCN', 'MLD'])[1 + id % 4], 1 FROM s2s.referral
        WHERE created_by_id = 'bench'
    """,
    """
    INSERT INTO s2s.strategy_tried (referral_id, position, what, started_on, ended_on, result)
    SELECT id, p, 'Something tried', '2019-01-07', '2019-02-15', 'Some help'
    FROM s2s.referral, generate_series(1, 2) p WHERE created_by_id = 'bench'
    """,
    """
    INSERT INTO s2s.outcome_wanted (referral_id, position, text)
    SELECT id, p, 'An outcome wanted' FROM s2s.referral, generate_series(1, 2) p
        WHERE created_by_id = 'bench'
    """,
    """
    INSERT INTO s2s.agreement (referral_id, agreed, given_by) SELECT id, true, 'A Parent'
    FROM s2s.referral WHERE created_by_id = 'bench'
    """,
    """
    INSERT INTO s2s.referral_event (referral_id, action, at, by_id, by_name)
    SELECT id, a, submitted_at, 'bench', 'Bench'
    FROM s2s.referral, unnest(ARRAY['started', 'submitted']) a WHERE created_by_id = 'bench'
    """,
    """
    INSERT INTO s2s.allocation (referral_id, practitioner_id, practitioner_name, provider_urn,
        provider_name, reason, at, by_id, by_name)
    SELECT r.id, p.id, p.name, p.provider_urn, 'Bench', 'Nearest', now(), 'bench', 'Bench'
    FROM s2s.referral r JOIN s2s.practitioner p
        ON p.account_id = 'bench-' || (1 + r.id % {practitioners})
    WHERE r.status = 'allocated' AND r.created_by_id = 'bench'
    """,
    "ANALYZE",
)


def fill(connection: Connection, referrals: int, practitioners: int = 60) -> None:
    """Add `referrals` whole referrals and `practitioners` practitioners, as a superuser."""
    for statement in STATEMENTS:
        connection.execute(
            text(
                statement.format(
                    referrals=referrals, practitioners=practitioners, reference=REFERENCE
                ).replace(":", r"\:")
            )
        )
