"""The formal record of a visit: drafted, issued once, then only added to (MI Sheet 44/19).

Every change holds the referral's row, so that a record is issued before or after the referral is
closed or given to somebody else, never at the same time.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.orm.attributes import flag_modified

from s2s_portal import audit, clock, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotAllowed, NotFound, OutOfOrder, RecordIssued, Refused, Stale
from s2s_portal.identity import Actor, Role
from s2s_portal.models.codes import Action, Status, Withdrawal
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.reallocation import Supporter
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import (
    Acknowledgement,
    Addendum,
    Recommendation,
    RecordDocument,
    Visit,
    VisitRecord,
)
from s2s_portal.services import notices, record_documents, referrals, supporting, visits
from s2s_portal.services.record_answers import Answers, answers_of, check, missing
from s2s_portal.services.terms import written

PARTS = (
    selectinload(VisitRecord.recommendations),
    selectinload(VisitRecord.addenda),
    selectinload(VisitRecord.acknowledgement),
    joinedload(VisitRecord.visit).joinedload(Visit.referral),
)


def get(reference: str, number: int) -> VisitRecord:
    """The issued record of visit `number`, whole; the read is audited.

    Raises NotFound when it is absent, a draft, or not the acting person's to see.
    """
    referral = referrals.get(reference)
    record = (
        session()
        .scalars(
            select(VisitRecord)
            .join(VisitRecord.visit)
            .where(
                VisitRecord.referral_id == referral.id,
                Visit.number == number,
                VisitRecord.issued_at.is_not(None),
            )
            .options(*PARTS)
        )
        .one_or_none()
    )
    if record is None:
        raise NotFound()
    audit.looked_at("visit record", _key(referral, number))
    return record


def of_visit(visit: Visit) -> VisitRecord | None:
    """The record of `visit` as it stands, draft or issued, whole; None when none is begun."""
    return (
        session()
        .scalars(
            select(VisitRecord)
            .where(VisitRecord.visit_id == visit.id)
            .options(*PARTS)
            .execution_options(populate_existing=True)
        )
        .one_or_none()
    )


def draft(visit: Visit) -> VisitRecord | None:
    """The record of `visit` for its author to read and go on with; the read is audited."""
    record = of_visit(visit)
    if record is not None:
        audit.looked_at("visit record", _key(visit.referral, visit.number))
    return record


def check_due(visit: Visit) -> None:
    """Raise OutOfOrder while the visit has not begun: nothing can have been seen yet."""
    if not visits.has_begun(visit):
        raise OutOfOrder(
            f"This visit is on {written(clock.local(visit.starts_at).date())} at"
            f" {visits.spoken(visit.starts_at)}. You can write its record once it has begun."
        )


def writer_of(visit: Visit) -> int:
    """The number of who writes the record: who made the visit, unless it was handed over."""
    return visit.writer_id or visit.practitioner_id


def check_author(visit: Visit, place: visits.Place) -> None:
    """Raise NotAllowed unless the record is for whoever has this place in the case to write, and
    the visit takes place."""
    if visit.cancelled_at is not None:
        raise OutOfOrder("This visit was cancelled, so there is no record of it to write.")
    if writer_of(visit) != place.number:
        raise NotAllowed("Another practitioner made this visit, so only they can write its record.")


def save(
    work: UnitOfWork, visit: Visit, *, answers: Answers, seen: int = 0, by: Actor
) -> VisitRecord:
    """Keep `answers` as the draft record of `visit`; they may be incomplete.

    `seen` is the version the page was drawn from, 0 when there was no record yet. Raises Stale when
    somebody saved since (saving the very same again is no change), RecordIssued once it is issued,
    Refused for answers that cannot be.
    """
    referral = _hold(visit, by)
    check_due(visit)
    record = of_visit(visit)
    _check_draft(record)
    if record is not None and record.version != seen:
        if answers == answers_of(record):
            return record
        raise Stale(
            "This record was saved from another window after you opened this page. What you typed"
            " is below and has not been saved. If you save it now, it replaces the other version."
        )
    check(answers, referral.received_on)
    if record is None:
        record = VisitRecord(referral_id=referral.id, visit_id=visit.id, recommendations=[])
        work.session.add(record)
    _fill(work, record, answers, by)
    audit.wrote(work, "saved draft", "visit record", _key(referral, visit.number))
    return record


def _fill(work: UnitOfWork, record: VisitRecord, answers: Answers, by: Actor) -> None:
    for name in answers.plain_fields():
        setattr(record, name, getattr(answers, name))
    record.author_id, record.author_name = by.id, by.name
    record.saved_at = clock.now()
    if record.id is not None:
        flag_modified(record, "saved_at")  # the version moves on though only rows below changed
    record.recommendations.clear()
    work.flush()  # the old rows leave before new ones take their positions
    record.recommendations.extend(
        Recommendation(
            referral_id=record.referral_id,
            position=position,
            strategy=advice.strategy,
            owner=advice.owner,
            by_when=advice.by_when,
        )
        for position, advice in enumerate(answers.recommendations, start=1)
    )
    work.flush()


def issue(work: UnitOfWork, visit: Visit, *, seen: int, by: Actor) -> VisitRecord:
    """Issue the draft record of `visit` and make its PDF; from now on it never changes.

    Raises RecordIssued the second time, Stale when the draft is no longer version `seen`, Refused
    (naming the field) when a part is missing.
    """
    referral = _hold(visit, by)
    record = of_visit(visit)
    _check_draft(record)
    if record is None:
        raise Refused("Write the record before you issue it.")
    if record.version != seen:
        raise Stale("This record was changed after you opened this page. Check it again.")
    for problem in missing(answers_of(record)):
        raise Refused(problem.text, field=problem.field)
    record.author_id, record.author_name = by.id, by.name
    record.issued_at = clock.now()
    work.flush()
    record_documents.store(work, record, referral, _made_by(visit))
    _tell_school(work, "record_issued", Action.RECORD_ISSUED, referral, visit.number, by)
    signals.tell(work, signals.visit_recorded, **_of(referral, visit, by))
    work.flush()
    supporting.end_writing(work, referral, visit.practitioner_id, by=by)
    return record


def _made_by(visit: Visit) -> Allocation | Supporter:
    """By whose name and school a visit was made: whoever had the case then, or supported it."""
    made = session().get_one(Allocation, visit.allocation_id)
    if made.practitioner_id == visit.practitioner_id:
        return made
    beside = (
        session()
        .scalars(
            select(Supporter)
            .where(
                Supporter.referral_id == visit.referral_id,
                Supporter.practitioner_id == visit.practitioner_id,
            )
            .order_by(Supporter.id)
        )
        .first()
    )
    return beside or made


def add_addendum(work: UnitOfWork, record: VisitRecord, *, text: str, by: Actor) -> Addendum:
    """Add a numbered addendum to an issued record and make its PDF anew.

    The same words sent twice in a row are one addendum. Raises OutOfOrder for a draft.
    """
    visit = work.session.get_one(Visit, record.visit_id)
    referral = _locked(visit)
    visits.place_to_write(referral, by)
    whole = of_visit(visit)
    if whole is None or whole.issued_at is None:
        raise OutOfOrder("This record has not been issued yet. Change the draft instead.")
    if not text.strip():
        raise Refused("Enter what you want to add.", field="text")
    last = whole.addenda[-1] if whole.addenda else None
    if last is not None and (last.text, last.by_id) == (text, by.id):
        return last
    addendum = Addendum(
        referral_id=referral.id,
        record_id=whole.id,
        number=(last.number if last else 0) + 1,
        text=text,
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(addendum)
    work.flush()
    work.session.refresh(whole, ["addenda"])
    record_documents.store(work, whole, referral, _made_by(visit))
    _tell_school(work, "addendum_written", Action.ADDENDUM_WRITTEN, referral, visit.number, by)
    signals.tell(
        work, signals.addendum_written, addendum=addendum.number, **_of(referral, visit, by)
    )
    return addendum


def acknowledge(work: UnitOfWork, record: VisitRecord, *, by: Actor) -> None:
    """Note that the school has read the record, once; the practitioner is told.

    Raises NotFound for anybody but the school it is for, OutOfOrder the second time.
    """
    visit = work.session.get_one(Visit, record.visit_id)
    referral = _referral(visit)
    if not by.has(Role.REFERRER) or referral.urn not in by.establishments:
        raise NotFound()
    if record.issued_at is None:
        raise NotFound()
    added = work.session.scalar(
        insert(Acknowledgement)
        .values(
            record_id=record.id,
            referral_id=referral.id,
            at=clock.now(),
            by_id=by.id,
            by_name=by.name,
        )
        .on_conflict_do_nothing()
        .returning(Acknowledgement.record_id)
    )
    if added is None:
        raise OutOfOrder(_acknowledged_before(work, record))
    message = f"The record of visit {visit.number} has been read."
    referrals.record(work, referral, Action.RECORD_ACKNOWLEDGED, by=by, message=message)
    signals.tell(work, signals.record_acknowledged, **_of(referral, visit, by))
    practitioner_id = work.session.scalar(
        select(Allocation.practitioner_id).where(
            Allocation.referral_id == referral.id, Allocation.ended_at.is_(None)
        )
    )
    if practitioner_id is not None:
        link = notices.link_to("s2s.visits.read", reference=referral.reference, number=visit.number)
        notices.tell_practitioner(work, "record_acknowledged", practitioner_id, referral, link)


def _acknowledged_before(work: UnitOfWork, record: VisitRecord) -> str:
    first = work.session.get_one(Acknowledgement, record.id)
    day = written(clock.local(first.at).date())
    return f"{first.by_name} has already acknowledged this record, on {day}."


def document(record: VisitRecord) -> bytes:
    """The PDF of the record with all its addenda, as it was made when the last was written.

    Raises NotFound for a draft.
    """
    content = session().scalar(
        select(RecordDocument.content)
        .where(RecordDocument.record_id == record.id)
        .order_by(RecordDocument.addenda.desc())
        .limit(1)
    )
    if content is None:
        raise NotFound()
    return content


def _hold(visit: Visit, by: Actor) -> Referral:
    """Lock the referral for the practitioner whose visit it was, while it is open, or while a
    draft may still be finished."""
    referral = _locked(visit)
    check_author(visit, visits.place_to_write(referral, by))
    if not may_finish(referral) or of_visit(visit) is None:
        visits.check_open(referral)
    return referral


def may_finish(referral: Referral) -> bool:
    """Whether a draft begun before the referral was withdrawn may still be finished and issued.

    The visit was made, and the school should have its record; not where a parent no longer agrees.
    """
    return referral.status is Status.WITHDRAWN and referral.withdrawal is not Withdrawal.AGREEMENT


def _check_draft(record: VisitRecord | None) -> None:
    if record is not None and record.issued_at is not None:
        raise RecordIssued(
            "This record has been issued, so it can no longer be changed."
            " Write an addendum instead."
        )


def _locked(visit: Visit) -> Referral:
    return referrals.get(_reference(visit), lock=True)


def _referral(visit: Visit) -> Referral:
    return referrals.get(_reference(visit))


def _reference(visit: Visit) -> str:
    reference = session().scalar(select(Referral.reference).where(Referral.id == visit.referral_id))
    if reference is None:
        raise NotFound()
    return reference


def _tell_school(
    work: UnitOfWork, notice: str, action: Action, referral: Referral, number: int, by: Actor
) -> None:
    words = {
        Action.RECORD_ISSUED: f"The record of visit {number} is ready to read.",
        Action.ADDENDUM_WRITTEN: f"The record of visit {number} has an addition.",
    }
    referrals.record(work, referral, action, by=by, message=words[action])
    link = notices.link_to("s2s.visits.read", reference=referral.reference, number=number)
    notices.tell_school(work, notice, referral, link)


def _of(referral: Referral, visit: Visit, by: Actor) -> dict[str, Any]:
    """What every signal about a visit brings."""
    return {
        "reference": referral.reference,
        "urn": referral.urn,
        "by": by.id,
        "visit": visit.number,
    }


def _key(referral: Referral, number: int) -> str:
    return f"{referral.reference} visit {number}"
