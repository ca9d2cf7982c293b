"""What a plan for the worklist is made from: as many statements however long the list is.

Who may not meet whom is `Read.excluded`, pairs of referral and practitioner: a conflict of interest
of either weight, as nobody is there to be asked. How many cases more somebody can take is
`Read.room_of`. Nothing else here decides who may be proposed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, select

from s2s_portal import clock, planning
from s2s_portal.database import session
from s2s_portal.models.answer import Need
from s2s_portal.models.codes import Status
from s2s_portal.models.establishment import Establishment, miles_between
from s2s_portal.models.practitioner import Allocation, ConflictWeight, Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import NeedType, PlanRule
from s2s_portal.planning import Fit
from s2s_portal.services import candidate, candidates, workload
from s2s_portal.services.candidate import Candidate
from s2s_portal.services.candidates import Knows, Taker
from s2s_portal.services.workload import Weights

COVERED = {
    (True, True): Fit.BOTH,
    (None, True): Fit.BOTH,  # no need is named, as for training: the phase is all there is
    (True, False): Fit.NEED,
    (False, True): Fit.PHASE,
}


class Waiting(NamedTuple):
    """A referral that is accepted, with nobody, not on hold. `days` since it was received."""

    id: int
    reference: str
    version: int
    urn: int
    school_name: str
    phase_code: int
    phase: str
    need: str
    need_label: str
    tier: int | None
    days: int


class Contact(NamedTuple):
    """How many referrals of a school a practitioner was given, and when the last."""

    times: int
    last: datetime | None


NO_CONTACT = Contact(0, None)


@dataclass(frozen=True)
class Read:
    """All that waits, oldest first, everybody who takes referrals, by id, and the places."""

    waiting: Sequence[Waiting]
    takers: Mapping[int, Taker]
    places: Mapping[int, Establishment]
    earlier: Mapping[tuple[int, int], Contact]  # (URN, practitioner)
    known: Mapping[tuple[str, int], Knows]
    conflicts: Mapping[tuple[int, int], tuple[ConflictWeight, str]]  # (URN, practitioner)
    weigh: Weights

    def candidate(self, one: Waiting, practitioner_id: int) -> Candidate:
        """A practitioner for a referral, as the table of one referral shows them."""
        contact = self.earlier.get((one.urn, practitioner_id), NO_CONTACT)
        weight, reason = self.conflicts.get((one.urn, practitioner_id), (None, ""))
        return candidates.candidate(
            self.takers[practitioner_id],
            self.places[one.urn],
            one.need,
            self.known.get((one.need, practitioner_id)),
            more=self.weigh.of(one.tier),
            earlier=contact.times,
            earlier_last=contact.last,
            conflict=weight,
            conflict_reason=reason,
        )

    @cached_property
    def excluded(self) -> frozenset[tuple[int, int]]:
        """Pairs of referral and practitioner, by id, that must not meet."""
        by_school: dict[int, list[int]] = {}
        for urn, practitioner_id in self.conflicts:
            by_school.setdefault(urn, []).append(practitioner_id)
        return frozenset(
            (one.id, key) for one in self.waiting for key in by_school.get(one.urn, ())
        )

    @cached_property
    def _heaviest(self) -> int:
        """Minutes of the heaviest referral that waits: room is counted in those."""
        return max((self.weigh.of(one.tier) for one in self.waiting), default=0)

    def room_of(self, person: Taker) -> int:
        """How many cases more somebody can take; below 0 for somebody over capacity.

        None while they are away or at a limit; else as many as fit in their cases and their hours.
        """
        cases = person.capacity - person.open_cases
        if person.caps or any(a <= person.today <= b for a, b in person.absences):
            return min(0, cases)
        if person.load.available is None or not self._heaviest:
            return cases
        left = person.load.available - person.load.minutes
        return min(cases, max(0, left // self._heaviest))

    def miles(self, one: Waiting, practitioner_id: int) -> float | None:
        """Straight-line miles from the school to somebody's provider, None where nobody knows."""
        return miles_between(self.places[one.urn], self.takers[practitioner_id])

    def fit(self, one: Waiting, practitioner_id: int) -> Fit:
        """How somebody suits a referral."""
        return self.fit_of(self.takers[practitioner_id], one.need, one.phase_code)

    def fit_of(self, person: Taker, need: str, phase_code: int) -> Fit:
        """How a practitioner suits a need (empty: none is named) at a phase."""
        knows = (need, person.id) in self.known if need else None
        return COVERED.get((knows, candidate.covers(person.phases, phase_code)), Fit.NEITHER)

    def suiting(self, one: Waiting) -> list[Candidate]:
        """Everybody whom a plan could propose for a referral, by the service's rule."""
        found = (
            self.candidate(one, key) for key in self.takers if (one.id, key) not in self.excluded
        )
        return sorted(
            (each for each in found if each.covers_need or each.covers_phase),
            key=candidate.order,
        )


