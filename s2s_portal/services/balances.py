"""What is open, for how long and with whom (F80): by school, by who pays, by route, by pull.

Every figure is a sum over what is open, which the database keeps, so it costs as much as there is
open, not as the ledger is long. The parts sum to the whole: a test holds them to the accounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from sqlalchemy import String, cast, func, literal, select

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.models.charges import EntryStanding
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.ledger import Route
from s2s_portal.state import setting

AGES = (30, 60, 90)  # days since it fell due
AGE_WORDS = ("Up to 30 days", "31 to 60 days", "61 to 90 days", "More than 90 days")


class By(StrEnum):
    """What open amounts are summed by."""

    SCHOOL = "school"
    PAYER = "payer"
    ROUTE = "route"


WAYS = {
    By.SCHOOL: "School",
    By.PAYER: "Who pays, as trusts do for their academies",
    By.ROUTE: "How it is collected",
}
ROUTE_WORDS = {Route.INTERNAL: "Internal charge", Route.INVOICE: "Invoice"}


@dataclass(frozen=True)
class Open:
    """What is open with one of them in pence, in all and by age (as `AGE_WORDS`)."""

    key: str
    name: str
    urn: int | None
    total: int
    ages: tuple[int, ...]


@dataclass(frozen=True)
class Page:
    """One page of them by name, and after which key the next begins; empty for none."""

    rows: list[Open]
    next: str


@dataclass(frozen=True)
class OpenPull:
    """A pull of which something is open: how many entries, and their sum in pence."""

    number: int
    count: int
    total: int


@dataclass(frozen=True)
class Proposed:
    """Fees that fall due if nothing changes: how many, and their sum in pence."""

    count: int
    total: int


def _key(by: By) -> Any:
    return {
        By.SCHOOL: func.concat(Establishment.name, literal("\x1f"), EntryStanding.urn),
        By.PAYER: EntryStanding.payer_name,
        By.ROUTE: cast(EntryStanding.route, String),
    }[by]


def _ages() -> list[Any]:
    today = clock.today()
    bounds = [None, *(today - timedelta(days=days) for days in AGES), None]
    found = []
    for later, earlier in pairwise(bounds):
        rules = []
        if later is not None:
            rules.append(EntryStanding.event_date < later)
        if earlier is not None:
            rules.append(EntryStanding.event_date >= earlier)
        found.append(func.coalesce(func.sum(EntryStanding.open_pence).filter(*rules), 0))
    return found


def ageing(by: By, *, after: str = "") -> Page:
    """A page of what is open, by name, after the key `after`; one statement."""
    size, key = setting("S2S_PAGE_SIZE"), _key(by)
    rows = (
        session()
        .execute(
            select(
                key.label("key"),
                func.min(Establishment.name).label("school"),
                func.min(EntryStanding.urn).label("urn"),
                func.sum(EntryStanding.open_pence).label("total"),
                *_ages(),
            )
            .join(Establishment, Establishment.urn == EntryStanding.urn)
            .where(EntryStanding.open_pence != 0, key > after)
            .group_by(key)
            .order_by(key)
            .limit(size + 1)
        )
        .all()
    )
    more = len(rows) > size
    return Page([_open(row, by) for row in rows[:size]], rows[size - 1].key if more else "")


def _open(row: Any, by: By) -> Open:
    names = {By.SCHOOL: row.school, By.PAYER: row.key}
    name = names[by] if by in names else ROUTE_WORDS[Route(row.key)]
    urn = row.urn if by is By.SCHOOL else None
    return Open(row.key, name, urn, int(row.total), tuple(int(part) for part in row[4:]))


def whole() -> Open:
    """What is open in all, by age."""
    row = (
        session()
        .execute(
            select(func.coalesce(func.sum(EntryStanding.open_pence), 0), *_ages()).where(
                EntryStanding.open_pence != 0
            )
        )
        .one()
    )
    return Open("", "All", None, int(row[0]), tuple(int(part) for part in row[1:]))


def by_pull(*, before: int | None = None) -> list[OpenPull]:
    """The pulls with something that is not collected or given back, newest first."""
    query = (
        select(
            EntryStanding.pull_number,
            func.count(),
            func.sum(EntryStanding.amount_pence),
        )
        .where(EntryStanding.pull_number.is_not(None), ~EntryStanding.settled)
        .group_by(EntryStanding.pull_number)
        .order_by(EntryStanding.pull_number.desc())
        .limit(setting("S2S_PAGE_SIZE"))
    )
    if before is not None:
        query = query.where(EntryStanding.pull_number < before)
    found: list[Any] = list(session().execute(query))
    return [OpenPull(number, count, int(total)) for number, count, total in found]


def proposed() -> Proposed:
    """What will fall due for referrals that were sent, the first 1,000 of them."""
    fees = func.s2s.proposed_fees().table_valued("reference", "amount_pence")
    row = session().execute(
        select(func.count(), func.coalesce(func.sum(fees.c.amount_pence), 0)).select_from(fees)
    )
    return Proposed(*(int(one) for one in row.one()))
