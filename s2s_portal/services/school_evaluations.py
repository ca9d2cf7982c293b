"""What a school thought of the support, once it was over: three questions and its words (F67)."""

from __future__ import annotations

from sqlalchemy import select

from s2s_portal import clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import OutOfOrder, Refused, Stale
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Action
from s2s_portal.models.impact import SchoolAsk, SchoolEvaluation, Stage, StillUsing
from s2s_portal.models.referral import Referral
from s2s_portal.services import confidence, referrals, school_asks
from s2s_portal.services.terms import written

SCALE = range(1, 5)
USEFUL_WORDS = {1: "Not useful", 2: "A little useful", 3: "Useful", 4: "Very useful"}
TIMELY_WORDS = {
    1: "Much too late",
    2: "Later than we needed",
    3: "Soon enough",
    4: "Just when we needed it",
}


def of(referral: Referral) -> SchoolEvaluation | None:
    """What its school said the last time it was asked; None when it has not: one statement."""
    return session().scalar(
        select(SchoolEvaluation)
        .where(SchoolEvaluation.referral_id == referral.id)
        .order_by(SchoolEvaluation.id.desc())
        .limit(1)
    )


def to_answer(referral: Referral) -> SchoolAsk:
    """What the school is asked. Raises OutOfOrder when it is not, Stale once it has answered."""
    ask = school_asks.open_ask(referral, Stage.EVALUATION)
    if ask is None or not school_asks.is_answerable(referral, ask):
        raise OutOfOrder(
            "You can say what you thought of the support once it has ended, if there were visits."
        )
    given = session().scalar(select(SchoolEvaluation).where(SchoolEvaluation.ask_id == ask.id))
    if given is not None:
        day = written(clock.local(given.at).date())
        raise Stale(f"{given.by_name} has answered for your school, on {day}.")
    return ask


def evaluate(
    work: UnitOfWork,
    reference: str,
    *,
    useful: int,
    timely: int,
    still_using: StillUsing,
    text: str = "",
    by: Actor,
) -> SchoolEvaluation:
    """Keep what the school of `reference` thought of the support; once for each closing.

    Raises NotFound for anybody but its school, OutOfOrder when it is not asked, Stale when
    somebody there has answered, Refused for a mark that is none.
    """
    referral = confidence.mine(reference, by)
    ask = to_answer(referral)
    for field, mark in (("useful", useful), ("timely", timely)):
        if mark not in SCALE:
            raise Refused("Choose one of the four answers", field)
    made = SchoolEvaluation(
        referral_id=referral.id,
        ask_id=ask.id,
        useful=useful,
        timely=timely,
        still_using=still_using,
        text=text,
        at=clock.now(),
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(made)
    work.flush()
    referrals.record(work, referral, Action.SCHOOL_EVALUATED, by=by)
    return made
