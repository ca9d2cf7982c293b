"""Rows about the end of a referral, put straight into the tables; and the acts that lead there."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import session as current_session
from s2s_portal.database import unit_of_work
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.case_study import CaseStudy, CaseStudyConsent, ConsentHow, Party
from s2s_portal.models.codes import Achieved, Closure, Status
from s2s_portal.models.end_report import EndReport, EndReportDocument
from s2s_portal.models.impact import (
    AskLink,
    ConfidenceAnswer,
    OutcomeScore,
    Rater,
    SchoolAsk,
    SchoolEvaluation,
    ScoreKind,
    Stage,
    StillUsing,
)
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Attendance
from s2s_portal.services import closing, end_reports, referrals
from s2s_portal.services.end_reports import Answers
from s2s_portal.services.invitations import digest
from tests import rows
from tests.world import ACTORS

REF = "S2S-19-7K4P"
WORDS = Answers("Three visits", "Calmer mornings", "The quiet start", "None")
BY_SCHOOL = {"by_id": "senco", "by_name": "Sam O'Brien-Łukasz"}
BY_PRACTITIONER = {"by_id": "practitioner", "by_name": "Pat Practitioner"}


def end_report(session: Session, row: Referral, *, issued: bool = True, number: int = 1) -> None:
    """An end report of `row`, issued with its document or a draft."""
    made = EndReport(
        referral_id=row.id,
        number=number,
        **vars(WORDS),
        author_id="practitioner",
        author_name="Pat Practitioner",
    )
    session.add(made)
    session.flush()
    if issued:
        made.issued_at = clock.now() + timedelta(seconds=1)
        session.flush()
        session.add(
            EndReportDocument(
                report_id=made.id, referral_id=row.id, sha256="0" * 64, content=b"%PDF-"
            )
        )
        session.flush()


def everything(session: Session, row: Referral) -> None:
    """A row in each table about the end of `row`, signed by whom they would be."""
    end_report(session, row)
    end_report(session, row, issued=False, number=2)
    before, evaluation = (
        SchoolAsk(referral_id=row.id, stage=stage, due_on=clock.today())
        for stage in (Stage.BEFORE, Stage.EVALUATION)
    )
    session.add_all([before, evaluation])
    session.flush()
    session.add_all(
        [
            OutcomeScore(
                **BY_PRACTITIONER,
                referral_id=row.id,
                position=1,
                kind=ScoreKind.END,
                rater=Rater.PRACTITIONER,
                score=7,
            ),
            AskLink(digest="0" * 64, ask_id=before.id, expires_at=clock.now()),
            ConfidenceAnswer(
                **BY_SCHOOL,
                referral_id=row.id,
                ask_id=before.id,
                stage=Stage.BEFORE,
                confidence=2,
            ),
            SchoolEvaluation(
                **BY_SCHOOL,
                referral_id=row.id,
                ask_id=evaluation.id,
                useful=4,
                timely=3,
                still_using=StillUsing.MOST,
            ),
        ]
    )
    session.execute(select(func.s2s.note_mail(row.id, clock.now(), "visit_booked", "practitioner")))
    session.flush()


def case_study(session: Session, row: Referral) -> None:
    """`row` is told as a case study, with the consent of its school and a parent."""
    for party in Party:
        session.add(
            CaseStudyConsent(
                **BY_SCHOOL,
                referral_id=row.id,
                party=party,
                given=True,
                who="Canary Parent",
                how=ConsentHow.SIGNED,
                on=clock.today(),
            )
        )
        session.flush()
    session.add(
        CaseStudy(referral_id=row.id, text="A quiet start", by_id="officer", by_name="Ola Officer")
    )
    session.flush()


def given(
    session: Session,
    *,
    status: Status = Status.ALLOCATED,
    visits: int = 1,
    attendance: Attendance = Attendance.HAPPENED,
    baseline: int | None = 3,
) -> Referral:
    """A referral that is with Pat Practitioner, who has made visits with issued records."""
    row = rows.referral(session, REF, status=status)
    made = rows.allocation(session, row, "practitioner")
    session.execute(text("UPDATE s2s.outcome_wanted SET baseline = :b"), {"b": baseline})
    for number in range(1, visits + 1):
        record = rows.visit(session, row, made, number, issued=False)
        record.attendance = attendance
        record.issued_at = clock.now()
        session.flush()
    session.commit()
    session.expire_all()
    return row


def act(key: str) -> acting_as:  # type: ignore[valid-type]
    """Act as somebody, in a transaction that begins anew."""
    current_session().commit()
    return acting_as(ACTORS[key])


def assess(
    end: int | None = 7, achieved: Achieved = Achieved.YES, key: str = "practitioner"
) -> None:
    """The practitioner records the one outcome of the referral."""
    with act(key), unit_of_work() as work:
        scores = {} if end is None else {1: end}
        closing.record_outcomes(
            work, REF, results={1: (achieved, "")}, scores=scores, by=ACTORS[key]
        )


def report(answers: Answers = WORDS, key: str = "practitioner") -> None:
    """The practitioner writes and issues the end report."""
    with act(key), unit_of_work() as work:
        made = end_reports.save(work, REF, answers=answers, by=ACTORS[key])
        work.flush()
        seen = made.version
    with act(key), unit_of_work() as work:
        end_reports.issue(work, REF, seen=seen, by=ACTORS[key])


def close(closure: Closure = Closure.OUTCOMES_MET, key: str = "officer") -> None:
    """An officer closes the referral."""
    with act(key), unit_of_work() as work:
        seen = referrals.get(REF).version
        closing.close(work, REF, closure=closure, message="Bye", seen=seen, by=ACTORS[key])


def reopen(key: str = "officer") -> None:
    """An officer opens it again."""
    with act(key), unit_of_work() as work:
        seen = referrals.get(REF).version
        closing.reopen(work, REF, reason="It is back", seen=seen, by=ACTORS[key])


def all_done() -> None:
    """Outcomes, report, closing."""
    assess()
    report()
    close()


def link(session: Session, stage: Stage, token: str, *, days: int = 30) -> None:
    """A link with `token` to what the school is asked at `stage`, as the mail would hold it."""
    current_session().commit()
    with acting_as(SYSTEM):
        ask = session.scalars(
            select(SchoolAsk).where(SchoolAsk.stage == stage).order_by(SchoolAsk.id.desc())
        ).first()
        assert ask is not None
        expires = clock.now() + timedelta(days=days)
        session.add(AskLink(digest=digest(token), ask_id=ask.id, expires_at=expires))
        session.commit()


def fresh(session: Session) -> Referral:
    """The referral as it is in the database now."""
    session.expire_all()
    return session.scalars(select(Referral).where(Referral.reference == REF)).one()


def terms(session: Session, *dates: tuple[date, date]) -> None:
    """The county's terms, for tests that count school weeks."""
    from s2s_portal.models.calendar import DateKind, TermDate
    from s2s_portal.services.calendar import academic_year

    session.add_all(
        [
            TermDate(
                academic_year=academic_year(first), kind=DateKind.TERM, starts=first, ends=last
            )
            for first, last in dates
        ]
    )
    session.commit()


def as_system() -> acting_as:  # type: ignore[valid-type]
    """Act as the service itself, in a transaction that begins anew."""
    current_session().commit()
    return acting_as(SYSTEM)


def open_allocation(session: Session) -> Allocation:
    """The allocation of the referral that has not ended."""
    return session.scalars(select(Allocation).where(Allocation.ended_at.is_(None))).one()
