"""What a practitioner writes in a visit record, and what it still lacks before it is issued."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, time

from s2s_portal import clock
from s2s_portal.errors import Refused
from s2s_portal.models.visit import VisitKind, VisitRecord
from s2s_portal.services.terms import written

MOST_RECOMMENDATIONS = 40


@dataclass(frozen=True)
class Advice:
    """One strategy recommended: what, who does it, by when."""

    strategy: str
    owner: str = ""
    by_when: date | None = None


@dataclass(frozen=True)
class Answers:
    """The whole content of a record; times are those of a wall clock in Norfolk."""

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

    @classmethod
    def plain_fields(cls) -> list[str]:
        """The names of the answers that are columns of the record's own row."""
        return [field.name for field in fields(cls) if field.name != "recommendations"]


@dataclass(frozen=True)
class Problem:
    """Something to put right: the field, and for a recommendation its row, counted from 0."""

    field: str
    text: str
    row: int | None = None


def answers_of(record: VisitRecord) -> Answers:
    """What `record` holds; its recommendations must be loaded."""
    return Answers(
        **{name: getattr(record, name) for name in Answers.plain_fields()},
        recommendations=tuple(
            Advice(row.strategy, row.owner, row.by_when) for row in record.recommendations
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


def missing(answers: Answers) -> list[Problem]:
    """What has to be put right before a record with these answers is issued, top to bottom."""
    problems = []
    if answers.started_at is None:
        problems.append(Problem("started_at", "Enter the time the visit started"))
    if answers.finished_at is None:
        problems.append(Problem("finished_at", "Enter the time the visit finished"))
    if _has_yet_to_begin(answers):
        problems.append(Problem("started_at", "The visit must have started before you issue this"))
    if not answers.people_met:
        problems.append(Problem("people_met", "Enter who you met"))
    if not answers.observed and not answers.discussed:
        problems.append(Problem("observed", "Enter what you observed or what you discussed"))
    for row, advice in enumerate(answers.recommendations):
        problems.extend(_missing_in(row, advice, answers.visited_on))
    return problems


def _has_yet_to_begin(answers: Answers) -> bool:
    if answers.started_at is None:
        return False
    started = clock.from_local(
        answers.visited_on, answers.started_at.hour, answers.started_at.minute
    )
    return started > clock.now()


def _missing_in(row: int, advice: Advice, visited_on: date) -> list[Problem]:
    name = f"recommendation {row + 1}"
    problems = []
    if not advice.strategy:
        problems.append(Problem("strategy", f"Enter the strategy of {name}", row))
    if not advice.owner:
        problems.append(Problem("owner", f"Enter who carries out {name}", row))
    if advice.by_when is None:
        problems.append(Problem("by_when", f"Enter when {name} should be done by", row))
    elif advice.by_when < visited_on:
        problems.append(
            Problem("by_when", f"The date of {name} must be on or after the visit", row)
        )
    return problems
