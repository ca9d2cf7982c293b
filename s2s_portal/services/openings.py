"""Which sections of a referral its school may change now, and why (F24).

A draft is open. A referral returned for information is open where the officer asked. One that has
been sent is closed, but for the section that an amendment has opened in the same transaction.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from s2s_portal.database import session
from s2s_portal.errors import OutOfOrder
from s2s_portal.models.change import SectionOpening
from s2s_portal.models.codes import UNDER_WAY, Action, Status
from s2s_portal.models.referral import Referral, ReferralEvent


class SectionClosed(OutOfOrder):
    """This section of the referral is not open to its school now."""


def last_return(referral: Referral) -> ReferralEvent | None:
    """The last time that the council returned the referral, or None. It must be loaded whole."""
    returns = (event for event in reversed(referral.events) if event.action is Action.RETURNED)
    return next(returns, None)


def asked(referral: Referral) -> dict[str, SectionOpening]:
    """What the council asks about in a returned referral, by section; empty in any other.

    Empty too when it was returned before sections were named, and then every section is open.
    """
    event = last_return(referral) if referral.status is Status.RETURNED else None
    return {opening.section: opening for opening in event.openings} if event else {}


def is_open(referral: Referral, section: str) -> bool:
    """Whether the school may change `section`, in a draft or in answer to the council."""
    if referral.status is Status.RETURNED:
        wanted = asked(referral)
        return not wanted or section in wanted
    return referral.status is Status.DRAFT


def check_open(referral: Referral, section: str) -> None:
    """Raise SectionClosed unless `section` is open, by an amendment too: the database knows."""
    if is_open(referral, section):
        return
    if referral.status in UNDER_WAY and session().scalar(
        select(func.s2s.section_open(referral.id, section))
    ):
        return
    raise SectionClosed(
        "The council did not ask about this section, so it cannot be changed now."
        " What you typed has not been saved."
    )


def state_words(referral: Referral, section: str) -> str | None:
    """The status on the task list of a section that the council asked about; None of any other."""
    opening = asked(referral).get(section)
    if opening is None:
        return None
    event = last_return(referral)
    saved = referral.answered.get(section, {}).get("at")
    if saved and event and datetime.fromisoformat(saved) > event.at:
        return "Changed"
    return "Information needed"
