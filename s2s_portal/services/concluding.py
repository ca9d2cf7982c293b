"""How a referral ended: one rule over facts, which nobody types (F64, W3; decision 35).

| status | what happened | reason | conclusion |
| --- | --- | --- | --- |
| declined, advised, redirected | | | not taken on (`declined`) |
| unanswered | | | cancelled |
| withdrawn | a visit | any | ended early |
| withdrawn | no visit | sent by mistake | cancelled |
| withdrawn | no visit | any other | withdrawn before it started |
| closed | a visit | the outcomes were achieved, partly, or not | completed |
| closed | a visit | any other | ended early |
| closed | no visit | moved, left, parents or school withdrew | withdrawn before it started |
| closed | no visit | any other | cancelled |
| any other | | | none: it has not ended |

A visit is one that happened and whose record has been issued. The database keeps the conclusion by
the same table (`s2s.conclusion`), as a school and a practitioner move it without being allowed to
write it; `flask s2s check` holds what is kept to this one.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import exists, func, select

from s2s_portal.database import session
from s2s_portal.models.codes import Closure, Conclusion, Status, Withdrawal
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Attendance, VisitRecord

WORDS = {
    Conclusion.COMPLETED: "Completed",
    Conclusion.ENDED_EARLY: "Ended early",
    Conclusion.WITHDRAWN: "Withdrawn before it started",
    Conclusion.DECLINED: "Not taken on",
    Conclusion.CANCELLED: "Cancelled",
}
MEANS = {
    Conclusion.COMPLETED: "Support was given to its end, with or without the outcomes.",
    Conclusion.ENDED_EARLY: "Support was given, and ended before it was done.",
    Conclusion.WITHDRAWN: "It was taken back, or the pupil left, before any visit.",
    Conclusion.DECLINED: "Declined, answered with advice alone, or sent on to another service.",
    Conclusion.CANCELLED: "It came to nothing: no visit could be arranged, nobody answered, or it"
    " was sent by mistake.",
}
TURNED_DOWN = {Status.DECLINED, Status.ADVISED, Status.REDIRECTED}
TO_ITS_END = {Closure.OUTCOMES_MET, Closure.PARTLY_MET, Closure.NOT_MET}
TAKEN_BACK = {
    Closure.MOVED_SCHOOL,
    Closure.LEFT_COUNTY,
    Closure.WITHDRAWN_PARENT,
    Closure.WITHDRAWN_SCHOOL,
}
READ_AT_ONCE = 1_000


def conclusion(
    status: Status, closure: Closure | None, withdrawal: Withdrawal | None, *, started: bool
) -> Conclusion | None:
    """How a referral of these facts ended; None while it has not. The table is above."""
    if status in TURNED_DOWN:
        return Conclusion.DECLINED
    if status is Status.UNANSWERED:
        return Conclusion.CANCELLED
    if status not in {Status.WITHDRAWN, Status.CLOSED}:
        return None
    if started:
        to_its_end = status is Status.CLOSED and closure in TO_ITS_END
        return Conclusion.COMPLETED if to_its_end else Conclusion.ENDED_EARLY
    if status is Status.WITHDRAWN:
        mistake = withdrawal is Withdrawal.MISTAKE
        return Conclusion.CANCELLED if mistake else Conclusion.WITHDRAWN
    return Conclusion.WITHDRAWN if closure in TAKEN_BACK else Conclusion.CANCELLED


STARTED = exists().where(
    VisitRecord.referral_id == Referral.id,
    VisitRecord.issued_at.is_not(None),
    VisitRecord.attendance == Attendance.HAPPENED,
)


def has_started(referral: Referral) -> bool:
    """Whether support has been given: a visit happened, and its record has been issued."""
    return bool(session().scalar(select(STARTED).where(Referral.id == referral.id)))


def report_is_due(referral: Referral) -> bool:
    """Whether support was given of which no end report tells yet: it must, before closing."""
    return bool(session().scalar(select(func.s2s.end_report_due(referral.id))))


def wrongly_kept() -> Iterator[str]:
    """The references of which the database keeps another conclusion than the facts lead to."""
    rows = session().execute(
        select(
            Referral.reference,
            Referral.status,
            Referral.closure,
            Referral.withdrawal,
            Referral.conclusion,
            STARTED.label("started"),
        )
        .where(Referral.submitted_at.is_not(None))
        .order_by(Referral.id)
        .execution_options(yield_per=READ_AT_ONCE)
    )
    for row in rows:
        due = conclusion(row.status, row.closure, row.withdrawal, started=row.started)
        if row.conclusion is not due:
            yield row.reference
