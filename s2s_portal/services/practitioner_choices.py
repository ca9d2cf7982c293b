"""What the pages and files of practitioners let people choose from."""

from __future__ import annotations

from datetime import date

from sqlalchemy import func, or_, select

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.identity import Actor, Role
from s2s_portal.models.establishment import CLOSED, COMPLEX_NEEDS_TYPES, Establishment
from s2s_portal.models.terms import NeedType
from s2s_portal.state import setting

# The school whose lead is acting and has an account that is tied there (0017).
LED = select(func.s2s.leads_provider()).scalar_subquery()


def need_types(on: date | None = None) -> dict[str, str]:
    """The needs that can be chosen on a day (today), by their code, in the census's order."""
    day = on or clock.today()
    rows = session().execute(
        select(NeedType.code, NeedType.label)
        .where(
            NeedType.valid_from <= day, or_(NeedType.valid_to.is_(None), NeedType.valid_to >= day)
        )
        .order_by(NeedType.position)
    )
    return {row.code: row.label for row in rows if row.code != "NSA"}


def districts() -> list[str]:
    """The districts of the council's area, as the register names them."""
    return list(
        session().scalars(
            select(Establishment.district)
            .where(
                Establishment.local_authority == setting("S2S_LOCAL_AUTHORITY"),
                Establishment.district != "",
            )
            .distinct()
            .order_by(Establishment.district)
        )
    )


def providers(by: Actor) -> dict[int, str]:
    """The open Complex Needs Schools to whose staff `by` may add, by URN, in order of name."""
    query = select(Establishment.urn, Establishment.name).where(
        Establishment.type_code.in_(COMPLEX_NEEDS_TYPES),
        Establishment.local_authority == setting("S2S_LOCAL_AUTHORITY"),
        Establishment.status_code != CLOSED,
    )
    if not by.has(Role.ADMINISTRATOR, Role.SYSTEM):
        query = query.where(Establishment.urn == LED)
    rows = session().execute(query.order_by(Establishment.name))
    return {row.urn: row.name for row in rows}
