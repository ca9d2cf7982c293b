"""What an academy trust sees of its schools: how many referrals, and what was charged.

Numbers alone. The counts come from the view `school_referral_count`, so no row about a child is
ever read here; the charges from the ledger, which holds none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    case,
    cast,
    column,
    func,
    select,
    table,
)

from s2s_portal.database import session
from s2s_portal.identity import Actor
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.ledger import EntryKind, LedgerEntry

COUNTS = table(
    "school_referral_count",
    column("urn", Integer),
    column("sent", BigInteger),
    column("open", BigInteger),
    column("closed", BigInteger),
    schema="s2s",
)


@dataclass(frozen=True)
class SchoolLine:
    """One school in numbers: referrals, then pence. A declined referral counts as closed."""

    establishment: Establishment
    sent: int
    open: int
    closed: int
    charged_pence: int
    collected_pence: int

    @property
    def owed_pence(self) -> int:
        """What was charged, less what was taken back or collected."""
        return self.charged_pence - self.collected_pence


@dataclass(frozen=True)
class Overview:
    """The schools of a trust by name, and their sums."""

    trust_name: str
    lines: list[SchoolLine]

    def total(self, name: str) -> int:
        """The sum over all schools of one attribute of `SchoolLine`."""
        return sum(getattr(line, name) for line in self.lines)


def overview(*, by: Actor) -> Overview:
    """Every school that `by` looks at for a trust, with its counts and charges; one statement."""
    charges = (
        select(
            LedgerEntry.urn,
            _sum(LedgerEntry.kind != EntryKind.COLLECTION, LedgerEntry.amount_pence, "charged"),
            _sum(LedgerEntry.kind == EntryKind.COLLECTION, -LedgerEntry.amount_pence, "collected"),
        )
        .where(LedgerEntry.urn.in_(by.establishments))
        .group_by(LedgerEntry.urn)
        .subquery()
    )
    rows = session().execute(
        select(
            Establishment,
            *(func.coalesce(COUNTS.c[name], 0) for name in ("sent", "open", "closed")),
            *(func.coalesce(charges.c[name], 0) for name in ("charged", "collected")),
        )
        .outerjoin(COUNTS, COUNTS.c.urn == Establishment.urn)
        .outerjoin(charges, charges.c.urn == Establishment.urn)
        .where(Establishment.urn.in_(by.establishments))
        .order_by(Establishment.name, Establishment.urn)
    )
    lines = [SchoolLine(row[0], *(int(number) for number in row[1:])) for row in rows]
    names = {line.establishment.trust_name for line in lines}
    return Overview(names.pop() if len(names) == 1 else "", lines)


def open_referrals() -> Select[int]:
    """A row for each open referral of the acting viewer's schools: numbers, no referral."""
    number = select(cast(func.coalesce(func.sum(COUNTS.c.open), 0), Integer)).scalar_subquery()
    return select(func.generate_series(1, number))


def _sum(when: ColumnElement[bool], amount: Any, name: str) -> ColumnElement[int]:
    return func.sum(case((when, amount), else_=0)).label(name)
