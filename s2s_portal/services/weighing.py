"""What work weighs and what counts in a plan, by date (F35): what is to come may be added to.

A row is never changed: a later one takes its place from its first day on, which is tomorrow at the
earliest, so that no workload that was read and no plan that was made becomes another afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotAllowed, NotFound, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.terms import PlanRule
from s2s_portal.models.workload import Weight, WorkKind
from s2s_portal.services import workload, workload_measured
from s2s_portal.services.workload import Load, Weights

MOST_MINUTES = 10_000  # a referral that takes more than a week of days and nights is a slip
MOST_TIER = 9_999
MOST_MILES = 1_000
SHOWN = 25  # practitioners whose change is listed by name

KIND_WORDS = {
    WorkKind.REFERRAL: "An open referral, in four school weeks",
    WorkKind.VISIT: "A planned visit, beside its own length",
    WorkKind.SUPPORT: "A referral that somebody supports and another leads, in four school weeks",
}
MILES_WORDS = {
    "need_miles": "A need that is not covered",
    "phase_miles": "A phase that is not covered",
    "contact_miles": "A practitioner new to the school",
    "full_miles": "A case that fills the last place",
    "unknown_miles": "A distance that is not known",
}


class Change(NamedTuple):
    """A practitioner's load before and after."""

    name: str
    provider_name: str
    before: Load
    after: Load

    @property
    def words(self) -> str:
        """`from 84% to 97%`, where there is a number."""
        return f"from {self.before.short} to {self.after.short}"

    @property
    def goes_over(self) -> bool:
        """Whether they had time for their work and would have no longer."""
        return not _is_over(self.before) and _is_over(self.after)


@dataclass(frozen=True)
class Effect:
    """What a weight would do to the practitioners of today, who have the work of today.

    `changes` are the highest, at most `SHOWN` of `changed`; `over` counts those with more work than
    hours, before and after; `unknown` those whose hours were never entered.
    """

    changes: list[Change]
    changed: int
    same: int
    unknown: int
    over: tuple[int, int]


def in_force(rows: Sequence[Weight], day: date) -> set[int]:
    """The ids of the weights that hold on `day`, one for each kind and tier."""
    holding: dict[tuple[WorkKind, int | None], Weight] = {}
    for row in rows:
        key = (row.kind, row.tier)
        if row.valid_from <= day and (
            key not in holding or holding[key].valid_from < row.valid_from
        ):
            holding[key] = row
    return {row.id for row in holding.values()}


def new_weight(
    *, kind: WorkKind, tier: int | None, minutes: int, valid_from: date, source: str, by: Actor
) -> Weight:
    """A weight as it would be; not yet kept. Raises NotAllowed, or Refused for what cannot be."""
    _check_administrator(by)
    _check_day(valid_from)
    if kind is not WorkKind.REFERRAL and tier is not None:
        raise Refused("That weighs the same at every level: leave the level empty", field="tier")
    if tier is not None and not 0 <= tier <= MOST_TIER:
        raise Refused(f"The level must be a number from 0 to {MOST_TIER:,}", field="tier")
    if not 0 <= minutes <= MOST_MINUTES:
        raise Refused(f"Minutes must be a number from 0 to {MOST_MINUTES:,}", field="minutes")
    _check_source(source)
    return Weight(kind=kind, tier=tier, valid_from=valid_from, minutes=minutes, source=source)


def add_weight(work: UnitOfWork, row: Weight) -> None:
    """Keep a weight that `new_weight` has made; sent twice, it is kept once.

    Raises Refused when another weight of this kind begins on the day.
    """
    key = {"kind": row.kind, "tier": row.tier, "valid_from": row.valid_from}
    said = {"minutes": row.minutes, "source": row.source}
    added = work.session.execute(
        insert(Weight).values(**key, **said).on_conflict_do_nothing().returning(Weight.id)
    ).scalar()
    if added is None:
        taken = work.session.scalars(
            select(Weight).where(
                Weight.kind == row.kind,
                Weight.tier.is_not_distinct_from(row.tier),
                Weight.valid_from == row.valid_from,
            )
        ).one()
        _check_same({name: getattr(taken, name) for name in said}, said)
        return
    tier = "any level" if row.tier is None else f"level {row.tier}"
    words = f"{row.kind.value}, {tier}, from {row.valid_from}: {row.minutes} minutes"
    audit.wrote(work, "added", "weight of work", words)


