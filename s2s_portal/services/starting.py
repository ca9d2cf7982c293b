"""Before a referral: for which school, whether it may, and what it will cost today."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.errors import NotFound
from s2s_portal.identity import Actor
from s2s_portal.models.establishment import Establishment
from s2s_portal.services import terms
from s2s_portal.state import setting

LONGEST_URN = 7  # figures; a URN has six


@dataclass(frozen=True)
class Offer:
    """What a school can expect today: `why_not` when it may not refer, else the fee in words."""

    establishment: Establishment
    why_not: str | None
    fee_pence: int
    fee_words: str


def urn_of(text: str | None) -> int:
    """The URN in `text`. Raises NotFound when it is none."""
    if not text or not text.isascii() or not text.isdecimal() or len(text) > LONGEST_URN:
        raise NotFound()
    return int(text)


def schools(*, by: Actor) -> list[Establishment]:
    """The schools that `by` acts for and the register knows, by name."""
    return list(
        session().scalars(
            select(Establishment)
            .where(Establishment.urn.in_(by.establishments))
            .order_by(Establishment.name, Establishment.urn)
        )
    )


def offer(among: list[Establishment], chosen: str | None) -> Offer | None:
    """What the chosen school can expect; None while one of several is still to be chosen.

    Raises NotFound when `chosen` is not `among` the person's own schools.
    """
    if chosen is None and len(among) != 1:
        return None
    urn = among[0].urn if chosen is None else urn_of(chosen)
    found = next((school for school in among if school.urn == urn), None)
    if found is None:
        raise NotFound()
    why_not = found.why_not_refer(setting("S2S_LOCAL_AUTHORITY"))
    if why_not:
        return Offer(found, why_not, 0, "")
    verdict = terms.verdict(found, clock.today())
    return Offer(found, None, verdict.amount_pence, verdict.words)
