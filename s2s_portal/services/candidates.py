"""Who could take a referral, ranked by the service's rule, each with the reasons in words (F41)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from math import inf
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, func, select

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.models.answer import Need
from s2s_portal.models.codes import Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import NeedType
from s2s_portal.services.terms import written

# Phases of the register that a practitioner for another phase covers too: a middle school deemed
# primary (3) or secondary (5), sixteen plus (6), an all-through school (7).
COVERED_BY: dict[str, frozenset[str]] = {
    "3": frozenset({"2", "3"}),
    "5": frozenset({"4", "5"}),
    "6": frozenset({"4", "6"}),
    "7": frozenset({"2", "4", "7"}),
}


class Candidate(NamedTuple):
    """A practitioner who could take a referral, and the four reasons for and against.

    `miles` is a straight line from the school to the provider, None when one is not on the map;
    `earlier` counts other referrals of the same school that this practitioner was given.
    `covers_need` is None when the referral names no need, as one for a whole school or training.
    """

    practitioner_id: int
    name: str
    provider_name: str
    miles: float | None
    covers_need: bool | None
    covers_phase: bool
    open_cases: int
    capacity: int
    earlier: int = 0
    earlier_last: datetime | None = None

    @property
    def has_room(self) -> bool:
        """Whether one more case fits."""
        return self.open_cases < self.capacity

    @property
    def distance_words(self) -> str:
        """`1.9 miles`, or that nobody knows."""
        if self.miles is None:
            return "Distance not known"
        return f"{self.miles:.1f} miles"

    @property
    def cover_words(self) -> str:
        """Whether the need and the phase are theirs."""
        return {
            (True, True): "Covers the need and the phase",
            (True, False): "Covers the need, not the phase",
            (False, True): "Covers the phase, not the need",
            (False, False): "Covers neither the need nor the phase",
            (None, True): "Covers the phase",
            (None, False): "Does not cover the phase",
        }[self.covers_need, self.covers_phase]

    @property
    def load_words(self) -> str:
        """Open cases against capacity: `3 of 4 open cases`; full or over is said plainly."""
        words = f"{self.open_cases} of {self.capacity} open cases"
        if self.has_room:
            return words
        return f"{words}: {'over capacity' if self.open_cases > self.capacity else 'full'}"

    @property
    def contact_words(self) -> str:
        """Earlier referrals of this school, how many and when the last was given."""
        if not self.earlier or self.earlier_last is None:
            return "None"
        times = "1 referral" if self.earlier == 1 else f"{self.earlier} referrals"
        return f"{times}, last {written(clock.local(self.earlier_last).date())}"


def order(candidate: Candidate) -> tuple[Any, ...]:
    """The service's rule: need and phase, then room, then nearest; then earlier contact, name, id.

    Of two who cover only one of need and phase, the need counts more.
    """
    return (
        -(bool(candidate.covers_need) + candidate.covers_phase),
        not candidate.covers_need,
        not candidate.has_room,
        inf if candidate.miles is None else round(candidate.miles, 1),
        -candidate.earlier,
        candidate.name,
        candidate.practitioner_id,
    )


def covers(phases: Iterable[str], phase_code: int) -> bool:
    """Whether somebody who works in `phases` (register codes as text) covers a school's phase."""
    wanted = str(phase_code)
    return not COVERED_BY.get(wanted, frozenset({wanted})).isdisjoint(phases)


def primary_need(referral: Referral) -> tuple[str, str]:
    """Census code and label of the primary need; both empty when none is named."""
    found = (
        session()
        .execute(
            select(Need.code, NeedType.label)
            .join(NeedType, NeedType.code == Need.code)
            .where(Need.referral_id == referral.id, Need.rank == 1)
        )
        .one_or_none()
    )
    return (found.code, found.label) if found else ("", "")


def ranked(referral: Referral, need: str | None = None) -> list[Candidate]:
    """Every active practitioner who is not a lead, best first, for `referral`.

    `need` is the code of its primary need, looked up when it is not given. Three statements at most
    however many practitioners there are. The establishment must be loaded.
    """
    if need is None:
        need, _label = primary_need(referral)
    rows = session().execute(_practitioners(), {"urn": referral.urn, "this": referral.id}).all()
    providers = {
        provider.urn: provider
        for provider in session().scalars(
            select(Establishment).where(Establishment.urn.in_({row.provider_urn for row in rows}))
        )
    }
    miles = {urn: referral.establishment.miles_to(provider) for urn, provider in providers.items()}
    found = [
        Candidate(
            practitioner_id=row.id,
            name=row.name,
            provider_name=providers[row.provider_urn].name,
            miles=miles[row.provider_urn],
            covers_need=need in row.needs if need else None,
            covers_phase=covers(row.phases, referral.establishment.phase_code),
            open_cases=row.open_cases,
            capacity=row.capacity,
            earlier=row.earlier,
            earlier_last=row.earlier_last,
        )
        for row in rows
    ]
    return sorted(found, key=order)


def takers() -> Sequence[Row[*tuple[Any, ...]]]:
    """Everybody who takes referrals, with needs, phases, open cases and capacity; one statement.

    For those who look at many referrals at once: `earlier` means nothing here.
    """
    return session().execute(_practitioners(), {"urn": 0, "this": 0}).all()


@cache
def _practitioners() -> Select[*tuple[Any, ...]]:
    cases = _given(and_(Allocation.ended_at.is_(None), Referral.status == Status.ALLOCATED))
    before = _given(and_(Referral.urn == bindparam("urn"), Referral.id != bindparam("this")))
    load, contact = cases.subquery("load"), before.subquery("contact")
    return (
        select(
            Practitioner.id,
            Practitioner.name,
            Practitioner.provider_urn,
            Practitioner.needs,
            Practitioner.phases,
            Practitioner.capacity,
            func.coalesce(load.c.given, 0).label("open_cases"),
            func.coalesce(contact.c.given, 0).label("earlier"),
            contact.c.last.label("earlier_last"),
        )
        .outerjoin(load, load.c.practitioner_id == Practitioner.id)
        .outerjoin(contact, contact.c.practitioner_id == Practitioner.id)
        .where(Practitioner.active, ~Practitioner.is_lead)
    )


def _given(which: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """For each practitioner: how many allocations are `which`, and when the last was made."""
    return (
        select(
            Allocation.practitioner_id,
            func.count().label("given"),
            func.max(Allocation.at).label("last"),
        )
        .join(Referral, Referral.id == Allocation.referral_id)
        .where(which)
        .group_by(Allocation.practitioner_id)
    )
