"""What was decided on a referral and still stands, for everybody who may read it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from s2s_portal.database import session
from s2s_portal.models.codes import TURNED_AWAY, Action, Status
from s2s_portal.models.decision import Decision, SupportLevel
from s2s_portal.models.referral import Referral

# Each of these overtakes the one before; a question or a hold decides nothing.
DECIDING = frozenset(
    {
        Action.ACCEPTED,
        Action.WAITING_LISTED,
        Action.ADVISED,
        Action.REDIRECTED,
        Action.DECLINED,
    }
)


@dataclass(frozen=True)
class Place:
    """Where a referral is on the waiting list: the `number`, of `total`."""

    number: int
    total: int

    @property
    def words(self) -> str:
        """The place, in a sentence for the school."""
        before = self.number - 1
        if not before:
            return (
                f"It is the first of {self.total} on the waiting list."
                if self.total > 1
                else ("It is the only one on the waiting list.")
            )
        are = "referral is" if before == 1 else "referrals are"
        return f"{before} {are} before it; {self.total} are on the waiting list."


def current(referral: Referral) -> Decision | None:
    """The last decision that stands, or None. `referral` must be loaded whole."""
    for event in reversed(referral.events):
        if event.action is Action.DECISION_UNDONE:
            return None
        if event.action in DECIDING:
            return event.decision
    return None


def told(referral: Referral) -> str:
    """What the school was told when it was turned away or has to wait; empty in other states."""
    if referral.status not in TURNED_AWAY | {Status.WAITING}:
        return ""
    last = (e for e in reversed(referral.events) if e.action in DECIDING | {Action.UNANSWERED})
    event = next(last, None)
    return event.message if event else ""


def level(referral: Referral) -> SupportLevel | None:
    """The level at which `referral` was accepted, as it was then; None before, and of old ones."""
    decision = current(referral)
    return decision.level if decision else None


def place(referral: Referral) -> Place | None:
    """Where `referral` is on the waiting list: first come, first served, early years apart."""
    if referral.status is not Status.WAITING:
        return None
    row = (
        session()
        .execute(select(func.s2s.waiting_place(referral.reference).table_valued("place", "total")))
        .one()
    )
    return Place(row.place, row.total) if row.place else None
