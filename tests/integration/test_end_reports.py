"""The end report: due once support was given, drafted, issued for good, read by the school."""

from __future__ import annotations

from hashlib import sha256

import page as validation
import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotAllowed, NotFound, OutOfOrder, Refused, Stale
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.codes import Status
from s2s_portal.models.end_report import EndReport, EndReportDocument
from s2s_portal.models.visit import Attendance
from s2s_portal.services import end_reports
from s2s_portal.services.end_reports import Answers
from tests import endings, rows
from tests.client import Client
from tests.endings import REF, WORDS, act, all_done, assess, close, fresh, given, reopen, report
from tests.world import ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")
FORM = {
    "done": "Three visits\n\n=1+1 <b>bold</b> {{ 7*7 }}",
    "changed": "Spokojniejsze poranki 🎉",
    "goes_on": "Dechrau tawel",
    "next_steps": "None",
}


def save(answers: Answers = WORDS, seen: int = 0, key: str = "practitioner") -> int:
    with act(key), unit_of_work() as work:
        made = end_reports.save(work, REF, answers=answers, seen=seen, by=ACTORS[key])
        work.flush()
        return made.version


def test_it_is_written_checked_issued_and_read(
    client: Client, session: Session, connection: Connection
) -> None:
    given(session)
    practitioner = client.sign_on("practitioner")
    assert "Write the end report" in practitioner.get("visits.show", reference=REF).words
    page = practitioner.get("closing.write_report", reference=REF)
    begun = {"seen": page.value("seen"), "done": FORM["done"], "check": "1"}
    refused = practitioner.post("closing.write_report", begun, status=422, reference=REF)
    assert refused.errors == [
        "Enter what changed",
        "Enter what the school goes on with",
        "Enter your advice for the next steps, or that there is none",
    ]
    assert "{{ 7*7 }}" in refused.text, "what was typed comes back"
    whole = FORM | {"seen": refused.value("seen"), "check": "1"}
    checked = practitioner.follow(practitioner.post("closing.write_report", whole, reference=REF))
    assert "Once issued, this report cannot be changed" in checked.words
    school = Client(client.app).sign_on("senco")
    school.get("closing.report", status=404, reference=REF, number=1)
    done = practitioner.post("closing.issue_report", {"seen": checked.value("seen")}, reference=REF)
    read = practitioner.follow(done)
    assert "This report cannot be changed" in read.words

    assert "Read the end report" in school.get("referrals.show", reference=REF).words
    read = school.get("closing.report", reference=REF, number=1)
    assert "=1+1 <b>bold</b> {{ 7*7 }}" in read.words
    assert "Spokojniejsze poranki 🎉" in read.words
    content = school.open(school.url("closing.report_document", reference=REF, number=1)).data
    for profile in ("ua1", "2a"):
        assert [
            one.message for one in validation.validate_pdf_bytes(content, profile=profile).failures
        ] == []
    session.expire_all()
    kept = session.scalars(select(EndReportDocument)).one()
    assert kept.sha256 == sha256(content).hexdigest()
    told = connection.scalars(text("SELECT args ->> 'notice' FROM s2s.procrastinate_jobs"))
    assert "end_report_issued" in list(told)
    assert "looked at" in list(
        session.scalars(select(AuditEntry.action).where(AuditEntry.entity == "end report"))
    )


def test_closing_waits_for_it_only_once_a_visit_has_happened(
    client: Client, session: Session
) -> None:
    given(session)
    assess()
    with pytest.raises(Refused, match="The end report has not been issued"):
        close()
    page = client.sign_on("officer").get("triage.index")
    assert "Ready to close" in page.text  # the name of a pile
    ready = client.fetch("GET", "/s2s/triage/?status=ready")
    assert REF not in ready.words
    report()
    assert REF in client.fetch("GET", "/s2s/triage/?status=ready").words
    close()
    assert fresh(session).status is Status.CLOSED


@pytest.mark.parametrize("visits", [0, 1])
def test_without_a_visit_that_happened_there_is_none_to_write(
    client: Client, session: Session, visits: int
) -> None:
    given(session, visits=visits, attendance=Attendance.WEATHER)
    client.sign_on("practitioner").get("closing.write_report", status=409, reference=REF)
    with pytest.raises(OutOfOrder, match="No visit has happened"):
        save()
    close()


def test_a_reopened_referral_needs_another_once_there_was_another_visit(session: Session) -> None:
    row = given(session)
    all_done()
    reopen()
    close()  # nothing was done since
    reopen()
    with clock.frozen(clock.now().replace(hour=14)):
        made = rows.visit(session, row, endings.open_allocation(session), 2, issued=False)
        made.issued_at = clock.now()
        session.commit()
        with pytest.raises(Refused, match="end report"):
            close()
        report(Answers("More", "More", "More", "More"))
        close()
    session.expire_all()
    assert session.scalars(select(EndReport.number).order_by(EndReport.number)).all() == [1, 2]


def test_an_issued_report_never_changes(session: Session, connection: Connection) -> None:
    given(session)
    report()
    session.commit()
    connection.execute(text("RESET ROLE"))
    for change in ("UPDATE s2s.end_report SET done = ''", "DELETE FROM s2s.end_report"):
        with pytest.raises(DBAPIError, match="never changes"), connection.begin_nested():
            connection.execute(text(change))
    for change in ("UPDATE s2s.end_report_document SET sha256 = ''",):
        with pytest.raises(DBAPIError, match="end_report_document"), connection.begin_nested():
            connection.execute(text(change))


def test_two_windows_and_two_presses(session: Session) -> None:
    given(session)
    first = save()
    assert save(WORDS, seen=0) == first, "the very same again is no change"
    with pytest.raises(Stale):
        save(Answers("Other"), seen=0)
    second = save(Answers("Other", "x", "y", "z"), seen=first)
    with act("practitioner"), pytest.raises(Stale), unit_of_work() as work:
        end_reports.issue(work, REF, seen=first, by=ACTORS["practitioner"])
    with act("practitioner"), unit_of_work() as work:
        end_reports.issue(work, REF, seen=second, by=ACTORS["practitioner"])
    again = pytest.raises(OutOfOrder, match="can no longer be changed")
    with act("practitioner"), again, unit_of_work() as work:
        end_reports.issue(work, REF, seen=second, by=ACTORS["practitioner"])


@pytest.mark.parametrize(
    ("key", "error"),
    [("lead", NotAllowed), ("colleague", NotFound), ("officer", NotAllowed), ("senco", NotAllowed)],
)
def test_nobody_else_writes_it(session: Session, key: str, error: type[Exception]) -> None:
    given(session)
    with pytest.raises(error):
        save(key=key)


def test_a_draft_is_its_authors_alone(session: Session) -> None:
    given(session)
    save()
    for key, sees in (("practitioner", 1), ("officer", 0), ("senco", 0), ("lead", 0)):
        with act(key):
            assert len(session.scalars(select(EndReport)).all()) == sees, key
