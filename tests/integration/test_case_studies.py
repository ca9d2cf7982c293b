"""What a school thought of the support; and case studies: with consent, and naming nobody."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder, Refused, Stale
from s2s_portal.models.case_study import CaseStudy, ConsentHow, Party
from s2s_portal.models.codes import Kind
from s2s_portal.models.impact import SchoolEvaluation, StillUsing
from s2s_portal.models.referral import Referral
from s2s_portal.services import case_studies, school_evaluations
from tests import rows
from tests.client import Client
from tests.endings import REF, act, all_done, close, fresh, given, reopen
from tests.world import ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")
MARKS = {"useful": "4", "timely": "2", "still_using": "some", "text": "=1+1 Diolch <b>🎉</b>"}
YES = {
    "answer": "yes",
    "party": "parent",
    "who": "A Parent",
    "how": "signed",
    "on": ["14", "5", "2019"],
}


@pytest.fixture
def ended(session: Session) -> Referral:
    """A referral whose support was given and has ended."""
    given(session)
    all_done()
    return fresh(session)


def say(party: Party, *, given: bool = True, key: str = "senco", **more: Any) -> None:
    fields = {"who": "Somebody", "how": ConsentHow.EMAIL, "on": date(2019, 5, 14)} | more
    with act(key), unit_of_work() as work:
        case_studies.say(work, REF, party=party, given=given, by=ACTORS[key], **fields)


def mark(words: str = "A quiet start helped", key: str = "officer") -> None:
    with act(key), unit_of_work() as work:
        case_studies.mark(work, REF, text=words, by=ACTORS[key])


def told(session: Session) -> int:
    session.expire_all()
    query = select(func.count()).select_from(CaseStudy).where(CaseStudy.ended_at.is_(None))
    return session.scalar(query) or 0


# What it thought --------------------------------------------------------------------------------


def test_a_school_says_once_what_it_thought(client: Client, session: Session) -> None:
    given(session)
    senco = client.sign_on("senco")
    senco.get("closing.evaluate", status=409, reference=REF)
    all_done()
    assert "What you thought of the support" in senco.get("referrals.show", reference=REF).words
    senco.get("closing.evaluate", reference=REF)
    refused = senco.post("closing.evaluate", {"text": "Words"}, status=422, reference=REF)
    assert refused.errors == [
        "Choose how useful the support was",
        "Choose whether it came soon enough",
        "Choose whether staff use what was recommended",
    ]
    assert refused.value("text") == "Words"
    senco.post("closing.evaluate", MARKS, reference=REF)
    again = client.sign_on("head").post("closing.evaluate", MARKS, status=422, reference=REF)
    assert again.errors == ["Sam O'Brien-Łukasz has answered for your school, on 14 May 2019."]
    for key, endpoint in (("practitioner", "visits.show"), ("officer", "triage.show")):
        shown = client.sign_on(key).get(endpoint, reference=REF).words
        assert "Very useful. Later than we needed" in shown
        assert "=1+1 Diolch <b>🎉</b>" in shown
    session.expire_all()
    assert session.scalar(select(func.count()).select_from(SchoolEvaluation)) == 1


def test_a_second_closing_asks_again(session: Session, ended: Referral) -> None:
    def evaluate() -> None:
        with act("senco"), unit_of_work() as work:
            school_evaluations.evaluate(
                work,
                REF,
                useful=1,
                timely=1,
                still_using=StillUsing.NONE,
                by=ACTORS["senco"],
            )

    evaluate()
    with pytest.raises(Stale):
        evaluate()
    reopen()
    with pytest.raises(OutOfOrder):
        evaluate()
    close()
    evaluate()
    with act("senco"), pytest.raises(Refused), unit_of_work() as work:
        school_evaluations.evaluate(
            work, REF, useful=5, timely=1, still_using=StillUsing.NONE, by=ACTORS["senco"]
        )


# Case studies -----------------------------------------------------------------------------------


def test_it_is_told_with_the_consent_of_school_and_parent(
    client: Client, session: Session, ended: Referral
) -> None:
    officer = client.sign_on("officer")
    officer.get("closing.mark_case_study", status=409, reference=REF)
    senco = Client(client.app).sign_on("senco")
    page = senco.get("closing.case_study", reference=REF)
    assert "Has not been asked, or not answered" in page.words
    empty = senco.post("closing.case_study", {"on": ["", "", ""]}, status=422, reference=REF)
    assert len(empty.errors) == 5
    senco.post("closing.case_study", YES, reference=REF)
    with pytest.raises(OutOfOrder):
        mark()
    senco.post("closing.case_study", YES | {"party": "school", "who": "Hana"}, reference=REF)
    officer.get("closing.mark_case_study", reference=REF)
    form = {"text": "A quiet start helped", "checked": "y"}
    bare = officer.post("closing.mark_case_study", {"text": "x"}, status=422, reference=REF)
    assert bare.errors == ["Say that nobody can be recognised in it"]
    officer.post("closing.mark_case_study", form, reference=REF)
    assert told(session) == 1
    assert "A quiet start helped" in senco.get("closing.case_study", reference=REF).words
    senco.post("closing.case_study", YES | {"answer": "no"}, reference=REF)
    assert told(session) == 0
    assert "no longer agrees" in officer.get("closing.case_study", reference=REF).words


@pytest.mark.parametrize("party", list(Party))
def test_taking_it_back_ends_it_whoever_takes_it_back(
    session: Session, ended: Referral, party: Party
) -> None:
    say(Party.SCHOOL)
    say(Party.PARENT)
    mark()
    say(party, given=False, key="officer")
    assert told(session) == 0
    with pytest.raises(OutOfOrder):
        mark()


def test_a_parent_who_ends_the_support_ends_it_too(session: Session, ended: Referral) -> None:
    say(Party.SCHOOL)
    say(Party.PARENT)
    mark()
    rows.agreement_withdrawal(session, ended)
    session.commit()
    assert told(session) == 0
    with pytest.raises(OutOfOrder):
        mark()


def test_of_a_group_no_one_parent_agrees(session: Session, ended: Referral) -> None:
    session.execute(text("RESET ROLE"))
    session.execute(text("UPDATE s2s.referral SET kind = 'group'"))
    session.commit()
    session.expire_all()
    assert fresh(session).kind is Kind.GROUP
    session.commit()
    with pytest.raises(Refused):
        say(Party.PARENT)
    say(Party.SCHOOL)
    mark()
    assert told(session) == 1


@pytest.mark.parametrize(
    "words",
    [
        "Canary7K4P is calmer",
        "zosia is calmer",
        "Ask O'Brien-Łukasz",
        "At Little Snoring Invented Primary",
        "See S2S-19-7K4P",
        "Thanks to Pat",
    ],
)
def test_no_name_that_the_referral_holds_is_let_through(
    session: Session, ended: Referral, words: str
) -> None:
    say(Party.SCHOOL)
    say(Party.PARENT)
    with pytest.raises(Refused, match="Take out what points to somebody"):
        mark(words)
    mark("Patience helped; the snoring stopped")
    assert told(session) == 1


@pytest.mark.parametrize(
    ("key", "given_", "error"),
    [
        ("other-senco", True, NotFound),
        ("officer", True, NotFound),
        ("practitioner", True, NotFound),
        ("practitioner", False, NotFound),
    ],
)
def test_nobody_else_says_who_agrees(
    session: Session, ended: Referral, key: str, given_: bool, error: type[Exception]
) -> None:
    with pytest.raises(error):
        say(Party.SCHOOL, given=given_, key=key)


def test_nothing_is_agreed_before_it_has_ended_nor_tomorrow(session: Session) -> None:
    given(session)
    with pytest.raises(OutOfOrder):
        say(Party.SCHOOL)
    all_done()
    with pytest.raises(Refused, match="today or in the past"):
        say(Party.SCHOOL, on=clock.today() + timedelta(days=1))
    with pytest.raises(Refused, match="who said so"):
        say(Party.SCHOOL, who=" ")


def test_the_database_refuses_one_without_consent(
    session: Session, connection: Connection, ended: Referral
) -> None:
    connection.execute(text("RESET ROLE"))
    add = (
        "INSERT INTO s2s.case_study (referral_id, text, at, by_id, by_name)"
        " SELECT id, 'x', now(), 'officer', 'O' FROM s2s.referral"
    )
    with pytest.raises(DBAPIError, match="without consent"), connection.begin_nested():
        connection.execute(text(add))


def test_an_officer_ends_it(client: Client, session: Session, ended: Referral) -> None:
    say(Party.SCHOOL)
    say(Party.PARENT)
    mark()
    with pytest.raises(OutOfOrder):
        mark("Another")
    client.sign_on("officer").post("closing.end_case_study", reference=REF)
    assert told(session) == 0
