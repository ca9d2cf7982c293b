"""An offer is over when its referral goes on without it: allocated, on hold, withdrawn, taken back.

`referrals.record` calls this, so that no way of moving a referral on can forget it; the database
refuses a transaction that would (0024_offers.sql).
"""

from __future__ import annotations

from sqlalchemy import bindparam, func, select

from s2s_portal import clock
from s2s_portal.database import UnitOfWork
from s2s_portal.identity import Actor
from s2s_portal.models.referral import Referral
from s2s_portal.services import notices

NOTICES = {"offer": "offer_ended", "request": "request_ended"}
END = select(
    func.s2s.end_offers(bindparam("id"), bindparam("at"), bindparam("by")).table_valued(
        "kind", "practitioner_id"
    )
)


def follow(work: UnitOfWork, referral: Referral, by: Actor) -> None:
    """End what is open of `referral`, which has just moved on, and tell those who waited.

    Whoever moved it may see no offer, as a school does not: the database ends them. Who has the
    referral now is told that, and nothing of their offer.
    """
    work.flush()
    ended = work.session.execute(END, {"id": referral.id, "at": clock.now(), "by": by.name}).all()
    for row in ended:
        link = notices.link_to("s2s.visits.index")
        notices.tell_practitioner(work, NOTICES[row.kind], row.practitioner_id, referral, link)