WAITS = and_(Referral.status == Status.ACCEPTED, Referral.held_until.is_(None))


def read(which: ColumnElement[bool] = WAITS, leaving: Practitioner | None = None) -> Read:
    """Read all that waits, and everybody who could take it.

    `which` says which referrals instead; with `leaving` they are those that go from a practitioner,
    who then takes none of them.
    """
    waiting = _waiting(which)
    found, weigh = candidates.takers(leaving.provider_urn if leaving else None)
    if leaving is not None:
        found = [person for person in found if person.id != leaving.id]
    urns = {one.urn for one in waiting}
    places = session().scalars(select(Establishment).where(Establishment.urn.in_(urns)))
    return Read(
        waiting=waiting,
        takers={person.id: person for person in found},
        places={place.urn: place for place in places},
        earlier=_earlier(urns),
        known=candidates.known(one.need for one in waiting),
        conflicts=candidates.conflicts(urns),
        weigh=weigh,
    )


def _waiting(which: ColumnElement[bool]) -> list[Waiting]:
    today = clock.today()
    rows = session().execute(
        select(
            Referral.id,
            Referral.reference,
            Referral.version,
            Referral.urn,
            Referral.school_name,
            Establishment.phase_code,
            Establishment.phase_name,
            func.coalesce(Need.code, "").label("need"),
            func.coalesce(NeedType.label, "").label("need_label"),
            workload.TIER.label("tier"),
            Referral.received_on,
        )
        .join(Establishment, Establishment.urn == Referral.urn)
        .outerjoin(Need, and_(Need.referral_id == Referral.id, Need.rank == 1))
        .outerjoin(NeedType, NeedType.code == Need.code)
        .where(which)
        .order_by(Referral.received_on, Referral.id)
    )
    return [Waiting._make([*row[:-1], (today - row.received_on).days]) for row in rows]


def _earlier(urns: set[int]) -> dict[tuple[int, int], Contact]:
    """Earlier contact, by school and practitioner; what waits again counts for nobody."""
    rows = session().execute(
        select(
            Referral.urn,
            Allocation.practitioner_id,
            func.count().label("times"),
            func.max(Allocation.at).label("last"),
        )
        .join(Referral, Referral.id == Allocation.referral_id)
        .where(Referral.urn.in_(urns), Referral.status != Status.ACCEPTED)
        .group_by(Referral.urn, Allocation.practitioner_id)
    )
    return {(row.urn, row.practitioner_id): Contact(row.times, row.last) for row in rows}


def rule_on(day: date) -> PlanRule:
    """The weights in force on `day`."""
    return (
        session()
        .scalars(
            select(PlanRule)
            .where(PlanRule.valid_from <= day)
            .order_by(PlanRule.valid_from.desc())
            .limit(1)
        )
        .one()
    )


def weights(rule: PlanRule) -> planning.Rule:
    """`rule` as a plan is made by it."""
    return planning.Rule(
        need=rule.need_miles,
        phase=rule.phase_miles,
        contact=rule.contact_miles,
        full=rule.full_miles,
        unknown=rule.unknown_miles,
    )


def worklist(
    found: Read,
    chosen: Mapping[int, int],
    left_out: frozenset[int],
) -> planning.Worklist:
    """What there is to plan. Of `chosen` (referral to practitioner) the places are taken already;
    `left_out` referrals are not planned at all. Everything by id."""
    schools = {urn: row for row, urn in enumerate(dict.fromkeys(one.urn for one in found.waiting))}
    where = {person.provider_urn: person for person in found.takers.values()}
    providers = list(where)
    asked = dict.fromkeys((one.need, one.phase_code) for one in found.waiting)
    asks = {ask: row for row, ask in enumerate(asked)}
    return planning.Worklist(
        asked=[
            planning.Asked(one.id, one.days, schools[one.urn], asks[one.need, one.phase_code])
            for one in found.waiting
            if one.id not in chosen and one.id not in left_out
        ],
        takers=_takers(found, providers, list(chosen.values())),
        miles=[
            [miles_between(found.places[urn], person) for person in where.values()]
            for urn in schools
        ],
        fits=[[found.fit_of(person, *ask) for person in found.takers.values()] for ask in asks],
        earlier={(schools[urn], key): c.times for (urn, key), c in found.earlier.items()},
        excluded=found.excluded,
    )


def _takers(found: Read, providers: list[int], taken: list[int]) -> list[planning.Taker]:
    columns = {urn: column for column, urn in enumerate(providers)}
    return [
        planning.Taker(
            key=row.id,
            name=row.name,
            provider=columns[row.provider_urn],
            load=row.open_cases + taken.count(row.id),
            capacity=row.capacity,
            room=found.room_of(row) - taken.count(row.id),
        )
        for row in found.takers.values()
    ]
