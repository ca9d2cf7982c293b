"""Private calendar feeds: made, replaced and ended by whom they are for, and fetched without a
sign-on (F63).

The token in the address is shown once and kept as a digest alone. Whoever comes with it gets what
the person it belongs to may see at that moment, by row-level security as that person: a
practitioner whose account is not tied any more gets nothing. That somebody has left a school the
host alone knows, so every feed runs out, and the people of a school end each other's.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    DateTime,
    Integer,
    Select,
    Text,
    bindparam,
    column,
    func,
    select,
    update,
)
from sqlalchemy.orm import joinedload

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder
from s2s_portal.identity import Actor, Role, acting_as
from s2s_portal.models.calendar_feed import CalendarFeed, FeedOf
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit
from s2s_portal.services import booking_rules, calendar_files, links, notices
from s2s_portal.services.calendar_files import Entry
from s2s_portal.services.links import Link
from s2s_portal.state import setting

LONGEST_TOKEN = 100
INSTANT = DateTime(timezone=True)
PAST = timedelta(days=90)  # visits gone by that a feed still has
NAMES = {
    FeedOf.PRACTITIONER: "My S2S visits",
    FeedOf.SCHOOL: "S2S visits to our school",
}
OWNER = select(
    func.s2s.calendar_feed_of(
        bindparam("digest", type_=Text), bindparam("at", type_=INSTANT)
    ).table_valued(
        column("id", BigInteger),
        column("kind", Text),
        column("urn", Integer),
        column("owner_id", Text),
        column("owner_name", Text),
        column("used_at", INSTANT),
    )
)


@dataclass(frozen=True)
class Offered:
    """A feed that the acting person can have: whose visits, and of which school."""

    of: FeedOf
    urn: int
    name: str


def offered(by: Actor) -> list[Offered]:
    """The feeds that `by` can make."""
    found = []
    if by.has(Role.PRACTITIONER) and by.provider and links.of(by) is Link.TIED:
        found.append(Offered(FeedOf.PRACTITIONER, by.provider, "Your own visits"))
    if by.has(Role.REFERRER):
        schools = session().scalars(
            select(Establishment)
            .where(Establishment.urn.in_(by.establishments))
            .order_by(Establishment.name)
        )
        found += [Offered(FeedOf.SCHOOL, one.urn, f"Visits to {one.name}") for one in schools]
    return found


def going() -> Sequence[CalendarFeed]:
    """The feeds that the acting person sees and that have not ended: theirs, and their school's."""
    return (
        session()
        .scalars(
            select(CalendarFeed)
            .where(CalendarFeed.ended_at.is_(None), CalendarFeed.expires_at > clock.now())
            .order_by(CalendarFeed.id)
        )
        .all()
    )


