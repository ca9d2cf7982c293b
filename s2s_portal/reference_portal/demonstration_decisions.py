"""What the officer of the demonstration decides, each kind of decision once at least."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from s2s_portal import Actor, clock
from s2s_portal.database import UnitOfWork
from s2s_portal.models.codes import Way
from s2s_portal.models.note import NoteLabel
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.reference_portal.demonstration_acts import Act, Story, seen
from s2s_portal.services import (
    checklist,
    decision_lists,
    decision_words,
    holding,
    notes,
    offers,
    referrals,
    returning,
    triage,
    undoing,
)


def _give_back(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    returning.return_for_information(
        work,
        story.reference,
        seen=seen(story),
        questions={
            "tried": "Please add what you tried for at least half a term, and what came of it.",
            "outcomes": "Please say how you would know in class that the first was reached.",
        },
        codes={"tried": "NO_APDR", "outcomes": "UNCLEAR"},
        message="Thank you for a clear referral. Two things are missing.",
        by=by,
    )


def _accept(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    note = "Clear account of what was tried; within the criteria."
    triage.accept(
        work,
        story.reference,
        level="1123"[sum(map(ord, story.reference)) % 4],
        ticked=list(checklist.POINTS),
        seen=seen(story),
        note=note,
        by=by,
    )


def _decline(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    _decide(
        work,
        story,
        by,
        Way.DECLINE,
        "NO_APDR",
        "We read what you have begun with interest. Please go on for another half term first.",
    )


def _advise(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    _decide(
        work,
        story,
        by,
        Way.ADVISE,
        "ADVICE_INVOLVED",
        "Please go on with what the educational psychologist has advised, and add a planned break"
        " before each lesson that the class finds long.",
    )


def _redirect(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    _decide(work, story, by, Way.REDIRECT, "EPSS", "They know this need better than we do.")


def _wait(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    _decide(
        work, story, by, Way.WAIT, "WAIT_CAPACITY", "Your account is clear; nothing is missing."
    )


def _decide(
    work: UnitOfWork, story: Story, by: Actor, way: Way, code: str, words_for_school: str
) -> None:
    referral = referrals.get(story.reference)
    chosen = (
        decision_lists.service(code) if way is Way.REDIRECT else decision_lists.reason(way, code)
    )
    triage.decide(
        work,
        story.reference,
        way=way,
        code=code,
        message=decision_words.standard(way, chosen, referral, words_for_school),
        seen=referral.version,
        by=by,
    )


def _hold(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    holding.hold(
        work,
        story.reference,
        code="HOLD_PARENT",
        until=clock.today() + timedelta(days=14),
        message="The family wants to talk it over with the school first.",
        seen=seen(story),
        by=by,
    )


def _undo(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    undoing.undo(
        work,
        story.reference,
        message="We decided too soon: your note of Monday reached us afterwards. We read it again.",
        seen=seen(story),
        by=by,
    )


def _note(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    notes.add(
        work,
        story.reference,
        label=NoteLabel.CALL,
        text="Rang the SENCo: the plan is being rewritten after the review on Thursday.",
        by=by,
    )
    due = clock.today() + timedelta(days=10)
    message = "Ask for the new plan before deciding."
    notes.flag(work, story.reference, message=message, to=by.id, due_on=due, by=by)


def _offer(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    chosen = work.session.scalars(
        select(Practitioner.id).where(Practitioner.account_id == story.practitioner)
    ).one()
    offers.offer(
        work,
        story.reference,
        practitioner_id=chosen,
        reason="Nearest with this need; asked first, as the term is nearly over.",
        seen=seen(story),
        by=by,
    )


DECISIONS: dict[str, Act] = {
    "give_back": _give_back,
    "accept": _accept,
    "decline": _decline,
    "advise": _advise,
    "redirect": _redirect,
    "wait": _wait,
    "hold": _hold,
    "undo": _undo,
    "note": _note,
    "offer": _offer,
}
