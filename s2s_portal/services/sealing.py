"""The digests that chain the ledger's entries: what they cover, and in which written form."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from typing import Any

NO_HASH = "0" * 64
# What an entry's digest covers, in this order.
SEALED = (
    "number",
    "kind",
    "fee_kind",
    "event_date",
    "recorded_at",
    "recorded_by_id",
    "recorded_by_name",
    "financial_year",
    "period",
    "referral_reference",
    "urn",
    "dfe_number",
    "establishment_name",
    "payer_name",
    "route",
    "vat_code",
    "purchase_order",
    "terms_id",
    "terms_name",
    "verdict",
    "amount_pence",
    "settles_number",
    "reverses_number",
    "finance_reference",
    "reason",
    "idempotency_key",
    "fingerprint",
    "previous_hash",
)
# Columns that came later: covered where they hold something, as [name, value] pairs, so that the
# digest of an entry from before is what it was.
SEALED_WHEN_SET = ("fee_rule_id",)


def seal(entry: Any, pairs: list[tuple[str, int]]) -> str:
    """The hex SHA-256 of an entry with its postings, chained to the entry before it.

    `entry` is a `LedgerEntry` or a row with its columns; `pairs` are its postings in order, as
    (account, pence). `verification` has the same in SQL.
    """
    content = [[plain(getattr(entry, name)) for name in SEALED], pairs]
    later = [
        [name, plain(getattr(entry, name))]
        for name in SEALED_WHEN_SET
        if getattr(entry, name) is not None
    ]
    return digest_of([*content, later] if later else content)


def digest_of(content: Any) -> str:
    """The hex SHA-256 of plain content (lists, text, numbers) in one fixed written form."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def plain(value: Any) -> Any:
    """`value` as plain content: instants in UTC to the microsecond, dates as ISO."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    return value