def make(work: UnitOfWork, *, of: FeedOf, urn: int, by: Actor) -> tuple[CalendarFeed, str]:
    """A feed for `by`, and its token: nobody can be told it again. One they had before ends.

    Raises NotFound for a feed that is not theirs to have.
    """
    if (of, urn) not in {(one.of, one.urn) for one in offered(by)}:
        raise NotFound()
    now = clock.now()
    # Of two presses at once the second waits here, and ends what the first has made.
    work.session.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(f"feed {by.id} {of} {urn}", 0)))
    )
    work.session.execute(
        update(CalendarFeed)
        .where(
            CalendarFeed.by_id == by.id,
            CalendarFeed.of == of,
            CalendarFeed.urn == urn,
            CalendarFeed.ended_at.is_(None),
        )
        .values(ended_at=now, ended_by_id=by.id, ended_by_name=by.name)
    )
    token = secrets.token_urlsafe(32)
    made = CalendarFeed(
        of=of,
        urn=urn,
        digest=digest(token),
        expires_at=now + timedelta(days=int(setting("S2S_CALENDAR_DAYS"))),
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(made)
    work.flush()
    audit.wrote(work, "made", "calendar feed", made.id)
    return made, token


def digest(token: str) -> str:
    """What is kept of a token."""
    return sha256(token[:LONGEST_TOKEN].encode()).hexdigest()


def end(work: UnitOfWork, number: int, *, by: Actor) -> None:
    """End a feed of one's own, or of one's school: whoever has its address gets nothing any more.

    Raises NotFound for another's, OutOfOrder when it has ended already.
    """
    feed = work.session.get(CalendarFeed, number, populate_existing=True)
    if feed is None:
        raise NotFound()
    if feed.ended_at is not None:
        raise OutOfOrder("This calendar address has been ended already.")
    feed.ended_at, feed.ended_by_id, feed.ended_by_name = clock.now(), by.id, by.name
    work.flush()
    audit.wrote(work, "ended", "calendar feed", number)


@dataclass(frozen=True)
class Opened:
    """What a token opens: which feed, of whom, and when it was used last."""

    number: int
    of: FeedOf
    urn: int
    owner: Actor
    used_at: datetime | None

    @property
    def is_first_today(self) -> bool:
        """Whether it has not been used today yet."""
        return self.used_at is None or clock.local(self.used_at).date() != clock.today()


def opened(token: str) -> Opened:
    """Whose feed `token` opens. Raises NotFound when nobody's."""
    asked = {"digest": digest(token), "at": clock.now()}
    row = session().execute(OWNER, asked).one_or_none()
    session().end_reading()
    if row is None:
        raise NotFound()
    of = FeedOf(row.kind)
    mine = of is FeedOf.PRACTITIONER
    owner = Actor(
        id=row.owner_id,
        name=row.owner_name,
        roles=frozenset({Role.PRACTITIONER if mine else Role.REFERRER}),
        establishments=() if mine else (row.urn,),
        provider=row.urn if mine else None,
    )
    return Opened(row.id, of, row.urn, owner, row.used_at)


def file(token: str) -> bytes:
    """The calendar that `token` opens, as the person it belongs to may see it now.

    The first fetch of a day is audited in their name. Raises NotFound for a token that is none.
    """
    feed = opened(token)
    with acting_as(feed.owner):
        if feed.is_first_today:
            _note_use(feed)
        found = session().execute(_visits(feed))
        rows = _latest([Row(visit, provider, there) for visit, provider, there in found])
        content = calendar_files.feed(NAMES[feed.of], [_entry(row, feed.of) for row in rows])
        session().end_reading()
    return content


def _note_use(feed: Opened) -> None:
    with unit_of_work() as work:
        work.session.execute(
            update(CalendarFeed).where(CalendarFeed.id == feed.number).values(used_at=clock.now())
        )
        audit.wrote(work, "used", "calendar feed", feed.number)


class Row(NamedTuple):
    """A visit, the Complex Needs School that has the case, and whether the visit takes place."""

    visit: Visit
    provider: Establishment
    takes_place: bool


def _visits(feed: Opened) -> Select[Visit, Establishment, bool]:
    query = (
        select(Visit, Establishment, booking_rules.takes_place())
        .join(Visit.referral)
        .join(Allocation, Allocation.id == Visit.allocation_id)
        .join(Establishment, Establishment.urn == Allocation.provider_urn)
        .where(Visit.ends_at >= clock.now() - PAST)
        .order_by(Visit.starts_at, Visit.id)
        .options(joinedload(Visit.referral).joinedload(Referral.establishment))
    )
    if feed.of is FeedOf.SCHOOL:
        return query.where(Referral.urn == feed.urn)
    return query.join(Visit.practitioner).where(
        Practitioner.account_id == feed.owner.id, Practitioner.provider_urn == feed.urn
    )


def _latest(rows: Sequence[Row]) -> list[Row]:
    """Of each chain of visits that were moved the last one: a calendar knows it as one entry."""
    last: dict[tuple[int, int], Row] = {}
    for row in rows:
        key = (row.visit.referral_id, row.visit.chain)
        if key not in last or row.visit.moves > last[key].visit.moves:
            last[key] = row
    return list(last.values())


def _entry(row: Row, of: FeedOf) -> Entry:
    visit = row.visit
    place = calendar_files.place_of(visit.kind, visit.referral.establishment, row.provider)
    link = _link(of, visit.referral.reference)
    return calendar_files.entry(
        visit, visit.referral.reference, place, link, cancelled=not row.takes_place
    )


def _link(of: FeedOf, reference: str) -> str:
    page = "s2s.referrals.show" if of is FeedOf.SCHOOL else "s2s.visits.show"
    return notices.link_to(page, reference=reference)
