"""What the people of the demonstration do, each act by the service that real people would cause.

An act takes the unit of work, the story, who acts, and the visit it is about (counted from 0).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from random import Random

from sqlalchemy import select

from s2s_portal import Actor, Role, clock
from s2s_portal.database import UnitOfWork
from s2s_portal.models.codes import Achieved, Closure
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.reallocation import SupportRole, Why
from s2s_portal.models.visit import VisitKind
from s2s_portal.models.worklist import Officer
from s2s_portal.reference_portal import demonstration_words as words
from s2s_portal.reference_portal.demonstration_forms import fill, say_why_again
from s2s_portal.reference_portal.demonstration_schools import (
    ACADEMY,
    CHURCH_PRIMARY,
    HIGH_SCHOOL,
    JUNIOR,
    NURSERY,
    PRIMARY,
    TRUST_PRIMARY,
)
from s2s_portal.reference_portal.personas import PERSONAS
from s2s_portal.services import (
    allocation,
    allocation_history,
    closing,
    consent,
    drafting,
    ledger,
    officers,
    reallocating,
    record_answers,
    records,
    referrals,
    repeats,
    sections,
    submission,
    supporting,
    visits,
)
from s2s_portal.services.handing import Fate, Handing
from s2s_portal.state import setting

SENCOS = {
    ACADEMY: "Priya Vandermeer",
    NURSERY: "Tess Okonjo",
    CHURCH_PRIMARY: "Edmund Fairweather",
    TRUST_PRIMARY: "Marta Kowalczyk-Bell",
    JUNIOR: "Dai Pritchard",
}


@dataclass
class Story:
    """One referral as it goes along: who takes part, and what the steps so far left behind."""

    random: Random
    urn: int
    practitioner: str
    needs: list[str]
    about_pupil: bool = False  # its later steps are about a named pupil; else the kind is drawn
    reference: str = ""
    booked: list[datetime] = field(default_factory=list)

    @property
    def sender(self) -> Actor:
        """Who refers: the persona of the school, or its invented SENCo.

        As its head where a head must agree: in the past that the rows tell of, they had.
        """
        found = self._persona
        if setting("S2S_HEAD_AGREES"):
            return replace(found, roles=found.roles | {Role.HEAD})
        return found

    @property
    def _persona(self) -> Actor:
        if self.urn == PRIMARY:
            return PERSONAS["senco"].actor
        if self.urn == HIGH_SCHOOL:
            return PERSONAS["other-senco"].actor
        return Actor(
            id=f"demo-senco-{self.urn}",
            name=SENCOS[self.urn],
            email=f"senco.{self.urn}@portal.example",
            roles=frozenset({Role.REFERRER}),
            establishments=(self.urn,),
        )


Act = Callable[[UnitOfWork, Story, Actor, int], object]


def _start(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    story.reference = drafting.start(work, story.urn, by=by).reference
    referral = drafting.in_hand(story.reference, by=by)
    drafting.save_school(
        work,
        referral,
        contact_name=by.name,
        contact_role="SENCO",
        contact_email=by.email,
        contact_phone="01632 960123",
        leader_name="Hana Whitlock" if story.urn == PRIMARY else "The head teacher",
        leader_agreed_on=clock.today(),
        by=by,
    )


def _submit(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    referral = drafting.in_hand(story.reference, by=by)
    if "own" in sections.missing(referral):  # sixteen since, or just now
        today = clock.today()
        consent.save_own(work, referral, pupil_agreed=True, pupil_agreed_on=today, by=by)
    repeats.note(work, referral)  # another may have been sent since it was filled in
    say_why_again(work, referral, by)
    token = f"demonstration-{story.random.getrandbits(64):016x}"
    submission.submit(work, story.reference, token=token, by=by)


def seen(story: Story) -> int:
    return referrals.get(story.reference).version


def _allocate(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    chosen = work.session.scalars(
        select(Practitioner.id).where(Practitioner.account_id == story.practitioner)
    ).one()
    allocation.allocate(
        work,
        story.reference,
        practitioner_id=chosen,
        reason="Experience with this need, and room for another case.",
        seen=seen(story),
        by=by,
    )


def _number_of(work: UnitOfWork, account: str) -> int:
    return work.session.scalars(
        select(Practitioner.id).where(Practitioner.account_id == account)
    ).one()


def _hand_over(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    text = "The class teacher is new this term. Ring the SENCo before you come: mornings are best."
    allocation_history.write(work, story.reference, text=text, by=by)


def _reallocate(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    reallocating.reallocate(
        work,
        story.reference,
        practitioner_id=_number_of(work, "practitioner"),
        reason="Knows this need well, and has room for another case.",
        handing=Handing(
            why=Why.PRACTITIONER_ASKED,
            hand_over="First contact has been made; nothing has been agreed yet.",
            others=Fate.CANCEL,
        ),
        seen=seen(story),
        by=by,
    )


def _join(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    supporting.add(
        work,
        story.reference,
        practitioner_id=_number_of(work, "practitioner"),
        role=SupportRole.SPECIALIST,
        reason="Has worked with this need for years.",
        by=by,
    )


def _book(work: UnitOfWork, story: Story, by: Actor, visit: int) -> None:
    starts = clock.local(story.booked[visit])
    visits.book(
        work,
        story.reference,
        kind=VisitKind.FOLLOW_UP if visit else VisitKind.OBSERVATION,
        day=starts.date(),
        starts=starts.time(),
        ends=(starts + timedelta(minutes=75)).time(),
        note="" if visit else "Please plan ten minutes with the class teacher afterwards.",
        by=by,
    )


def _write(work: UnitOfWork, story: Story, by: Actor, visit: int) -> None:
    said = words.about(story.needs[0])
    starts = clock.local(story.booked[visit])
    answers = record_answers.Answers(
        kind=VisitKind.FOLLOW_UP if visit else VisitKind.OBSERVATION,
        visited_on=starts.date(),
        started_at=starts.time(),
        finished_at=time(starts.hour + 1, 45),
        people_met="SENCo, class teacher, teaching assistant",
        pupil_seen=True,
        observed=said.observed,
        discussed="What comes before the hard moments, and what staff already do well.",
        resources_given="A sheet of the strategies below, for the classroom wall.",
        next_visit="In about six weeks, to see what changed.",
        recommendations=tuple(
            record_answers.Advice(what, who, starts.date() + timedelta(days=14 * row))
            for row, (what, who) in enumerate(said.advice, start=1)
        ),
    )
    records.save(work, visits.get(story.reference, visit + 1), answers=answers, by=by)


def _issue(work: UnitOfWork, story: Story, by: Actor, visit: int) -> None:
    made = visits.get(story.reference, visit + 1)
    draft = records.of_visit(made)
    records.issue(work, made, seen=draft.version if draft else 0, by=by)


def _acknowledge(work: UnitOfWork, story: Story, by: Actor, visit: int) -> None:
    records.acknowledge(work, records.get(story.reference, visit + 1), by=by)


def _add(work: UnitOfWork, story: Story, by: Actor, visit: int) -> None:
    record = records.get(story.reference, visit + 1)
    text = "The speech and language therapist has since asked to share the first strategy."
    records.add_addendum(work, record, text=text, by=by)


def _assess(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    wanted = closing.outcomes(referrals.get(story.reference))
    results = {
        outcome.position: (
            story.random.choice([Achieved.YES, Achieved.YES, Achieved.PARTLY, Achieved.NO]),
            "As agreed with the class teacher.",
        )
        for outcome in wanted
    }
    closing.record_outcomes(work, story.reference, results=results, by=by)


def _close(work: UnitOfWork, story: Story, by: Actor, visit: int) -> None:
    closing.close(
        work,
        story.reference,
        closure=Closure.PARTLY_MET if visit >= 0 else Closure.WITHDRAWN_SCHOOL,
        message="Thank you for working with us. You can refer again at any time.",
        seen=seen(story),
        by=by,
    )


def _reopen(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    reason = "The class teacher has changed, and the school asked for one more visit."
    closing.reopen(work, story.reference, reason=reason, seen=seen(story), by=by)


def _waive(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    charge = ledger.charge_for(story.reference)
    number = charge.number if charge else 0  # which is no entry's, so `reverse` refuses it
    reason = "Waived: no practitioner could visit before the school withdrew."
    ledger.reverse(work, number, reason=reason, by=by)


def _take_up(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    number = officers.keep(work, by)
    officers.assign(work, story.reference, officer=number, seen=0, by=by)


def _give(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    """Another officer gives the referral to the one who looks around."""
    officers.keep(work, by)
    account = PERSONAS["officer"].actor.id
    number = work.session.scalars(select(Officer.id).where(Officer.account_id == account)).one()
    note = "You know this school."
    officers.assign(work, story.reference, officer=number, seen=0, note=note, by=by)


ACTS: dict[str, Act] = {
    "take_up": _take_up,
    "give": _give,
    "start": _start,
    "fill": fill,
    "submit": _submit,
    "allocate": _allocate,
    "hand_over": _hand_over,
    "reallocate": _reallocate,
    "join": _join,
    "book": _book,
    "write": _write,
    "issue": _issue,
    "acknowledge": _acknowledge,
    "add": _add,
    "assess": _assess,
    "close": _close,
    "reopen": _reopen,
    "waive": _waive,
}
