"""What a practitioner writes in a visit record, and what it still lacks before it is issued."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import date, time
from decimal import Decimal

from s2s_portal import clock
from s2s_portal.errors import Refused
from s2s_portal.models.visit import Attendance, ReachedBy, VisitKind, VisitRecord
from s2s_portal.services.record_parts import (
    ATTENDEES,
    LISTS,
    RECOMMENDATIONS,
    Outline,
    Part,
    outline_of,
)
from s2s_portal.services.terms import written

MOST_RECOMMENDATIONS = 40
MOST_ATTENDEES = 40  # rows: each may be many people in one role
MOST_PEOPLE = 999
LONGEST_DAY = 24 * 60  # minutes
MOST_MILES = 999


@dataclass(frozen=True)
class Advice:
    """One strategy recommended: what, who does it, by when."""

    strategy: str
    owner: str = ""
    by_when: date | None = None


@dataclass(frozen=True)
class Attending:
    """Who took part in a training: `people` in a `role`, or one member of staff by `name`.

    `joined` is the row of the school that they are of; None: of the host.
    """

    role: str
    people: int | None = None
    name: str = ""
    joined: int | None = None


@dataclass(frozen=True)
class Answers:
    """The whole content of a record; times of day are those of a wall clock in Norfolk.

    The four times are in minutes, `miles` there and back. Contact that is None is what lies between
    start and finish.
    """

    kind: VisitKind
    visited_on: date
    started_at: time | None = None
    finished_at: time | None = None
    people_met: str = ""
    pupil_seen: bool | None = None
    observed: str = ""
    discussed: str = ""
    resources_given: str = ""
    next_visit: str = ""
    recommendations: tuple[Advice, ...] = ()
    attendance: Attendance = Attendance.HAPPENED
    talked: bool = False
    reached_by: ReachedBy | None = None
    focus: str = ""
    progress: str = ""
    pupil_voice: str = ""
    covered: str = ""
    made: str = ""
    intended_for: str = ""
    how_to_use: str = ""
    service: str = ""
    reason: str = ""
    how_to_reach: str = ""
    agreed: str = ""
    contact_minutes: int | None = None
    preparation_minutes: int | None = None
    write_up_minutes: int | None = None
    travel_minutes: int | None = None
    miles: Decimal | None = None
    attendees: tuple[Attending, ...] = field(default=())

    @classmethod
    def plain_fields(cls) -> list[str]:
        """The names of the answers that are columns of the record's own row."""
        return [one.name for one in fields(cls) if one.name not in LISTS]

    @property
    def outline(self) -> Outline:
        """What these answers are asked."""
        return outline_of(self.kind, self.attendance, self.talked)

    @property
    def given(self) -> bool:
        """Whether support was given: it happened, or staff were advised without the pupil."""
        away = self.attendance is Attendance.PUPIL_ABSENT and self.talked
        return away or self.attendance is Attendance.HAPPENED


@dataclass(frozen=True)
class Problem:
    """Something to put right: the field, and for a list its row, counted from 0."""

    field: str
    text: str
    row: int | None = None
    listed: str = RECOMMENDATIONS


def answers_of(record: VisitRecord) -> Answers:
    """What `record` holds; its lists must be loaded."""
    return Answers(
        **{name: getattr(record, name) for name in Answers.plain_fields()},
        recommendations=tuple(
            Advice(row.strategy, row.owner, row.by_when) for row in record.recommendations
        ),
        attendees=tuple(
            Attending(row.role, row.people, row.name, row.joined_id) for row in record.attendees
        ),
    )


def check(answers: Answers, received_on: date | None) -> None:
    """Raise Refused for what no record may say, not even a draft."""
    if answers.visited_on > clock.today():
        raise Refused("The date of the visit must be today or in the past.", field="visited_on")
    if received_on and answers.visited_on < received_on:
        raise Refused(
            f"The date of the visit must be on or after {written(received_on)},"
            " when the referral was received.",
            field="visited_on",
        )
    if answers.started_at and answers.finished_at and answers.finished_at <= answers.started_at:
        raise Refused("The finish time must be later than the start time.", field="finished_at")
    if len(answers.recommendations) > MOST_RECOMMENDATIONS:
        raise Refused(f"A record can have at most {MOST_RECOMMENDATIONS} recommendations.")
    if len(answers.attendees) > MOST_ATTENDEES:
        raise Refused(f"A record can list at most {MOST_ATTENDEES} rows of who took part.")
    check_time(answers)


