"""Rows of the worklist in bulk: as many as one likes, without the referrals behind them.

The list reads no other table, so nothing else is needed to plan it or to time it.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

FILL = """
INSERT INTO s2s.worklist_entry (referral_id, reference, urn, school_name, phase_code, phase_name,
    district, kind, need, status, state, open, submitted_at, received_on, window_id, officer_id,
    officer_name, assigned_at, unopened, due_step, due_on, warn_on, waiting_since,
    body)
SELECT n, 'S2S-B-' || n, 910000 + n % 400, 'Bench School ' || n % 400,
    CASE WHEN n % 4 = 0 THEN 4 ELSE 2 END, CASE WHEN n % 4 = 0 THEN 'Secondary' ELSE 'Primary' END,
    (ARRAY['Breckland', 'Broadland', 'Norwich'])[1 + n % 3], 'pupil',
    (ARRAY['SEMH', 'ASD', 'SLCN', 'MLD'])[1 + n % 4], s.status, s.state, s.open, at, at::date, 1,
    CASE WHEN n % 3 = 0 THEN 'officer' WHEN n % 3 = 1 THEN 'other-officer' END,
    CASE WHEN n % 3 = 0 THEN 'Ola Officer' WHEN n % 3 = 1 THEN 'Ravi Officer' END,
    CASE WHEN n % 3 < 2 THEN date '2019-05-13' + time '10:00' END, n % 6 = 0,
    CASE WHEN s.open THEN 'decision' END,
    CASE WHEN s.open THEN date '2019-05-14' + (n::bigint * 7919 % 41 - 20)::int END,
    CASE WHEN s.open THEN date '2019-05-14' + (n::bigint * 7919 % 41 - 21)::int END, at,
    CASE WHEN n % 49 = 7 THEN 'early_years' ELSE 'send' END
FROM generate_series(1, {rows}) n,
    LATERAL (SELECT timestamptz '2019-05-14 09:00Z' - ({rows} - n) * interval '29 seconds' AS at) t,
    LATERAL (SELECT n % 20 AS k) k,
    LATERAL (SELECT
        CASE WHEN k < 2 THEN 'submitted' WHEN k = 2 THEN 'returned' WHEN k = 3 THEN 'accepted'
            WHEN k < 6 THEN 'allocated' WHEN k = 6 THEN 'declined' WHEN k = 7 THEN 'withdrawn'
            ELSE 'closed' END AS status,
        CASE WHEN k = 0 THEN 'new' WHEN k = 1 THEN 'resubmitted' WHEN k = 2 THEN 'returned'
            WHEN k = 3 THEN 'accepted' WHEN k = 4 THEN 'allocated' WHEN k = 5 THEN 'ready'
            WHEN k = 6 THEN 'declined' WHEN k = 7 THEN 'withdrawn' ELSE 'closed' END AS state,
        k < 6 AS open) s
"""


def fill(connection: Connection, rows: int) -> None:
    """Add `rows` rows, as a superuser: no constraint is asked about the referrals."""
    connection.execute(text("SET LOCAL session_replication_role = replica"))
    connection.execute(text(FILL.format(rows=rows).replace(":", r"\:")))
    connection.execute(text("SET LOCAL session_replication_role = origin"))
    connection.execute(text("ANALYZE s2s.worklist_entry"))
