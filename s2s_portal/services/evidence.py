"""What a draft says of what was done and what is wanted: criteria, cycles, outcomes."""

from __future__ import annotations

from collections.abc import Sequence

from s2s_portal.database import UnitOfWork
from s2s_portal.errors import Refused
from s2s_portal.identity import Actor
from s2s_portal.models.answer import OutcomeWanted, StrategyTried
from s2s_portal.models.referral import Referral
from s2s_portal.services import draft_rules, labels
from s2s_portal.services.drafting import note, save_columns, settled


def save_criteria(
    work: UnitOfWork,
    referral: Referral,
    *,
    criteria: list[str],
    by: Actor,
    seen: str | None = None,
) -> None:
    """Why the school's own means are not enough: at least one of `labels.CRITERIA`."""
    if not criteria or not set(criteria) <= set(labels.CRITERIA):
        raise Refused("Choose at least one reason from the list", "criteria")
    chosen = [code for code in labels.CRITERIA if code in criteria]
    save_columns(work, referral, "criteria", {"criteria": chosen}, by=by, seen=seen)


def save_first_tried(
    work: UnitOfWork,
    referral: Referral,
    *,
    rows: list[draft_rules.Strategy],
    by: Actor,
    seen: str | None = None,
) -> None:
    """What the first form asked: at least one thing tried. Raises Refused for one before birth."""
    if not rows:
        raise Refused("Enter at least one thing you have tried", "rows")
    draft_rules.check_dates(referral, rows, "A thing you tried", "What you tried")
    if settled(referral, "tried", {"rows": [vars(row) for row in rows]}, seen):
        return
    _replace(work, referral, [StrategyTried(**vars(row)) for row in rows])
    note(work, referral, "tried", by)


def save_tried(
    work: UnitOfWork,
    referral: Referral,
    *,
    rows: list[draft_rules.Cycle],
    fewer_cycles: str = "",
    by: Actor,
    seen: str | None = None,
) -> None:
    """Cycles of assess, plan, do, review, two or more, or fewer with the reason.

    Raises Refused for too few without a reason, a review before its start, a start before birth.
    """
    draft_rules.check_cycles(referral, rows, fewer_cycles)
    if len(rows) >= draft_rules.ENOUGH_CYCLES:
        fewer_cycles = ""
    given = {"rows": [vars(row) for row in rows], "fewer_cycles": fewer_cycles}
    if settled(referral, "tried", given, seen):
        return
    _replace(work, referral, [StrategyTried(**vars(row)) for row in rows])
    referral.fewer_cycles = fewer_cycles
    note(work, referral, "tried", by)


def _replace(work: UnitOfWork, referral: Referral, rows: list[StrategyTried]) -> None:
    referral.strategies.clear()
    work.flush()
    for position, row in enumerate(rows, start=1):
        row.position = position
    referral.strategies.extend(rows)


def save_outcomes(
    work: UnitOfWork,
    referral: Referral,
    *,
    outcomes: Sequence[tuple[str, int | None]],
    by: Actor,
    seen: str | None = None,
) -> None:
    """The one to four outcomes that the school wants, each with where things are now, 0 to 10.

    The first form asked for no such baseline: there it is None.
    """
    if not 1 <= len(outcomes) <= draft_rules.MOST_OUTCOMES:
        raise Refused(f"Enter between 1 and {draft_rules.MOST_OUTCOMES} outcomes", "outcome_1")
    for number, (_text, baseline) in enumerate(outcomes, start=1):
        if referral.form_version > 1 and (baseline is None or not 0 <= baseline <= 10):
            raise Refused("Choose from 0 to 10 where things are now", f"baseline_{number}")
    if settled(referral, "outcomes", {"outcomes": list(outcomes)}, seen):
        return
    referral.outcomes.clear()
    work.flush()
    referral.outcomes.extend(
        OutcomeWanted(position=position, text=text, baseline=baseline)
        for position, (text, baseline) in enumerate(outcomes, start=1)
    )
    note(work, referral, "outcomes", by)
