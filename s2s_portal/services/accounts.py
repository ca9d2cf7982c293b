"""Reading the fee ledger: its entries a page at a time, its totals, a school's statement (F78).

Made from the ledger's own tables alone, so nothing here can be about a child.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import aliased

from s2s_portal import references
from s2s_portal.database import session
from s2s_portal.errors import NotFound
from s2s_portal.identity import Actor, Role
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.ledger import EntryKind, LedgerEntry, PullLine
from s2s_portal.services import ledger, pulls
from s2s_portal.state import setting

NUMBER = re.compile(r"\d{1,18}")
DFE_NUMBER = re.compile(r"\d{3}/\d{4}")
URN = re.compile(r"\d{5,7}")

KIND_WORDS = {
    EntryKind.CHARGE: "Charge",
    EntryKind.COLLECTION: "Collection",
    EntryKind.REVERSAL: "Reversal",
}
Settlement = aliased(LedgerEntry, name="settlement")
Reversal = aliased(LedgerEntry, name="reversal")


class Standing(StrEnum):
    """Where an entry stands with Finance, as the list can be filtered by."""

    DUE = "due"
    PULLED = "pulled"
    COLLECTED = "collected"
    REVERSED = "reversed"


STANDING_WORDS = {
    Standing.DUE: "Due to be pulled",
    Standing.PULLED: "In a pull, not collected",
    Standing.COLLECTED: "Collected",
    Standing.REVERSED: "Reversed",
}
COLOURS = {
    Standing.DUE: "yellow",
    Standing.PULLED: "blue",
    Standing.COLLECTED: "green",
    Standing.REVERSED: "grey",
}


@dataclass(frozen=True)
class Line:
    """One entry as Finance and the school read it. Amounts in pence.

    `balance_pence` is what the school owes after it: on a statement, else 0.
    """

    number: int
    event_date: date
    recorded_at: datetime
    kind: str
    urn: int
    dfe_number: str
    school_name: str
    reference: str
    amount_pence: int
    verdict: str
    reason: str
    finance_reference: str
    pull: int | None
    reversed_by: int | None
    standing: Standing
    balance_pence: int = 0

    @property
    def words(self) -> str:
        """Where the entry stands, for Finance."""
        if self.standing is Standing.PULLED:
            return f"In pull {self.pull}"
        return STANDING_WORDS[self.standing]

    @property
    def school_words(self) -> str:
        """Where the entry stands, for the school: pulls are Finance's own business."""
        return "Collected" if self.standing is Standing.COLLECTED else "To be collected"

    @property
    def colour(self) -> str:
        """The colour of the tag that says so."""
        return COLOURS[self.standing]


@dataclass(frozen=True)
class Listing:
    """One page of the ledger, newest first, and where the pages before and after it begin."""

    lines: list[Line] = field(default_factory=list)
    previous: int | None = None
    next: int | None = None


@dataclass(frozen=True)
class Totals:
    """What is due, what is in pulls that are not collected, and what has been; all in pence."""

    due: int
    pulled: int
    collected: int


@dataclass(frozen=True)
class Statement:
    """What one school was charged and what became of it, oldest first; it owes `balance_pence`."""

    establishment: Establishment
    lines: list[Line]
    balance_pence: int


def listing(
    *,
    search: str = "",
    standing: Standing | None = None,
    after: int | None = None,
    before: int | None = None,
) -> Listing:
    """A page of the ledger, newest first; one statement.

    `search` is a referral's reference, a URN, a DfE number or part of a school's name. The page
    starts below number `after`, or ends above number `before`.
    """
    size = setting("S2S_PAGE_SIZE")
    query = _entries().where(*_found(search), *_standing(standing))
    if before is not None:
        query = query.where(LedgerEntry.number > before).order_by(LedgerEntry.number)
    else:
        if after is not None:
            query = query.where(LedgerEntry.number < after)
        query = query.order_by(LedgerEntry.number.desc())
    rows = session().execute(query.limit(size + 1)).all()
    more, rows = len(rows) > size, rows[:size]
    if before is not None:
        rows = rows[::-1]
    if not rows:
        return Listing()
    return Listing(
        lines=[_line(row) for row in rows],
        previous=rows[0].number if (more if before is not None else after is not None) else None,
        next=rows[-1].number if (more or before is not None) else None,
    )


