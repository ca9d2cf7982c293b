"""What people of the demonstration write to each other, and what schools ask advice about.

After the stories, as it is about referrals that they have made: one thread waits for each side.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from sqlalchemy import select

from s2s_portal import Actor, clock
from s2s_portal.database import UnitOfWork
from s2s_portal.models.codes import Status
from s2s_portal.models.conversation import AdviceRequest, Side
from s2s_portal.models.referral import Referral
from s2s_portal.reference_portal.demonstration_schools import HIGH_SCHOOL, PRIMARY
from s2s_portal.reference_portal.demonstration_stories import Step, working_day
from s2s_portal.reference_portal.personas import PERSONAS
from s2s_portal.services import advice, messages

Act = Callable[[UnitOfWork, Actor], object]


def talk(today: date) -> list[Step]:
    """What is written on the last working days before `today`, in the order of writing."""
    senco, other = PERSONAS["senco"].actor, PERSONAS["other-senco"].actor
    officer, practitioner = PERSONAS["officer"].actor, PERSONAS["practitioner"].actor
    calm = "The first hour in Year 2"
    return [
        _step(today, 4, 9, senco, _ask(PRIMARY, calm, FIRST_HOUR)),
        _step(today, 3, 10, officer, _answer(calm, "Is it the same on days with PE first?")),
        _step(today, 3, 11, other, _ask(HIGH_SCHOOL, "Moving between lessons", CORRIDORS)),
        _step(today, 2, 14, practitioner, _write(PRIMARY, Status.ALLOCATED, MONDAY, Side.SCHOOL)),
        _step(today, 1, 15, senco, _write(PRIMARY, Status.ACCEPTED, WHO_COMES, Side.COUNCIL)),
    ]


FIRST_HOUR = (
    "Several children in our Year 2 take most of the first hour to settle. We tried a soft start"
    " with table games for half a term, and it helped on some days.\n\nWhat else do schools do?"
)
CORRIDORS = (
    "Three of our Year 7 pupils are in tears by the third change of lessons. We let them leave five"
    " minutes early. Is there something that draws less attention to them?"
)
MONDAY = "Could I come on a Monday instead? I should like to see the whole-school assembly too."
WHO_COMES = "Is it known yet who will come? Our deputy head would like to meet them."


def _step(today: date, ago: int, hour: int, by: Actor, act: Act) -> Step:
    return Step(clock.from_local(working_day(today, ago), hour, 20), by, act)


def _ask(urn: int, topic: str, question: str) -> Act:
    return lambda work, by: advice.ask(
        work,
        urn,
        topic=topic,
        question=question,
        contact_name=by.name,
        contact_email=by.email,
        need_code="SEMH",
        may_become_referral=True,
        token=f"demonstration-{urn}",
        by=by,
    )


def _answer(topic: str, text: str) -> Act:
    def answer(work: UnitOfWork, by: Actor) -> None:
        asked = select(AdviceRequest).where(AdviceRequest.topic == topic)
        messages.send(work, work.session.scalars(asked).one(), text=text, by=by)

    return answer


def _write(urn: int, status: Status, text: str, to: Side) -> Act:
    """About the referral of a school that has had this status for longest."""

    def write(work: UnitOfWork, by: Actor) -> None:
        query = select(Referral).where(Referral.urn == urn, Referral.status == status)
        first = work.session.scalars(query.order_by(Referral.submitted_at, Referral.id)).first()
        if first is not None:
            messages.send(work, first, text=text, to=to, by=by)

    return write
