"""What the administrator and the auditor look at: the rules by date, imports, people, the trail."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import joinedload, selectinload

from s2s_portal import audit
from s2s_portal.database import session
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.establishment import CLOSED, COMPLEX_NEEDS_TYPES, Establishment, ImportRun
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.terms import ServiceTerms
from s2s_portal.state import setting

IMPORTS_SHOWN = 10
# GIAS, "PhaseOfEducation": the codes that practitioners are said to work in.
PHASES = {
    "1": "Nursery",
    "2": "Primary",
    "3": "Middle deemed primary",
    "4": "Secondary",
    "5": "Middle deemed secondary",
    "6": "16 plus",
    "7": "All-through",
}
PRACTITIONERS_SHOWN = 500


@dataclass(frozen=True)
class Counts:
    """How many establishments are known, how many are open, how many are Complex Needs Schools."""

    establishments: int
    open: int
    providers: int


@dataclass(frozen=True)
class TermsLine:
    """One set of service terms: its dates (`until` is its last day, None while open-ended)."""

    terms: ServiceTerms
    since: date | None
    until: date | None


@dataclass(frozen=True)
class Trail:
    """One page of the audit trail, newest first, and the ids that its neighbours begin at."""

    entries: list[AuditEntry] = field(default_factory=list)
    previous: int | None = None
    next: int | None = None


@dataclass(frozen=True)
class Wanted:
    """What the auditor asked for: a person (id or part of a name), a key, an action."""

    person: str = ""
    key: str = ""
    action: str = ""

    def __str__(self) -> str:
        asked = {"person": self.person, "key": self.key, "action": self.action}
        return ", ".join(f"{name} {value}" for name, value in asked.items() if value) or "all"


def service_terms() -> list[TermsLine]:
    """Every set of service terms with its fees, in order of date."""
    found = session().scalars(
        select(ServiceTerms)
        .options(selectinload(ServiceTerms.fees))
        .order_by(func.lower(ServiceTerms.during))
    )
    return [
        TermsLine(
            terms,
            terms.during.lower,
            terms.during.upper - timedelta(days=1) if terms.during.upper else None,
        )
        for terms in found
    ]


def last_imports() -> list[ImportRun]:
    """The latest readings of the national register, newest first."""
    return list(
        session().scalars(select(ImportRun).order_by(ImportRun.id.desc()).limit(IMPORTS_SHOWN))
    )


def counts() -> Counts:
    """How many establishments there are, open ones and Complex Needs Schools among them."""
    is_open = Establishment.status_code != CLOSED
    provides = is_open & Establishment.type_code.in_(COMPLEX_NEEDS_TYPES)
    row = session().execute(
        select(
            func.count(), func.count(case((is_open, 1))), func.count(case((provides, 1)))
        ).select_from(Establishment)
    )
    return Counts(*row.one())


def practitioners() -> list[Practitioner]:
    """Practitioners and leads with their Complex Needs Schools, by name, the first 500."""
    return list(
        session().scalars(
            select(Practitioner)
            .options(joinedload(Practitioner.provider), selectinload(Practitioner.skills))
            .order_by(Practitioner.name, Practitioner.id)
            .limit(PRACTITIONERS_SHOWN)
        )
    )


def phases() -> dict[str, str]:
    """The names of the register's phases by their code as text: a code that no establishment here
    has is named all the same."""
    rows = session().execute(
        select(Establishment.phase_code, func.min(Establishment.phase_name)).group_by(
            Establishment.phase_code
        )
    )
    return PHASES | {str(code): name for code, name in rows}


def trail(wanted: Wanted, *, after: int | None = None, before: int | None = None) -> Trail:
    """A page of the audit trail, newest first; looking at it is itself written down.

    The page starts below id `after`, or ends above id `before`.
    """
    audit.looked_at("audit trail", str(wanted))
    size = setting("S2S_PAGE_SIZE")
    query = select(AuditEntry).where(*_asked(wanted))
    if before is not None:
        query = query.where(AuditEntry.id > before).order_by(AuditEntry.id)
    else:
        if after is not None:
            query = query.where(AuditEntry.id < after)
        query = query.order_by(AuditEntry.id.desc())
    rows = list(session().scalars(query.limit(size + 1)))
    more, rows = len(rows) > size, rows[:size]
    if before is not None:
        rows = rows[::-1]
    if not rows:
        return Trail()
    return Trail(
        rows,
        previous=rows[0].id if (more if before is not None else after is not None) else None,
        next=rows[-1].id if (more or before is not None) else None,
    )


def _asked(wanted: Wanted) -> list[Any]:
    rules: list[Any] = []
    if wanted.person:
        named = AuditEntry.by_name.icontains(wanted.person, autoescape=True)
        rules.append((AuditEntry.by_id == wanted.person) | named)
    if wanted.key:
        rules.append(AuditEntry.entity_key == wanted.key)
    if wanted.action:
        rules.append(AuditEntry.action.icontains(wanted.action, autoescape=True))
    return rules
