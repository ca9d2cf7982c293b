"""A question that is not answered: the school is reminded, it lapses, it can be opened again."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.change import SectionOpening
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import referrals, returning
from tests import answers
from tests.client import Client
from tests.world import ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")
OFFICER = ACTORS["officer"]


@pytest.fixture
def reference(client: Client, session: Session) -> str:
    """A whole referral, sent back on 14 May 2019 with one question and its reason."""
    made = answers.submitted(client.sign_on("senco"))
    session.commit()
    with acting_as(OFFICER), unit_of_work() as work:
        returning.return_for_information(
            work,
            made,
            seen=referrals.get(made).version,
            questions={"needs": "Which comes first?"},
            codes={"needs": "CONTRADICTION"},
            by=OFFICER,
        )
    session.commit()
    return made


def row(session: Session, reference: str) -> Referral:
    session.expire_all()
    return session.scalars(select(Referral).where(Referral.reference == reference)).one()


def run(session: Session, day: date) -> str:
    """The daily job on the morning of `day`."""
    session.commit()
    with clock.frozen(clock.from_local(day, 6, 22)), acting_as(SYSTEM):
        said = returning.upkeep()
    session.commit()
    return said


def notices(connection: Connection) -> list[dict[str, Any]]:
    jobs = connection.scalars(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id"))
    return [job for job in jobs if "notice" in job]


NOTHING = "Questions: 0 reminded of, 0 closed."


def test_twenty_school_days_leave_the_half_term_out(session: Session, reference: str) -> None:
    """From 14 May 2019: four weeks are 11 June, and half-term (27 to 31 May) is a week more."""
    assert row(session, reference).answer_by == date(2019, 6, 18)


def test_the_school_reads_by_when_and_why(client: Client, session: Session, reference: str) -> None:
    page = client.sign_on("senco").get("referrals.show", reference=reference)
    assert "If you have not sent it again by 18 June 2019, it is closed." in page.words
    assert "Why we ask: Two answers do not agree." in page.words
    assert "With you: answer by 18 June" in client.get("referrals.index").words
    (opening,) = session.scalars(select(SectionOpening))
    assert opening.code_id is not None
    shown = client.sign_on("officer").get("triage.show", reference=reference).words
    assert "They have until 18 June 2019" in shown
    assert "Why we ask: Two answers do not agree." in shown


def test_reminded_once_then_closed_once_and_nothing_is_charged(
    client: Client, session: Session, connection: Connection, reference: str
) -> None:
    before = len(notices(connection))
    assert run(session, date(2019, 6, 10)) == NOTHING, "six school days are left"
    assert run(session, date(2019, 6, 11)) == "Questions: 1 reminded of, 0 closed."
    assert run(session, date(2019, 6, 11)) == NOTHING
    assert run(session, date(2019, 6, 18)) == NOTHING, "the last day is the school's"
    assert run(session, date(2019, 6, 19)) == "Questions: 0 reminded of, 1 closed."
    assert run(session, date(2019, 6, 20)) == NOTHING
    assert row(session, reference).status is Status.UNANSWERED
    told = notices(connection)[before:]
    assert [mail["notice"] for mail in told] == ["answer_due", "referral_unanswered"]
    assert told[0]["day"] == "18 June 2019"
    page = client.sign_on("senco").get("referrals.show", reference=reference)
    assert "Closed: not answered in time" in page.words
    assert "Ask us if you still want to answer: it can be opened again." in page.words
    assert "No support was arranged, so nothing is charged." in page.words


def test_it_closes_on_no_day_of_a_holiday(session: Session, reference: str) -> None:
    row(session, reference).answer_by = date(2019, 7, 23)  # the last day of the school year
    assert run(session, date(2019, 7, 22)) == "Questions: 1 reminded of, 0 closed."
    assert run(session, date(2019, 8, 5)) == NOTHING
    assert run(session, date(2019, 9, 5)) == "Questions: 0 reminded of, 1 closed."


def test_opened_again_the_school_has_its_time_anew(
    client: Client, session: Session, connection: Connection, reference: str
) -> None:
    run(session, date(2019, 6, 11))
    run(session, date(2019, 6, 19))
    page = client.sign_on("officer").get("triage.reopen_answer", reference=reference)
    form = {"seen": page.value("seen")}
    empty = client.post("triage.reopen_answer", form, status=422, reference=reference)
    assert empty.errors == ["Enter why the school can answer after all"]
    client.post("triage.reopen_answer", form | {"reason": "Sam was ill"}, reference=reference)
    found = row(session, reference)
    assert (found.status, found.answer_by) == (Status.RETURNED, date(2019, 6, 18))
    assert found.answer_reminded_on is None
    client.sign_on("senco")
    answers.save(client, reference, "needs", primary="MLD")
    token = answers.token(client, reference)
    client.post("referrals.submit", {"token": token}, reference=reference)
    assert row(session, reference).status is Status.SUBMITTED
    last = notices(connection)[-1]
    assert (last["notice"], last["address"]) == ("referral_answered", OFFICER.email), (
        "it comes back to the officer who asked"
    )


def test_an_answer_in_time_stops_it(client: Client, session: Session, reference: str) -> None:
    client.sign_on("senco")
    answers.save(client, reference, "needs", primary="MLD")
    token = answers.token(client, reference)
    client.post("referrals.submit", {"token": token}, reference=reference)
    assert run(session, date(2019, 6, 19)) == NOTHING
    events = session.scalars(select(ReferralEvent.action)).all()
    assert events[-1] is Action.RESUBMITTED


def test_a_reason_that_is_not_in_the_list_is_refused(session: Session, client: Client) -> None:
    made = answers.submitted(client.sign_on("senco"))
    page = client.sign_on("officer").get("triage.return_for_information", reference=made)
    form = {
        "seen": page.value("seen"),
        "sections": ["needs"],
        "question_needs": "Which?",
        "code_needs": "BECAUSE",
    }
    refused = client.post("triage.return_for_information", form, status=422, reference=made)
    assert refused.errors == ["Choose a reason from the list"]
    assert refused.value("question_needs") == "Which?"
    session.commit()
    with acting_as(OFFICER), pytest.raises(Refused), unit_of_work() as work:
        returning.return_for_information(
            work,
            made,
            seen=referrals.get(made).version,
            questions={"needs": "Which?"},
            codes={"needs": "DUPLICATE"},
            by=OFFICER,
        )
