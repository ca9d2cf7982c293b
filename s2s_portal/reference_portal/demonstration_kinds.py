"""What the demonstration shows of the kinds of activity: a training that two schools share, what a
school thought of it, and a visit that did not take place."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from s2s_portal import Actor, clock
from s2s_portal.database import UnitOfWork
from s2s_portal.models.visit import Attendance, Visit, VisitKind
from s2s_portal.reference_portal.demonstration_acts import Act, Story
from s2s_portal.services import activity_time, record_answers, records, training, visits
from s2s_portal.services.record_answers import Answers, Attending


def _book_training(work: UnitOfWork, story: Story, by: Actor, visit: int) -> None:
    starts = clock.local(story.booked[visit])
    visits.book(
        work,
        story.reference,
        kind=VisitKind.TRAINING,
        day=starts.date(),
        starts=starts.time(),
        ends=(starts + timedelta(minutes=90)).time(),
        note="For all teachers and teaching assistants, in the hall.",
        by=by,
    )


def _train(work: UnitOfWork, story: Story, by: Actor, visit: int) -> None:
    """Record a training that another school joined, if the practitioner has one that could."""
    made = visits.get(story.reference, visit + 1)
    schools = training.joinable(made, made.practitioner_id)
    came = [
        Attending("class teachers", 9),
        Attending("teaching assistants", 6),
        Attending("SENCo", None, "Sam Reed"),
    ]
    if schools:
        row = training.join(work, made, schools[0].reference, by=by)
        came.append(Attending("teaching assistants", 3, joined=row.id))
    answers = Answers(
        **_when(made),
        covered="What behaviour tells us.\nNow-and-next boards, and when to put them away.",
        resources_given="The slides, and a board for each class.",
        discussed="How to begin with a whole class. We tried it with two volunteers.",
        next_visit="A call in four weeks, to hear what has been tried.",
        attendees=tuple(came),
        preparation_minutes=75,
        write_up_minutes=20,
        travel_minutes=50,
        miles=Decimal("24.6"),
    )
    _issue(work, made, answers, by)
    record = records.of_visit(visits.get(story.reference, visit + 1))
    if record is not None:
        spent = activity_time.Spent(90, 120, 20, 50, Decimal("24.6"))
        reason = "The boards took longer to make than I had written."
        activity_time.correct(work, record, to=spent, reason=reason, by=by)


def _lose(work: UnitOfWork, story: Story, by: Actor, visit: int) -> None:
    made = visits.get(story.reference, visit + 1)
    answers = Answers(
        **(_when(made) | {"started_at": None, "finished_at": None}),
        attendance=Attendance.SCHOOL_NOT_READY,
        reason="The class was out on a trip that had been moved.",
        next_visit="We agreed another day by phone the same morning.",
        travel_minutes=35,
        miles=Decimal("16.0"),
    )
    _issue(work, made, answers, by)


def _when(visit: Visit) -> dict[str, Any]:
    starts, ends = clock.local(visit.starts_at), clock.local(visit.ends_at)
    return {
        "kind": visit.kind,
        "visited_on": starts.date(),
        "started_at": starts.time(),
        "finished_at": ends.time(),
    }


def _issue(work: UnitOfWork, visit: Visit, answers: record_answers.Answers, by: Actor) -> None:
    draft = records.save(work, visit, answers=answers, by=by)
    records.issue(work, visit, seen=draft.version, by=by)


def _evaluate(work: UnitOfWork, story: Story, by: Actor, visit: int) -> None:
    words = "The boards are up in every room. We would like the same for lunchtime staff."
    record = records.get(story.reference, visit + 1)
    training.evaluate(work, record, useful=5, confident=4, words=words, by=by)


KINDS: dict[str, Act] = {
    "book_training": _book_training,
    "train": _train,
    "lose": _lose,
    "evaluate": _evaluate,
}
