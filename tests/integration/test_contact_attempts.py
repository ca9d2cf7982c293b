"""A school that does not answer: attempts are written down, after three an officer knows (F61)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.contact import ContactAttempt
from s2s_portal.models.referral import Referral, ReferralEvent
from tests import rows
from tests.client import Client

REFERENCE = "S2S-19-7K4P"
WORDS = "Nobody there: O'Brien-Łukasz <b>, =1+1 🙂"

pytestmark = pytest.mark.usefixtures("may_2019")


@pytest.fixture
def case(session: Session, app: Flask, monkeypatch: pytest.MonkeyPatch, may_2019: None) -> Referral:
    """A referral that the practitioner has since 10 May 2019."""
    monkeypatch.setitem(app.config, "S2S_OFFICER_MAILBOX", "officers@council.example")
    row = rows.referral(session, REFERENCE, status=Status.ALLOCATED)
    rows.allocation(session, row, "practitioner").at = clock.from_local(date(2019, 5, 10), 9)
    session.commit()
    return row


def tried(day: int, how: str = "phone", note: str = WORDS) -> dict[str, Any]:
    return {"tried_on": [str(day), "5", "2019"], "how": how, "note": note}


def told(session: Session) -> list[str]:
    session.commit()
    found = session.execute(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id"))
    return [row.args["notice"] for row in found]


def numbers(session: Session) -> list[int]:
    session.commit()
    return list(session.scalars(select(ContactAttempt.number).order_by(ContactAttempt.id)))


def note(client: Client, *days: int) -> str:
    client.sign_on("practitioner")
    words = ""
    for day in days:
        answer = client.post("visits.attempt", tried(day), reference=REFERENCE)
        words = client.follow(answer).words
    return words


def test_after_three_attempts_the_officers_are_told_once(
    client: Client, session: Session, case: Referral
) -> None:
    assert "After 1 more the SEND officers are told." in note(client, 10, 13)
    assert told(session) == []
    assert "The SEND officers have been told" in note(client, 14)
    assert told(session) == ["school_not_reached"]
    client.post("visits.attempt", tried(14, "email"), reference=REFERENCE)
    assert told(session) == ["school_not_reached"]
    happened = session.scalars(select(ReferralEvent.action)).all()
    assert happened.count(Action.CONTACT_TRIED) == 4
    assert happened.count(Action.NOT_REACHED) == 1


def test_officers_and_practitioners_read_them_and_the_school_does_not(
    client: Client, session: Session, case: Referral
) -> None:
    note(client, 10, 13, 14)
    for key, page in (
        ("practitioner", "visits.show"),
        ("lead", "visits.show"),
        ("officer", "triage.show"),
    ):
        words = client.sign_on(key).get(page, reference=REFERENCE).words
        assert "13 May 2019, by phone, by Pat Practitioner" in words, key
        assert WORDS in words, key
    words = client.sign_on("senco").get("referrals.show", reference=REFERENCE).words
    for inside in (WORDS, "did not answer", "cannot be reached", "Attempts"):
        assert inside not in words


def test_a_booked_visit_says_that_the_school_has_answered(
    client: Client, session: Session, case: Referral
) -> None:
    note(client, 10, 13)
    given = rows.allocation_of(session, case)
    with clock.frozen(clock.now() + timedelta(hours=1)):
        rows.coming(session, case, given, 1)
        session.commit()
    with clock.frozen(clock.now() + timedelta(hours=2)):
        note(client, 14)
        assert told(session) == []
        page = client.get("visits.attempt", reference=REFERENCE)
        assert "You have tried once" in page.words


def test_sent_twice_it_is_one_attempt(client: Client, session: Session, case: Referral) -> None:
    note(client, 13, 13)
    assert numbers(session) == [1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tried_on": ["", "", ""]}, "Enter the day on which you tried"),
        ({"tried_on": ["9", "5", "2019"]}, "The day must be from 10 May 2019"),
        ({"tried_on": ["15", "5", "2019"]}, "The day must be from 10 May 2019"),
        ({"how": ""}, "Select how you tried"),
        ({"how": "pigeon"}, "Select how you tried"),
    ],
)
def test_what_cannot_be_comes_back_as_typed(
    client: Client, session: Session, case: Referral, changes: dict[str, Any], said: str
) -> None:
    page = client.sign_on("practitioner").post(
        "visits.attempt", tried(13) | changes, status=422, reference=REFERENCE
    )
    assert any(said in error for error in page.errors), page.errors
    assert page.value("note") == WORDS
    assert numbers(session) == []


@pytest.mark.parametrize(("key", "status"), [("lead", 403), ("colleague", 404), ("senco", 403)])
def test_only_whoever_works_on_the_case_writes_them(
    client: Client, session: Session, case: Referral, key: str, status: int
) -> None:
    client.sign_on(key).post("visits.attempt", tried(13), status=status, reference=REFERENCE)
    assert numbers(session) == []
