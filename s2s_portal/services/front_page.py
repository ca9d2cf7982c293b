"""What waits for the acting person, as tiles on the front page: one statement for all of them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, exists, func, select

from s2s_portal.database import session
from s2s_portal.identity import Actor, Role, current_actor
from s2s_portal.models.ledger import EntryKind, LedgerEntry, PullLine
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.referral import Referral, Status
from s2s_portal.models.visit import Acknowledgement, Visit, VisitRecord
from s2s_portal.services import trusts


@dataclass(frozen=True)
class Tile:
    """One thing that may wait: how many, of what, and the endpoint of the page that shows them."""

    key: str
    text: str
    endpoint: str
    values: dict[str, str]
    count: int = 0


Counted = tuple[Tile, Select[int]]


def tiles(*, tied: bool = True) -> list[Tile]:
    """The tiles of the acting person's roles, each with its count.

    Not `tied`: of an account that is no practitioner yet, or no longer, no case is counted.
    """
    actor = current_actor()
    rules = (_school, _officer, *([_practitioner] if tied else []), _finance, _trust)
    counted = [pair for rule in rules for pair in rule(actor)]
    if not counted:
        return []
    row = (
        session()
        .execute(select(*(query.scalar_subquery().label(tile.key) for tile, query in counted)))
        .one()
    )
    return [
        Tile(tile.key, tile.text, tile.endpoint, tile.values, getattr(row, tile.key))
        for tile, _query in counted
    ]


def _count(*where: ColumnElement[bool]) -> Select[int]:
    return select(func.count()).select_from(Referral).where(*where)


def _school(actor: Actor) -> list[Counted]:
    if not actor.has(Role.REFERRER):
        return []
    mine = Referral.urn.in_(actor.establishments)
    unread = (
        select(func.count())
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
        (Tile("drafts", "Not sent yet", where, {}), _count(mine, Referral.status == Status.DRAFT)),
        (
            Tile("returned", "Sent back to you for more information", where, {}),
            _count(mine, Referral.status == Status.RETURNED),
        ),
        (Tile("unread", "Visit records to read", where, {}), unread),
    ]


def _officer(actor: Actor) -> list[Counted]:
    if not actor.has(Role.OFFICER):
        return []
    return [
        (
            Tile("waiting", "Referrals to decide", "s2s.triage.index", {"status": "submitted"}),
            _count(Referral.status == Status.SUBMITTED),
        ),
        (
            Tile("unallocated", "Referrals to allocate", "s2s.allocation.index", {}),
            _count(Referral.status == Status.ACCEPTED),
        ),
    ]


def _practitioner(actor: Actor) -> list[Counted]:
    if not actor.has(Role.PRACTITIONER):
        return []
    mine = (
        select(func.count())
        .select_from(Allocation)
        .join(Practitioner, Practitioner.id == Allocation.practitioner_id)
        .join(Referral, Referral.id == Allocation.referral_id)
        .where(
            Practitioner.account_id == actor.id,
            Allocation.ended_at.is_(None),
            Referral.status == Status.ALLOCATED,
        )
    )
    new = mine.where(~exists().where(Visit.allocation_id == Allocation.id))
    where = "s2s.visits.index"
    return [
        (Tile("new", "New to you", where, {}), new),
        (Tile("open", "Open referrals", where, {}), mine),
    ]


def _finance(actor: Actor) -> list[Counted]:
    if not actor.has(Role.FINANCE, Role.FINANCE_APPROVER):
        return []
    due = (
        select(func.count())
        .select_from(LedgerEntry)
        .where(
            LedgerEntry.kind.in_([EntryKind.CHARGE, EntryKind.REVERSAL]),
            ~exists().where(PullLine.entry_number == LedgerEntry.number),
        )
    )
    return [(Tile("due", "Ledger entries due to be pulled", "s2s.finance.pulls", {}), due)]


def _trust(actor: Actor) -> list[Counted]:
    if not actor.has(Role.TRUST_VIEWER):
        return []
    tile = Tile("at_trust", "Open referrals of your schools", "s2s.finance.trust", {})
    return [(tile, trusts.open_referrals())]
