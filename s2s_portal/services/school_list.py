"""A school's own referrals, newest first, a page at a time, by status or search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, tuple_
from sqlalchemy.orm import contains_eager

from s2s_portal import audit, clock, references
from s2s_portal.database import session
from s2s_portal.identity import Actor
from s2s_portal.models.answer import Subject
from s2s_portal.models.codes import Status
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit
from s2s_portal.services import referrals, standing
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


@dataclass(frozen=True)
class Line:
    """One referral of the list, and where it stands with its next date, in words."""

    referral: Referral
    stands: str


@dataclass(frozen=True)
class ListPage:
    """One page of referrals; `next_after` is the reference that the next page begins after."""

    rows: list[Line]
    next_after: str | None


def listed(
    *, by: Actor, status: Status | None = None, search: str = "", after: str | None = None
) -> ListPage:
    """The referrals of the schools `by` acts for, those begun last first; one statement.

    `search` is a reference, or part of the name of a pupil, a group or the contact. The names of
    the pupils are shown to their school alone, and each counts as a read. `after` is a reference
    from a page before; NotFound when it is none of theirs.
    """
    size = int(setting("S2S_PAGE_SIZE"))
    query = _rows().where(Referral.urn.in_(by.establishments), *_found(search)).limit(size + 1)
    if status is not None:
        query = query.where(Referral.status == status)
    if after is not None:
        last = referrals.get(after)
        query = query.where(
            tuple_(Referral.created_at, Referral.id) < tuple_(last.created_at, last.id)
        )
    found = session().execute(query).all()
    rows, more = found[:size], len(found) > size
    for row in rows:
        audit.looked_at("referral", row.Referral.reference)
    return ListPage(
        [Line(row.Referral, standing.stands(row.Referral, row.next_visit)) for row in rows],
        rows[-1].Referral.reference if more else None,
    )


def _rows() -> Select[*tuple[Any, ...]]:
    coming = (
        select(func.min(Visit.starts_at))
        .where(Visit.referral_id == Referral.id, Visit.starts_at > clock.now())
        .correlate(Referral)
        .scalar_subquery()
        .label("next_visit")
    )
    return (
        select(Referral, coming)
        .outerjoin(Referral.subject)
        .options(contains_eager(Referral.subject))
        .order_by(Referral.created_at.desc(), Referral.id.desc())
    )


def _found(search: str) -> list[ColumnElement[bool]]:
    if not search:
        return []
    reference = references.parse(search)
    if reference is not None:
        return [Referral.reference == reference]
    known_as = func.coalesce(func.nullif(Subject.known_as, ""), Subject.forenames)
    return [
        or_(
            (Subject.forenames + " " + Subject.surname).icontains(search, autoescape=True),
            (known_as + " " + Subject.surname).icontains(search, autoescape=True),
            Subject.group_name.icontains(search, autoescape=True),
            Referral.contact_name.icontains(search, autoescape=True),
            Referral.reference.icontains(search, autoescape=True),
        )
    ]
