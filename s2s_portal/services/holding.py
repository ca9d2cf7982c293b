"""On hold: a decision or an allocation waits for somebody else, for a reason, until a day (F25).

While it is on hold nothing is decided and nobody is allocated; the school can still amend and
withdraw. Its status stays as it was. The events `held` and `released` say when the clock stood
still.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from s2s_portal import clock
from s2s_portal.database import UnitOfWork
from s2s_portal.errors import OutOfOrder, Refused
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Action, Status, Way
from s2s_portal.models.decision import Decision
from s2s_portal.models.referral import Referral
from s2s_portal.services import clocks, decision_lists, notices, referrals
from s2s_portal.services.clock_rows import Why
from s2s_portal.services.terms import written

HOLDABLE = frozenset({Status.SUBMITTED, Status.WAITING, Status.ACCEPTED})


def is_held(referral: Referral) -> bool:
    """Whether the referral is on hold now."""
    return referral.held_until is not None and referral.status in HOLDABLE


def check_not_held(referral: Referral) -> None:
    """Raise OutOfOrder while the referral is on hold."""
    if is_held(referral):
        raise OutOfOrder("This referral is on hold. Release it before you go on.")


def check_holdable(referral: Referral) -> None:
    """Raise OutOfOrder unless the referral waits for the council and is not on hold."""
    if is_held(referral):
        raise OutOfOrder("This referral is on hold already. Nothing has been changed now.")
    if referral.status not in HOLDABLE:
        raise OutOfOrder("Only a referral that waits for the council can be put on hold.")


def check_held(referral: Referral) -> None:
    """Raise OutOfOrder unless the referral is on hold."""
    if not is_held(referral):
        raise OutOfOrder("This referral is not on hold. Nothing has been changed now.")


def hold(
    work: UnitOfWork,
    reference: str,
    *,
    code: str,
    until: date,
    message: str = "",
    note: str = "",
    seen: int,
    by: Actor,
) -> Referral:
    """Put a referral on hold for the reason `code`, expected to last `until` a day.

    The school is told. Raises Refused for a day that is not ahead or a reason not in the list,
    OutOfOrder when it cannot be held, Stale when it changed since version `seen`.
    """
    referral = _locked(reference, seen, check_holdable)
    reason = decision_lists.reason(Way.HOLD, code)
    if until <= clock.today():
        raise Refused("The day must be in the future", field="until")
    referral.held_until = until
    told = f"{reason.label}.\n{message}\nWe expect to go on by {written(until)}."
    told = "\n".join(line for line in told.split("\n") if line.strip())
    event = referrals.record(work, referral, Action.HELD, by=by, message=told, note=note)
    work.flush()
    work.session.add(
        Decision(
            event_id=event.id,
            referral_id=referral.id,
            reason_id=reason.id,
            officer_email=by.email,
        )
    )
    clocks.pause(work, referral, Why.HELD, by=by)
    _tell(work, "referral_held", referral)
    return referral


def release(work: UnitOfWork, reference: str, *, comment: str, seen: int, by: Actor) -> Referral:
    """Go on with a referral that was on hold; the school reads the `comment`.

    Raises Refused without one, OutOfOrder when it is not on hold, Stale when it changed.
    """
    if not comment.strip():
        raise Refused("Enter why we go on", field="comment")
    referral = _locked(reference, seen, check_held)
    referral.held_until = None
    referrals.record(work, referral, Action.RELEASED, by=by, message=comment)
    clocks.resume(work, referral, Why.HELD, by=by)
    _tell(work, "referral_released", referral)
    return referral


def _locked(reference: str, seen: int, check: Callable[[Referral], None]) -> Referral:
    referral = referrals.get(reference, lock=True)
    check(referral)
    referrals.check_seen(referral, seen)
    return referral


def _tell(work: UnitOfWork, notice: str, referral: Referral) -> None:
    link = notices.link_to("s2s.referrals.show", reference=referral.reference)
    notices.tell_school(work, notice, referral, link)
