"""Handing a referral over from one body to the other before it is decided (F30).

The promise was the council's: its clocks go on, and what was broken stays broken. The fee, the day
of receipt and the place on the waiting list stay too. Who looked after it no longer does.
"""

from __future__ import annotations

from sqlalchemy import select

from s2s_portal import clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import OutOfOrder, Refused
from s2s_portal.identity import Actor
from s2s_portal.models.body import Handed, Handover
from s2s_portal.models.codes import UNDECIDED, Action
from s2s_portal.models.referral import Referral
from s2s_portal.models.worklist import Officer
from s2s_portal.services import bodies, notices, officers, panels, referrals
from s2s_portal.state import setting

HANDED_WORDS = {
    Handed.AGE: "The child’s age or year group is for the other team",
    Handed.SETTING: "The kind of school or setting is for the other team",
    Handed.KNOWN: "The other team knows the child or the school already",
    Handed.SENT_WRONG: "It came to the wrong team",
    Handed.OTHER: "Another reason",
}
LONGEST_NOTICE = 50  # officers of a body who are told each by mail


def to_others(referral: Referral) -> dict[str, str]:
    """The bodies that `referral` can be handed to, by code."""
    return {code: name for code, name in bodies.names().items() if code != referral.body}


def check(referral: Referral) -> None:
    """Raise OutOfOrder unless the referral waits for a decision, on hold or not."""
    if referral.status not in UNDECIDED:
        raise OutOfOrder(
            "Only a referral that waits for a decision can be handed over."
            " Nothing has been changed now."
        )


def hand_over(
    work: UnitOfWork,
    reference: str,
    *,
    to: str,
    reason: Handed,
    note: str = "",
    seen: int,
    by: Actor,
) -> str:
    """Hand the referral over to the body `to`, which is told; the name of that body.

    `note` is for officers. It is taken off the agenda of a panel. Raises NotFound, Refused for no
    such body, OutOfOrder once it is decided, Stale when it changed.
    """
    referral = referrals.get(reference, lock=True)
    check(referral)
    referrals.check_seen(referral, seen)
    known = bodies.names()
    if to not in known or to == referral.body:
        raise Refused("Choose which team gets it", field="to")
    panels.clear(work, referral, why=f"Handed over to the {known[to]}", by=by)
    held = officers.of(referral)
    if held is not None:
        held.ended_at = clock.now()
    message = (
        f"From the {known[referral.body]} to the {known[to]}, which decides now."
        f" {HANDED_WORDS[reason]}. The promised dates and the fee stay as they are."
    )
    event = referrals.record(work, referral, Action.HANDED_OVER, by=by, message=message, note=note)
    _tell(work, referral, to)
    work.flush()
    # Last: from here on whoever handed it over may not see it. The row moves the referral.
    work.session.add(
        Handover(
            event_id=event.id,
            referral_id=referral.id,
            from_body=referral.body,
            to_body=to,
            reason=reason,
        )
    )
    work.flush()
    session().expunge(referral)
    return known[to]


def _tell(work: UnitOfWork, referral: Referral, to: str) -> None:
    """Tell the officers of the body, and the shared mailbox, which is nobody's in particular."""
    notices.tell_officers(work, "referral_handed_over", referral)
    link = notices.link_to("s2s.triage.show", reference=referral.reference)
    for address in _addresses(to) - {setting("S2S_OFFICER_MAILBOX")}:
        notices.tell_address(work, "referral_handed_over", address, referral, link)


def _addresses(body: str) -> set[str]:
    found = session().scalars(
        select(Officer.email)
        .where(
            Officer.email != "",
            Officer.seen_on > clock.today() - officers.STILL_HERE,
            officers.acts_for(body, said_so=True),
        )
        .order_by(Officer.id)
        .limit(LONGEST_NOTICE)
    )
    return set(found)
