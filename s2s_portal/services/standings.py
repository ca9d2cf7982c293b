"""What the database keeps beside the entries, held to the entries themselves.

Where an entry stands, what an account sums to and what a closed year carried are worked out anew
from entries, postings, pulls and events; so are the answers that relieved a school of a charge.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import text

from s2s_portal.database import session

STANDINGS = text(
    """
    SELECT coalesce(k.number, s.number) AS number
    FROM s2s.entry_standing k FULL JOIN s2s.charge_state s ON s.number = k.number
    WHERE k.number IS NULL OR s.number IS NULL
       OR (k.charge_number, k.kind, k.urn, k.route, k.payer_name, k.event_date, k.amount_pence,
           k.due, k.state, k.open_pence, k.last_event, k.settled)
          <> (s.charge_number, s.kind, s.urn, s.route, s.payer_name, s.event_date, s.amount_pence,
              s.due, s.state, s.open_pence, s.last_event, s.settled)
       OR k.pull_number IS DISTINCT FROM s.pull_number
    ORDER BY 1 LIMIT 50
    """
)
BALANCES = text(
    """
    SELECT coalesce(b.account_code, p.account_code) AS account
    FROM s2s.account_balance b FULL JOIN (
        SELECT account_code, sum(amount_pence) AS total FROM s2s.posting GROUP BY account_code
    ) p ON p.account_code = b.account_code
    WHERE b.balance_pence IS DISTINCT FROM p.total
    ORDER BY 1 LIMIT 50
    """
)
# An entry that somebody asked for has an answer by somebody else, and the answer has the entry.
RELIEF = text(
    r"""
    SELECT r.charge_number AS number
    FROM s2s.relief_request r
    JOIN s2s.relief_answer a ON a.request_id = r.id
    LEFT JOIN s2s.ledger_entry e ON e.number = a.entry_number
    WHERE (a.outcome IN ('approved', 'refused') AND a.by_id = r.by_id)
       OR (a.outcome = 'approved' AND (e.number IS NULL
           OR e.reverses_number IS DISTINCT FROM r.charge_number
           OR e.amount_pence <> -r.amount_pence
           OR e.recorded_by_id <> a.by_id
           OR e.idempotency_key <> r.kind || '\:' || r.charge_number))
    UNION
    SELECT e.reverses_number FROM s2s.ledger_entry e
    WHERE e.kind = 'reversal' AND e.idempotency_key ~ '^(waive|credit|write_off)\:'
      AND NOT EXISTS (SELECT FROM s2s.relief_answer a WHERE a.entry_number = e.number)
    ORDER BY 1 LIMIT 50
    """
)
EVENTS = text(
    """
    SELECT charge_number AS number FROM (
        SELECT v.charge_number, v.follows,
            lag(v.id, 1, 0::bigint) OVER (PARTITION BY v.charge_number ORDER BY v.id) AS before,
            v.urn = e.urn AS same, v.kind, p.entry_number IS NOT NULL AS pulled
        FROM s2s.charge_event v
        LEFT JOIN s2s.ledger_entry e ON e.number = v.charge_number
        LEFT JOIN s2s.pull_line p ON p.entry_number = v.charge_number
    ) AS followed
    WHERE follows <> before OR same IS NOT TRUE OR (kind = 'rejected' AND NOT pulled)
    ORDER BY 1 LIMIT 50
    """
)
YEARS = text(
    """
    WITH owed AS (
        SELECT y.financial_year, e.urn, sum(e.amount_pence) AS balance
        FROM s2s.year_close y
        JOIN s2s.ledger_entry e ON e.financial_year <= y.financial_year
        GROUP BY y.financial_year, e.urn HAVING sum(e.amount_pence) <> 0
    )
    SELECT coalesce(o.financial_year, c.financial_year) AS year
    FROM owed o FULL JOIN s2s.carried_balance c
        ON c.financial_year = o.financial_year AND c.urn = o.urn
    WHERE o.balance IS DISTINCT FROM c.balance_pence
    UNION
    SELECT y.financial_year FROM s2s.year_close y
    JOIN s2s.year_close_request r ON r.id = y.request_id
    LEFT JOIN s2s.ledger_entry e ON e.number = y.last_entry
    WHERE r.by_id = y.by_id OR r.financial_year <> y.financial_year
       OR (y.last_entry > 0 AND e.hash IS DISTINCT FROM y.last_hash)
       OR y.carried_pence <> coalesce((SELECT sum(c.balance_pence) FROM s2s.carried_balance c
            WHERE c.financial_year = y.financial_year), 0)
    UNION
    SELECT e.financial_year FROM s2s.year_close y
    JOIN s2s.ledger_entry e ON e.financial_year = y.financial_year AND e.number > y.last_entry
    ORDER BY 1 LIMIT 50
    """
)


def problems() -> Iterator[str]:
    """What is kept otherwise than the entries say, in sentences."""
    for number in session().scalars(STANDINGS):
        yield f"Where entry {number} stands is not what its entries, pulls and events say."
    for account in session().scalars(BALANCES):
        yield f"The balance of {account} is not the sum of its postings."
    for number in session().scalars(RELIEF):
        yield f"How charge {number} was taken off does not match a request and its approval."
    for number in session().scalars(EVENTS):
        yield f"The events of charge {number} have been changed."
    for year in session().scalars(YEARS):
        yield f"What the closed year {year} carried is not what its entries say."
