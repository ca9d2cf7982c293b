"""Recommendations that wait: overdue, or of which the school has said nothing (F56, W24).

A page at a time, in the order of an index, so that the last page of a hundred thousand costs what
the first does. Nothing here is in the words of a record: a line is its reference and its numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, literal_column, or_, select, text, tuple_

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.identity import Actor, Role
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.follow_up import FollowUp, Progress
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Recommendation, Visit, VisitRecord
from s2s_portal.services.follow_ups import COLOURS, SPOKEN_OF, STATE_WORDS, silence_since
from s2s_portal.services.school_list import ESCAPE, ESCAPED
from s2s_portal.state import setting

# In words of its own, not as a parameter: an index of some rows is used where the plan knows which.
UNDER_WAY = text("s2s.follow_up.state IN ('not_started', 'trying')")
NOTHING_SAID = literal_column("s2s.follow_up.state") == literal_column("'not_started'")
SPOKEN = Referral.status.in_(SPOKEN_OF)
FOUND_SCHOOLS = 50  # schools whose name holds what was typed
PLACE = re.compile(r"(\d{4}-\d{2}-\d{2})\.(\d{1,18})")


class Pile(StrEnum):
    """What a list holds."""

    OVERDUE = "overdue"
    UNCONFIRMED = "unconfirmed"


class Place(NamedTuple):
    """Where a page begins or ends: behind the row of that day and number."""

    due_on: date
    number: int

    def __str__(self) -> str:
        return f"{self.due_on}.{self.number}"


def place(words: str) -> Place | None:
    """The place that an address names; None for nonsense."""
    found = PLACE.fullmatch(words) if words.isascii() else None
    if found is None:
        return None
    try:
        return Place(date.fromisoformat(found[1]), int(found[2]))
    except ValueError:
        return None


@dataclass(frozen=True)
class Waiting:
    """One recommendation that waits for a word of its school, without a word of the record."""

    reference: str
    school_name: str
    visit: int
    position: int
    due_on: date
    issued_on: date
    state: Progress
    said_on: date | None

    @property
    def words(self) -> str:
        """How it stands."""
        return STATE_WORDS[self.state]

    @property
    def colour(self) -> str:
        """The colour of the tag that says so."""
        return COLOURS[self.state]


@dataclass(frozen=True)
class Listing:
    """One page, longest overdue first, and where the pages before and after it begin."""

    lines: list[Waiting] = field(default_factory=list)
    previous: Place | None = None
    next: Place | None = None


def is_overdue(today: date) -> ColumnElement[bool]:
    """Its day has gone by, and the school has neither embedded nor stopped it."""
    return FollowUp.due_on < today


def is_unconfirmed(today: Any, silence: Any = None) -> ColumnElement[bool]:
    """It is due, or was recommended some weeks ago (by `silence`), and the school said nothing."""
    long_ago = silence_since(today) if silence is None else silence
    return or_(FollowUp.due_on <= today, FollowUp.issued_on <= long_ago) & NOTHING_SAID


def within_reach(actor: Actor) -> ColumnElement[bool] | None:
    """Whose are listed, put so that an index finds them; None for an officer, who reads all.

    The database says the same of each row, whatever is asked here.
    """
    if actor.has(Role.OFFICER, Role.SYSTEM):
        return None
    if actor.has(Role.PRACTITIONER, Role.LEAD):
        return FollowUp.referral_id.in_(select(func.s2s.allocated_referrals()))
    return FollowUp.urn.in_(actor.establishments)


def listing(
    pile: Pile,
    *,
    by: Actor,
    school: str = "",
    provider: int | None = None,
    after: Place | None = None,
    before: Place | None = None,
) -> Listing:
    """A page of what `by` may read: two statements at most.

    `school` is a URN or part of a name, `provider` the Complex Needs School that recommended it.
    """
    size = int(setting("S2S_PAGE_SIZE"))
    query = _lines().where(*_wanted(pile, by, school, provider))
    order = tuple_(FollowUp.due_on, FollowUp.recommendation_id)
    if before is not None:
        query = query.where(order < before).order_by(
            FollowUp.due_on.desc(), FollowUp.recommendation_id.desc()
        )
    else:
        if after is not None:
            query = query.where(order > after)
        query = query.order_by(FollowUp.due_on, FollowUp.recommendation_id)
    rows = list(session().execute(query.limit(size + 1)))
    more, rows = len(rows) > size, rows[:size]
    if before is not None:
        rows = rows[::-1]
    if not rows:
        return Listing()
    first, last = (Place(row.due_on, row.recommendation_id) for row in (rows[0], rows[-1]))
    return Listing(
        [_waiting(row) for row in rows],
        first if (more if before is not None else after is not None) else None,
        last if more or before is not None else None,
    )


def providers() -> dict[int, str]:
    """The Complex Needs Schools that lend staff, by URN: for an officer to choose from."""
    rows = session().execute(
        select(Establishment.urn, Establishment.name)
        .where(Establishment.urn.in_(select(Practitioner.provider_urn)))
        .order_by(Establishment.name)
    )
    return {row.urn: row.name for row in rows}


def _wanted(pile: Pile, by: Actor, school: str, provider: int | None) -> list[ColumnElement[bool]]:
    today = clock.today()
    rules: list[Any] = [
        UNDER_WAY,
        SPOKEN,
        is_overdue(today) if pile is Pile.OVERDUE else is_unconfirmed(today),
    ]
    reach = within_reach(by)
    if reach is not None:
        rules.append(reach)
    if school:
        rules.append(FollowUp.urn.in_(_schools(school)))
    if provider is not None:
        rules.append(FollowUp.provider_urn == provider)
    return rules


def _schools(typed: str) -> list[int]:
    if typed.isascii() and typed.isdecimal() and len(typed) == 6:
        return [int(typed)]
    query = (
        select(Establishment.urn)
        .where(Establishment.name.ilike(f"%{ESCAPED.sub(ESCAPE, typed)}%"))
        .limit(FOUND_SCHOOLS)
    )
    return list(session().scalars(query))


def _lines() -> Select[*tuple[Any, ...]]:
    return (
        select(
            FollowUp.recommendation_id,
            FollowUp.due_on,
            FollowUp.issued_on,
            FollowUp.state,
            FollowUp.said_at,
            Referral.reference,
            Referral.school_name,
            Recommendation.position,
            Visit.number,
        )
        .join(Referral, Referral.id == FollowUp.referral_id)
        .join(Recommendation, Recommendation.id == FollowUp.recommendation_id)
        .join(VisitRecord, VisitRecord.id == FollowUp.record_id)
        .join(Visit, Visit.id == VisitRecord.visit_id)
    )


def _waiting(row: Any) -> Waiting:
    return Waiting(
        row.reference,
        row.school_name,
        row.number,
        row.position,
        row.due_on,
        row.issued_on,
        row.state,
        clock.local(row.said_at).date() if row.said_at else None,
    )
