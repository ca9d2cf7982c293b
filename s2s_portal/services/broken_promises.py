"""Where we did not keep our promise, the service itself proposes to credit the fee (3.13).

The promise is the first visit. Its clock stands still while we wait for the school, and in school
holidays, so a breach of it is on our side. What is proposed is a request like any other: a person
approves it, and nothing is posted before.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import exists, select

from s2s_portal import audit
from s2s_portal.database import session, unit_of_work
from s2s_portal.identity import SYSTEM
from s2s_portal.models.charges import (
    UNDONE_STATES,
    EntryStanding,
    ReliefKind,
    ReliefReason,
    ReliefRequest,
)
from s2s_portal.models.clocks import ClockBreach
from s2s_portal.models.ledger import EntryKind, LedgerEntry
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import Step
from s2s_portal.services import relief
from s2s_portal.services.terms import written

AT_ONCE = 100  # proposals in one run; the next one goes on


def propose() -> int:
    """Ask for each charge whose referral's first visit came late, once; how many. Run each day."""
    with unit_of_work() as work:
        found = late()
        for number, day in found:
            relief.ask(
                work,
                number,
                kind=ReliefKind.CREDIT,
                reason=ReliefReason.PROMISE_BROKEN,
                words=f"The first visit was promised by {written(day)} and had not taken place"
                " by then",
                by=SYSTEM,
            )
        if found:
            audit.wrote(work, "proposed credits", "charges", len(found))
    return len(found)


def late() -> list[tuple[int, date]]:
    """The charges to propose, oldest first, each with the day by which the visit was promised.

    One about which anybody has asked before is left alone, however that ended.
    """
    rows = session().execute(
        select(LedgerEntry.number, ClockBreach.due_on)
        .join(EntryStanding, EntryStanding.number == LedgerEntry.number)
        .join(Referral, Referral.reference == LedgerEntry.referral_reference)
        .join(ClockBreach, ClockBreach.referral_id == Referral.id)
        .where(
            LedgerEntry.kind == EntryKind.CHARGE,
            EntryStanding.state.not_in(sorted(UNDONE_STATES)),
            ClockBreach.step == Step.FIRST_VISIT,
            ~exists().where(ReliefRequest.charge_number == LedgerEntry.number),
        )
        .order_by(LedgerEntry.number, ClockBreach.due_on)
        .limit(AT_ONCE)
    )
    return list({number: (number, day) for number, day in rows}.values())
