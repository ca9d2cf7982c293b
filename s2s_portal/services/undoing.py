"""Taking a decision back, with a note, while nothing depends on it (F33).

The decision stays in the history; an event after it says that it no longer stands, and the referral
waits for a decision again. What is not possible once it has gone on: after allocation, after
Finance has pulled the charge, or after the school has sent its corrected copy.
"""

from __future__ import annotations

from sqlalchemy import exists, func, select

from s2s_portal import money
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import OutOfOrder, Refused
from s2s_portal.identity import Actor
from s2s_portal.models.codes import UNSENT, Action, Status
from s2s_portal.models.ledger import LedgerEntry
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral
from s2s_portal.services import holding, ledger, notices, referrals

UNDONE_FROM = frozenset(
    {Status.ACCEPTED, Status.WAITING, Status.DECLINED, Status.ADVISED, Status.REDIRECTED}
)

# In the ledger, which Finance reads: never what the school was told, as that may name a child.
REVERSED_BECAUSE = "The acceptance was taken back"


def why_not(referral: Referral, charge: LedgerEntry | None, *, was_given: bool) -> str:
    """Why the decision on `referral`, of which `charge` came, cannot be taken back, in a sentence;
    empty when it can. `was_given`: whether a practitioner has ever had it."""
    if referral.status not in UNDONE_FROM:
        return "Only a decision that nothing depends on yet can be taken back."
    if holding.is_held(referral):
        return "This referral is on hold. Release it before you go on."
    if referral.status is Status.ACCEPTED and is_pulled(charge):
        return (
            "Finance has pulled the charge, so the acceptance can no longer be taken back."
            " Close the referral instead; Finance can waive the fee."
        )
    if was_given:
        return "It has been with a practitioner, so the decision can no longer be taken back."
    if referral.status is Status.DECLINED and _is_followed(referral):
        return "The school has sent a corrected copy of this referral, so decide on that one."
    return ""


def _was_given(referral: Referral) -> bool:
    given = exists().where(Allocation.referral_id == referral.id)
    return bool(session().scalar(select(given)))


def _is_followed(referral: Referral) -> bool:
    copied = exists().where(Referral.copied_from_id == referral.id, Referral.status.not_in(UNSENT))
    return bool(session().scalar(select(copied)))


def reversal_words(referral: Referral) -> str:
    """What becomes of the fee when the decision on `referral` is taken back, before it is done."""
    charge = ledger.charge_for(referral.reference)
    if (
        referral.status is not Status.ACCEPTED
        or charge is None
        or ledger.is_reversed(charge.number)
    ):
        return "Nothing has been charged, so the ledger stays as it is."
    return (
        f"Ledger entry {charge.number} of {money.pounds(charge.amount_pence)} is reversed by an"
        " entry of its own. If you accept the referral again, the fee is charged again."
    )


def check(referral: Referral) -> None:
    """Raise OutOfOrder unless the decision on `referral` can be taken back."""
    charge = ledger.charge_for(referral.reference)
    reason = why_not(referral, charge, was_given=_was_given(referral))
    if reason:
        raise OutOfOrder(reason)


def undo(
    work: UnitOfWork,
    reference: str,
    *,
    message: str,
    note: str = "",
    seen: int,
    by: Actor,
) -> Referral:
    """Take the decision on a referral back: it waits for a decision again, and the school is told.

    A charge that was posted is undone by an entry that reverses it. Raises Refused without words
    for the school, OutOfOrder when something depends on it, Stale when it changed.
    """
    if not message.strip():
        raise Refused("Enter what you want to tell the school", field="message")
    referral = referrals.get(reference, lock=True)
    check(referral)
    referrals.check_seen(referral, seen)
    if referral.status is Status.ACCEPTED:
        _undo_charge(work, referral, by=by)
    referrals.record(work, referral, Action.DECISION_UNDONE, by=by, message=message, note=note)
    link = notices.link_to("s2s.referrals.show", reference=referral.reference)
    notices.tell_school(work, "referral_decision_undone", referral, link)
    return referral


def is_pulled(charge: LedgerEntry | None) -> bool:
    """Whether Finance has pulled the charge that stands for an accepted referral.

    The database answers yes or no, as an officer sees no pulls.
    """
    if charge is None or ledger.is_reversed(charge.number):
        return False
    return not session().scalar(select(func.s2s.charge_can_be_undone(charge.number)))


def _undo_charge(work: UnitOfWork, referral: Referral, *, by: Actor) -> None:
    """Reverse the charge, if it stands: under the ledger's lock, which a pull takes too."""
    ledger.lock_head(work)
    charge = ledger.charge_for(referral.reference)
    if charge is None or ledger.is_reversed(charge.number):
        return
    if is_pulled(charge):
        raise OutOfOrder("Finance has just pulled the charge, so nothing has been changed.")
    ledger.post_reversal(work, charge.number, reason=REVERSED_BECAUSE, by=by, key=ledger.UNDONE)
