"""The levels, reasons and other services that officers choose from, by date (domain.md 2.3, F23).

Nothing in a list is edited: a new row of a code takes over from its first day on, and a row that is
not offered ends it. What was decided before keeps pointing at the row of its day.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import Refused
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Way
from s2s_portal.models.decision import DecisionReason, OtherService, SupportLevel

Row = TypeVar("Row", SupportLevel, DecisionReason, OtherService)

REASONED = (Way.DECLINE, Way.ADVISE, Way.WAIT, Way.RETURN, Way.HOLD)
WAY_WORDS = {
    Way.DECLINE: "Declining",
    Way.ADVISE: "Advising without a visit",
    Way.WAIT: "Putting on the waiting list",
    Way.RETURN: "Asking for more information",
    Way.HOLD: "Putting on hold",
}


class Listed(StrEnum):
    """Which list."""

    LEVELS = "levels"
    REASONS = "reasons"
    SERVICES = "services"


TABLES: dict[Listed, Any] = {
    Listed.LEVELS: SupportLevel,
    Listed.REASONS: DecisionReason,
    Listed.SERVICES: OtherService,
}


def levels() -> list[SupportLevel]:
    """The levels at which a referral can be accepted today, the least support first."""
    return _today(SupportLevel)


def reasons(way: Way) -> list[DecisionReason]:
    """The reasons for a kind of decision today: first those that a school can put right."""
    found = [row for row in _today(DecisionReason) if row.way is way]
    return sorted(found, key=lambda row: (not row.can_fix, row.id))


def services() -> list[OtherService]:
    """The services that a school can be sent to today, by name."""
    return sorted(_today(OtherService), key=lambda row: row.label)


def level(code: str) -> SupportLevel:
    """The level `code` of today. Raises Refused when there is none."""
    return _one(levels(), code, "Choose how much support the school gets")


def reason(way: Way, code: str) -> DecisionReason:
    """The reason `code` of today. Raises Refused when there is none."""
    return _one(reasons(way), code, "Choose a reason from the list")


def service(code: str) -> OtherService:
    """The other service `code` of today. Raises Refused when there is none."""
    return _one(services(), code, "Choose a service from the list")


def history(listed: Listed) -> list[Any]:
    """Every row of a list, the newest of each code first, for the administrator."""
    table = TABLES[listed]
    order = [table.code, table.valid_from.desc()]
    if listed is Listed.REASONS:
        order.insert(0, table.way)
    return list(session().scalars(select(table).order_by(*order)))


def add(
    work: UnitOfWork,
    listed: Listed,
    *,
    code: str,
    label: str,
    more: str,
    valid_from: date,
    way: Way | None = None,
    offered: bool = True,
    source: str = "",
    by: Actor,
) -> None:
    """Add a row to a list. `more` is a level's promise, a reason's remedy (empty: the school cannot
    put it right) or how to reach a service; `way` is the decision that a reason is for.

    Raises Refused for a day that is past (decisions were made by what held then), without what the
    list needs, or when the code has a row of that day.
    """
    if valid_from < clock.today():
        raise Refused("The first day must be today or later", "valid_from")
    row = TABLES[listed](
        code=code,
        label=label,
        valid_from=valid_from,
        offered=offered,
        source=source,
        at=clock.now(),
        by_id=by.id,
        by_name=by.name,
    )
    if listed is Listed.REASONS:
        if way is None:
            raise Refused("Choose which decision it is a reason for", "way")
        row.way, row.remedy, row.can_fix = way, more, bool(more)
    elif not more.strip():
        missing = "what the school gets" if listed is Listed.LEVELS else "how to reach the service"
        raise Refused(f"Enter {missing}", "more")
    else:
        setattr(row, "promise" if listed is Listed.LEVELS else "reach", more)
    try:
        with work.session.begin_nested():
            work.session.add(row)
            work.flush()
    except IntegrityError:
        raise Refused("This code has a row from that day already", "valid_from") from None
    audit.wrote(work, f"added to the list of {listed.value}", "list", code)


def _today(table: type[Row]) -> list[Row]:
    begun = select(table).where(table.valid_from <= clock.today()).order_by(table.valid_from)
    newest = {(getattr(row, "way", None), row.code): row for row in session().scalars(begun)}
    return sorted((row for row in newest.values() if row.offered), key=lambda row: row.code)


def _one(rows: list[Row], code: str, problem: str) -> Row:
    for row in rows:
        if row.code == code:
            return row
    raise Refused(problem, "choice")
