"""The PDF of a visit record: made once for each state of it, and kept."""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import select

from s2s_portal.database import UnitOfWork, session
from s2s_portal.documents.visit_record import (
    AddendumLine,
    Part,
    RecommendationLine,
    VisitRecordDocument,
    render,
)
from s2s_portal.models.answer import Subject
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.reallocation import Supporter
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import RecordDocument, Visit, VisitRecord
from s2s_portal.services import record_parts
from s2s_portal.services.labels import YEAR_GROUPS
from s2s_portal.services.visits import KIND_NAMES


def store(
    work: UnitOfWork, record: VisitRecord, referral: Referral, made_by: Allocation | Supporter
) -> RecordDocument:
    """Render the issued `record` with the addenda it has now, and keep the bytes.

    `made_by` says who made the visit, and of which school. The record's parts must be loaded.
    """
    subject = work.session.get(Subject, referral.id)
    content = render(_lines(record, referral, made_by, about(subject)))
    kept = RecordDocument(
        referral_id=referral.id,
        record_id=record.id,
        addenda=len(record.addenda),
        sha256=sha256(content).hexdigest(),
        content=content,
    )
    work.session.add(kept)
    work.flush()
    return kept


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
        facts=tuple(record_parts.facts(record)),
        parts=tuple(_part(section, record) for section in record_parts.sections(record)),
        issued_at=record.issued_at,
        issued_by=record.author_name,
        about=subject,
        addenda=tuple(
            AddendumLine(row.number, row.text, row.by_name, row.at) for row in record.addenda
        ),
        acknowledged_by=read.by_name if read else None,
        acknowledged_at=read.at if read else None,
    )


def _part(section: record_parts.Section, record: VisitRecord) -> Part:
    if section.name != record_parts.RECOMMENDATIONS:
        return Part(section.heading, section.words, section.otherwise)
    lines = tuple(
        RecommendationLine(row.position, row.strategy, row.owner, row.by_when)
        for row in record.recommendations
    )
    return Part(section.heading, otherwise=section.otherwise, recommendations=lines)
