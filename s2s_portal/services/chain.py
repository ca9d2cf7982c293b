"""The chain of the ledger's entries, followed where it lies: in the database.

Each entry's digest is worked out anew from the row and its postings by PostgreSQL itself, in the
written form of `sealing` (a test holds the two together): a million entries in seconds, and only
what is wrong comes here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from sqlalchemy import Date, DateTime, Integer, Text, text

from s2s_portal.database import session
from s2s_portal.models.ledger import LedgerEntry
from s2s_portal.services.sealing import NO_HASH, SEALED, SEALED_WHEN_SET

# The head and the last entry, as one statement saw them: an entry posted meanwhile has moved both
# or neither.
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

    An entry has two postings, seldom more: the first two are joined by their key, which
    costs a third of summing them up.
    """
    later = " || ".join(
        f"""coalesce(',["{name}",' || {_plain(name)} || ']', '')""" for name in SEALED_WHEN_SET
    )
    return text(  # names of columns alone are put in
        rf"""
        SELECT number, unchained, changed, unbalanced, other_amount,
            coalesce((SELECT max(x.number) FROM s2s.ledger_entry x
                WHERE x.number < found.number), 0) AS before
        FROM (
            SELECT e.number, q.number IS NULL AND e.number <> 1 AS alone,
                e.previous_hash <> coalesce(q.hash, '{NO_HASH}') AS unchained,
                (a.amount_pence + b.amount_pence + coalesce(m.total, 0) = 0) IS NOT TRUE
                    AS unbalanced,
                CASE WHEN a.account_code LIKE 'receivable\:%' THEN a.amount_pence ELSE 0 END
                    + CASE WHEN b.account_code LIKE 'receivable\:%' THEN b.amount_pence ELSE 0 END
                    + coalesce(m.owed, 0) <> e.amount_pence AS other_amount,
                e.hash IS DISTINCT FROM encode(sha256(convert_to(concat('[[', {_written()},
                    '],[[', to_json(a.account_code)::text, ',', a.amount_pence, '],[',
                    to_json(b.account_code)::text, ',', b.amount_pence, ']', m.lines, ']',
                    nullif(',[' || substr({later}, 2) || ']', ',[]'), ']'),
                    'UTF8')), 'hex') AS changed
            FROM s2s.ledger_entry e
            LEFT JOIN s2s.ledger_entry q ON q.number = e.number - 1
            LEFT JOIN s2s.posting a ON a.entry_number = e.number AND a.line = 1
            LEFT JOIN s2s.posting b ON b.entry_number = e.number AND b.line = 2
            LEFT JOIN (
                SELECT entry_number, sum(amount_pence) AS total,
                    sum(amount_pence) FILTER (WHERE account_code LIKE 'receivable\:%') AS owed,
                    string_agg(concat(',[', to_json(account_code), ',', amount_pence, ']'), ''
                        ORDER BY line) AS lines
                FROM s2s.posting WHERE line NOT IN (1, 2) GROUP BY entry_number
            ) m ON m.entry_number = e.number
            WHERE e.number <= :last
        ) AS found
        WHERE alone OR unchained OR unbalanced OR other_amount OR changed
        ORDER BY number LIMIT :most
        """  # noqa: S608
    )


# Columns whose form the table itself holds, or that are digests: nothing in them wants escaping,
# and what somebody put there that does is found as a change.
BARE = frozenset(
    {"kind", "route", "referral_reference", "financial_year", "fingerprint", "previous_hash"}
)


def _written() -> str:
    """How the columns are written in what a digest covers, as `sealing.digest_of` writes them.

    Text beside text is escaped at once: that is where the time goes.
    """
    parts: list[str] = []
    together: list[str] = []
    for name in (*SEALED, None):
        if name is not None and _is_text(name) and name not in BARE:
            together.append(f"e.{name}")
            continue
        if together:
            parts.append(_escaped(together))
            together = []
        if name is not None:
            parts.append(_plain(name))
    return ", ',', ".join(parts)


def _escaped(columns: list[str]) -> str:
    if len(columns) == 1:
        return f"to_json({columns[0]})::text"
    return f"btrim(to_json(ARRAY[{', '.join(columns)}])::text, '[]')"


def _is_text(name: str) -> bool:
    return isinstance(LedgerEntry.__table__.c[name].type, Text)


def _plain(name: str) -> str:
    kind, column = LedgerEntry.__table__.c[name].type, f"e.{name}"
    if isinstance(kind, Integer):
        must = not LedgerEntry.__table__.c[name].nullable or name in SEALED_WHEN_SET
        return f"{column}::text" if must else f"coalesce({column}::text, 'null')"
    if isinstance(kind, DateTime):
        instant = r"""'YYYY-MM-DD"T"HH24\:MI\:SS.US"+00\:00"'"""
        return f"""'"' || to_char({column} AT TIME ZONE 'UTC', {instant}) || '"'"""
    if isinstance(kind, Date):
        return f"""'"' || to_char({column}, 'YYYY-MM-DD') || '"'"""
    return f"""'"' || {column} || '"'"""
