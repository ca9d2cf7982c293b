"""How sure a school's staff feel, 1 to 5: before, after and later, by one short form (3.5).

Signed on, anybody of the school answers, and may change it until the next stage. Whoever holds the
link from the mail answers once, and is shown no more than the reference, the school and how many
outcomes there are: the words of an outcome may name a child, so they are for who is signed on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import (
    ARRAY,
    Date,
    Integer,
    SmallInteger,
    Text,
    bindparam,
    column,
    func,
    select,
    text,
)

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, Refused, Stale
from s2s_portal.identity import Actor, Role
from s2s_portal.models.codes import Action
from s2s_portal.models.impact import ConfidenceAnswer, SchoolAsk, Stage, StillUsing
from s2s_portal.models.referral import Referral
from s2s_portal.services import lasting, outcome_scores, referrals, school_asks
from s2s_portal.services.invitations import INSTANT, LONGEST_TOKEN, digest
from s2s_portal.services.terms import written

SCALE = range(1, 6)
CONFIDENCE_WORDS = {
    1: "1, not at all sure",
    2: "2, a little sure",
    3: "3, fairly sure",
    4: "4, sure",
    5: "5, very sure",
}
USING_WORDS = {
    StillUsing.MOST: "Yes, most of them",
    StillUsing.SOME: "Some of them",
    StillUsing.NONE: "No",
}
# Who acts where a link is all that somebody has: no account, no role, so no row to read.
HOLDER = Actor(id="link", name="Whoever had the link in the email")

ASKED = select(
    func.s2s.ask_by_link(
        bindparam("digest", type_=Text), bindparam("at", type_=INSTANT)
    ).table_valued(
        column("reference", Text),
        column("school_name", Text),
        column("stage", Text),
        column("positions", ARRAY(SmallInteger)),
    )
)
ANSWER = text(
    "SELECT reference, stage FROM s2s.answer_by_link(:digest, :at, :today, :name, :confidence,"
    " :still_using, CAST(:scores AS jsonb))"
).bindparams(
    bindparam("at", type_=INSTANT),
    bindparam("today", type_=Date),
    bindparam("confidence", type_=Integer),
    bindparam("still_using", type_=Text),
    bindparam("scores", type_=Text),
)


@dataclass(frozen=True)
class Asked:
    """What a link is for: nothing about a child."""

    reference: str
    school_name: str
    stage: Stage
    positions: list[int]


@dataclass(frozen=True)
class Said:
    """What a school said at one stage, if anything. `revision` is 0 when it has said nothing."""

    stage: Stage
    ask: SchoolAsk
    answer: ConfidenceAnswer | None
    may_answer: bool

    @property
    def revision(self) -> int:
        """Which answer it is: a changed one has the next number."""
        return self.answer.revision if self.answer else 0

    @property
    def words(self) -> str:
        """What was said, or that nothing was."""
        if self.answer is None:
            if self.ask.ended_at is not None:
                return "Not answered"
            return "Not answered yet" if self.ask.asked_at else "Not asked yet"
        said = CONFIDENCE_WORDS[self.answer.confidence]
        if self.answer.still_using is not None:
            said += f". Still using what was recommended: {USING_WORDS[self.answer.still_using]}"
        return said


def by_link(token: str) -> Asked:
    """What the link with `token` is for. Raises NotFound when it opens nothing, for any reason.

    For whoever holds it: call it as `HOLDER`.
    """
    row = session().execute(ASKED, _held(token)).one_or_none()
    if row is None:
        raise NotFound()
    return Asked(row.reference, row.school_name, Stage(row.stage), list(row.positions))


def answer_by_link(
    work: UnitOfWork,
    token: str,
    *,
    confidence: int,
    still_using: StillUsing | None = None,
    scores: Mapping[int, int] | None = None,
) -> None:
    """Keep the answer of whoever holds `token`, as `HOLDER`; from then on it opens nothing.

    Raises NotFound as `by_link` does: of two who press at once the second finds it answered.
    """
    asked = by_link(token)
    _check(asked.stage, confidence, still_using, scores or {}, asked.positions)
    row = work.session.execute(
        ANSWER,
        {
            **_held(token),
            "today": clock.today(),
            "name": HOLDER.name,
            "confidence": confidence,
            "still_using": still_using.value if still_using else None,
            "scores": json.dumps({str(key): score for key, score in (scores or {}).items()}),
        },
    ).one_or_none()
    if row is None:
        raise NotFound()
    audit.wrote(work, f"answered by link ({row.stage}) about", "referral", row.reference)


def _held(token: str) -> dict[str, object]:
    return {"digest": digest(token[:LONGEST_TOKEN]), "at": clock.now()}


def answer(
    work: UnitOfWork,
    reference: str,
    stage: Stage,
    *,
    confidence: int,
    still_using: StillUsing | None = None,
    scores: Mapping[int, int] | None = None,
    seen: int,
    by: Actor,
) -> Referral:
    """Keep the school's answer at `stage`, or a changed one; the first that was seen is `seen`.

    Raises NotFound for anybody but its school, OutOfOrder when it is not asked (any more), Stale
    when a colleague has answered since, Refused for what is missing or off the scale.
    """
    referral = mine(reference, by)
    said = at(referral, stage)
    check(said)
    wanted = [one.position for one in outcome_scores.outcomes(referral)]
    _check(stage, confidence, still_using, scores or {}, wanted)
    if said.revision != seen:
        raise Stale(answered_words(said))
    work.session.add(
        ConfidenceAnswer(
            referral_id=referral.id,
            ask_id=said.ask.id,
            stage=stage,
            revision=seen + 1,
            confidence=confidence,
            still_using=still_using,
            at=clock.now(),
            by_id=by.id,
            by_name=by.name,
        )
    )
    work.flush()
    if stage is Stage.LATER:
        outcome_scores.add_later(work, referral, scores or {}, by=by)
    words = f"{school_asks.stage_words(stage)}: {CONFIDENCE_WORDS[confidence]}."
    referrals.record(work, referral, Action.CONFIDENCE_GIVEN, by=by, message=words)
    return referral


def answered_words(said: Said) -> str:
    """That somebody else has answered, and what."""
    if said.answer is None:
        return "Somebody at your school has just answered."
    day = written(clock.local(said.answer.at).date())
    return (
        f"{said.answer.by_name} answered this on {day}: {said.words}. If you send yours now, it"
        " takes the place of that."
    )


def mine(reference: str, by: Actor) -> Referral:
    """The referral for somebody of its school. Raises NotFound for anybody else."""
    referral = referrals.get(reference)
    if not by.has(Role.REFERRER) or referral.urn not in by.establishments:
        raise NotFound()
    return referral


def check(said: Said) -> None:
    """Raise OutOfOrder unless the school is asked this now."""
    if not said.may_answer:
        raise OutOfOrder(
            "This is no longer asked, so nothing has been changed. What was answered is kept."
            if said.ask.ended_at is not None
            else "This is not asked yet. We will email the contact you named."
        )


def at(referral: Referral, stage: Stage) -> Said:
    """What the school said at `stage`. Raises NotFound when it was never asked."""
    found = [said for said in of(referral) if said.stage is stage]
    if not found:
        raise NotFound()
    return found[0]


def of(referral: Referral) -> list[Said]:
    """What its school was asked about how sure staff feel, and said, by stage: two statements.

    Where a referral was closed twice, what was said the last time counts.
    """
    asks = {ask.stage: ask for ask in school_asks.of(referral) if ask.stage in school_asks.BY_LINK}
    answers = session().scalars(
        select(ConfidenceAnswer)
        .where(ConfidenceAnswer.referral_id == referral.id)
        .order_by(ConfidenceAnswer.id)
        .execution_options(populate_existing=True)
    )
    newest = {answer.ask_id: answer for answer in answers}
    return [
        Said(
            stage,
            asks[stage],
            newest.get(asks[stage].id),
            school_asks.is_answerable(referral, asks[stage]),
        )
        for stage in school_asks.BY_LINK
        if stage in asks
    ]


def lasted(standings: list[outcome_scores.Standing]) -> lasting.Lasted:
    """Whether what was reached has lasted, of the whole referral."""
    return lasting.altogether(one.lasted for one in standings)


def _check(
    stage: Stage,
    confidence: int,
    still_using: StillUsing | None,
    scores: Mapping[int, int],
    positions: list[int],
) -> None:
    if confidence not in SCALE:
        raise Refused("Choose from 1 to 5 how sure staff feel", "confidence")
    if stage is Stage.LATER:
        if still_using is None:
            raise Refused("Choose whether staff still use what was recommended", "still_using")
        outcome_scores.check_scores(scores, positions, "later")
    elif still_using is not None or scores:
        raise Refused("This is asked later.")
