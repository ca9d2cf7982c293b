"""Workload for those who read no referral: how much work each practitioner has, not what it is.

The database gives it to officers, programme managers and administrators (`0027_measures.sql`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Date, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import JSONB

from s2s_portal.database import session
from s2s_portal.services import workload
from s2s_portal.services.workload import Load, Weights

MEASURE = func.s2s.workload_measure(bindparam("today", type_=Date)).table_valued(
    "practitioner_id",
    "provider_urn",
    "leaving_on",
    "tiers",
    "offered",
    "starts",
    "ends",
    "supported",
    column("releases", JSONB),
    column("absences", JSONB),
    name="measured",
)


class Measured(NamedTuple):
    """The work of one practitioner, and the school days ahead at their school."""

    practitioner_id: int
    provider_urn: int
    facts: Any
    days: Sequence[date]

    def load(self, weigh: Weights) -> Load:
        """Their load when work weighs as `weigh` says."""
        return workload.load(self.facts, list(self.days), weigh)


def people(today: date) -> list[Measured]:
    """Everybody who is active or has open referrals, leads apart; nobody for who may not know.

    Two statements, however many there are.
    """
    rows = session().execute(select(MEASURE), {"today": today}).all()
    days = workload.windows({row.provider_urn for row in rows}, today)
    return [
        Measured(row.practitioner_id, row.provider_urn, row, days[row.provider_urn]) for row in rows
    ]
