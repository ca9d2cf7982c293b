"""What a practitioner tells officers alone about a visit (F57; domain.md 2.5).

A worry about a child's safety is passed on by the council's route, never written here: all that is
kept is that it was, to whom and when. Trouble with the work is said in words. Neither is ever in
the record, on a page of the school's, or in a mail; the database shows them to the officers of the
referral's team, and to their author while they have the case.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import Refused
from s2s_portal.identity import Actor
from s2s_portal.models.referral import Referral
from s2s_portal.models.reply import Concern, ConcernKind, PassedTo
from s2s_portal.models.visit import Visit
from s2s_portal.services import notices, referrals, standing, visits

PASSED_TO_WORDS = {
    PassedTo.SCHOOL: "The school’s designated safeguarding lead",
    PassedTo.COUNCIL: "The council’s safeguarding team",
}


def answer(
    work: UnitOfWork,
    reference: str,
    number: int,
    *,
    concerned: bool,
    passed_to: Sequence[PassedTo] = (),
    passed_at: datetime | None = None,
    by: Actor,
) -> Concern:
    """Say whether there was a safeguarding concern at visit `number`, and that it was passed on.

    The officers are told of one, by its reference alone. The same said twice is one. Raises Refused
    when nobody is named or the time lies ahead, NotAllowed for who does not write there.
    """
    visit = _visit(reference, number, by)
    if concerned and not passed_to:
        raise Refused("Select whom you have told", field="passed_to")
    if concerned and passed_at is None:
        raise Refused("Enter when you told them", field="told_on")
    if passed_at is not None and passed_at > clock.now():
        raise Refused("The day and time when you told them must be in the past", field="told_on")
    said = Concern(
        referral_id=visit.referral_id,
        visit_id=visit.id,
        kind=ConcernKind.SAFEGUARDING if concerned else ConcernKind.NONE,
        passed_to=[one.value for one in PassedTo if one in passed_to] if concerned else [],
        passed_at=passed_at if concerned else None,
        by_id=by.id,
        by_name=by.name,
    )
    last = latest(visit)
    if last is not None and _same(last, said):
        return last
    return _kept(work, said, visit, tell=concerned)


def tell(work: UnitOfWork, reference: str, number: int, *, words: str, by: Actor) -> Concern:
    """Tell the officers of a concern about the work around visit `number`, in words.

    Raises Refused without any, NotAllowed for who does not write there.
    """
    visit = _visit(reference, number, by)
    if not words.strip():
        raise Refused("Enter what the SEND officer should know", field="words")
    said = Concern(
        referral_id=visit.referral_id,
        visit_id=visit.id,
        kind=ConcernKind.WORK,
        words=words,
        by_id=by.id,
        by_name=by.name,
    )
    for before in of_visit(visit):
        if before.kind is ConcernKind.WORK and _same(before, said):
            return before
    return _kept(work, said, visit, tell=True)


def of_visit(visit: Visit) -> list[Concern]:
    """What has been told of `visit` that the acting person may read, latest first."""
    found = session().scalars(
        select(Concern).where(Concern.visit_id == visit.id).order_by(Concern.id.desc())
    )
    return list(found)


def latest(visit: Visit) -> Concern | None:
    """What was last said of safeguarding at `visit`; None while nothing was."""
    return next((one for one in of_visit(visit) if one.kind is not ConcernKind.WORK), None)


def of_referral(referral: Referral) -> list[Concern]:
    """What officers should know of the visits of `referral`, latest first: a read of it is audited.

    That there was no concern at a visit is not among it.
    """
    if not standing.was_given(referral):  # so it has no visit, and nothing is asked
        return []
    found = list(
        session().scalars(
            select(Concern)
            .where(Concern.referral_id == referral.id, Concern.kind != ConcernKind.NONE)
            .options(joinedload(Concern.visit))
            .order_by(Concern.id.desc())
        )
    )
    if found:
        audit.looked_at("concern", referral.reference)
    return found


def whom(concern: Concern) -> list[str]:
    """To whom a concern was passed on, in words."""
    return [PASSED_TO_WORDS[PassedTo(code)] for code in concern.passed_to]


def _visit(reference: str, number: int, by: Actor) -> Visit:
    visit = visits.get(reference, number)
    visits.place_to_write(visit.referral, by)
    referrals.get(reference, lock=True)  # what two tabs say at once is said one after the other
    return visit


def _same(one: Concern, other: Concern) -> bool:
    def said(concern: Concern) -> tuple[object, ...]:
        return (
            concern.kind,
            concern.passed_to or [],
            concern.passed_at,
            concern.words or "",
            concern.by_id,
        )

    return said(one) == said(other)


def _kept(work: UnitOfWork, said: Concern, visit: Visit, *, tell: bool) -> Concern:
    work.session.add(said)
    work.flush()
    referral = visit.referral
    audit.wrote(work, "told the officers about a visit of", "referral", referral.reference)
    if tell:
        notices.tell_officers(work, "practitioner_told_officers", referral)
    return said
