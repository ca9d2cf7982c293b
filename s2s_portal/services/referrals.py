"""Finding a referral one may see, and writing down what happens to it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import Select, Text, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import joinedload, selectinload, with_expression
from sqlalchemy.orm.attributes import set_committed_value

from s2s_portal import access, audit, clock, references
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, Stale
from s2s_portal.identity import Actor, current_actor
from s2s_portal.models.answer import Need, OutcomeWanted, StrategyTried
from s2s_portal.models.change import SectionOpening
from s2s_portal.models.codes import GIVEN, STATUS_AFTER, Action, Status
from s2s_portal.models.decision import Decision
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.reallocation import Supporter
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import clocks, offer_ends


def _rows(kind: Any, order: Any) -> Select[Any]:
    return select(kind).where(kind.referral_id == bindparam("id")).order_by(order)


ONE_ROW = (
    joinedload(Referral.subject),
    joinedload(Referral.agreement),
    joinedload(Referral.files),  # ten at most: rows here cost less than a statement of their own
)
# The sections that have rows of their own, each of which costs a statement. A page that names what
# it needs asks these as they stand: a loader would build them anew each time.
ROWS: dict[str, tuple[Any, Select[Any]]] = {
    "needs": (Referral.needs, _rows(Need, Need.rank)),
    "tried": (Referral.strategies, _rows(StrategyTried, StrategyTried.position)),
    "outcomes": (Referral.outcomes, _rows(OutcomeWanted, OutcomeWanted.position)),
}
# Joined to the history, so that what was asked and what changed cost no statement more.
HISTORY = selectinload(Referral.events).options(
    joinedload(ReferralEvent.openings).options(
        joinedload(SectionOpening.change), joinedload(SectionOpening.code)
    ),
    joinedload(ReferralEvent.decision).options(
        joinedload(Decision.level), joinedload(Decision.reason), joinedload(Decision.service)
    ),
)
WHOLE = (*ONE_ROW, *(selectinload(rows) for rows, _ in ROWS.values()), HISTORY)


# Whether the acting officer acts for the body that it is with: asked in the same statement.
FOR_READER = Referral.body == any_(func.s2s.acting_bodies(type_=ARRAY(Text)))


@cache  # building and recognising the statement costs more than one of its parts
def _found(whole: bool, history: bool) -> Select[Referral]:
    query = (
        select(Referral)
        .where(Referral.reference == bindparam("reference"))
        .options(
            joinedload(Referral.establishment),
            joinedload(Referral.team, innerjoin=True),
            with_expression(Referral.is_for_reader, FOR_READER),
        )
    )
    if not whole:
        return query
    return query.options(*(WHOLE if history else ONE_ROW), joinedload(Referral.terms))


@cache
def _history() -> Select[Referral]:
    return select(Referral).where(Referral.id == bindparam("id")).options(HISTORY)


def get(
    reference: str,
    *,
    whole: bool = False,
    sections: frozenset[str] | None = None,
    lock: bool = False,
) -> Referral:
    """The referral `reference`, with its establishment; `whole` loads every part and the history.

    With `sections` only the rows of those of them that have rows, and the history of one that has
    been sent: for a page that needs no more. `whole` is a read of pupil data and is audited. `lock`
    holds the row until the transaction ends. Raises NotFound when there is none *or* it is not the
    acting person's to see.
    """
    tidy = references.parse(reference)
    if tidy is None:
        raise NotFound()
    query = _found(whole, sections is None)
    if lock:
        query = query.with_for_update(of=Referral).execution_options(populate_existing=True)
    referral = session().scalars(query, {"reference": tidy}).unique().one_or_none()
    if referral is None:
        raise NotFound()
    _check_may_see(current_actor(), referral)
    if whole:
        audit.looked_at("referral", referral.reference)
        if sections is not None:
            _load(referral, sections)
    return referral


def _check_may_see(actor: Actor, referral: Referral) -> None:
    if not access.goes_by_allocation(actor):
        access.check_may_see(actor, referral, None)
        return
    allocation = open_allocation(referral)
    if not access.may_see(actor, referral, allocation):  # only then is it asked who supports
        access.check_may_see(actor, referral, allocation, supporters(referral))


def supporters(referral: Referral) -> list[Supporter]:
    """Who supports the practitioner of `referral` now, first come first."""
    return list(
        session().scalars(
            select(Supporter)
            .where(Supporter.referral_id == referral.id, Supporter.ended_at.is_(None))
            .order_by(Supporter.id)
            .options(joinedload(Supporter.practitioner))
        )
    )


def _load(referral: Referral, sections: frozenset[str]) -> None:
    """The rows of `sections`, and the history of what has been sent: a draft's is of no use yet."""
    found = {"id": referral.id}
    for section in ROWS.keys() & sections:
        attribute, query = ROWS[section]
        rows = session().scalars(query, found).all()
        set_committed_value(referral, attribute.key, list(rows))
    if referral.submitted_at is not None:
        session().scalars(_history(), found).unique().one()


def open_allocation(referral: Referral) -> Allocation | None:
    """The allocation of `referral` that has not ended, with its practitioner, or None.

    None too for a reader who may not see practitioners' rows (a school): see `practitioner_name`.
    """
    if referral.status not in GIVEN:
        return None
    return (
        session()
        .scalars(
            select(Allocation)
            .join(Allocation.practitioner)
            .where(Allocation.referral_id == referral.id, Allocation.ended_at.is_(None))
            .options(joinedload(Allocation.practitioner))
        )
        .one_or_none()
    )


def must_be(referral: Referral, allowed: Iterable[Status], error: OutOfOrder) -> None:
    """Raise `error` unless the referral is in one of the `allowed` states."""
    if referral.status not in set(allowed):
        raise error


def check_seen(referral: Referral, seen: int) -> None:
    """Raise Stale unless the page that decides was drawn from the referral as it is now."""
    if referral.version != seen:
        raise Stale(
            "This referral has changed since you opened this page. What you typed is below and"
            " nothing has been done yet. Read the referral again before you go on."
        )


def record(
    work: UnitOfWork,
    referral: Referral,
    action: Action,
    *,
    by: Actor,
    message: str = "",
    note: str = "",
) -> ReferralEvent:
    """Write down that `action` happened, move the stored status on with it, and audit it.

    Its clocks move on too, and with a new status comes the date by which the next step is promised.
    `message` is for the school to read, `note` for the service alone.
    """
    event = ReferralEvent(
        referral_id=referral.id,
        action=action,
        at=clock.now(),
        by_id=by.id,
        by_name=by.name,
        message=message,
        note=note,
    )
    moved = action in STATUS_AFTER and referral.status is not STATUS_AFTER[action]
    waited = referral.status is Status.ACCEPTED
    if moved:
        referral.status = STATUS_AFTER[action]
    work.session.add(event)
    clocks.follow(work, referral, action, event.at, moved=moved, by=by)
    audit.wrote(work, action.value.replace("_", " "), "referral", referral.reference)
    if waited and (moved or action is Action.HELD):
        offer_ends.follow(work, referral, by)
    return event


def derived_status(events: Iterable[Any]) -> Status:
    """The status that a history leads to: what the stored one must equal."""
    status = Status.DRAFT
    for event in events:
        status = STATUS_AFTER.get(event.action, status)
    return status
