"""The clocks of a referral in words: for its school, what it can expect; for the rest, what is due.

What would move a date is said beside it, so that nobody is surprised when it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from s2s_portal import clock
from s2s_portal.models.clocks import ClockKind, ClockState, ReferralClock
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import Step
from s2s_portal.services import calendar, clock_dates, clocks
from s2s_portal.services.clock_rows import Why
from s2s_portal.services.service_levels import (
    PARTY_WORDS,
    STEP_WORDS,
    WAITS_FOR,
    Party,
    length_words,
)
from s2s_portal.services.terms import written

# What a school is promised while a clock runs, and when it has run out.
PROMISED = {
    Step.DECISION: ("We will decide by {}.", "We should have decided by {}. We are sorry."),
    Step.ALLOCATION: (
        "We will choose a practitioner by {}.",
        "We should have chosen a practitioner by {}. We are sorry.",
    ),
    Step.CONTACT: (
        "The practitioner will contact you by {}.",
        "The practitioner should have contacted you by {}. We are sorry.",
    ),
    Step.FIRST_VISIT: (
        "The first visit will take place by {}. School holidays do not count.",
        "The first visit should have taken place by {}. We are sorry.",
    ),
    Step.RECORD: (
        "You will have the record of the visit by {}.",
        "You should have had the record of the visit by {}. We are sorry.",
    ),
    Step.ANSWER: (
        "Please answer by {}. School holidays do not count.",
        "We asked you to answer by {}. You can still answer now.",
    ),
}
# What a school is told of a promise whose clock stands still.
ONCE_MORE = {
    Step.DECISION: "we will decide",
    Step.ALLOCATION: "we will choose a practitioner",
    Step.CONTACT: "the practitioner will contact you",
    Step.FIRST_VISIT: "the first visit will take place",
    Step.RECORD: "you will have the record of the visit",
}
MOVES_IT = "If we ask you for more information, the clock stands still until you answer."


@dataclass(frozen=True)
class Due:
    """One clock as an officer or practitioner reads it; `tag` is empty while there is time."""

    words: str
    waits_for: str
    when: str
    rule: str
    tag: str = ""
    colour: str = ""
    moved: tuple[str, ...] = ()


def expected(referral: Referral, found: Sequence[ReferralClock]) -> list[str]:
    """What the school of `referral` can expect by when, a sentence or two for each promise."""
    said = []
    for one in found:
        if one.state is ClockState.PAUSED and one.step in ONCE_MORE:
            said.append(_standing_still(referral, one))
        elif one.state is ClockState.RUNNING and one.step in PROMISED:
            ahead, passed = PROMISED[one.step]
            late = clocks.is_broken(one, clock.today())
            words = (passed if late else ahead).format(written(one.due_on))
            said.append(f"{words} {MOVES_IT}" if one.step is Step.DECISION and not late else words)
    return said


def _standing_still(referral: Referral, one: ReferralClock) -> str:
    returned = Why.RETURNED in clocks.standing(one.changes)
    if one.breach is not None:
        return (
            f"We should have finished this step by {written(one.breach.due_on)}. We are sorry."
            " The clock now stands still"
            + (" while we wait for your answer." if returned else ", as the referral is on hold.")
        )
    if not returned:
        return "The clock stands still while the referral is on hold."
    by = written(_if_it_went_on(referral, one))
    return (
        "The clock stands still while we wait for your answer. If you send the referral again"
        f" today, {ONCE_MORE[one.step]} by {by}."
    )


def _if_it_went_on(referral: Referral, one: ReferralClock) -> date:
    dates = calendar.of(referral.urn)
    day = dates.day_received(clock.local(clock.now()))
    stood = clocks.pauses(one.changes, day)
    return clock_dates.due(one.day_zero, one.level.length, one.level.unit, dates, stood)


def due(found: Sequence[ReferralClock]) -> list[Due]:
    """The clocks that have not ended, each with how it stands, in the order they were started."""
    return [_due(one) for one in found if one.ended_at is None]


def _due(one: ReferralClock) -> Due:
    tag, colour = _tag(one, clock.today())
    when = f"by {written(one.due_on)}"
    if one.state is ClockState.PAUSED and one.breach is None:
        when = "The clock stands still"
    return Due(
        words=STEP_WORDS[one.step],
        waits_for=PARTY_WORDS[WAITS_FOR[one.step]],
        when=when,
        rule=f"{length_words(one.level)} from {written(one.day_zero)}. {one.level.source}",
        tag=tag,
        colour=colour,
        moved=tuple(
            f"Moved to {written(change.due_on)}: {change.reason}"
            for change in one.changes
            if change.kind is ClockKind.RECOMPUTED
        ),
    )


def _tag(one: ReferralClock, today: date) -> tuple[str, str]:
    if one.state is ClockState.PAUSED:
        return ("Paused, was overdue", "red") if one.breach else ("Paused", "grey")
    return tag(one.due_on, one.warn_on, today)


def tag(due_on: date, warn_on: date, today: date) -> tuple[str, str]:
    """How a running clock stands on `today`: the words of a tag and its colour."""
    if due_on < today:
        return "Overdue", "red"
    if due_on == today:
        return "Due today", "orange"
    if warn_on <= today:
        return "Due soon", "yellow"
    return "", ""


def kept(found: Sequence[ReferralClock]) -> list[str]:
    """The promises of the council or a practitioner that were kept too late, in words."""
    return [
        f"{STEP_WORDS[one.step]}: was due by {written(one.breach.due_on)}"
        + (f", done on {written(clock.local(one.ended_at).date())}" if one.ended_at else "")
        for one in found
        if one.breach is not None
        and WAITS_FOR[one.step] is not Party.SCHOOL
        and one.state is ClockState.MET
    ]
