"""What waits for the acting person: tiles on the front page, badges in the menu.

Either takes one statement, whatever the person's roles.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, exists, func, literal, select

from s2s_portal.database import session
from s2s_portal.identity import Role, current_actor
from s2s_portal.models.codes import Status
from s2s_portal.models.conversation import Side
from s2s_portal.models.ledger import EntryKind, LedgerEntry, PullLine
from s2s_portal.models.offer import Offer
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Acknowledgement, Visit, VisitRecord
from s2s_portal.services import heads, trusts, waiting_messages

COUNTED = 100  # a badge counts no further, so it takes as long with a million rows


@dataclass(frozen=True)
class Tile:
    """One thing that may wait: how many, of what, and the endpoint of the page that shows them.

    `calls` says that somebody waits for this person to act: only that counts towards a badge.
    """

    key: str
    text: str
    endpoint: str
    status: str = ""
    calls: bool = True
    count: int = 0

    @property
    def values(self) -> dict[str, str]:
        """What to build the address of the page with."""
        return {"status": self.status} if self.status else {}


Counted = tuple[Tile, Select[Any]]


def tiles() -> list[Tile]:
    """The tiles of the acting person's roles, each with its count."""
    counted = _counted(current_actor().roles)
    return _ask(counted, _statement(counted, None)) if counted else []


def badges() -> dict[str, int]:
    """How many wait for the acting person, by the endpoint of the page that shows them.

    Each is counted up to `COUNTED`.
    """
    counted = tuple(pair for pair in _counted(current_actor().roles) if pair[0].calls)
    if not counted:
        return {}
    found: dict[str, int] = defaultdict(int)
    for tile in _ask(counted, _statement(counted, COUNTED)):
        found[tile.endpoint] = min(found[tile.endpoint] + tile.count, COUNTED)
    return dict(found)


def _ask(counted: tuple[Counted, ...], statement: Select[Any]) -> list[Tile]:
    actor = current_actor()
    who = {"account": actor.id, "establishments": list(actor.establishments)}
    row = session().execute(statement, who).one()
    return [replace(tile, count=getattr(row, tile.key)) for tile, _query in counted]


@cache  # building the statement costs more than asking it
def _statement(counted: tuple[Counted, ...], at_most: int | None) -> Select[Any]:
    """Every count as a column of one row, each up to `at_most`."""
    return select(
        *(
            select(func.count())
            .select_from(query.limit(at_most).subquery())
            .scalar_subquery()
            .label(tile.key)
            for tile, query in counted
        )
    )


@cache
def _counted(roles: frozenset[Role]) -> tuple[Counted, ...]:
    rules = {
        Role.REFERRER: _school,
        Role.HEAD: _head,
        Role.OFFICER: _officer,
        Role.PRACTITIONER: _practitioner,
        Role.FINANCE: _finance,
        Role.FINANCE_APPROVER: _finance,
        Role.TRUST_VIEWER: _trust,
    }
    asked = dict.fromkeys(rule for role, rule in rules.items() if role in roles)
    return tuple(pair for rule in asked for pair in rule())


def _referrals(*where: ColumnElement[bool]) -> Select[Any]:
    return select(literal(1)).select_from(Referral).where(*where)


def _messages(side: Side) -> Counted:
    tile = Tile(f"messages_{side}", "Messages that wait for your answer", "s2s.messages.index")
    mine: Any = bindparam("establishments", expanding=True)
    return tile, waiting_messages.waiting_for(side, bindparam("account"), mine)


def _school() -> list[Counted]:
    mine = Referral.urn.in_(bindparam("establishments", expanding=True))
    unread = (
        select(literal(1))
        .select_from(VisitRecord)
        .join(Referral, Referral.id == VisitRecord.referral_id)
        .where(
            mine,
            VisitRecord.issued_at.is_not(None),
            ~exists().where(Acknowledgement.record_id == VisitRecord.id),
        )
    )
    where = "s2s.referrals.index"
    return [
        (
            Tile("drafts", "Not sent yet", where, calls=False),
            _referrals(mine, Referral.status == Status.DRAFT),
        ),
        (
            Tile("returned", "Sent back to you for more information", where),
            _referrals(mine, Referral.status == Status.RETURNED),
        ),
        (Tile("unread", "Visit records to read", where), unread),
        _messages(Side.SCHOOL),
    ]


def _head() -> list[Counted]:
    mine = Referral.urn.in_(bindparam("establishments", expanding=True))
    tile = Tile("to_agree", "Drafts waiting for your agreement", "s2s.referrals.index")
    return [(tile, _referrals(mine, heads.is_asked()))]


def _officer() -> list[Counted]:
    return [
        (
            Tile("waiting", "Referrals to decide", "s2s.triage.index", status="submitted"),
            _referrals(Referral.status == Status.SUBMITTED),
        ),
        (
            Tile("unallocated", "Referrals to allocate", "s2s.allocation.index"),
            _referrals(Referral.status == Status.ACCEPTED),
        ),
        _messages(Side.COUNCIL),
    ]


def _practitioner() -> list[Counted]:
    mine = (
        select(literal(1))
        .select_from(Allocation)
        .join(Practitioner, Practitioner.id == Allocation.practitioner_id)
        .join(Referral, Referral.id == Allocation.referral_id)
        .where(
            Practitioner.account_id == bindparam("account"),
            Allocation.ended_at.is_(None),
            Referral.status == Status.ALLOCATED,
        )
    )
    booked = (Visit.allocation_id == Allocation.id, Visit.cancelled_at.is_(None))
    new = mine.where(~exists().where(*booked))
    offered = (
        select(literal(1))
        .select_from(Offer)
        .join(Practitioner, Practitioner.id == Offer.practitioner_id)
        .where(
            Practitioner.account_id == bindparam("account"),
            Offer.ended_at.is_(None),
            Offer.accepted_at.is_(None),
        )
    )
    where = "s2s.visits.index"
    return [
        (Tile("offered", "Offered to you", where), offered),
        (Tile("new", "New to you", where), new),
        (Tile("open", "Open referrals", where, calls=False), mine),
        _messages(Side.PRACTITIONER),
    ]


def _finance() -> list[Counted]:
    due = (
        select(literal(1))
        .select_from(LedgerEntry)
        .where(
            LedgerEntry.kind.in_([EntryKind.CHARGE, EntryKind.REVERSAL]),
            ~exists().where(PullLine.entry_number == LedgerEntry.number),
        )
    )
    return [(Tile("due", "Ledger entries due to be pulled", "s2s.finance.pulls"), due)]


def _trust() -> list[Counted]:
    tile = Tile("at_trust", "Open referrals of your schools", "s2s.finance.trust", calls=False)
    return [(tile, trusts.open_referrals())]
