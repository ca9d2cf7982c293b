"""By when the next step is promised: working days by a dated rule (domain.md 2.4, 8.3)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select

from s2s_portal import clock, working_days
from s2s_portal.database import session
from s2s_portal.models.codes import Status
from s2s_portal.models.terms import ServiceLevel, Step

# What a referral that has come to a status waits for. While it is back with the school the clock
# stands still, and it begins anew when the referral is sent again.
WAITS_FOR = {
    Status.SUBMITTED: Step.DECISION,
    Status.ACCEPTED: Step.ALLOCATION,
    Status.ALLOCATED: Step.CONTACT,
}


def due_on(status: Status, since: datetime) -> date | None:
    """The last day for the next step of a referral that came to `status` at the instant `since`.

    None when nothing is promised. What comes after 5pm or on a day off counts from the next
    working day. The rule is the one in force on that day; a later rule moves no earlier promise.
    """
    step = WAITS_FOR.get(status)
    return None if step is None else promised(step, since)


def promised(step: Step, since: datetime) -> date | None:
    """The last day for `step` of something that came at the instant `since`, as above."""
    received = working_days.day_received(clock.local(since))
    days = session().scalar(
        select(ServiceLevel.working_days)
        .where(ServiceLevel.step == step, ServiceLevel.valid_from <= received)
        .order_by(ServiceLevel.valid_from.desc())
        .limit(1)
    )
    return None if days is None else working_days.after(received, days)
