"""Within how long each step is promised, and whom it waits for: rules by date (domain.md 2.4)."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import select

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.models.terms import ServiceLevel, Step, Unit
from s2s_portal.services import calendar, clock_dates


class Party(StrEnum):
    """Whom a step waits for."""

    COUNCIL = "council"
    PRACTITIONER = "practitioner"
    SCHOOL = "school"


WAITS_FOR = {
    Step.ACKNOWLEDGEMENT: Party.COUNCIL,
    Step.DECISION: Party.COUNCIL,
    Step.ALLOCATION: Party.COUNCIL,
    Step.CONTACT: Party.PRACTITIONER,
    Step.FIRST_VISIT: Party.PRACTITIONER,
    Step.RECORD: Party.PRACTITIONER,
    Step.ANSWER: Party.SCHOOL,
    Step.CLOSURE: Party.COUNCIL,
    Step.ADVICE: Party.COUNCIL,
}
PARTY_WORDS = {
    Party.COUNCIL: "the council",
    Party.PRACTITIONER: "the practitioner",
    Party.SCHOOL: "the school",
}
# What is to be done, as an officer reads it.
STEP_WORDS = {
    Step.ACKNOWLEDGEMENT: "Acknowledge",
    Step.DECISION: "Decide",
    Step.ALLOCATION: "Choose a practitioner",
    Step.CONTACT: "Contact the school",
    Step.FIRST_VISIT: "First visit",
    Step.RECORD: "Issue the visit record",
    Step.ANSWER: "The school answers",
    Step.CLOSURE: "Close",
    Step.ADVICE: "Answer a request for advice",
}
# From when each counts, and what keeps it.
STEP_HINTS = {
    Step.ACKNOWLEDGEMENT: "From when a referral is sent, until an officer takes it up",
    Step.DECISION: "From when a referral is sent, until it is accepted or declined",
    Step.ALLOCATION: "From acceptance, until a practitioner is chosen",
    Step.CONTACT: "From allocation, until the practitioner has arranged a visit",
    Step.FIRST_VISIT: "From allocation, until the first visit has taken place",
    Step.RECORD: "From each visit, until its record is issued",
    Step.ANSWER: "From when a referral is returned, until the school sends it again",
    Step.CLOSURE: "From when the outcomes are recorded, until the referral is closed",
    Step.ADVICE: "From when a school asks for advice, until it is answered",
}
UNIT_WORDS = {
    Unit.WORKING_DAYS: ("working day", "working days"),
    Unit.SCHOOL_DAYS: ("school day", "school days"),
    Unit.SCHOOL_WEEKS: ("school week", "school weeks"),
}


def on(step: Step, day: date) -> ServiceLevel | None:
    """The rule for `step` that is in force on `day`; None when nothing is promised."""
    return session().scalar(
        select(ServiceLevel)
        .where(ServiceLevel.step == step, ServiceLevel.valid_from <= day)
        .order_by(ServiceLevel.valid_from.desc(), ServiceLevel.id.desc())
        .limit(1)
    )


def promised(step: Step, since: datetime) -> date | None:
    """The last day for `step` of something that came at the instant `since`, by the county's days.

    For what is no referral: a referral's promises are its clocks. None when nothing is promised.
    """
    dates = calendar.of()
    day = dates.day_received(clock.local(since))
    level = on(step, day)
    return None if level is None else clock_dates.due(day, level.length, level.unit, dates)


def length_words(level: ServiceLevel) -> str:
    """How long a rule gives, in words: `5 working days`."""
    one, more = UNIT_WORDS[level.unit]
    return f"{level.length} {one if level.length == 1 else more}"
