"""What became of each recommendation: the school says it is trying it, has embedded it, or stopped.

Each recommendation of an issued record is a row that never changes; what the school says of it is
added beside it, and the latest counts (features.md 3.9). The practitioner reads it before the next
visit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy import func, select

from s2s_portal import audit, clock, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, Refused, Stale
from s2s_portal.identity import Actor, Role
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.follow_up import FollowUp, FollowUpProgress, Progress
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Recommendation, Visit, VisitRecord
from s2s_portal.services import referrals
from s2s_portal.services.terms import written
from s2s_portal.state import setting

STATE_WORDS = {
    Progress.NOT_STARTED: "Not said yet",
    Progress.TRYING: "Trying it",
    Progress.EMBEDDED: "Embedded",
    Progress.STOPPED: "Stopped",
}
COLOURS = {
    Progress.NOT_STARTED: "grey",
    Progress.TRYING: "blue",
    Progress.EMBEDDED: "green",
    Progress.STOPPED: "yellow",
}
SAID = (Progress.TRYING, Progress.EMBEDDED, Progress.STOPPED)
OPEN = frozenset({Progress.NOT_STARTED, Progress.TRYING})
SPOKEN_OF = frozenset({Status.ALLOCATED, Status.CLOSED})
SAYING_LOCK = (
    5_202  # namespace of the advisory locks that put what is said of one referral in order
)


@dataclass(frozen=True)
class Line:
    """One recommendation and how the school gets on with it; `said` is what it said, newest first.

    `number` is the recommendation's own, `visit` and `position` its address in words.
    """

    number: int
    visit: int
    position: int
    strategy: str
    owner: str
    due_on: date
    issued_on: date
    state: Progress
    said: tuple[FollowUpProgress, ...] = field(default=())

    @property
    def words(self) -> str:
        """How it stands, in a few words."""
        return STATE_WORDS[self.state]

    @property
    def colour(self) -> str:
        """The colour of the tag that says so."""
        return COLOURS[self.state]

    @property
    def seen(self) -> int:
        """Which word of the school was the last: 0 where there is none."""
        return self.said[0].id if self.said else 0

    @property
    def is_overdue(self) -> bool:
        """Whether its day has gone by and it is neither embedded nor stopped."""
        return self.state in OPEN and self.due_on < clock.today()

    @property
    def called(self) -> str:
        """`Visit 1, recommendation 2`."""
        return f"Visit {self.visit}, recommendation {self.position}"


@dataclass(frozen=True)
class Said:
    """What a school says of one recommendation now; `seen` is the last word that it had read.

    `state` None: nothing was chosen.
    """

    state: Progress | None
    words: str = ""
    seen: int = 0


def of(referral: Referral) -> list[Line]:
    """Every recommendation of the issued records of `referral`, the last visit first.

    Two statements. A read of a child's data, so it is audited where there is any: once with what
    else of the referral the page shows.
    """
    found = session().execute(
        select(FollowUp, Recommendation, Visit.number)
        .join(Recommendation, Recommendation.id == FollowUp.recommendation_id)
        .join(VisitRecord, VisitRecord.id == FollowUp.record_id)
        .join(Visit, Visit.id == VisitRecord.visit_id)
        .where(FollowUp.referral_id == referral.id)
        .order_by(Visit.number.desc(), Recommendation.position)
        .execution_options(populate_existing=True)
    )
    rows = found.all()
    if not rows:
        return []
    audit.looked_at("referral", referral.reference)
    said = _said(referral)
    return [
        Line(
            advice.id,
            visit,
            advice.position,
            advice.strategy,
            advice.owner,
            kept.due_on,
            kept.issued_on,
            kept.state,
            tuple(said.get(advice.id, ())),
        )
        for kept, advice, visit in rows
    ]


def _said(referral: Referral) -> dict[int, list[FollowUpProgress]]:
    found: dict[int, list[FollowUpProgress]] = {}
    for row in session().scalars(
        select(FollowUpProgress)
        .where(FollowUpProgress.referral_id == referral.id)
        .order_by(FollowUpProgress.id.desc())
    ):
        found.setdefault(row.recommendation_id, []).append(row)
    return found


def check_may_say(referral: Referral, by: Actor) -> None:
    """Raise NotFound for anybody but its school, OutOfOrder once nothing is to be said any more."""
    if not by.has(Role.REFERRER) or referral.urn not in by.establishments:
        raise NotFound()
    referrals.must_be(
        referral,
        SPOKEN_OF,
        OutOfOrder(
            "The support for this referral has stopped, so you cannot say how you get on with it."
        ),
    )


def may_say(referral: Referral, by: Actor) -> bool:
    """Whether `by` can say now how the school gets on."""
    mine = by.has(Role.REFERRER) and referral.urn in by.establishments
    return mine and referral.status in SPOKEN_OF


def say(work: UnitOfWork, reference: str, *, said: Mapping[int, Said], by: Actor) -> int:
    """Write down what the school says, by the recommendation's number; how many are new.

    What is as the page showed it is left alone, and the very same sent twice is written once.
    Raises NotFound and OutOfOrder as `check_may_say`; Refused (naming the field) where a word is
    missing; Stale when a colleague has said something else of one since the page was drawn: then
    nothing at all is written.
    """
    referral = referrals.get(reference)
    check_may_say(referral, by)
    session().execute(select(func.pg_advisory_xact_lock(SAYING_LOCK, referral.id % 2**31)))
    lines = {line.number: line for line in of(referral)}
    if said.keys() - lines.keys():
        raise NotFound()
    new = [(lines[number], one) for number, one in said.items() if _is_new(lines[number], one)]
    clashes = [line for line, one in new if line.said and line.seen != one.seen]
    if clashes:
        raise Stale(_meanwhile(clashes))
    for line, one in new:
        _write(work, referral, line, one, by)
    if new:
        _tell(
            work,
            referral,
            [line for line, _one in new],
            {line.number: one for line, one in new},
            by,
        )
    return len(new)


def _is_new(line: Line, one: Said) -> bool:
    """Whether something was said: chosen or typed that was not there when the page was drawn."""
    if one.state is None:
        if one.words:
            raise Refused(
                f"Choose how you get on with recommendation {line.position} of visit {line.visit}",
                field=f"state_{line.number}",
            )
        return False
    before = next((row for row in line.said if row.id == one.seen), None)
    if before is not None and before.state is one.state and not one.words:
        return False
    last = line.said[0] if line.said else None
    if last is not None and (last.state, last.words) == (one.state, one.words):
        return False
    if one.state is Progress.STOPPED and not one.words:
        raise Refused(
            f"Enter why you stopped recommendation {line.position} of visit {line.visit}",
            field=f"words_{line.number}",
        )
    return True


def _meanwhile(lines: Sequence[Line]) -> str:
    told = []
    for line in lines:
        last = line.said[0]
        there = clock.local(last.at)
        told.append(
            f"{last.by_name} said of recommendation {line.position} of visit {line.visit}"
            f" on {written(there.date())}: {STATE_WORDS[last.state].lower()}."
        )
    return (
        "Somebody at your school has answered since you opened this page. "
        + " ".join(told)
        + " What you chose is below and has not been saved. If you save it now, it comes after"
        " theirs, which stays to read."
    )


def _write(work: UnitOfWork, referral: Referral, line: Line, one: Said, by: Actor) -> None:
    work.session.add(
        FollowUpProgress(
            referral_id=referral.id,
            recommendation_id=line.number,
            state=one.state,
            words=one.words,
            by_id=by.id,
            by_name=by.name,
        )
    )
    work.flush()


def _tell(
    work: UnitOfWork, referral: Referral, lines: list[Line], said: Mapping[int, Said], by: Actor
) -> None:
    """Into the history: which, and how it stands; why is with the recommendation itself."""
    message = "\n".join(
        f"{line.called}: {STATE_WORDS[said[line.number].state or line.state].lower()}."
        for line in lines
    )
    referrals.record(work, referral, Action.FOLLOW_UP_SAID, by=by, message=message)
    signals.tell(
        work,
        signals.follow_up_said,
        reference=referral.reference,
        urn=referral.urn,
        by=by.id,
    )


def silence_since(today: date) -> date:
    """A record issued on this day or before should have had a word from the school by `today`."""
    return today - timedelta(weeks=int(setting("S2S_FOLLOW_UP_WEEKS")))
