"""The officers' worklist: referrals by status or search, oldest first, a page at a time (F17).

Pages go by the row they begin after, not by number, so the last page of a million costs what the
first does. Nothing here names a child.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, func, or_, select, tuple_

from s2s_portal import clock, references
from s2s_portal.database import session
from s2s_portal.models.answer import Need, OutcomeWanted
from s2s_portal.models.codes import Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import NeedType
from s2s_portal.services.labels import SHORT_KINDS
from s2s_portal.state import setting

COUNTED = 1_000  # counting stops here: the tile says "1,000+"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PLACE = re.compile(r"(\d{1,17})-(\d{1,18})")


class Pile(StrEnum):
    """What a list holds: the referrals of one status, those ready to close, or all."""

    SUBMITTED = "submitted"
    RETURNED = "returned"
    ACCEPTED = "accepted"
    ALLOCATED = "allocated"
    READY = "ready"
    CLOSED = "closed"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    WAITING = "waiting"
    ADVISED = "advised"
    REDIRECTED = "redirected"
    UNANSWERED = "unanswered"
    ALL = "all"


PILE_WORDS = {
    Pile.SUBMITTED: "To decide",
    Pile.RETURNED: "Back with the school",
    Pile.ACCEPTED: "To allocate",
    Pile.ALLOCATED: "With a practitioner",
    Pile.READY: "Ready to close",
    Pile.CLOSED: "Closed",
    Pile.DECLINED: "Declined",
    Pile.WITHDRAWN: "Withdrawn",
    Pile.WAITING: "On the waiting list",
    Pile.ADVISED: "Advised, no visit",
    Pile.REDIRECTED: "Sent on",
    Pile.UNANSWERED: "Not answered",
    Pile.ALL: "All",
}
COUNTED_PILES = [pile for pile in Pile if pile not in {Pile.ALL, Pile.READY}]
COUNTS = select(func.s2s.worklist_counts(bindparam("most")).table_valued("status", "number"))
WAITING = {Status.SUBMITTED, Status.WAITING, Status.RETURNED, Status.ACCEPTED}


class Place(NamedTuple):
    """A row's place in the list: when it was sent, and its id where two were sent at once."""

    submitted_at: datetime
    id: int

    def __str__(self) -> str:
        microseconds = (self.submitted_at - EPOCH) // timedelta(microseconds=1)
        return f"{microseconds}-{self.id}"

    @classmethod
    def parse(cls, text: str) -> Place | None:
        """The place that `text` (from a URL) means, or None when it means none."""
        found = PLACE.fullmatch(text)
        if found is None:
            return None
        return cls(EPOCH + timedelta(microseconds=int(found[1])), int(found[2]))


class Line(NamedTuple):
    """One referral in a list. `days` have passed since it was received, None once it is decided."""

    reference: str
    school_name: str
    phase: str
    need: str
    kind: str
    received_on: date
    days: int | None
    status: Status

    @property
    def words(self) -> str:
        """Where the referral stands, for an officer."""
        return PILE_WORDS[Pile(self.status.value)]


@dataclass(frozen=True)
class Listing:
    """One page of a list: its lines, and where the pages before and after it begin, if any."""

    lines: list[Line] = field(default_factory=list)
    previous: Place | None = None
    next: Place | None = None


def listing(
    pile: Pile, *, search: str = "", after: Place | None = None, before: Place | None = None
) -> Listing:
    """A page of the referrals in `pile`, oldest first; one statement.

    `search` is a reference or part of a school's name. The page starts `after` one place or ends
    `before` another. Drafts are never in a list.
    """
    size = setting("S2S_PAGE_SIZE")
    place = tuple_(Referral.submitted_at, Referral.id)
    query = _lines().where(_in(pile), *_found(search))
    if before is not None:
        query = query.where(place < tuple_(*before)).order_by(
            Referral.submitted_at.desc(), Referral.id.desc()
        )
    else:
        if after is not None:
            query = query.where(place > tuple_(*after))
        query = query.order_by(Referral.submitted_at, Referral.id)
    rows = session().execute(query.limit(size + 1)).all()
    more, rows = len(rows) > size, rows[:size]
    if before is not None:
        rows = rows[::-1]
    if not rows:
        return Listing()
    first, last = (Place(row.submitted_at, row.id) for row in (rows[0], rows[-1]))
    return Listing(
        lines=_read(rows),
        previous=first if (more if before is not None else after is not None) else None,
        next=last if (more or before is not None) else None,
    )


def counts() -> dict[Pile, str]:
    """How many referrals have each status, in words (`1,000+` from there on); one statement.

    Not those ready to close: to count them, every outcome of every open referral must be read.
    """
    found: dict[str, int] = dict(session().execute(COUNTS, {"most": COUNTED + 1}).all())
    return {pile: _count_words(found.get(pile.value, 0)) for pile in COUNTED_PILES}


def _count_words(count: int) -> str:
    return f"{COUNTED:,}+" if count > COUNTED else f"{count:,}"


@cache
def _lines() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Referral.id,
            Referral.reference,
            Referral.school_name,
            Establishment.phase_name,
            NeedType.label.label("need"),
            Referral.kind,
            Referral.received_on,
            Referral.submitted_at,
            Referral.status,
        )
        .join(Establishment, Establishment.urn == Referral.urn)
        .outerjoin(Need, and_(Need.referral_id == Referral.id, Need.rank == 1))
        .outerjoin(NeedType, NeedType.code == Need.code)
    )


def _in(pile: Pile) -> ColumnElement[bool]:
    if pile is Pile.ALL:
        return Referral.submitted_at.is_not(None)
    if pile is Pile.READY:
        mine = OutcomeWanted.referral_id == Referral.id
        return and_(
            Referral.status == Status.ALLOCATED,
            exists().where(mine, OutcomeWanted.achieved.is_not(None)),
            ~exists().where(mine, OutcomeWanted.achieved.is_(None)),
        )
    return Referral.status == Status(pile.value)


def _found(search: str) -> list[ColumnElement[bool]]:
    if not search:
        return []
    reference = references.parse(search)
    if reference is not None:
        return [Referral.reference == reference]
    return [
        or_(
            Referral.school_name.icontains(search, autoescape=True),
            Referral.reference.icontains(search, autoescape=True),
        )
    ]


def _read(rows: Any) -> list[Line]:
    today = clock.today()
    return [
        Line(
            reference=row.reference,
            school_name=row.school_name,
            phase=row.phase_name,
            need=row.need or "",
            kind=SHORT_KINDS.get(row.kind, "Not given"),
            received_on=row.received_on,
            days=(today - row.received_on).days if row.status in WAITING else None,
            status=row.status,
        )
        for row in rows
    ]
