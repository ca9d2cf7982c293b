"""What a plan for the worklist is made from: four statements, however long the list is.

Who may not meet whom comes in as `excluded`, pairs of referral and practitioner; how many cases
more somebody can take is `room_of`. Nothing else here decides who may be proposed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import and_, func, select

from s2s_portal import clock, planning
from s2s_portal.database import session
from s2s_portal.models.answer import Need
from s2s_portal.models.codes import Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import NeedType, PlanRule
from s2s_portal.planning import Fit
from s2s_portal.services import candidates
from s2s_portal.services.candidates import Candidate

COVERED = {
    (True, True): Fit.BOTH,
    (None, True): Fit.BOTH,  # no need is named, as for training: the phase is all there is
    (True, False): Fit.NEED,
    (False, True): Fit.PHASE,
}


class Waiting(NamedTuple):
    """A referral that is accepted and with nobody. `days` since it was received."""

    id: int
    reference: str
    version: int
    urn: int
    school_name: str
    phase_code: int
    phase: str
    need: str
    need_label: str
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
    takers: Mapping[int, Any]
    places: Mapping[int, Establishment]
    earlier: Mapping[tuple[int, int], Contact]  # (URN, practitioner)

    def candidate(self, one: Waiting, practitioner_id: int) -> Candidate:
        """A practitioner for a referral, as the table of one referral shows them."""
        row = self.takers[practitioner_id]
        contact = self.earlier.get((one.urn, row.id), NO_CONTACT)
        return Candidate(
            practitioner_id=row.id,
            name=row.name,
            provider_name=self.places[row.provider_urn].name,
            miles=self.miles(one, practitioner_id),
            covers_need=one.need in row.needs if one.need else None,
            covers_phase=candidates.covers(row.phases, one.phase_code),
            open_cases=row.open_cases,
            capacity=row.capacity,
            earlier=contact.times,
            earlier_last=contact.last,
        )

    def miles(self, one: Waiting, practitioner_id: int) -> float | None:
        """Straight-line miles from the school to somebody's provider, None where nobody knows."""
        provider = self.places[self.takers[practitioner_id].provider_urn]
        return self.places[one.urn].miles_to(provider)

    def fit(self, one: Waiting, practitioner_id: int) -> Fit:
        """How somebody suits a referral."""
        return fit(self.takers[practitioner_id], one.need, one.phase_code)

    def suiting(self, one: Waiting, excluded: frozenset[tuple[int, int]]) -> list[Candidate]:
        """Everybody whom a plan could propose for a referral, by the service's rule."""
        found = (self.candidate(one, key) for key in self.takers if (one.id, key) not in excluded)
        return sorted(
            (each for each in found if each.covers_need or each.covers_phase),
            key=candidates.order,
        )


def read() -> Read:
    """Read all that waits, and everybody who could take it."""
    waiting = _waiting()
    takers = {row.id: row for row in candidates.takers()} if waiting else {}
    urns = {one.urn for one in waiting} | {row.provider_urn for row in takers.values()}
    found = session().scalars(select(Establishment).where(Establishment.urn.in_(urns)))
    return Read(
        waiting=waiting,
        takers=takers,
        places={place.urn: place for place in found},
        earlier=_earlier({one.urn for one in waiting}),
    )


def _waiting() -> list[Waiting]:
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
            Referral.received_on,
        )
        .join(Establishment, Establishment.urn == Referral.urn)
        .outerjoin(Need, and_(Need.referral_id == Referral.id, Need.rank == 1))
        .outerjoin(NeedType, NeedType.code == Need.code)
        .where(Referral.status == Status.ACCEPTED)
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


def room_of(taker: Any) -> int:
    """How many cases more somebody can take; below 0 for somebody over capacity."""
    return int(taker.capacity - taker.open_cases)


def worklist(
    found: Read,
    chosen: Mapping[int, int],
    left_out: frozenset[int],
    excluded: frozenset[tuple[int, int]],
) -> planning.Worklist:
    """What there is to plan. Of `chosen` (referral to practitioner) the places are taken already;
    `left_out` referrals are not planned at all. Everything by id."""
    schools = {urn: row for row, urn in enumerate(dict.fromkeys(one.urn for one in found.waiting))}
    providers = list(dict.fromkeys(row.provider_urn for row in found.takers.values()))
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
            [found.places[urn].miles_to(found.places[provider]) for provider in providers]
            for urn in schools
        ],
        fits=[[fit(row, *ask) for row in found.takers.values()] for ask in asks],
        earlier={(schools[urn], key): c.times for (urn, key), c in found.earlier.items()},
        excluded=excluded,
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
            room=room_of(row) - taken.count(row.id),
        )
        for row in found.takers.values()
    ]


def fit(taker: Any, need: str, phase_code: int) -> Fit:
    """How a practitioner suits a need (empty: none is named) at a phase."""
    covers = (need in taker.needs if need else None, candidates.covers(taker.phases, phase_code))
    return COVERED.get(covers, Fit.NEITHER)
