"""What a practitioner, or the lead of a Complex Needs School, has open and owes (F54).

Two statements however many referrals there are: those led and supported, then their visits. Nothing
here names a child: a case is its school and its reference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Date, Select, Text, null, select
from sqlalchemy.orm import joinedload

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Status
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.reallocation import Supporter
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit, was_lost
from s2s_portal.services import visits
from s2s_portal.services.records import writer_of
from s2s_portal.services.supporting import ROLE_WORDS


@dataclass(frozen=True)
class Case:
    """One open referral with the visits that concern its practitioner now.

    Those whose record is theirs to write; `role` says, in words, what somebody does who supports
    it. `contact_by` is by when the school was promised
    to hear from the practitioner.
    """

    reference: str
    school_name: str
    practitioner_name: str
    allocated_at: datetime
    visits: tuple[Visit, ...]
    contact_by: date | None = None
    role: str = ""
    allocation_id: int | None = None

    @property
    def is_new(self) -> bool:
        """Whether the practitioner leads it and has no visit booked yet, or none that happened."""
        return not self.role and all(
            visit.allocation_id != self.allocation_id or was_lost(visit) for visit in self.visits
        )

    @property
    def is_late(self) -> bool:
        """Whether that day has gone by, and the school has no visit to look forward to."""
        return self.is_new and self.contact_by is not None and self.contact_by < clock.today()


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
        return [case for case in self.cases if case.is_new]

    @property
    def led(self) -> list[Case]:
        """Cases that they lead themselves."""
        return [case for case in self.cases if not case.role]

    @property
    def supported(self) -> list[Case]:
        """Cases that somebody else leads."""
        return [case for case in self.cases if case.role]

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
    """What is allocated to `actor` now, and what they support."""
    return _caseload(Practitioner.account_id == actor.id)


def of_provider(actor: Actor) -> Caseload:
    """What is allocated to anybody of the Complex Needs School that `actor` leads, or supported."""
    return _caseload(Practitioner.provider_urn == actor.provider)


def of_number(number: int) -> Caseload:
    """What is allocated to the practitioner numbered `number`, as far as the reader sees it."""
    return _caseload(Practitioner.id == number)


def _caseload(whose: ColumnElement[bool]) -> Caseload:
    rows = session().execute(_leads(whose).union_all(_supports(whose)).order_by("at", "id")).all()
    made: dict[tuple[int, int], list[Visit]] = {}
    for visit in session().scalars(
        select(Visit)
        .where(Visit.referral_id.in_({row.id for row in rows}), Visit.cancelled_at.is_(None))
        .order_by(Visit.starts_at)
        .options(joinedload(Visit.record))
    ):
        made.setdefault((visit.referral_id, writer_of(visit)), []).append(visit)
    return Caseload(
        [
            Case(
                row.reference,
                row.school_name,
                row.practitioner_name,
                row.at,
                tuple(made.get((row.id, row.practitioner_id), ())),
                row.due_on,
                ROLE_WORDS[row.role] if row.role else "",
                row.allocation_id,
            )
            for row in rows
        ]
    )


def _leads(whose: ColumnElement[bool]) -> Select[Any]:
    return _columns(
        Allocation.id, Allocation.at, Allocation, Referral.due_on, null().cast(Text)
    ).where(whose, Allocation.ended_at.is_(None), Referral.status == Status.ALLOCATED)


def _supports(whose: ColumnElement[bool]) -> Select[Any]:
    none = null().cast(BigInteger), Supporter.at, Supporter, null().cast(Date)
    return _columns(*none, Supporter.role.cast(Text)).where(
        whose, Supporter.ended_at.is_(None), Referral.status == Status.ALLOCATED
    )


def _columns(
    allocation: Any, at: Any, beside: type[Allocation] | type[Supporter], due_on: Any, role: Any
) -> Select[Any]:
    return (
        select(
            Referral.id,
            allocation.label("allocation_id"),
            at.label("at"),
            beside.practitioner_id,
            beside.practitioner_name,
            Referral.reference,
            Referral.school_name,
            due_on.label("due_on"),
            role.label("role"),
        )
        .select_from(beside)
        .join(Practitioner, Practitioner.id == beside.practitioner_id)
        .join(Referral, Referral.id == beside.referral_id)
    )
