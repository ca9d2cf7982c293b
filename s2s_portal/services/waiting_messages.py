"""Which messages wait, for the acting person and for others: a page at a time, longest first.

What has ended waits no more: a request for advice that is closed, a practitioner's turn in a
referral that is no longer with one. Nothing here names a child.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from s2s_portal.database import session
from s2s_portal.identity import Actor, Role
from s2s_portal.models.codes import Status
from s2s_portal.models.conversation import AdviceRequest, AdviceStatus, Conversation, Side
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.services.threads import Turn, turn_of
from s2s_portal.services.worklist import Place
from s2s_portal.state import setting

SIDES = {
    Role.REFERRER: Side.SCHOOL,
    Role.OFFICER: Side.COUNCIL,
    Role.PRACTITIONER: Side.PRACTITIONER,
}


@dataclass(frozen=True)
class Line:
    """One conversation that waits; `is_advice` tells a request for advice from a referral."""

    reference: str
    is_advice: bool
    school_name: str
    turn: Turn


@dataclass(frozen=True)
class WaitingPage:
    """One page of what waits; `next` is the place that the next page begins after, if any."""

    lines: list[Line]
    next: Place | None


def sides_of(roles: frozenset[Role]) -> list[Side]:
    """The sides that somebody with these roles answers for; a lead answers for none."""
    return [side for role, side in SIDES.items() if role in roles]


def listed(*, by: Actor, for_others: bool = False, after: Place | None = None) -> WaitingPage:
    """What waits for `by`, or `for_others` in what `by` may read, longest first; one statement."""
    size = int(setting("S2S_PAGE_SIZE"))
    sides = [] if for_others else sides_of(by.roles)
    ours = _ours(by)
    query = _live().where(~ours if for_others else ours)
    if after is not None:
        query = query.where(
            tuple_(Conversation.waits_since, Conversation.id) > tuple_(after[0], after[1])
        )
    query = query.order_by(Conversation.waits_since, Conversation.id).limit(size + 1)
    found = session().execute(query).all()
    rows = found[:size]
    return WaitingPage(
        [_line(row, sides) for row in rows],
        Place(rows[-1].waits_since, rows[-1].id) if len(found) > size else None,
    )


def _line(row: Any, sides: Sequence[Side]) -> Line:
    side = row.waits_for if row.waits_for in sides else None
    return Line(
        reference=row.reference,
        is_advice=row.is_advice,
        school_name=row.school_name,
        turn=turn_of(row.waits_for, row.waits_since, side),
    )


def _live() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Conversation.id,
            Conversation.waits_for,
            Conversation.waits_since,
            Conversation.advice_id.is_not(None).label("is_advice"),
            func.coalesce(Referral.reference, AdviceRequest.reference).label("reference"),
            func.coalesce(Referral.school_name, AdviceRequest.school_name).label("school_name"),
        )
        .select_from(Conversation)
        .outerjoin(Referral, Referral.id == Conversation.referral_id)
        .outerjoin(AdviceRequest, AdviceRequest.id == Conversation.advice_id)
        .where(Conversation.waits_for.is_not(None), is_live())
    )


def is_live() -> ColumnElement[bool]:
    """Whether whoever is to answer still can: of a row that joins both kinds of thing."""
    return or_(
        and_(Conversation.advice_id.is_not(None), AdviceRequest.status == AdviceStatus.OPEN),
        and_(
            Conversation.referral_id.is_not(None),
            or_(
                Conversation.waits_for != Side.PRACTITIONER,
                Referral.status == Status.ALLOCATED,
            ),
        ),
    )


def waiting_for(side: Side, account: Any, establishments: Any) -> Select[Any]:
    """One row for each conversation that waits for somebody on `side`: `account` and
    `establishments` are theirs, or parameters that will be."""
    return (
        select(literal(1))
        .select_from(Conversation)
        .outerjoin(Referral, Referral.id == Conversation.referral_id)
        .outerjoin(AdviceRequest, AdviceRequest.id == Conversation.advice_id)
        .where(_is_of(side, account, establishments), is_live())
    )


def _is_of(side: Side, account: Any, establishments: Any) -> ColumnElement[bool]:
    """Whether a conversation waits for one person on `side`, who may have other roles too."""
    waits = Conversation.waits_for == side
    if side is Side.SCHOOL:
        return and_(waits, func.coalesce(Referral.urn, AdviceRequest.urn).in_(establishments))
    if side is Side.PRACTITIONER:
        theirs = (
            exists()
            .where(
                Allocation.referral_id == Conversation.referral_id,
                Allocation.ended_at.is_(None),
                Practitioner.id == Allocation.practitioner_id,
                Practitioner.account_id == account,
            )
            .correlate(Conversation)
        )
        return and_(waits, theirs)
    return waits


def _ours(by: Actor) -> ColumnElement[bool]:
    """Whether a conversation waits for `by`."""
    return or_(false(), *(_is_of(side, by.id, by.establishments) for side in sides_of(by.roles)))


def count(*, by: Actor, at_most: int = 100) -> int:
    """How many conversations wait for `by`, counted up to `at_most`."""
    query = _live().where(_ours(by)).limit(at_most)
    return session().scalar(select(func.count()).select_from(query.subquery())) or 0