def totals() -> Totals:
    """What is due, pulled and collected in the whole ledger; one statement."""
    amount = LedgerEntry.amount_pence
    open_ = and_(LedgerEntry.kind.in_(pulls.PULLABLE), Settlement.number.is_(None))
    row = session().execute(
        select(
            _sum(case((and_(open_, PullLine.pull_number.is_(None)), amount))),
            _sum(case((and_(open_, PullLine.pull_number.is_not(None)), amount))),
            _sum(case((LedgerEntry.kind == EntryKind.COLLECTION, -amount))),
        )
        .select_from(LedgerEntry)
        .outerjoin(PullLine, PullLine.entry_number == LedgerEntry.number)
        .outerjoin(Settlement, Settlement.settles_number == LedgerEntry.number)
    )
    return Totals(*(int(total) for total in row.one()))


def statement(urn: int, *, by: Actor) -> Statement:
    """The entries and balance of one school.

    Finance may ask about any; a school's own staff and its trust about theirs. Raises NotFound for
    another's, as for a school that does not exist.
    """
    mine = urn in by.establishments and by.has(Role.REFERRER, Role.TRUST_VIEWER)
    if not mine and not by.has(Role.FINANCE, Role.FINANCE_APPROVER, Role.SYSTEM):
        raise NotFound()
    establishment = session().get(Establishment, urn)
    if establishment is None:
        raise NotFound()
    rows = session().execute(_entries().where(LedgerEntry.urn == urn).order_by(LedgerEntry.number))
    lines: list[Line] = []
    balance = 0
    for row in rows:
        balance += row.amount_pence
        lines.append(replace(_line(row), balance_pence=balance))
    return Statement(establishment, lines, ledger.balance(urn))


def place(text: str) -> int | None:
    """The entry or pull number that `text` (from a URL) means, or None when it means none."""
    return int(text) if NUMBER.fullmatch(text) else None


def _sum(expression: Any) -> Any:
    return func.coalesce(func.sum(expression), 0)


def _entries() -> Select[*tuple[Any, ...]]:
    return (
        select(
            LedgerEntry.number,
            LedgerEntry.event_date,
            LedgerEntry.recorded_at,
            LedgerEntry.kind,
            LedgerEntry.urn,
            LedgerEntry.dfe_number,
            LedgerEntry.establishment_name,
            LedgerEntry.referral_reference,
            LedgerEntry.amount_pence,
            LedgerEntry.verdict,
            LedgerEntry.reason,
            LedgerEntry.finance_reference,
            PullLine.pull_number,
            Settlement.number.label("settled_by"),
            Reversal.number.label("reversed_by"),
        )
        .outerjoin(PullLine, PullLine.entry_number == LedgerEntry.number)
        .outerjoin(Settlement, Settlement.settles_number == LedgerEntry.number)
        .outerjoin(Reversal, Reversal.reverses_number == LedgerEntry.number)
    )


def _standing(standing: Standing | None) -> list[ColumnElement[bool]]:
    pullable = LedgerEntry.kind.in_(pulls.PULLABLE)
    rules: dict[Standing | None, list[ColumnElement[bool]]] = {
        None: [],
        Standing.DUE: [pullable, PullLine.pull_number.is_(None)],
        Standing.PULLED: [PullLine.pull_number.is_not(None), Settlement.number.is_(None)],
        Standing.COLLECTED: [
            or_(Settlement.number.is_not(None), LedgerEntry.kind == EntryKind.COLLECTION)
        ],
        Standing.REVERSED: [Reversal.number.is_not(None)],
    }
    return rules[standing]


def _found(search: str) -> list[ColumnElement[bool]]:
    if not search:
        return []
    reference = references.parse(search)
    if reference is not None:
        return [LedgerEntry.referral_reference == reference]
    if DFE_NUMBER.fullmatch(search):
        return [LedgerEntry.dfe_number == search]
    if URN.fullmatch(search):
        return [LedgerEntry.urn == int(search)]
    return [LedgerEntry.establishment_name.icontains(search, autoescape=True)]


def _line(row: Any) -> Line:
    return Line(
        number=row.number,
        event_date=row.event_date,
        recorded_at=row.recorded_at,
        kind=KIND_WORDS[row.kind],
        urn=row.urn,
        dfe_number=row.dfe_number,
        school_name=row.establishment_name,
        reference=row.referral_reference,
        amount_pence=row.amount_pence,
        verdict=row.verdict,
        reason=row.reason,
        finance_reference=row.finance_reference,
        pull=row.pull_number,
        reversed_by=row.reversed_by,
        standing=_stands(row),
    )


def _stands(row: Any) -> Standing:
    if row.settled_by is not None or row.kind is EntryKind.COLLECTION:
        return Standing.COLLECTED
    return Standing.DUE if row.pull_number is None else Standing.PULLED
