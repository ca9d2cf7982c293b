"""What happens around visits in the demonstration: planned with the school, booked and moved."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

from s2s_portal import Actor, clock
from s2s_portal.database import UnitOfWork
from s2s_portal.errors import AskFirst
from s2s_portal.models.contact import HowTried
from s2s_portal.models.visit import AskedBy, VisitKind, WhyMoved
from s2s_portal.models.visit_plan import PlanSays
from s2s_portal.reference_portal.demonstration_acts import Act, Story
from s2s_portal.services import contact_attempts, rescheduling, visit_plans
from s2s_portal.services.rescheduling import Asked
from s2s_portal.services.visit_plans import PlanRow


def _propose(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    first = clock.today().replace(day=1)
    later = (first + timedelta(days=62)).replace(day=1)
    visit_plans.propose(
        work,
        story.reference,
        rows=[PlanRow(VisitKind.OBSERVATION, 1, first), PlanRow(VisitKind.FOLLOW_UP, 2, later)],
        why="",
        seen=0,
        by=by,
    )


def _agree(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    words = "Mornings are best for us."
    visit_plans.answer(work, story.reference, version=1, says=PlanSays.AGREED, words=words, by=by)


def _move(work: UnitOfWork, story: Story, by: Actor, visit: int) -> None:
    """To the afternoon of its day, when nobody in the demonstration has another visit."""
    asked = Asked(AskedBy.SCHOOL, WhyMoved.STAFF_AWAY, "The class teacher is on a course.")
    wanted: dict[str, Any] = {
        "day": clock.local(story.booked[visit]).date(),
        "starts": time(15, 30),
        "ends": time(16, 30),
        "asked": asked,
        "by": by,
    }
    try:
        with work.step():  # what is asked about is undone: the visit is not cancelled by then
            rescheduling.move(work, story.reference, visit + 1, **wanted)
    except AskFirst as first:
        wanted |= first.asks
        rescheduling.move(work, story.reference, visit + 1, **wanted)


def _try(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    contact_attempts.note(
        work,
        story.reference,
        tried_on=clock.today(),
        how=HowTried.PHONE,
        words="Left a message with the office.",
        by=by,
    )


VISITS: dict[str, Act] = {"propose": _propose, "agree": _agree, "move": _move, "try": _try}
