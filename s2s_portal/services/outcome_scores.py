"""Each outcome wanted on a scale of 0 to 10: at the start, at the end, and later (F65).

Every score that is given is a row more; the newest counts. The start is what the school said as it
referred; where it was asked for none, the practitioner sets it, once they have been there. At the
end both sides say how things are, each for itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.answer import OutcomeWanted
from s2s_portal.models.codes import Achieved, Action, Status
from s2s_portal.models.impact import OutcomeScore, Rater, ScoreKind
from s2s_portal.models.referral import Referral
from s2s_portal.services import lasting, referrals, visits
from s2s_portal.services.terms import written

SCALE = range(11)
KIND_WORDS = {
    ScoreKind.BASELINE: "at the start",
    ScoreKind.END: "at the end",
    ScoreKind.LATER: "later",
}
Given = Mapping[int, int | None]  # position -> score


@dataclass(frozen=True)
class Standing:
    """How one outcome stood, when, and in whose view. `start_by` is empty for the school itself."""

    position: int
    text: str
    start: int | None
    start_words: str
    end: int | None
    end_school: int | None
    later: int | None
    achieved: Achieved | None
    comment: str

    @property
    def reached(self) -> int | None:
        """Where it stood at the end: as its school sees it, if it has said so."""
        return self.end if self.end_school is None else self.end_school

    @property
    def lasted(self) -> lasting.Lasted:
        """Whether that has lasted."""
        return lasting.of(self.reached, self.later)

    @property
    def change(self) -> str:
        """What has changed, in words: `from 3 to 7`."""
        return change_words(self.start, self.end)


def change_words(start: int | None, end: int | None) -> str:
    """A change on the scale, in words."""
    if start is None and end is None:
        return "Not scored"
    if end is None:
        return f"{start} at the start, not scored at the end"
    if start is None:
        return f"{end} at the end, not scored at the start"
    if start == end:
        return f"{end}, as at the start"
    return f"From {start} to {end}"


def rows(referral: Referral) -> list[OutcomeScore]:
    """Every score that was given, in that order: one statement."""
    found = select(OutcomeScore).where(OutcomeScore.referral_id == referral.id)
    return list(session().scalars(found.order_by(OutcomeScore.id)))


def standings(referral: Referral, wanted: list[OutcomeWanted] | None = None) -> list[Standing]:
    """How each outcome stands, for whoever may see the referral; that is a read of pupil data."""
    audit.looked_at("referral", referral.reference)
    return as_kept(referral, outcomes(referral) if wanted is None else wanted)


def as_kept(referral: Referral, wanted: list[OutcomeWanted]) -> list[Standing]:
    """The same for the service itself, which shows it to nobody: one statement."""
    newest = {(row.position, row.kind, row.rater): row for row in rows(referral)}

    def score(position: int, kind: ScoreKind, rater: Rater) -> int | None:
        row = newest.get((position, kind, rater))
        return row.score if row else None

    found = []
    for one in wanted:
        set_by = newest.get((one.position, ScoreKind.BASELINE, Rater.PRACTITIONER))
        said = f"set by {set_by.by_name} for {written(set_by.on)}" if set_by else ""
        found.append(
            Standing(
                one.position,
                one.text,
                _start(one, set_by),
                said or ("as the school referred" if one.baseline is not None else ""),
                score(one.position, ScoreKind.END, Rater.PRACTITIONER),
                score(one.position, ScoreKind.END, Rater.SCHOOL),
                score(one.position, ScoreKind.LATER, Rater.SCHOOL),
                one.achieved,
                one.comment,
            )
        )
    return found


def _start(outcome: OutcomeWanted, set_by: OutcomeScore | None) -> int | None:
    if outcome.baseline is not None:
        return outcome.baseline
    return set_by.score if set_by else None


def outcomes(referral: Referral) -> list[OutcomeWanted]:
    """The outcomes that the school wanted, in its order, with their results so far."""
    return list(
        session().scalars(
            select(OutcomeWanted)
            .where(OutcomeWanted.referral_id == referral.id)
            .order_by(OutcomeWanted.position)
        )
    )


def without_start(referral: Referral) -> list[OutcomeWanted]:
    """The outcomes for which the school gave no baseline: the practitioner sets it."""
    return [one for one in outcomes(referral) if one.baseline is None]


def set_baseline(
    work: UnitOfWork, reference: str, *, scores: Given, on: date, by: Actor
) -> Referral:
    """Write down how things were with each outcome of which the school did not say so.

    `on` is the day it is about: that of the first visit. Raises NotAllowed for anybody but the
    practitioner who leads, OutOfOrder when nothing is to be set, or it has been scored at the
    end, Refused for a day to come or before it was received, or a score that is missing.
    """
    referral = referrals.get(reference, lock=True)
    visits.allocation_to(referral, by)
    visits.check_open(referral)
    wanted = without_start(referral)
    check_baseline(referral, wanted)
    _check(scores, wanted, "start")
    if on > clock.today() or (referral.received_on and on < referral.received_on):
        raise Refused("The day must be between when the referral was received and today", "on")
    if not _add(work, referral, ScoreKind.BASELINE, Rater.PRACTITIONER, scores, by, on=on):
        return referral
    message = f"How things were on {written(on)} has been written down."
    referrals.record(work, referral, Action.BASELINE_SET, by=by, message=message)
    return referral


def check_baseline(referral: Referral, wanted: list[OutcomeWanted]) -> None:
    """Raise OutOfOrder unless the practitioner is to say how things were at the start."""
    if not wanted:
        raise OutOfOrder("The school said where things were when it sent this referral.")
    if any(row.kind is ScoreKind.END for row in rows(referral)):
        raise OutOfOrder(
            "The outcomes have been scored at the end, so the start is not changed any more."
        )


def add_school_view(work: UnitOfWork, reference: str, *, scores: Given, by: Actor) -> Referral:
    """Keep how the school itself sees each outcome at the end, beside the practitioner's view.

    Raises NotFound for anybody but its school, OutOfOrder before the practitioner has scored
    them, Refused when a score is missing.
    """
    referral = referrals.get(reference)
    if not by.has(Role.REFERRER) or referral.urn not in by.establishments:
        raise NotFound()
    check_school_view(referral)
    _check(scores, outcomes(referral), "school")
    if not _add(work, referral, ScoreKind.END, Rater.SCHOOL, scores, by):
        return referral
    message = "The school has added its own view of the outcomes at the end."
    referrals.record(work, referral, Action.SCORES_GIVEN, by=by, message=message)
    return referral


def check_school_view(referral: Referral) -> None:
    """Raise OutOfOrder unless the school can say how it sees the outcomes at the end."""
    if not may_add_view(referral, rows(referral)):
        raise OutOfOrder(
            "You can add your own view once the practitioner has recorded the outcomes."
        )


def may_add_view(referral: Referral, found: list[OutcomeScore]) -> bool:
    """Whether the outcomes have been scored at the end, so that a school can add its view."""
    ended = any((row.kind, row.rater) == (ScoreKind.END, Rater.PRACTITIONER) for row in found)
    return ended and referral.status in {Status.ALLOCATED, Status.CLOSED}


def add_end(
    work: UnitOfWork,
    referral: Referral,
    results: Mapping[int, tuple[Achieved, str]],
    scores: Given,
    *,
    by: Actor,
) -> bool:
    """Keep what a practitioner recorded at the end; whether it is anything new.

    The service that records the outcomes has checked who does it, and that none is missing.
    """
    return _add(work, referral, ScoreKind.END, Rater.PRACTITIONER, scores, by, results=results)


def add_later(work: UnitOfWork, referral: Referral, scores: Given, *, by: Actor) -> None:
    """Keep how the school sees each outcome once some time has gone by; the caller has checked."""
    _add(work, referral, ScoreKind.LATER, Rater.SCHOOL, scores, by)


def _add(
    work: UnitOfWork,
    referral: Referral,
    kind: ScoreKind,
    rater: Rater,
    scores: Given,
    by: Actor,
    *,
    on: date | None = None,
    results: Mapping[int, tuple[Achieved, str]] | None = None,
) -> bool:
    """A row for each score that is not what the newest row says already; whether there was one."""
    day = on or clock.today()
    newest = {
        row.position: (row.score, row.achieved, row.comment, row.on)
        for row in rows(referral)
        if (row.kind, row.rater) == (kind, rater)
    }
    new = False
    for position in sorted({*scores, *(results or {})}):
        achieved, comment = (results or {}).get(position, (None, ""))
        score = scores.get(position)
        kept = newest.get(position, (None, None, "", day))
        says_nothing = score is None and achieved is None
        same = kept[:3] == (score, achieved, comment) and (on is None or kept[3] == on)
        if says_nothing or same:
            continue
        work.session.add(
            OutcomeScore(
                referral_id=referral.id,
                position=position,
                kind=kind,
                rater=rater,
                score=score,
                achieved=achieved,
                comment=comment,
                on=day,
                at=clock.now(),
                by_id=by.id,
                by_name=by.name,
            )
        )
        new = True
    work.flush()
    return new


def _check(scores: Given, wanted: list[OutcomeWanted], field: str) -> None:
    """Raise Refused unless there is a score on the scale for each outcome, and no other."""
    check_scores(scores, [one.position for one in wanted], field)


def check_scores(scores: Given, positions: list[int], field: str) -> None:
    """Raise Refused unless there is a score on the scale for each of the `positions`."""
    for position in positions:
        if scores.get(position) not in SCALE:
            raise Refused(f"Choose from 0 to 10 for outcome {position}", f"{field}_{position}")
    if set(scores) - set(positions):
        raise Refused("There is no such outcome.")
