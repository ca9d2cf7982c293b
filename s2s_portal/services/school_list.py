"""A school's own referrals, newest first, a page at a time, by status or search."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import contains_eager

from s2s_portal import audit, clock, references
from s2s_portal.database import session
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Status
from s2s_portal.models.conversation import Conversation, Side
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit
from s2s_portal.services import referrals, standing
from s2s_portal.services.threads import Turn, still_waits, turn_of
from s2s_portal.state import setting

# A status as a school looks for it.
STATUS_WORDS = {
    Status.DRAFT: "Not sent yet",
    Status.RETURNED: "Back with you for more information",
    Status.SUBMITTED: "Waiting for a decision",
    Status.ACCEPTED: "Waiting for a practitioner",
    Status.ALLOCATED: "With a practitioner",
    Status.CLOSED: "Closed",
    Status.DECLINED: "Declined",
    Status.WITHDRAWN: "Withdrawn",
    Status.WAITING: "On the waiting list",
    Status.ADVISED: "Advice given, without a visit",
    Status.REDIRECTED: "Sent on to another service",
    Status.UNANSWERED: "Closed: not answered in time",
}


ESCAPED, ESCAPE = re.compile(r"[%_\\]"), r"\\\g<0>"  # what LIKE would take for more than itself


@dataclass(frozen=True)
class Line:
    """One referral of the list, where it stands with its next date, in words, and whose turn it is
    in its messages, if anybody's.
    """

    referral: Referral
    stands: str
    turn: Turn | None


@dataclass(frozen=True)
class ListPage:
    """One page of referrals; `next_after` is the reference that the next page begins after."""

    rows: list[Line]
    next_after: str | None


def listed(
    *, by: Actor, status: Status | None = None, search: str = "", after: str | None = None
) -> ListPage:
    """The referrals of the schools `by` acts for, those begun last first.

    `search` is a reference, or part of the name of a pupil, a group or the contact. The names of
    the pupils are shown to their school alone, and each counts as a read. `after` is a reference
    from a page before; NotFound when it is none of theirs.
    """
    size = int(setting("S2S_PAGE_SIZE"))
    last = referrals.get(after) if after is not None else None
    query = _rows().where(Referral.urn.in_(by.establishments)).limit(size + 1)
    reference = references.parse(search) if search else None
    if search and reference is None:
        query = query.where(Referral.id.in_(_named(search, status, last, size + 1)))
    elif reference is not None:
        query = query.where(Referral.reference == reference)
    if status is not None:
        query = query.where(Referral.status == status)
    if last is not None:
        query = query.where(
            tuple_(Referral.created_at, Referral.id) < tuple_(last.created_at, last.id)
        )
    found = session().execute(query).all()
    rows, more = found[:size], len(found) > size
    for row in rows:
        audit.looked_at("referral", row.Referral.reference)
    return ListPage(
        [
            Line(row.Referral, standing.stands(row.Referral, row.next_visit), _turn(row))
            for row in rows
        ],
        rows[-1].Referral.reference if more else None,
    )


def _turn(row: Any) -> Turn | None:
    if not still_waits(row.waits_for, row.Referral.status):
        return None
    return turn_of(row.waits_for, row.waits_since, Side.SCHOOL)


def _rows() -> Select[*tuple[Any, ...]]:
    coming = (
        select(func.min(Visit.starts_at))
        .where(
            Visit.referral_id == Referral.id,
            Visit.starts_at > clock.now(),
            Visit.cancelled_at.is_(None),
        )
        .correlate(Referral)
        .scalar_subquery()
        .label("next_visit")
    )
    return (
        select(Referral, coming, Conversation.waits_for, Conversation.waits_since)
        .outerjoin(Referral.subject)
        .outerjoin(Conversation, Conversation.referral_id == Referral.id)
        .options(contains_eager(Referral.subject))
        .order_by(Referral.created_at.desc(), Referral.id.desc())
    )


def _named(search: str, status: Status | None, last: Referral | None, most: int) -> list[int]:
    """The ids of the first so many after `last` in which somebody or something is called that.

    A statement of its own: the database asks its rules once, not for each row that it looks at.
    """
    query = func.s2s.school_search(
        f"%{ESCAPED.sub(ESCAPE, search)}%",
        status.value if status else None,
        last.created_at if last else None,
        last.id if last else None,
        most,
    )
    return list(session().scalars(select(query)))
