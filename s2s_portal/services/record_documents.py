"""The PDF of a visit record: made once for each state of it, and kept."""

from __future__ import annotations

import hmac
from hashlib import sha256

from flask import current_app
from sqlalchemy import select

from s2s_portal.database import UnitOfWork, session
from s2s_portal.documents.visit_record import (
    AddendumLine,
    RecommendationLine,
    ReplyLine,
    VisitRecordDocument,
    render,
)
from s2s_portal.errors import NotFound, RecordDamaged
from s2s_portal.models.answer import Subject
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.reallocation import Supporter
from s2s_portal.models.referral import Referral
from s2s_portal.models.reply import RecordReply, SettledBy
from s2s_portal.models.visit import Addendum, RecordDocument, Visit, VisitRecord
from s2s_portal.services import reply_reading
from s2s_portal.services.labels import YEAR_GROUPS
from s2s_portal.services.visits import KIND_NAMES


def store(
    work: UnitOfWork, record: VisitRecord, referral: Referral, made_by: Allocation | Supporter
) -> RecordDocument:
    """Render the issued `record` with the addenda and replies it has now, and keep the bytes.

    `made_by` says who made the visit, and of which school. The record's parts must be loaded.
    """
    subject = work.session.get(Subject, referral.id)
    content = render(_lines(record, referral, made_by, about(subject)))
    kept = RecordDocument(
        referral_id=referral.id,
        record_id=record.id,
        addenda=len(record.addenda),
        replies=len(record.replies),
        settled=sum(1 for reply in record.replies if reply.settlement),
        sha256=sha256(content).hexdigest(),
        content=content,
    )
    work.session.add(kept)
    work.flush()
    return kept


def latest(record_id: int) -> bytes:
    """The PDF that was made last, as it was made: a later template or font changes none.

    Raises NotFound when there is none (a draft), RecordDamaged when its digest is not that of the
    bytes: what somebody changed behind our back is not handed out as the record.
    """
    kept = session().execute(
        select(RecordDocument.id, RecordDocument.sha256, RecordDocument.content)
        .where(RecordDocument.record_id == record_id)
        .order_by(RecordDocument.id.desc())
        .limit(1)
    )
    row = kept.one_or_none()
    if row is None:
        raise NotFound()
    if not hmac.compare_digest(sha256(row.content).hexdigest(), row.sha256):
        current_app.logger.error("S2S: record_document %s is not what was kept", row.id)
        raise RecordDamaged()
    return bytes(row.content)


def made_by(visit: Visit) -> Allocation | Supporter:
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


def about(subject: Subject | None) -> str:
    """Whom a record is about, as its reader knows them: `Robin, Year 3`, or the group's name."""
    if subject is None:
        return ""
    if not subject.surname:
        return subject.title
    year = YEAR_GROUPS.get(subject.year_group, "")
    return ", ".join(part for part in (subject.known_as or subject.forenames, year) if part)


def _lines(
    record: VisitRecord, referral: Referral, made_by: Allocation | Supporter, subject: str
) -> VisitRecordDocument:
    if record.issued_at is None:
        raise ValueError("only an issued record has a document")
    read = record.acknowledgement
    return VisitRecordDocument(
        reference=referral.reference,
        number=record.visit.number,
        school_name=referral.school_name,
        practitioner_name=made_by.practitioner_name,
        provider_name=made_by.provider_name,
        kind=KIND_NAMES[record.kind],
        visited_on=record.visited_on,
        started_at=record.started_at,
        finished_at=record.finished_at,
        people_met=record.people_met,
        pupil_seen=record.pupil_seen,
        observed=record.observed,
        discussed=record.discussed,
        recommendations=tuple(
            RecommendationLine(row.position, row.strategy, row.owner, row.by_when)
            for row in record.recommendations
        ),
        resources_given=record.resources_given,
        next_visit=record.next_visit,
        issued_at=record.issued_at,
        issued_by=record.author_name,
        about=subject,
        addenda=tuple(_addendum(row, record) for row in record.addenda),
        replies=tuple(_reply(row) for row in record.replies),
        acknowledged_by=read.by_name if read else None,
        acknowledged_at=read.at if read else None,
    )


def _addendum(row: Addendum, record: VisitRecord) -> AddendumLine:
    answered = next((one.number for one in record.replies if one.id == row.reply_id), None)
    return AddendumLine(row.number, row.text, row.by_name, row.at, answered)


def _reply(row: RecordReply) -> ReplyLine:
    settled = row.settlement
    side = "the school" if settled and settled.side is SettledBy.SCHOOL else "the council"
    return ReplyLine(
        number=row.number,
        part=reply_reading.part_of(row),
        text=row.text,
        written_by=row.by_name,
        written_at=row.at,
        settled_by=f"{settled.by_name}, for {side}," if settled else None,
        settled_at=settled.at if settled else None,
        settled_words=settled.words if settled else "",
    )
