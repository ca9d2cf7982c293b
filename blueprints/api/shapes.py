"""What the API says of the ledger, in plain JSON. Nothing in it is about a child."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import url_for

from s2s_portal.models.ledger import LedgerEntry, Pull
from s2s_portal.services.pull_downloads import Listed
from s2s_portal.services.pulls import Collected, Progress
from s2s_portal.services.responses import Counts
from s2s_portal.services.statements import WholeStatement


def instant(value: datetime) -> str:
    """An instant in UTC."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def entry(of: LedgerEntry, pull: int | None) -> dict[str, Any]:
    """One entry of the ledger."""
    return {
        "number": of.number,
        "kind": of.kind.value,
        "event_date": of.event_date.isoformat(),
        "recorded_at": instant(of.recorded_at),
        "financial_year": of.financial_year,
        "period": of.period,
        "route": of.route.value,
        "urn": of.urn,
        "dfe_number": of.dfe_number,
        "school_name": of.establishment_name,
        "payer_name": of.payer_name,
        "purchase_order": of.purchase_order,
        "source_reference": of.referral_reference,
        "vat_code": of.vat_code,
        "terms": of.terms_name,
        "verdict": of.verdict,
        "amount_pence": of.amount_pence,
        "settles_entry": of.settles_number,
        "reverses_entry": of.reverses_number,
        "finance_reference": of.finance_reference,
        "reason": of.reason,
        "pull_number": pull,
        "digest": of.hash,
    }


def pull(of: Pull, progress: Progress, collected: Collected | None) -> dict[str, Any]:
    """One pull: its control totals, and how far it has been collected."""
    return {
        "number": of.number,
        "made_at": instant(of.at),
        "made_by": of.by_name,
        "cutoff": instant(of.cutoff),
        "first_entry": of.first_entry,
        "last_entry": of.last_entry,
        "entry_count": of.entry_count,
        "total_pence": of.total_pence,
        "previous_digest": of.previous_digest,
        "digest": of.digest,
        "collected": progress.collected,
        "rejected": progress.rejected,
        "queried": progress.queried,
        "collected_on": collected.day.isoformat() if collected else None,
    }


def file(number: int, of: Listed) -> dict[str, Any]:
    """One file of a pull, and where it is."""
    return {
        "name": of.name,
        "sha256": of.sha256,
        "downloads": of.times,
        "href": url_for("s2s.api.file", number=number, name=of.name),
    }


def counts(of: Counts) -> dict[str, Any]:
    """What a response file did."""
    return {
        "collected": of.collected,
        "collected_pence": of.collected_pence,
        "rejected": of.rejected,
        "queried": of.queried,
        "already_applied": bool(of.already),
    }


def statement(of: WholeStatement) -> dict[str, Any]:
    """What a school was charged and what it owes."""
    return {
        "urn": of.establishment.urn,
        "dfe_number": of.establishment.dfe_number,
        "school_name": of.establishment.name,
        "balance_pence": of.balance_pence,
        "entries": [
            {
                "number": line.number,
                "event_date": line.event_date.isoformat(),
                "kind": line.kind.lower(),
                "source_reference": line.reference,
                "amount_pence": line.amount_pence,
                "balance_pence": line.balance_pence,
                "verdict": line.verdict,
                "standing": line.standing.value,
                "pull_number": line.pull,
            }
            for line in of.lines
        ],
    }