def check_time(answers: object) -> None:
    """Raise Refused for minutes or miles that no day has, each alone and all together.

    Contact that nobody has said is what lies between start and finish.
    """
    total = _between(answers) if getattr(answers, "contact_minutes", None) is None else 0
    for name in ("contact", "preparation", "write_up", "travel"):
        minutes = getattr(answers, f"{name}_minutes") or 0
        total += minutes
        if not 0 <= minutes <= LONGEST_DAY:
            raise Refused("A day has no more than 24 hours.", field=f"{name}_minutes")
    if total > LONGEST_DAY:
        raise Refused(
            "Together these times are more than the 24 hours of a day.", field="contact_minutes"
        )
    if not 0 <= (getattr(answers, "miles", None) or 0) <= MOST_MILES:
        raise Refused(f"Miles must be {MOST_MILES} or fewer.", field="miles")


def _between(answers: object) -> int:
    starts, ends = getattr(answers, "started_at", None), getattr(answers, "finished_at", None)
    if starts is None or ends is None:
        return 0
    return int(ends.hour - starts.hour) * 60 + int(ends.minute - starts.minute)


def missing(answers: Answers) -> list[Problem]:
    """What has to be put right before a record with these answers is issued, top to bottom."""
    return list(_missing(answers))


def _missing(answers: Answers) -> Iterator[Problem]:
    asked = answers.outline
    if asked.timed:
        yield from _missing_times(answers)
    if asked.reached and answers.reached_by is None:
        yield Problem("reached_by", "Select how you reached them")
    for part in asked.parts:
        if part.name not in LISTS:
            yield from _missing_part(part, asked, answers)
        elif part.name == ATTENDEES:
            yield from _missing_attendees(part, answers)
    if answers.recommendations and not answers.given:
        text = "Remove the recommendations: nothing is recommended when a visit did not take place"
        yield Problem("strategy", text, 0)
        return
    for row, advice in enumerate(answers.recommendations):
        yield from _missing_in(row, advice, answers.visited_on)


def _missing_times(answers: Answers) -> Iterator[Problem]:
    if answers.started_at is None:
        yield Problem("started_at", "Enter the time the visit started")
    if answers.finished_at is None:
        yield Problem("finished_at", "Enter the time the visit finished")
    if _has_yet_to_begin(answers):
        yield Problem("started_at", "The visit must have started before you issue this")


def _missing_part(part: Part, asked: Outline, answers: Answers) -> Iterator[Problem]:
    if getattr(answers, part.name):
        return
    if part.needed:
        yield Problem(part.name, part.needed)
    elif part.name in asked.either[:1] and not any(getattr(answers, n) for n in asked.either):
        yield Problem(part.name, "Enter what you observed or what you discussed")


def _missing_attendees(part: Part, answers: Answers) -> Iterator[Problem]:
    if not answers.attendees:
        yield Problem("role", part.needed, 0, ATTENDEES)
    for row, one in enumerate(answers.attendees):
        if not one.role:
            yield Problem("role", f"Enter the role in row {row + 1}", row, ATTENDEES)
        if not one.people and not one.name:
            text = f"Enter how many people, or the name, in row {row + 1}"
            yield Problem("people", text, row, ATTENDEES)


def _has_yet_to_begin(answers: Answers) -> bool:
    if answers.started_at is None:
        return False
    started = clock.from_local(
        answers.visited_on, answers.started_at.hour, answers.started_at.minute
    )
    return started > clock.now()


def _missing_in(row: int, advice: Advice, visited_on: date) -> Iterator[Problem]:
    name = f"recommendation {row + 1}"
    if not advice.strategy:
        yield Problem("strategy", f"Enter the strategy of {name}", row)
    if not advice.owner:
        yield Problem("owner", f"Enter who carries out {name}", row)
    if advice.by_when is None:
        yield Problem("by_when", f"Enter when {name} should be done by", row)
    elif advice.by_when < visited_on:
        yield Problem("by_when", f"The date of {name} must be on or after the visit", row)
