"""The end report: what was done, what changed, what goes on, and advice for what is next (F64).

Due when support was given of which no report has told yet: a visit happened and its record was
issued after the last report. Drafted by the practitioner who leads, issued once, then never
changed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any

from sqlalchemy import func, select

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.documents.end_report import EndReportDocument as Document
from s2s_portal.documents.end_report import OutcomeLine, render
from s2s_portal.errors import NotFound, OutOfOrder, Refused, Stale
from s2s_portal.identity import Actor
from s2s_portal.models.answer import Subject
from s2s_portal.models.codes import Action
from s2s_portal.models.end_report import EndReport, EndReportDocument
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Attendance, VisitRecord
from s2s_portal.services import (
    closing,
    concluding,
    notices,
    outcome_scores,
    record_documents,
    referrals,
    visits,
)

LACKING = {
    "done": "Enter what was done",
    "changed": "Enter what changed",
    "goes_on": "Enter what the school goes on with",
    "next_steps": "Enter your advice for the next steps, or that there is none",
}
ISSUED = "This end report has been issued, so it can no longer be changed."


@dataclass(frozen=True)
class Answers:
    """The whole content of a report; each may be empty in a draft."""

    done: str = ""
    changed: str = ""
    goes_on: str = ""
    next_steps: str = ""


def answers_of(report: EndReport | None) -> Answers:
    """What `report` holds; nothing for one that has not been begun."""
    if report is None:
        return Answers()
    return Answers(**{field.name: getattr(report, field.name) for field in fields(Answers)})


def missing(answers: Answers) -> dict[str, str]:
    """What must be written before it can be issued: field and sentence."""
    return {
        name: sentence for name, sentence in LACKING.items() if not getattr(answers, name).strip()
    }


def issued(referral: Referral) -> list[EndReport]:
    """The issued reports of `referral`, the first first: one statement, and no read of theirs."""
    found = select(EndReport).where(
        EndReport.referral_id == referral.id, EndReport.issued_at.is_not(None)
    )
    return list(session().scalars(found.order_by(EndReport.number)))


def get(reference: str, number: int) -> tuple[Referral, EndReport]:
    """An issued report to read, with its referral; the read is audited.

    Raises NotFound when it is absent, a draft, or not the acting person's to see.
    """
    referral = referrals.get(reference)
    found = [one for one in issued(referral) if one.number == number]
    if not found:
        raise NotFound()
    audit.looked_at("end report", f"{referral.reference} report {number}")
    return referral, found[0]


def document(report: EndReport) -> bytes:
    """The PDF of an issued report, as it was made when it was issued."""
    content = session().scalar(
        select(EndReportDocument.content).where(EndReportDocument.report_id == report.id)
    )
    if content is None:
        raise NotFound()
    return content


def draft(referral: Referral) -> EndReport | None:
    """The draft for its author to go on with; None when none is begun. The read is audited."""
    found = session().scalar(
        select(EndReport)
        .where(EndReport.referral_id == referral.id, EndReport.issued_at.is_(None))
        .execution_options(populate_existing=True)
    )
    if found is not None:
        audit.looked_at("end report", f"{referral.reference} draft")
    return found


def to_write(reference: str, by: Actor) -> tuple[Referral, EndReport | None]:
    """The referral and its draft, for the practitioner who leads it.

    Raises NotAllowed for anybody else, OutOfOrder when it is not open or no visit happened.
    """
    referral = referrals.get(reference)
    visits.allocation_to(referral, by)
    _check(referral)
    return referral, draft(referral)


def save(
    work: UnitOfWork, reference: str, *, answers: Answers, seen: int = 0, by: Actor
) -> EndReport:
    """Keep `answers` as the draft; they may be incomplete.

    `seen` is the version the page was drawn from, 0 when there was none. Raises Stale when it was
    saved since (the very same again is no change), and as `to_write` does.
    """
    referral = _held(reference, by)
    report = draft(referral)
    if (report.version if report else 0) != seen:
        if report is not None and answers == answers_of(report):
            return report
        raise Stale(
            "This report was saved from another window after you opened this page. What you typed"
            " is below and has not been saved. If you save it now, it replaces the other version."
        )
    if report is None:
        if answers == Answers():
            raise Refused("Write something first, then save it.")
        report = EndReport(referral_id=referral.id, number=len(issued(referral)) + 1)
        work.session.add(report)
    for field in fields(Answers):
        setattr(report, field.name, getattr(answers, field.name))
    report.author_id, report.author_name, report.saved_at = by.id, by.name, clock.now()
    audit.wrote(work, "saved draft", "end report", referral.reference)
    return report


def issue(work: UnitOfWork, reference: str, *, seen: int, by: Actor) -> EndReport:
    """Issue the draft and make its PDF; from now on it never changes. The school is told.

    Raises OutOfOrder when there is no draft (it has been issued, say), Stale when it is no longer
    version `seen`, Refused (naming the field) when a part is missing, and as `to_write` does.
    """
    referral = _held(reference, by)
    report = draft(referral)
    if report is None:
        raise OutOfOrder(ISSUED if issued(referral) else "Write the report before you issue it.")
    if report.version != seen:
        raise Stale("This report was changed after you opened this page. Check it again.")
    for field, sentence in missing(answers_of(report)).items():
        raise Refused(sentence, field=field)
    report.author_id, report.author_name, report.issued_at = by.id, by.name, clock.now()
    work.flush()
    _store(work, report, referral, visits.allocation_to(referral, by))
    message = "The end report is ready to read."
    referrals.record(work, referral, Action.END_REPORT_ISSUED, by=by, message=message)
    link = notices.link_to("s2s.closing.report", reference=referral.reference, number=report.number)
    notices.tell_school(work, "end_report_issued", referral, link)
    closing.tell_if_ready(work, referral)
    return report


def _held(reference: str, by: Actor) -> Referral:
    referral = referrals.get(reference, lock=True)
    visits.allocation_to(referral, by)
    _check(referral)
    return referral


def _check(referral: Referral) -> None:
    visits.check_open(referral)
    if not concluding.has_started(referral):
        raise OutOfOrder(
            "No visit has happened yet, or its record has not been issued, so there is nothing to"
            " report. Without a visit no end report is needed."
        )


def _store(work: UnitOfWork, report: EndReport, referral: Referral, made_by: Allocation) -> None:
    content = render(_lines(work, report, referral, made_by))
    work.session.add(
        EndReportDocument(
            report_id=report.id,
            referral_id=referral.id,
            sha256=sha256(content).hexdigest(),
            content=content,
        )
    )
    work.flush()


def _lines(
    work: UnitOfWork, report: EndReport, referral: Referral, made_by: Allocation
) -> Document:
    if report.issued_at is None:
        raise ValueError("only an issued report has a document")
    happened = work.session.scalar(
        select(func.count()).where(
            VisitRecord.referral_id == referral.id,
            VisitRecord.issued_at.is_not(None),
            VisitRecord.attendance == Attendance.HAPPENED,
        )
    )
    return Document(
        reference=referral.reference,
        school_name=referral.school_name,
        about=record_documents.about(work.session.get(Subject, referral.id)),
        practitioner_name=made_by.practitioner_name,
        provider_name=made_by.provider_name,
        visits=happened or 0,
        **_texts(report),
        outcomes=tuple(
            OutcomeLine(
                one.position,
                one.text,
                closing.ACHIEVED_WORDS[one.achieved] if one.achieved else "",
                one.change,
                one.comment,
            )
            for one in outcome_scores.as_kept(referral, outcome_scores.outcomes(referral))
        ),
        issued_at=report.issued_at,
        issued_by=report.author_name,
    )


def _texts(report: EndReport) -> dict[str, Any]:
    return {field.name: getattr(report, field.name) for field in fields(Answers)}
