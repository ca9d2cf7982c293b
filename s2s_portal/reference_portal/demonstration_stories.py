"""The referrals of the demonstration: each a story that stops somewhere, told by real services."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from s2s_portal import Actor, Role, clock
from s2s_portal.database import UnitOfWork
from s2s_portal.reference_portal import demonstration_words as words
from s2s_portal.reference_portal.demonstration_acts import ACTS, Story
from s2s_portal.reference_portal.demonstration_changes import CHANGES
from s2s_portal.reference_portal.demonstration_decisions import DECISIONS
from s2s_portal.reference_portal.demonstration_schools import (
    ACADEMY,
    CHURCH_PRIMARY,
    HIGH_SCHOOL,
    JUNIOR,
    NURSERY,
    PRIMARY,
    TRUST_PRIMARY,
)
from s2s_portal.reference_portal.demonstration_staff import actor
from s2s_portal.reference_portal.personas import PERSONAS
from s2s_portal.services import pulls

SENT = ("start", "fill", "submit")
GIVEN = (*SENT, "accept", "allocate")
VISITED = (*GIVEN, "book", "write", "issue")
READ = (*VISITED, "acknowledge")
JUDGED = (*READ, "assess")

# How far a story goes, and how many working days ago its last step was.
PATHS: dict[str, tuple[tuple[str, ...], int]] = {
    "begun": (("start",), 3),
    "draft": (("start", "fill"), 2),
    "forgotten": (("start", "fill"), 67),
    "submitted": (SENT, 1),
    "late": ((*SENT, "note"), 9),
    "due today": ((*SENT, "take_up"), 4),
    "given": ((*SENT, "give"), 1),
    "returned": ((*SENT, "give_back"), 4),
    "sent again": ((*SENT, "give_back", "answer", "submit"), 1),
    "withdrawn": ((*SENT, "accept", "withdraw"), 6),
    "no longer agreed": ((*GIVEN, "book", "no_longer_agreed"), 8),
    "amended": ((*GIVEN, "book", "amend"), 2),
    "declined": ((*SENT, "decline"), 15),
    "advised": ((*SENT, "advise"), 9),
    "redirected": ((*SENT, "redirect"), 7),
    "on the list": ((*SENT, "wait"), 12),
    "on hold": ((*SENT, "hold"), 2),
    "taken back": ((*SENT, "accept", "undo"), 1),
    "not answered": ((*SENT, "give_back"), 28),
    "accepted": ((*SENT, "accept"), 2),
    "on offer": ((*SENT, "accept", "offer"), 1),
    "allocated": (GIVEN, 1),
    "handed on": ((*GIVEN, "hand_over", "reallocate"), 1),
    "beside": ((*GIVEN, "join", "book"), 1),
    "booked": ((*GIVEN, "book"), 2),
    "owed": ((*GIVEN, "book"), 9),
    "drafted": ((*GIVEN, "book", "write"), 1),
    "issued": (VISITED, 2),
    "read": (READ, 6),
    "second visit": ((*READ, "add", "book", "write", "issue"), 3),
    "judged": (JUDGED, 2),
    "closed": ((*JUDGED, "close"), 12),
    "closed long ago": ((*JUDGED, "close"), 48),
    "closed early": ((*GIVEN, "close", "waive"), 10),
    "reopened": ((*JUDGED, "close", "reopen"), 5),
    "with nobody": ((*SENT, "take_up", "accept"), 13),
}
OTHER_OFFICER = Actor(
    id="demo-officer",
    name="Rosalind Achterberg",
    email="rosalind.achterberg@portal.example",
    roles=frozenset({Role.OFFICER}),
)
# Working days from the step before; 0 is later on the same day.
GAPS = {
    "fill": 0,
    "answer": 1,
    "take_up": 1,
    "give": 1,
    "amend": 1,
    "no_longer_agreed": 1,
    "write": 7,
    "book": 1,
    "issue": 1,
    "acknowledge": 2,
    "assess": 6,
    "reopen": 9,
}
USUAL_GAP = 2
VISIT_AFTER = 6  # working days from booking to the visit

CAST: tuple[tuple[str, int, str], ...] = (
    ("begun", PRIMARY, ""),
    ("draft", PRIMARY, ""),
    ("forgotten", PRIMARY, ""),
    ("submitted", PRIMARY, ""),
    ("returned", PRIMARY, ""),
    ("declined", PRIMARY, ""),
    ("on the list", PRIMARY, ""),
    ("advised", PRIMARY, ""),
    ("redirected", PRIMARY, ""),
    ("on the list", JUNIOR, ""),
    ("on hold", HIGH_SCHOOL, ""),
    ("taken back", ACADEMY, ""),
    ("not answered", PRIMARY, ""),
    ("accepted", PRIMARY, ""),
    ("on offer", JUNIOR, "practitioner"),
    ("allocated", PRIMARY, "practitioner"),
    ("amended", PRIMARY, "practitioner"),
    ("sent again", PRIMARY, ""),
    ("withdrawn", PRIMARY, ""),
    ("issued", PRIMARY, "practitioner"),
    ("second visit", PRIMARY, "practitioner"),
    ("closed", PRIMARY, "practitioner"),
    ("closed long ago", PRIMARY, "demo-marlowe"),
    ("reopened", PRIMARY, "practitioner"),
    ("draft", HIGH_SCHOOL, ""),
    ("submitted", HIGH_SCHOOL, ""),
    ("late", HIGH_SCHOOL, ""),
    ("with nobody", HIGH_SCHOOL, ""),
    ("due today", TRUST_PRIMARY, ""),
    ("given", JUNIOR, ""),
    ("sent again", HIGH_SCHOOL, ""),
    ("allocated", HIGH_SCHOOL, "other-practitioner"),
    ("owed", HIGH_SCHOOL, "other-practitioner"),
    ("read", HIGH_SCHOOL, "demo-idowu"),
    ("closed long ago", HIGH_SCHOOL, "other-practitioner"),
    ("submitted", ACADEMY, ""),
    ("accepted", ACADEMY, ""),
    ("drafted", ACADEMY, "demo-idowu"),
    ("withdrawn", ACADEMY, ""),
    ("no longer agreed", CHURCH_PRIMARY, "practitioner"),
    ("judged", ACADEMY, "other-practitioner"),
    ("closed", ACADEMY, "demo-idowu"),
    ("submitted", NURSERY, ""),
    ("booked", NURSERY, "demo-larsson"),
    ("read", NURSERY, "practitioner"),
    ("late", CHURCH_PRIMARY, ""),
    ("allocated", CHURCH_PRIMARY, "demo-marlowe"),
    ("second visit", CHURCH_PRIMARY, "demo-larsson"),
    ("closed early", CHURCH_PRIMARY, "demo-rees"),
    ("submitted", TRUST_PRIMARY, ""),
    ("owed", TRUST_PRIMARY, "demo-kaur"),
    ("issued", TRUST_PRIMARY, "demo-kaur"),
    ("closed long ago", TRUST_PRIMARY, "demo-rees"),
    ("accepted", JUNIOR, ""),
    ("judged", JUNIOR, "demo-marlowe"),
    ("closed", JUNIOR, "demo-kaur"),
    ("drafted", JUNIOR, "practitioner"),
    ("handed on", TRUST_PRIMARY, "demo-marlowe"),
    ("beside", HIGH_SCHOOL, "other-practitioner"),
)


@dataclass(frozen=True)
class Step:
    """Something that `by` did at an instant: `act` calls the service inside a unit of work."""

    at: datetime
    by: Actor
    act: Callable[[UnitOfWork, Actor], object]


# What happens later in these is about a named pupil's own sections or agreement.
ABOUT_A_PUPIL = {"returned", "sent again", "withdrawn", "no longer agreed", "not answered"}


def steps(today: date, random: Random) -> list[Step]:
    """Every step of every story up to `today`, in the order in which they happened."""
    diary: set[tuple[str, datetime]] = set()
    told = [
        step
        for path, urn, practitioner in CAST
        for step in _tell(
            path,
            Story(random, urn, practitioner, words.needs(random), path in ABOUT_A_PUPIL),
            today,
            diary,
        )
    ]
    return sorted([*told, *_of_finance(today)], key=lambda step: step.at)


def working_day(today: date, ago: int) -> date:
    """The day that is `ago` working days before `today`; below 0 it lies ahead.

    Weekends are skipped, and so are August and the days around Christmas, when schools are shut.
    """
    day, left = today, abs(ago)
    while left:
        day += timedelta(days=-1 if ago > 0 else 1)
        left -= _is_open(day)
    return day


def _is_open(day: date) -> bool:
    shut = day.month == 8 or (day.month, day.day) >= (12, 19) or (day.month, day.day) <= (1, 5)
    return day.weekday() < 5 and not shut


def _tell(path: str, story: Story, today: date, diary: set[tuple[str, datetime]]) -> Iterator[Step]:
    names, quiet = PATHS[path]
    gaps = [0, *(GAPS.get(name, USUAL_GAP) for name in names[1:])]
    ago = sum(gaps) + quiet
    minute = story.random.randrange(40)
    for name, gap in zip(names, gaps, strict=True):
        ago -= gap
        minute += 0 if gap else 8
        at = clock.from_local(working_day(today, ago), 9 + len(name) % 6, minute)
        if name == "fill":
            at = clock.from_local(working_day(today, ago), 15, minute)
        if name == "book":
            story.booked.append(_slot(story, working_day(today, ago - VISIT_AFTER), diary))
        by, act = _action(name, story)
        yield Step(at, by, act)


def _slot(story: Story, day: date, diary: set[tuple[str, datetime]]) -> datetime:
    """A free hour of the practitioner on `day`, or on the working day before it."""
    while True:
        for hour in (9, 11, 13):
            slot = clock.from_local(day, hour, 30)
            if (story.practitioner, slot) not in diary:
                diary.add((story.practitioner, slot))
                return slot
        day = working_day(day, 1)


def _action(name: str, story: Story) -> tuple[Actor, Callable[[UnitOfWork, Actor], object]]:
    """Who takes the step `name` of `story`, and how."""
    officer = PERSONAS["officer"].actor
    who: dict[str, Actor] = {
        **dict.fromkeys(("start", "fill", "submit", "acknowledge", *CHANGES), story.sender),
        **dict.fromkeys((*DECISIONS, "allocate", "reallocate", "join", "close", "reopen"), officer),
        "take_up": officer,
        "give": OTHER_OFFICER,
        "waive": PERSONAS["finance-approver"].actor,
    }
    by = who[name] if name in who else actor(story.practitioner)
    act = (ACTS | CHANGES | DECISIONS)[name]
    index = len(story.booked) - 1  # of the visit that this step is about
    return by, lambda work, by: act(work, story, by, index)


def _of_finance(today: date) -> list[Step]:
    """Finance pulls twice and has collected the first pull; what came since is due."""
    finance = PERSONAS["finance"].actor

    def pull(number: int) -> Callable[[UnitOfWork, Actor], object]:
        key = f"demonstration:{number}"
        return lambda work, by: pulls.make(work, idempotency_key=key, by=by)

    def collect(work: UnitOfWork, by: Actor) -> None:
        pulls.collect(work, 1, finance_reference="JNL-DEMO-0001", collected_on=clock.today(), by=by)

    return [
        Step(clock.from_local(working_day(today, 45), 16), finance, pull(1)),
        Step(clock.from_local(working_day(today, 38), 16), finance, collect),
        Step(clock.from_local(working_day(today, 14), 16), finance, pull(2)),
    ]
