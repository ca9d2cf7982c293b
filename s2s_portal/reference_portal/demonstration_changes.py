"""What schools of the demonstration do after sending: answer, amend, take back."""

from __future__ import annotations

from s2s_portal import Actor, clock
from s2s_portal.database import UnitOfWork
from s2s_portal.models.codes import Withdrawal
from s2s_portal.reference_portal.demonstration_acts import Act, Story
from s2s_portal.services import answers, changes, drafting, evidence, referrals, withdrawing


def _answer(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    """The school answers one of the two questions of the act `give_back`."""
    referral = drafting.in_hand(story.reference, by=by)
    wanted = list(answers.of(referral, "outcomes")["outcomes"])
    text, baseline = wanted[0]
    wanted[0] = (
        text + "\nWe will know it by the class teacher's tally at the end of each week.",
        baseline,
    )
    evidence.save_outcomes(work, referral, outcomes=wanted, by=by)


def _amend(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    referral = changes.held(story.reference, by=by)
    given = answers.of(referral, "practicalities")
    given["preferred_days"] = "Tuesday or Thursday afternoons"
    changes.amend(
        work,
        referral,
        "practicalities",
        drafting.save_practicalities,
        given=given,
        reason="The timetable of the class has changed.",
        by=by,
    )


def _withdraw(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    withdrawing.withdraw(
        work,
        story.reference,
        reason=Withdrawal.MOVED_SCHOOL,
        message="They start at their new school after the holidays.",
        seen=referrals.get(story.reference).version,
        by=by,
    )


def _no_longer_agreed(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    withdrawing.withdraw_agreement(
        work,
        story.reference,
        withdrawn_by="The pupil's mother",
        told_to=by.name,
        told_on=clock.today(),
        seen=referrals.get(story.reference).version,
        by=by,
    )


CHANGES: dict[str, Act] = {
    "answer": _answer,
    "amend": _amend,
    "withdraw": _withdraw,
    "no_longer_agreed": _no_longer_agreed,
}
