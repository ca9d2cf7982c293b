"""The chain of the ledger's entries, followed where it lies: in the database.

Each entry's digest is worked out anew from the row and its postings by PostgreSQL itself, in the
written form of `sealing` (a test holds the two together): a million entries in seconds, and only
what is wrong comes here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from sqlalchemy import Date, DateTime, Integer, text

from s2s_portal.database import session
from s2s_portal.models.ledger import LedgerEntry
from s2s_portal.services.sealing import NO_HASH, SEALED, SEALED_WHEN_SET

# The head and the last entry, as one statement saw them: an entry that is posted meanwhile has moved
# both or neither.
END = text(
    "SELECT h.number AS head, h.hash AS head_hash, e.number AS last, e.hash AS last_hash"
    " FROM (SELECT) AS one LEFT JOIN s2s.ledger_head h ON true LEFT JOIN LATERAL"
    " (SELECT number, hash FROM s2s.ledger_entry ORDER BY number DESC LIMIT 1) e ON true"
)


def last_number() -> int:
    """The number of the last entry there is, 0 for none."""
    return session().execute(END).one().last or 0


def problems(most: int) -> Iterator[str]:
    """What is wrong with the entries and their order, in sentences; of `most` entries at most."""
    end = session().execute(END).one()
    rows = session().execute(_checked(), {"last": end.last or 0, "most": most})
    for row in rows:
        yield from _of_entry(row)
    yield from _of_end(end)


def _of_entry(row: Any) -> Iterator[str]:
    if row.number != row.before + 1:
        yield missing(row.before + 1, row.number - 1)
    elif row.unchained:
        yield f"Entry {row.number} does not follow the entry before it: the chain is broken."
    if row.changed:
        yield f"Entry {row.number} has been changed: its digest does not match what it says."
    if row.unbalanced:
        yield f"The postings of entry {row.number} do not sum to nothing."
    if row.other_amount:
        yield f"The postings of entry {row.number} do not match its amount."


def _of_end(end: Any) -> Iterator[str]:
    last = end.last or 0
    if end.head is None:
        yield "The head of the ledger is missing."
    elif end.head > last:
        yield missing(last + 1, end.head)
    elif end.head < last:
        yield f"The ledger goes on to entry {last}, past its head at entry {end.head}."
    elif end.head_hash != (end.last_hash or NO_HASH):
        yield f"The head of the ledger does not match its last entry, {last}."


def missing(first: int, last: int) -> str:
    """That entries are missing, from the first to the last."""
    if first == last:
        return f"Entry {first} is missing."
    return f"Entries {first} to {last} are missing."


@cache
def _checked() -> Any:
    """The entries with which something is wrong, each with what.

    The postings are read in the order of their key, beside the entries in theirs.
    """
    written = ", ',', ".join(_written(name) for name in SEALED)
    later = " || ".join(
        f"""coalesce(',["{name}",' || {_written(name, null=False)} || ']', '')"""
        for name in SEALED_WHEN_SET
    )
    return text(
        rf"""
        SELECT number, before, unchained, changed, unbalanced, other_amount FROM (
            SELECT number, lag(number, 1, 0::bigint) OVER chain AS before,
                previous_hash <> lag(hash, 1, '{NO_HASH}') OVER chain AS unchained,
                changed, unbalanced, other_amount
            FROM (
                SELECT e.number, e.hash, e.previous_hash,
                    e.hash IS DISTINCT FROM encode(sha256(convert_to(concat('[[', {written}, '],[',
                        p.lines, ']', nullif(',[' || substr({later}, 2) || ']', ',[]'), ']'),
                        'UTF8')), 'hex') AS changed,
                    coalesce(p.many, 0) < 2 OR p.total <> 0 AS unbalanced,
                    coalesce(p.owed, 0) <> e.amount_pence AS other_amount
                FROM s2s.ledger_entry e
                LEFT JOIN (
                    SELECT entry_number, count(*) AS many, sum(amount_pence) AS total,
                        sum(amount_pence) FILTER (WHERE account_code LIKE 'receivable\:%') AS owed,
                        string_agg(concat('[', to_json(account_code), ',', amount_pence, ']'), ','
                            ORDER BY line) AS lines
                    FROM s2s.posting GROUP BY entry_number
                ) p ON p.entry_number = e.number
                WHERE e.number <= :last
            ) AS sealed
            WINDOW chain AS (ORDER BY number)
        ) AS followed
        WHERE number <> before + 1 OR unchained OR changed OR unbalanced OR other_amount
        ORDER BY number LIMIT :most
        """
    )


def _written(name: str, *, null: bool = True) -> str:
    """How a column is written in what a digest covers, as `sealing.digest_of` writes it."""
    kind, column = LedgerEntry.__table__.c[name].type, f"e.{name}"
    if isinstance(kind, Integer):
        return f"coalesce({column}::text, 'null')" if null else f"{column}::text"
    if isinstance(kind, DateTime):
        instant = rf"""'YYYY-MM-DD"T"HH24\:MI\:SS.US"+00\:00"'"""
        return f"""'"' || to_char({column} AT TIME ZONE 'UTC', {instant}) || '"'"""
    if isinstance(kind, Date):
        return f"""'"' || to_char({column}, 'YYYY-MM-DD') || '"'"""
    return f"to_json({column}::text)::text"
