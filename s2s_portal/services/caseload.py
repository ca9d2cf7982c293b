"""What a practitioner, or the lead of a Complex Needs School, has open and owes (F54).

Two statements however many referrals there are: the open allocations, then their visits. Nothing
here names a child: a case is its school and its reference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import joinedload

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Status
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit
from s2s_portal.services import visits


@dataclass(frozen=True)
class Case:
    """One open referral with the visits made or booked under its present allocation.

    `contact_by` is by when the school was promised to hear from the practitioner.
    """

    reference: str
    school_name: str
    practitioner_name: str
    allocated_at: datetime
    visits: tuple[Visit, ...]
    contact_by: date | None = None

    @property
    def is_late(self) -> bool:
        """Whether that day has gone by, and the school has no visit to look forward to."""
        return not self.visits and self.contact_by is not None and self.contact_by < clock.today()


@dataclass(frozen=True)
class CaseVisit:
    """One visit of a case; `started` says whether a draft of its record exists."""

    case: Case
    visit: Visit
    started: bool


@dataclass(frozen=True)
class Caseload:
    """Open cases, oldest allocation first, and what each asks for next."""

    cases: list[Case] = field(default_factory=list)

    @property
    def new(self) -> list[Case]:
        """Cases for which no visit has been booked."""
        return [case for case in self.cases if not case.visits]

    @property
    def due(self) -> list[CaseVisit]:
        """Visits that are over and whose record has not been issued, longest ago first."""
        return self._visits(
            visit
            for visit in self._all()
            if visits.is_over(visit.visit) and not _is_issued(visit.visit)
        )

    @property
    def coming(self) -> list[CaseVisit]:
        """Visits still to come or going on now, soonest first."""
        return self._visits(
            visit
            for visit in self._all()
            if not visits.is_over(visit.visit) and not _is_issued(visit.visit)
        )

    def by_practitioner(self) -> dict[str, list[Case]]:
        """The cases of each practitioner, by name."""
        found: dict[str, list[Case]] = {}
        for case in sorted(self.cases, key=lambda case: case.practitioner_name):
            found.setdefault(case.practitioner_name, []).append(case)
        return found

    def _all(self) -> Iterable[CaseVisit]:
        return (
            CaseVisit(case, visit, visit.record is not None)
            for case in self.cases
            for visit in case.visits
        )

    @staticmethod
    def _visits(found: Iterable[CaseVisit]) -> list[CaseVisit]:
        return sorted(found, key=lambda entry: entry.visit.starts_at)


def _is_issued(visit: Visit) -> bool:
    return visit.record is not None and visit.record.issued_at is not None


def of_practitioner(actor: Actor) -> Caseload:
    """What is allocated to `actor` now."""
    return _caseload(Practitioner.account_id == actor.id)


def of_provider(actor: Actor) -> Caseload:
    """What is allocated to anybody of the Complex Needs School that `actor` leads."""
    return _caseload(Allocation.provider_urn == actor.provider)


def of_number(number: int) -> Caseload:
    """What is allocated to the practitioner numbered `number`, as far as the reader sees it."""
    return _caseload(Practitioner.id == number)


def _caseload(whose: ColumnElement[bool]) -> Caseload:
    allocations = (
        session()
        .execute(
            select(
                Allocation.id,
                Allocation.at,
                Allocation.practitioner_name,
                Referral.reference,
                Referral.school_name,
                Referral.due_on,
            )
            .join(Practitioner, Practitioner.id == Allocation.practitioner_id)
            .join(Referral, Referral.id == Allocation.referral_id)
            .where(whose, Allocation.ended_at.is_(None), Referral.status == Status.ALLOCATED)
            .order_by(Allocation.at, Allocation.id)
        )
        .all()
    )
    made: dict[int, list[Visit]] = {row.id: [] for row in allocations}
    for visit in session().scalars(
        select(Visit)
        .where(Visit.allocation_id.in_(made))
        .order_by(Visit.starts_at)
        .options(joinedload(Visit.record))
    ):
        made[visit.allocation_id].append(visit)
    return Caseload(
        [
            Case(
                row.reference,
                row.school_name,
                row.practitioner_name,
                row.at,
                tuple(made[row.id]),
                row.due_on,
            )
            for row in allocations
        ]
    )
