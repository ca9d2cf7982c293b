"""A panel of the SEND team that meets next week, with two referrals on its agenda."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from sqlalchemy import select

from s2s_portal import Actor, clock
from s2s_portal.database import UnitOfWork
from s2s_portal.models.body import SEND
from s2s_portal.models.panel import PanelItem, PanelMeeting, Recommends
from s2s_portal.models.referral import Referral
from s2s_portal.models.worklist import WorklistEntry
from s2s_portal.reference_portal.demonstration_stories import OTHER_OFFICER, Step, working_day
from s2s_portal.reference_portal.personas import PERSONAS
from s2s_portal.services import officers, panel_comments, panels

AHEAD = 5  # working days
WHY = (
    "Two kinds of need, and the school has had support before. Which level?",
    "The school asks for more than the service gives.",
)


def meeting(today: date) -> list[Step]:
    """The officer who looks around chairs; the other has written about the first referral."""
    officer = PERSONAS["officer"].actor
    return [
        _step(today, 15, officer, _call(today)),
        _step(today, 16, OTHER_OFFICER, _write),
    ]


def _step(today: date, hour: int, by: Actor, act: Callable[[UnitOfWork, Actor], object]) -> Step:
    return Step(clock.from_local(working_day(today, 1), hour), by, act)


def _call(today: date) -> Callable[[UnitOfWork, Actor], object]:
    def act(work: UnitOfWork, by: Actor) -> None:
        me, other = officers.keep(work, by), _other()
        made = panels.call(
            work,
            body=SEND,
            meets_on=working_day(today, -AHEAD),
            chair=me,
            reviewers=[me, other],
            by=by,
        )
        for (reference, version), why in zip(_waiting(work), WHY, strict=False):
            panels.put_on(work, reference, meeting_id=made.id, why=why, seen=version, by=by)

    return act


def _other() -> int:
    """The number of the other officer, who has given a referral by now."""
    found = {one.account_id: one.id for one in officers.offered([SEND])}
    return found[OTHER_OFFICER.id]


def _waiting(work: UnitOfWork) -> list[tuple[str, int]]:
    """The referrals of the SEND team that have waited longest, with their versions."""
    rows = work.session.execute(
        select(WorklistEntry.reference, Referral.version)
        .join(Referral, Referral.id == WorklistEntry.referral_id)
        .where(WorklistEntry.state == "new", WorklistEntry.body == SEND)
        .order_by(WorklistEntry.submitted_at, WorklistEntry.referral_id)
        .limit(len(WHY))
    )
    return [(row.reference, row.version) for row in rows]


def _write(work: UnitOfWork, by: Actor) -> None:
    first = work.session.scalars(
        select(PanelItem.id)
        .join(PanelMeeting, PanelMeeting.id == PanelItem.meeting_id)
        .order_by(PanelItem.id)
        .limit(1)
    ).one()
    panel_comments.comment(
        work,
        first,
        recommends=Recommends.ACCEPT,
        level="2",
        text="Two visits would do: the plan is good and has not had time.",
        by=by,
    )