def effect(row: Weight) -> Effect:
    """What `row` would do, to the work of today: beside the weights of its own first day."""
    before = workload.weights(row.valid_from)
    after = with_row(before, row)
    found = workload_measured.people(clock.today())
    names = _names()
    lines = [
        Change(*names[one.practitioner_id], one.load(before), one.load(after))
        for one in found
        if one.practitioner_id in names
    ]
    known = [line for line in lines if line.before.available is not None]
    moved = [line for line in known if line.before.short != line.after.short]
    moved.sort(key=lambda line: (-(line.after.percent() or 0), line.name))
    return Effect(
        changes=moved[:SHOWN],
        changed=len(moved),
        same=len(known) - len(moved),
        unknown=len(lines) - len(known),
        over=(
            sum(_is_over(line.before) for line in known),
            sum(_is_over(line.after) for line in known),
        ),
    )


def with_row(found: Weights, row: Weight) -> Weights:
    """The weights `found`, were `row` one of them."""
    if row.kind is WorkKind.VISIT:
        return found._replace(visit=row.minutes)
    if row.kind is WorkKind.SUPPORT:
        return found._replace(support=row.minutes)
    return found._replace(referral={**found.referral, row.tier: row.minutes})


def rules() -> list[PlanRule]:
    """Every rule for plans, the latest first."""
    return list(session().scalars(select(PlanRule).order_by(PlanRule.valid_from.desc())))


def rule_in_force(found: Sequence[PlanRule], day: date) -> PlanRule:
    """The rule that plans are made by on `day`, of all there are, the latest first.

    Raises NotFound for who may read none: there is always one.
    """
    holding = next((one for one in found if one.valid_from <= day), None)
    if holding is None:
        raise NotFound()
    return holding


def new_rule(*, valid_from: date, miles: Mapping[str, int], source: str, by: Actor) -> PlanRule:
    """A rule as it would be; not yet kept. Raises NotAllowed, or Refused for what cannot be."""
    _check_administrator(by)
    _check_day(valid_from)
    for name, words in MILES_WORDS.items():
        if not 0 <= miles[name] <= MOST_MILES:
            what = f"“{words}” must count as a number of miles from 0 to {MOST_MILES:,}"
            raise Refused(what, field=name)
    if miles["need_miles"] < miles["phase_miles"]:
        raise Refused(
            "A need that is not covered must count as many miles as a phase, or more:"
            " the service goes by the need first",
            field="need_miles",
        )
    _check_source(source)
    return PlanRule(valid_from=valid_from, source=source, **miles)


def add_rule(work: UnitOfWork, row: PlanRule) -> None:
    """Keep a rule that `new_rule` has made; sent twice, it is kept once.

    Raises Refused when another rule begins on the day.
    """
    said = {**{name: getattr(row, name) for name in MILES_WORDS}, "source": row.source}
    added = work.session.execute(
        insert(PlanRule)
        .values(valid_from=row.valid_from, **said)
        .on_conflict_do_nothing()
        .returning(PlanRule.valid_from)
    ).scalar()
    if added is None:
        taken = work.session.scalars(
            select(PlanRule).where(PlanRule.valid_from == row.valid_from)
        ).one()
        _check_same({name: getattr(taken, name) for name in said}, said)
        return
    miles = ", ".join(f"{name.removesuffix('_miles')} {said[name]}" for name in MILES_WORDS)
    audit.wrote(work, "added", "rule for plans", f"from {row.valid_from}: {miles}")


def _is_over(load: Load) -> bool:
    return load.available is not None and load.minutes > load.available


def _names() -> dict[int, tuple[str, str]]:
    rows = session().execute(
        select(Practitioner.id, Practitioner.name, Establishment.name.label("provider_name"))
        .join(Establishment, Establishment.urn == Practitioner.provider_urn)
        .where(Practitioner.is_lead.is_(False))
    )
    return {row.id: (row.name, row.provider_name) for row in rows}


def _check_administrator(by: Actor) -> None:
    if not by.has(Role.ADMINISTRATOR, Role.SYSTEM):
        raise NotAllowed()


def _check_day(valid_from: date) -> None:
    if valid_from <= clock.today():
        raise Refused("The first day must be tomorrow or later", field="valid_from")


def _check_source(source: str) -> None:
    if not source.strip():
        raise Refused("Enter where this was decided", field="source")


def _check_same(there: Mapping[str, object], wanted: Mapping[str, object]) -> None:
    if there != wanted:
        raise Refused(
            "Another one begins on that day already. It is never changed: choose a later day",
            field="valid_from",
        )
