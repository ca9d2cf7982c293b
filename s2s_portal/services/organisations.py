"""Which establishment of the register an organisation of DfE Sign-in is (domain.md 7.1).

Asked while somebody signs on, before there is anybody to act: each question is a short transaction
of its own that sees the public register and nothing else. Never by name: two schools share one.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from s2s_portal.database import apart
from s2s_portal.identity import Actor, Role
from s2s_portal.models.establishment import PROPOSED, Establishment

# The least that reads the register: a referrer of no school.
READER = Actor(id="sign-on", name="Sign-on", roles=frozenset({Role.REFERRER}))


def school(
    urn: int | None, local_authority: int | None, establishment_number: int | None, on: date
) -> Establishment | None:
    """The school by its URN, or the only one that has its DfE number and is open `on` that day.

    A URN changes when a school becomes an academy and the provider's may lag, so a closed school
    gives way to its successor; without one it is returned itself. None: the register has neither.
    """
    with apart(READER) as session:
        found = session.get(Establishment, urn) if urn else None
        if found is not None and found.is_open_on(on):
            return found
        same = _numbered(session, local_authority, establishment_number)
        open_now = [one for one in same if one.is_open_on(on)]
        return open_now[0] if len(open_now) == 1 else found


def _numbered(
    session: Session, local_authority: int | None, establishment_number: int | None
) -> list[Establishment]:
    if local_authority is None or establishment_number is None:
        return []
    return list(
        session.scalars(
            select(Establishment).where(
                Establishment.local_authority == local_authority,
                Establishment.establishment_number == establishment_number,
            )
        )
    )


def schools_of_trust(uid: int, local_authority: int) -> tuple[int, ...]:
    """The URNs of the trust's schools in this area; also of closed ones, whose bills stay."""
    with apart(READER) as session:
        return tuple(
            session.scalars(
                select(Establishment.urn)
                .where(
                    Establishment.trust_uid == uid,
                    Establishment.local_authority == local_authority,
                    Establishment.status_code != PROPOSED,
                )
                .order_by(Establishment.urn)
            )
        )
