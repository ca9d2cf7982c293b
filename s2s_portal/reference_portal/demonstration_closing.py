"""What the people of the demonstration do at the end: the report, and what a school says of it."""

from __future__ import annotations

from s2s_portal import Actor, clock
from s2s_portal.database import UnitOfWork
from s2s_portal.models.case_study import ConsentHow, Party
from s2s_portal.models.impact import Stage, StillUsing
from s2s_portal.reference_portal.demonstration_acts import Act, Story
from s2s_portal.services import case_studies, confidence, end_reports, school_evaluations
from s2s_portal.services.end_reports import Answers

REPORT = Answers(
    done="We watched two lessons and a lunchtime, and tried three strategies with the class teacher"
    " and the teaching assistant.",
    changed="Mornings are calmer, and the staff say sooner what they need from each other.",
    goes_on="The quiet start and the picture timetable. The SENCo looks at them each half-term.",
    next_steps="If the move to the next class is hard, begin both there a week before.",
)


def _sure(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    how = story.random.choice([1, 2, 2, 3])
    confidence.answer(work, story.reference, Stage.BEFORE, confidence=how, seen=0, by=by)


def _report(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    draft = end_reports.save(work, story.reference, answers=REPORT, by=by)
    work.flush()
    end_reports.issue(work, story.reference, seen=draft.version, by=by)


def _surer(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    how = story.random.choice([3, 4, 4, 5])
    confidence.answer(work, story.reference, Stage.AFTER, confidence=how, seen=0, by=by)


def _evaluate(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    school_evaluations.evaluate(
        work,
        story.reference,
        useful=story.random.choice([3, 4, 4]),
        timely=story.random.choice([2, 3, 4]),
        still_using=StillUsing.MOST,
        text="It helped that somebody showed us how, and did not only tell us.",
        by=by,
    )


def _consent(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    case_studies.say(
        work,
        story.reference,
        party=Party.SCHOOL,
        given=True,
        who=by.name,
        how=ConsentHow.EMAIL,
        on=clock.today(),
        by=by,
    )


OF_SCHOOL = ("sure", "surer", "evaluate", "consent")
CLOSING: dict[str, Act] = {
    "sure": _sure,
    "report": _report,
    "surer": _surer,
    "evaluate": _evaluate,
    "consent": _consent,
}
