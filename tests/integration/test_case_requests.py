"""Practitioners who ask for a referral with nobody yet: what they see, and what becomes of it."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from s2s_portal.database import in_the_name_of, unit_of_work
from s2s_portal.errors import OutOfOrder
from s2s_portal.identity import acting_as
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.offer import AskedEnded, CaseRequest
from s2s_portal.models.practitioner import (
    Allocation,
    Conflict,
    ConflictKind,
    ConflictWeight,
    Practitioner,
)
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import allocation, case_requests, offers
from tests import rows
from tests.client import Client
from tests.world import ACTORS, OTHER_SCHOOL, SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
REF, FAR = "S2S-19-7K4P", "S2S-19-4443"
OFFICER, PAT = ACTORS["officer"], ACTORS["practitioner"]


@pytest.fixture
def referral(session: Session) -> Referral:
    """Two accepted referrals with nobody: one suits Pat, one is of another phase."""
    row = rows.referral(session, REF, status=Status.ACCEPTED)
    rows.decision(session, row)
    rows.referral(session, FAR, urn=OTHER_SCHOOL, status=Status.ACCEPTED)
    session.commit()
    return row


def number(session: Session, key: str = "practitioner") -> int:
    found = session.scalars(select(Practitioner.id).where(Practitioner.account_id == key)).one()
    session.commit()
    return found


def seen(session: Session, key: str = "practitioner") -> list[str]:
    session.commit()
    with acting_as(ACTORS[key]):
        found = [one.reference for one in case_requests.cases()]
        session.commit()
    return found


def told(connection: Connection) -> list[str]:
    jobs = connection.scalars(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id"))
    return [mail["notice"] for mail in jobs]


def asked(session: Session) -> CaseRequest:
    session.expire_all()
    return session.scalars(select(CaseRequest).order_by(CaseRequest.id)).one()


def test_asked_for_on_the_page_and_given(
    client: Client,
    session: Session,
    connection: Connection,
    referral: Referral,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(client.app.config, "S2S_OFFICER_MAILBOX", "send@council.example")
    page = client.sign_on("practitioner").get("visits.cases")
    assert page.all("//tbody/tr/*") == [
        f"Ask for {REF}",
        "Little Snoring Invented PrimaryPrimary",
        "Social, emotional and mental health",
        page.all("//tbody/tr/td[3]")[0],
        "0.9 miles",
        "14 May 2019",
    ]
    one = client.get("visits.ask_for", reference=REF)
    assert "Canary" not in page.text + one.text
    bare = client.post("visits.ask_for", {"why": " "}, status=422, reference=REF)
    assert bare.errors == ["Enter why you would like to take it"]
    done = client.post("visits.ask_for", {"why": "I know the school"}, reference=REF)
    shown = client.follow(done)
    assert "Asked for on 14 May 2019: I know the school" in shown.words
    assert "has not answered yet" in shown.words
    again = client.post("visits.ask_for", {"why": "Again"}, reference=REF)  # pressed twice
    assert again.location.endswith("/visits/cases/")
    assert asked(session).why == "I know the school"
    assert told(connection) == ["taking_asked"]

    client.sign_on("officer")
    assert "Asked for by Pat Practitioner" in client.get("allocation.index").words
    assert "Asked for by Pat Practitioner" in client.get("triage.show", reference=REF).words
    page = client.get("allocation.allocate", reference=REF)
    assert "Asked for it on 14 May 2019: I know the school" in page.words
    form = {"seen": page.value("seen"), "practitioner": str(number(session)), "reason": "Asked"}
    client.post("allocation.allocate", form, reference=REF)
    assert asked(session).ended is AskedEnded.GRANTED
    assert "request_ended" not in told(connection)
    assert "Given to you on 14 May 2019" in client.sign_on("practitioner").get("visits.cases").words
    client.sign_on("senco").get("visits.cases", status=403)
    assert "practitioner asked" not in client.get("referrals.show", reference=REF).words


def test_told_no_with_a_reason_which_they_read(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    client.sign_on("practitioner").post("visits.ask_for", {"why": "Near"}, reference=REF)
    key = {"reference": REF, "number": asked(session).id}
    client.sign_on("officer").get("allocation.refuse_request", **key)
    bare = client.post("allocation.refuse_request", {"comment": ""}, status=422, **key)
    assert bare.errors == ["Enter why not"]
    client.post("allocation.refuse_request", {"comment": "You have two already"}, **key)
    late = client.post("allocation.refuse_request", {"comment": "Too far"}, status=422, **key)
    assert late.errors == ["You said no on 14 May 2019. Nothing has been changed now."]
    assert late.value("comment") == "Too far"
    client.get("allocation.refuse_request", status=409, **key)
    client.get("allocation.refuse_request", status=404, reference=FAR, number=key["number"])
    assert told(connection) == ["taking_refused"]
    page = client.sign_on("practitioner").get("visits.cases")
    assert "No, on 14 May 2019: You have two already" in page.words
    assert seen(session) == []  # and it is not there to be asked for again
    actions = session.scalars(select(ReferralEvent.action).order_by(ReferralEvent.id)).all()
    assert actions[-2:] == [Action.TAKING_ASKED, Action.TAKING_REFUSED]


def test_given_to_somebody_else_who_asked_is_told(
    session: Session, connection: Connection, referral: Referral
) -> None:
    with acting_as(PAT), in_the_name_of(PAT) as work:
        case_requests.ask(work, REF, why="Near", by=PAT)
    who = number(session, "colleague")
    with acting_as(OFFICER), unit_of_work() as work:
        allocation.allocate(work, REF, practitioner_id=who, reason="x", seen=1, by=OFFICER)
    assert asked(session).ended is AskedEnded.OVERTAKEN
    assert told(connection).count("request_ended") == 1


def test_what_has_gone_meanwhile_is_not_asked_for(
    client: Client, session: Session, referral: Referral
) -> None:
    who = number(session, "colleague")
    with acting_as(OFFICER), unit_of_work() as work:
        offers.offer(work, REF, practitioner_id=who, reason="x", seen=1, by=OFFICER)
    late = client.sign_on("practitioner").post(
        "visits.ask_for", {"why": "Near"}, status=422, reference=REF
    )
    assert late.errors[0].startswith("This referral can no longer be asked for")
    assert "You had written: Near" in late.words
    client.get("visits.ask_for", status=404, reference=REF)


def test_only_what_suits_them_is_there_to_be_asked_for(
    client: Client, session: Session, referral: Referral
) -> None:
    assert seen(session) == [REF]
    assert seen(session, "other-practitioner") == [FAR]
    assert seen(session, "colleague") == []  # the phases, not the need
    for key in ("newcomer", "lead", "officer", "senco"):
        assert seen(session, key) == []
    client.sign_on("practitioner").get("visits.ask_for", status=404, reference=FAR)
    client.post("visits.ask_for", {"why": "x"}, status=422, reference=FAR)
    with acting_as(PAT), pytest.raises(OutOfOrder), in_the_name_of(PAT) as work:
        case_requests.ask(work, FAR, why="x", by=PAT)


@pytest.mark.parametrize("what", ["area", "conflict", "hold", "status", "leaving"])
def test_what_keeps_a_referral_from_being_asked_for(
    session: Session, referral: Referral, what: str
) -> None:
    person = session.get_one(Practitioner, number(session))
    if what == "area":
        person.areas = ["Elsewhere"]
    elif what == "leaving":
        person.leaving_on = rows.RECEIVED.replace(day=13)
    elif what == "conflict":
        session.add(
            Conflict(
                practitioner_id=person.id,
                urn=SCHOOL,
                kind=ConflictKind.RELATIVE,
                weight=ConflictWeight.ASK_FIRST,
                reason="x",
                by_id="lead",
                by_name="Lena Lead",
            )
        )
    else:
        change = "held_until = '2019-06-03'" if what == "hold" else "status = 'submitted'"
        session.execute(text(f"UPDATE s2s.referral SET {change}"))
    session.commit()
    assert seen(session) == []


def test_one_open_request_for_each_practitioner_and_referral(
    session: Session, referral: Referral
) -> None:
    with acting_as(PAT), in_the_name_of(PAT) as work:
        case_requests.ask(work, REF, why="Near", by=PAT)
    with pytest.raises(IntegrityError, match="uq_case_request_open"):
        session.execute(
            text(
                "INSERT INTO s2s.case_request (referral_id, practitioner_id, practitioner_name,"
                " reference, school_name, why, at, by_id, by_name) SELECT referral_id,"
                " practitioner_id, practitioner_name, reference, school_name, why, at, by_id,"
                " by_name FROM s2s.case_request"
            )
        )
    session.rollback()
    assert session.scalars(select(Allocation)).all() == []
