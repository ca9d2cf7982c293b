"""The tables of the service: one module for each aggregate. Importing this loads them all."""

from s2s_portal.models import (
    attachment,
    audit,
    calendar,
    change,
    establishment,
    intake,
    invitation,
    ledger,
    practitioner,
    referral,
    sign_on,
    terms,
    visit,
)

__all__ = [
    "attachment",
    "audit",
    "calendar",
    "change",
    "establishment",
    "intake",
    "invitation",
    "ledger",
    "practitioner",
    "referral",
    "sign_on",
    "terms",
    "visit",
]
