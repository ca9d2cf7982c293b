"""Year end (F84): is a financial year ready, who asked to close it, who closed it, what it carried.

A year is closed by a second person, under the lock of the ledger's head, once it has ended and
every year before it is closed. From then on nothing can be dated in it; what schools owed at its
end is written down, school by school, and is where the next year opens.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import and_, func, insert, literal, or_, select

from s2s_portal import audit, clock, money
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import AlreadyDecided, NotAllowed, NotFound, OutOfOrder
from s2s_portal.identity import Actor, Role
from s2s_portal.models.charges import (
    CarriedBalance,
    ChargeState,
    EntryStanding,
    ReliefAnswer,
    ReliefRequest,
    YearClose,
    YearCloseRequest,
)
from s2s_portal.models.ledger import LedgerEntry, LedgerVerification
from s2s_portal.services import ledger
from s2s_portal.services.terms import written


@dataclass(frozen=True)
class Check:
    """One thing that ought to be so before a year is closed. `must` that it has to be."""

    words: str
    good: bool
    must: bool = False


@dataclass(frozen=True)
class Year:
    """One financial year: when it ends, its checks, who asked to close it, whether it is closed."""

    name: str
    checks: tuple[Check, ...]
    asked: YearCloseRequest | None
    closed: YearClose | None

    @property
    def can_close(self) -> bool:
        """Whether nothing stands in the way that must not."""
        return all(check.good for check in self.checks if check.must)


def last_day(year: str) -> date:
    """The last day of a financial year (`2019/20`): 31 March."""
    return date(int(year[:4]) + 1, 3, 31)


def listing() -> list[tuple[str, YearClose | None]]:
    """Every financial year with entries, and the present one, newest first, with its closing."""
    closed = {row.financial_year: row for row in session().scalars(select(YearClose))}
    with_entries = session().scalars(select(LedgerEntry.financial_year).distinct())
    names = {*with_entries, *closed, money.financial_year(clock.today())}
    return [(name, closed.get(name)) for name in sorted(names, reverse=True)]


def get(name: str) -> Year:
    """A financial year as it is. Raises NotFound for one that there is not."""
    found = dict(listing())
    if name not in found:
        raise NotFound("There is no such financial year.")
    asked = session().scalar(
        select(YearCloseRequest)
        .where(YearCloseRequest.financial_year == name)
        .order_by(YearCloseRequest.id.desc())
        .limit(1)
    )
    checks = () if found[name] else _checks(name, [one for one in found.items() if one[0] < name])
    return Year(name, checks, asked, found[name])


def _checks(name: str, before: list[tuple[str, YearClose | None]]) -> tuple[Check, ...]:
    open_before = sorted(year for year, closed in before if closed is None)
    unpulled, disputed = _counts(name)
    waiting = _waiting(name)
    verified = session().scalar(
        select(LedgerVerification).order_by(LedgerVerification.id.desc()).limit(1)
    )
    ended = clock.today() > last_day(name)
    return (
        Check(f"The year ended on {written(last_day(name))}", ended, must=True),
        Check(
            f"The year {open_before[0]} is closed"
            if open_before
            else "Every year before is closed",
            not open_before,
            must=True,
        ),
        Check(
            "The ledger was verified and found sound",
            verified is not None and verified.sound,
            must=True,
        ),
        Check(f"Every entry is in a pull: {unpulled} are not", not unpulled),
        Check(f"No charge is disputed: {disputed} are", not disputed),
        Check(f"No request waits for a second person: {waiting} do", not waiting),
    )


def _counts(name: str) -> tuple[int, int]:
    rows = session().execute(
        select(
            func.count().filter(EntryStanding.pull_number.is_(None)),
            func.count().filter(EntryStanding.state == ChargeState.DISPUTED),
        ).where(
            or_(EntryStanding.due, EntryStanding.state == ChargeState.DISPUTED),
            EntryStanding.event_date <= last_day(name),
        )
    )
    unpulled, disputed = rows.one()
    return unpulled, disputed


def _waiting(name: str) -> int:
    query = (
        select(func.count())
        .select_from(ReliefRequest)
        .join(LedgerEntry, LedgerEntry.number == ReliefRequest.charge_number)
        .outerjoin(ReliefAnswer, ReliefAnswer.request_id == ReliefRequest.id)
        .where(and_(ReliefAnswer.request_id.is_(None), LedgerEntry.financial_year <= name))
    )
    return session().scalar(query) or 0


def ask(work: UnitOfWork, name: str, *, by: Actor) -> YearCloseRequest:
    """Ask a second person to close a year.

    Raises NotFound, NotAllowed, OutOfOrder, AlreadyDecided.
    """
    _check(name, by)
    request = YearCloseRequest(financial_year=name, by_id=by.id, by_name=by.name)
    work.session.add(request)
    audit.wrote(work, "asked to close", "financial year", name)
    return request


def close(work: UnitOfWork, name: str, *, by: Actor) -> YearClose:
    """Close a year that somebody else has asked to close, and write down what it carries.

    Raises as `ask` does, and NotAllowed for whoever asked.
    """
    head = ledger.lock_head(work)
    year = _check(name, by)
    if year.asked is None:
        raise OutOfOrder("Nobody has asked to close this year yet.")
    if year.asked.by_id == by.id:
        raise NotAllowed("You asked for this yourself, so somebody else has to close the year.")
    carried = (
        select(LedgerEntry.urn, func.sum(LedgerEntry.amount_pence).label("pence"))
        .where(LedgerEntry.financial_year <= name)
        .group_by(LedgerEntry.urn)
        .having(func.sum(LedgerEntry.amount_pence) != 0)
    ).subquery()
    closed = YearClose(
        financial_year=name,
        request_id=year.asked.id,
        last_entry=head.number,
        last_hash=head.hash,
        carried_pence=int(
            work.session.scalar(select(func.coalesce(func.sum(carried.c.pence), 0))) or 0
        ),
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(closed)
    work.flush()
    work.session.execute(
        insert(CarriedBalance).from_select(
            ["financial_year", "urn", "balance_pence"],
            select(literal(name), carried.c.urn, carried.c.pence),
        )
    )
    audit.wrote(work, "closed", "financial year", name)
    return closed


def _check(name: str, by: Actor) -> Year:
    if not by.has(Role.FINANCE, Role.FINANCE_APPROVER, Role.SYSTEM):
        raise NotAllowed("Only Finance closes a financial year.")
    year = get(name)
    if year.closed is not None:
        raise AlreadyDecided(f"The year {name} was closed by {year.closed.by_name}.")
    failed = [check.words for check in year.checks if check.must and not check.good]
    if failed:
        raise OutOfOrder(f"The year {name} cannot be closed yet. Not so: {failed[0].lower()}.")
    return year
