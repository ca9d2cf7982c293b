"""How many referrals a practitioner or a provider may be given at most (F42): rows by date.

A practitioner's own "open cases at once" is a warning. A cap here is a limit: it is gone over only
with the right to do so. Numbers are counted under a lock on the provider's staff, so that of two
who allocate at once the second counts what the first has given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Select, func, select, union

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotAllowed, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.calendar import DateKind
from s2s_portal.models.codes import Status
from s2s_portal.models.offer import Offer
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.workload import CASE, Cap, CapScope
from s2s_portal.services import calendar

MOST = 100_000
SCOPE_WORDS = {
    CapScope.PRACTITIONER: "Open referrals of one practitioner",
    CapScope.PROVIDER: "Open referrals of one school's practitioners",
    CapScope.TERM: "Referrals given to one school in a term",
}


@dataclass(frozen=True)
class Limits:
    """The caps that hold on a day; how many each provider has open, and was given in this term.

    `leaving` is the provider that a referral leaves when it goes to somebody else: its own numbers
    do not grow when a colleague there takes over.
    """

    most: dict[tuple[CapScope, int | None], int | None] = field(default_factory=dict)
    open: dict[int, int] = field(default_factory=dict)
    in_term: dict[int, int] = field(default_factory=dict)
    leaving: int | None = None

    def of(self, scope: CapScope, key: int) -> int | None:
        """The cap that holds for `key`: its own, else the one for all; None without any."""
        own = (scope, key)
        return self.most[own] if own in self.most else self.most.get((scope, None))

    def reached(self, practitioner: int, provider: int, open_cases: int) -> Iterator[str]:
        """The caps that one more referral would go over, in words.

        `open_cases` are those of the practitioner, whose provider is `provider`.
        """
        for scope, key, now, words in (
            (CapScope.PRACTITIONER, practitioner, open_cases, "their open referrals"),
            (CapScope.PROVIDER, provider, self.open.get(provider, 0), "open at their school"),
            (CapScope.TERM, provider, self.in_term.get(provider, 0), "to their school this term"),
        ):
            if scope is not CapScope.PRACTITIONER and provider == self.leaving:
                continue
            most = self.of(scope, key)
            if most is not None and now >= most:
                yield f"Limit reached: {words}, {now} of at most {most}"


def limits(on: date, leaving: int | None = None, but: int = 0) -> Limits:
    """The caps that hold on a day: one statement, one more each if providers or terms have any.

    A referral that goes from one to another within a term counts once for each provider. An offer
    that is open counts as given, but for that of the referral numbered `but`.
    """
    rows = session().scalars(
        select(Cap).where(Cap.valid_from <= on).order_by(Cap.valid_from, Cap.id)
    )
    most = {(row.scope, row.key): row.most for row in rows}
    scopes = {scope for scope, _key in most}
    given = select(Allocation.provider_urn, Allocation.referral_id)
    still = given.join(CASE, CASE.c.id == Allocation.referral_id).where(
        Allocation.ended_at.is_(None), CASE.c.status == Status.ALLOCATED.value
    )
    return Limits(
        most,
        _counted(still, but) if CapScope.PROVIDER in scopes else {},
        _counted(given.where(Allocation.at >= clock.from_local(term_began(on), 0)), but)
        if CapScope.TERM in scopes
        else {},
        leaving,
    )


def _counted(given: Select[int, int], but: int) -> dict[int, int]:
    offered = select(Offer.provider_urn, Offer.referral_id).where(
        Offer.ended_at.is_(None), Offer.referral_id != but
    )
    each = union(given, offered).subquery()
    rows = session().execute(
        select(each.c.provider_urn, func.count()).group_by(each.c.provider_urn)
    )
    return {provider: count for provider, count in rows}


def term_began(on: date) -> date:
    """The first day of the term that `on` is in, or the last before it, by the county's dates.

    Where none are known: 1 September, 1 January or 1 May.
    """
    year = calendar.academic_year(on)
    terms = calendar.of().dates_of(year, DateKind.TERM)
    begun = [row.starts for row in terms if row.starts <= on]
    if begun:
        return max(begun)
    usual = (date(year, 9, 1), date(year + 1, 1, 1), date(year + 1, 5, 1))
    return max((day for day in usual if day <= on), default=date(year, 8, 1))


def listing() -> list[Cap]:
    """Every cap, the newest first."""
    return list(session().scalars(select(Cap).order_by(Cap.valid_from.desc(), Cap.id.desc())))


def add(
    work: UnitOfWork,
    *,
    scope: CapScope,
    key: int | None,
    valid_from: date,
    most: int | None,
    source: str,
    by: Actor,
) -> Cap:
    """Add a cap from a day on; `most` None takes it off. For an administrator.

    Raises NotAllowed for anybody else, Refused for a day gone by or without a source.
    """
    if not by.has(Role.ADMINISTRATOR, Role.SYSTEM):
        raise NotAllowed()
    if valid_from < clock.today():
        raise Refused("The first day must be today or later", field="valid_from")
    if not source.strip():
        raise Refused("Enter where this was decided", field="source")
    row = Cap(
        scope=scope,
        key=key,
        valid_from=valid_from,
        most=most,
        source=source,
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(row)
    audit.wrote(work, "added", "cap", str(scope))
    return row
