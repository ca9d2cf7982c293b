"""The tables of the service: one module for each aggregate. Importing this loads them all."""

from s2s_portal.models import (
    answer,
    attachment,
    audit,
    calendar,
    change,
    codes,
    establishment,
    intake,
    invitation,
    ledger,
    practitioner,
    referral,
    sign_on,
    terms,
    visit,
    workload,
)

__all__ = [
    "answer",
    "attachment",
    "audit",
    "calendar",
    "change",
    "codes",
    "establishment",
    "intake",
    "invitation",
    "ledger",
    "practitioner",
    "referral",
    "sign_on",
    "terms",
    "visit",
    "workload",
]
