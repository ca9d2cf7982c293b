"""Moving and cancelling a visit: nothing is overwritten, and everybody reads why (F55)."""

from __future__ import annotations

from datetime import date, time, timedelta
from random import Random
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import AlreadyDecided
from s2s_portal.identity import acting_as
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.reallocation import SupportRole
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.visit import AskedBy, Visit, VisitRecord, WhyMoved
from s2s_portal.reference_portal.demonstration_acts import Story
from s2s_portal.reference_portal.demonstration_visits import VISITS
from s2s_portal.services import rescheduling, standing, visit_board
from s2s_portal.services.rescheduling import Asked
from tests import rows, world
from tests.client import Client
from tests.world import SCHOOL

REFERENCE = "S2S-19-7K4P"
PAT = world.ACTORS["practitioner"]
WORDS = "O'Brien-Łukasz said <b>no</b>, =1+1 🙂 Dwi'n brysur"
WHY: dict[str, Any] = {"asked_by": "school", "why": "not_ready", "words": WORDS}
MOVED: dict[str, Any] = WHY | {
    "day": ["22", "5", "2019"],
    "starts": "1pm",
    "ends": "2pm",
    "note": "See you then",
}

pytestmark = pytest.mark.usefixtures("may_2019")


@pytest.fixture
def case(session: Session) -> Referral:
    """A referral that the practitioner has, with a visit on 20 May 2019 from 9:30am to 11am."""
    row = rows.referral(session, REFERENCE, status=Status.ALLOCATED)
    rows.coming(session, row, rows.allocation(session, row, "practitioner"), 1)
    session.commit()
    return row


def the_visits(session: Session) -> list[Visit]:
    session.commit()
    return list(session.scalars(select(Visit).order_by(Visit.number)))


def events(session: Session, action: Action) -> list[str]:
    found = session.scalars(select(ReferralEvent.message).where(ReferralEvent.action == action))
    return list(found)


def jobs(session: Session) -> list[dict[str, Any]]:
    session.commit()
    found = session.execute(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id"))
    return [row.args for row in found]


def test_a_moved_visit_is_a_row_of_its_own_and_the_old_one_stays(
    client: Client, session: Session, case: Referral
) -> None:
    answer = client.sign_on("practitioner").post(
        "visits.move", MOVED, reference=REFERENCE, number=1
    )
    assert "The visit has been moved. The school has been told." in client.follow(answer).words
    old, new = the_visits(session)
    assert (old.starts_at, old.cancelled_by_name) == (
        clock.from_local(date(2019, 5, 20), 9, 30),
        PAT.name,
    )
    assert (old.asked_by, old.why_moved, old.moved_words, old.short_notice) == (
        AskedBy.SCHOOL,
        WhyMoved.NOT_READY,
        WORDS,
        False,
    )
    assert (new.number, new.replaces_id, new.chain, new.moves) == (2, old.id, 1, 1)
    assert (new.starts_at, new.kind) == (clock.from_local(date(2019, 5, 22), 13), old.kind)
    (told,) = events(session, Action.VISIT_MOVED)
    assert told == (
        "Visit 2: Observation on 22 May 2019, 1:00pm to 2:00pm.\nSee you then\n"
        "Instead of visit 1: Observation on 20 May 2019, 9:30am to 11:00am."
        f" Asked for by the school: The school is not ready. {WORDS}."
    )
    audited = session.scalars(select(AuditEntry.action).where(AuditEntry.by_id == PAT.id)).all()
    assert "visit moved" in audited
    school, own = jobs(session)
    assert (school["notice"], own["notice"]) == ("visit_moved", "own_visit_moved")
    assert {school["visit_id"], own["visit_id"]} == {new.id}
    assert {school["method"], own["method"]} == {"REQUEST"}
    assert WORDS not in str((school, own))


@pytest.mark.parametrize(
    ("key", "endpoint"),
    [
        ("practitioner", "visits.show"),
        ("lead", "visits.show"),
        ("officer", "triage.show"),
        ("senco", "referrals.show"),
    ],
)
def test_whoever_reads_the_case_reads_where_a_visit_came_from(
    client: Client, session: Session, case: Referral, key: str, endpoint: str
) -> None:
    client.sign_on("practitioner").post("visits.move", MOVED, reference=REFERENCE, number=1)
    page = client.sign_on(key).get(endpoint, reference=REFERENCE)
    said = f"asked for by the school: The school is not ready. {WORDS}"
    assert f"Moved from 20 May 2019 at 9:30am, {said}" in page.words
    assert "Moved: it is now visit 2, 22 May 2019 at 1:00pm" in page.words
    assert ("/move" in page.text) == (key == "practitioner")


def test_a_cancelled_visit_stays_and_nothing_takes_its_place(
    client: Client, session: Session, case: Referral
) -> None:
    client.sign_on("practitioner").post("visits.cancel", WHY, reference=REFERENCE, number=1)
    (visit,) = the_visits(session)
    assert visit.cancelled_at is not None
    (told,) = events(session, Action.VISIT_CANCELLED)
    assert told.startswith("Visit 1: Observation on 20 May 2019, 9:30am to 11:00am. Asked for by")
    assert [(job["notice"], job["method"]) for job in jobs(session)] == [
        ("visit_cancelled", "CANCEL"),
        ("own_visit_cancelled", "CANCEL"),
    ]
    page = client.get("visits.show", reference=REFERENCE)
    assert "Cancelled, asked for by the school" in page.words
    assert "Does not take place" in page.words
    assert "/1/move" not in page.text
    page = client.sign_on("senco").get("referrals.show", reference=REFERENCE)
    assert "this visit is cancelled" in page.words


def test_a_visit_is_moved_again_and_again_in_one_chain(
    client: Client, session: Session, case: Referral
) -> None:
    client.sign_on("practitioner").post("visits.move", MOVED, reference=REFERENCE, number=1)
    later = MOVED | {"day": ["23", "5", "2019"], "asked_by": "practitioner", "why": "weather"}
    client.post("visits.move", later, reference=REFERENCE, number=2)
    assert [(one.chain, one.moves, one.cancelled_at is None) for one in the_visits(session)] == [
        (1, 0, False),
        (1, 1, False),
        (1, 2, True),
    ]


def test_a_move_sent_twice_is_one(client: Client, session: Session, case: Referral) -> None:
    client.sign_on("practitioner")
    for _ in range(2):
        client.post("visits.move", MOVED, reference=REFERENCE, number=1)
    assert len(the_visits(session)) == 2
    assert len(jobs(session)) == 2


def test_two_windows_at_once_are_told_in_words_and_lose_nothing(
    client: Client, session: Session, case: Referral
) -> None:
    client.sign_on("practitioner").post("visits.move", MOVED, reference=REFERENCE, number=1)
    other = MOVED | {"day": ["24", "5", "2019"]}
    page = client.post("visits.move", other, status=422, reference=REFERENCE, number=1)
    assert page.errors == [
        f"{PAT.name} has moved this visit already. It is now visit 2: Observation on 22 May 2019,"
        " 1:00pm to 2:00pm."
    ]
    assert page.value("words") == WORDS
    client.post("visits.cancel", WHY, reference=REFERENCE, number=2)
    page = client.post("visits.cancel", WHY, status=422, reference=REFERENCE, number=2)
    assert page.errors == [f"{PAT.name} has cancelled this visit already."]
    client.get("visits.move", status=409, reference=REFERENCE, number=2)
    assert len(the_visits(session)) == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"asked_by": ""}, "Select who asked for it"),
        ({"asked_by": "nobody"}, "Select who asked for it"),
        ({"why": ""}, "Select why"),
        ({"why": "other", "words": " "}, "Say in your own words why."),
        ({"day": ["", "", ""]}, "Enter the date of the visit"),
        ({"ends": "12:30"}, "The end time must be later than the start time."),
        ({"day": ["18", "5", "2019"]}, "18 May 2019 is a Saturday."),
        (
            {"day": ["20", "5", "2019"], "starts": "9.30", "ends": "11am"},
            "is when the visit is now",
        ),
    ],
)
def test_what_cannot_be_comes_back_as_typed_and_the_visit_stays(
    client: Client, session: Session, case: Referral, changes: dict[str, Any], said: str
) -> None:
    page = client.sign_on("practitioner").post(
        "visits.move", MOVED | changes, status=422, reference=REFERENCE, number=1
    )
    assert any(said in error for error in page.errors), page.errors
    assert page.value("note") == "See you then"
    (visit,) = the_visits(session)
    assert visit.cancelled_at is None
    assert jobs(session) == []


def test_a_visit_is_not_moved_onto_another_one(
    client: Client, session: Session, case: Referral
) -> None:
    given = rows.allocation_of(session, case)
    starts = clock.from_local(date(2019, 5, 22), 12, 30)
    rows.coming(session, case, given, 2, starts_at=starts, ends_at=starts + timedelta(hours=1))
    session.commit()
    page = client.sign_on("practitioner").post(
        "visits.move", MOVED, status=422, reference=REFERENCE, number=1
    )
    assert page.errors == ["You have another visit that day from 12:30pm to 1:30pm."]
    overlapping = MOVED | {"day": ["20", "5", "2019"], "starts": "10am", "ends": "11.30"}
    client.post("visits.move", overlapping, reference=REFERENCE, number=1)


def test_a_visit_that_has_begun_needs_its_record(
    client: Client, session: Session, case: Referral
) -> None:
    with clock.frozen(clock.from_local(date(2019, 5, 20), 9, 31)):
        client.sign_on("practitioner")
        for endpoint, typed in (("visits.move", MOVED), ("visits.cancel", WHY)):
            page = client.get(endpoint, status=409, reference=REFERENCE, number=1)
            assert "say so in its record" in page.words
            page = client.post(endpoint, typed, status=422, reference=REFERENCE, number=1)
            assert "say so in its record" in page.errors[0]
            assert page.value("words") == WORDS
        assert "/move" not in client.get("visits.show", reference=REFERENCE).text


@pytest.mark.parametrize("issued", [True, False])
def test_a_visit_whose_record_is_begun_stays(
    client: Client, session: Session, case: Referral, issued: bool
) -> None:
    visit = session.scalars(select(Visit)).one()
    record = VisitRecord(
        referral_id=case.id,
        visit_id=visit.id,
        kind=visit.kind,
        visited_on=date(2019, 5, 20),
        author_id=PAT.id,
        author_name=PAT.name,
        issued_at=clock.now() if issued else None,
    )
    session.add(record)
    session.commit()
    page = client.sign_on("practitioner").post(
        "visits.cancel", WHY, status=422, reference=REFERENCE, number=1
    )
    assert "The record of this visit has been begun" in page.errors[0]


@pytest.mark.parametrize(
    ("key", "status"), [("colleague", 404), ("other-practitioner", 404), ("lead", 403)]
)
def test_only_whoever_makes_a_visit_moves_it(
    client: Client, session: Session, case: Referral, key: str, status: int
) -> None:
    client.sign_on(key)
    for endpoint, typed in (("visits.move", MOVED), ("visits.cancel", WHY)):
        client.get(endpoint, status=status, reference=REFERENCE, number=1)
        client.post(endpoint, typed, status=status, reference=REFERENCE, number=1)
    assert len(the_visits(session)) == 1


def test_who_supports_moves_their_own_visits_alone(
    client: Client, session: Session, case: Referral
) -> None:
    given = rows.allocation_of(session, case)
    joint = rows.beside(session, case, given, "colleague", SupportRole.JOINT)
    starts = clock.from_local(date(2019, 5, 21), 9)
    rows.coming(
        session,
        case,
        given,
        2,
        practitioner_id=joint.practitioner_id,
        starts_at=starts,
        ends_at=starts + timedelta(hours=1),
    )
    session.commit()
    client.sign_on("colleague").post(
        "visits.cancel", WHY, status=403, reference=REFERENCE, number=1
    )
    client.post("visits.cancel", WHY, reference=REFERENCE, number=2)
    client.sign_on("practitioner").post(
        "visits.move", MOVED, status=403, reference=REFERENCE, number=2
    )


@pytest.mark.parametrize("status", [Status.CLOSED, Status.WITHDRAWN])
def test_of_a_case_that_is_over_nothing_is_moved(
    client: Client, session: Session, case: Referral, status: Status
) -> None:
    case.status = status
    session.commit()
    page = client.sign_on("practitioner").post(
        "visits.cancel", WHY, status=422, reference=REFERENCE, number=1
    )
    assert len(page.errors) == 1


@pytest.mark.parametrize(
    ("now", "short"),
    [
        # 20 May 2019 is a Monday: two school days before it is Thursday.
        (date(2019, 5, 16), False),
        (date(2019, 5, 17), True),
        (date(2019, 5, 19), True),
    ],
)
def test_short_notice_counts_school_days(
    client: Client, session: Session, case: Referral, now: date, short: bool
) -> None:
    with clock.frozen(now):
        client.sign_on("practitioner").post("visits.cancel", WHY, reference=REFERENCE, number=1)
        (visit,) = the_visits(session)
        assert visit.short_notice is short
        assert ("At short notice." in events(session, Action.VISIT_CANCELLED)[0]) == short


def test_how_much_notice_is_a_setting(
    session: Session, case: Referral, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = session.scalars(select(Visit)).one()
    for days, short in ((0, False), (4, False), (5, True)):  # it is Tuesday 14 May
        monkeypatch.setitem(app.config, "S2S_SHORT_NOTICE_SCHOOL_DAYS", days)
        assert rescheduling.is_short_notice(visit, SCHOOL) is short, days


def test_officers_read_how_often_it_was_at_short_notice_and_who_asked(
    client: Client, session: Session, case: Referral
) -> None:
    other = rows.referral(session, "S2S-19-9CDF", status=Status.ALLOCATED)
    elsewhere = rows.referral(
        session, "S2S-19-GHJK", urn=world.OTHER_SCHOOL, status=Status.ALLOCATED
    )
    who = {AskedBy.SCHOOL: 2, AskedBy.PRACTITIONER: 1}
    number = 1
    for row in (case, other, elsewhere):
        if row is not case:
            rows.allocation(session, row, "practitioner")
        given = rows.allocation_of(session, row)
        for asked_by, times in who.items():
            for _ in range(times):
                number += 1
                rows.coming(
                    session,
                    row,
                    given,
                    number,
                    cancelled_at=clock.now(),
                    asked_by=asked_by,
                    why_moved=WhyMoved.WEATHER,
                    short_notice=True,
                )
    rows.coming(
        session,
        case,
        rows.allocation_of(session, case),
        99,
        cancelled_at=clock.from_local(date(2018, 5, 1)),  # more than a year ago
        asked_by=AskedBy.SERVICE,
        why_moved=WhyMoved.WEATHER,
        short_notice=True,
    )
    session.commit()
    said = (
        "6 visits to this school moved or cancelled at short notice in the last 12 months, asked"
        " for: 4 by the school, 2 by the practitioner."
    )
    assert said in client.sign_on("officer").get("triage.show", reference=REFERENCE).words
    for key, endpoint in (("senco", "referrals.show"), ("practitioner", "visits.show")):
        assert (
            "moved or cancelled at short"
            not in client.sign_on(key).get(endpoint, reference=REFERENCE).words
        )
    with acting_as(world.ACTORS["officer"]):
        session.commit()
        nothing = Referral(urn=world.ACADEMY)
        assert visit_board.short_notice_words(nothing) == ""


def test_a_cancelled_visit_is_none_that_is_coming(
    client: Client, session: Session, case: Referral
) -> None:
    with acting_as(PAT):
        session.commit()
        assert standing.next_visit(standing.visits(case)) is not None
    client.sign_on("practitioner").post("visits.cancel", WHY, reference=REFERENCE, number=1)
    session.expire_all()
    with acting_as(PAT):
        session.commit()
        assert standing.next_visit(standing.visits(case)) is None
    assert "No visits are booked" in client.get("visits.index").words
    assert "next visit" not in client.sign_on("senco").get("referrals.index").words


def test_the_service_refuses_what_its_page_does(session: Session, case: Referral) -> None:
    asked = Asked(AskedBy.SCHOOL, WhyMoved.CLASH)
    with acting_as(PAT):
        session.commit()
        with unit_of_work() as work:
            rescheduling.cancel(work, REFERENCE, 1, asked=asked, by=PAT)
        with pytest.raises(AlreadyDecided), unit_of_work() as work:
            rescheduling.move(
                work,
                REFERENCE,
                1,
                day=date(2019, 5, 22),
                starts=time(9),
                ends=time(10),
                asked=asked,
                by=PAT,
            )


def test_the_demonstration_moves_a_visit_also_in_a_holiday(
    session: Session, case: Referral
) -> None:
    """Whoever books there says yes to what is asked, and the visit is moved once."""
    starts = clock.from_local(date(2019, 5, 29), 9, 30)
    visit = session.scalars(select(Visit)).one()
    visit.starts_at, visit.ends_at = starts, starts + timedelta(minutes=75)
    session.commit()
    story = Story(Random(1), SCHOOL, "practitioner", [])
    story.reference = REFERENCE
    story.booked.append(starts)
    with acting_as(PAT):
        session.commit()
        with unit_of_work() as work:
            VISITS["move"](work, story, PAT, 0)
    old, new = the_visits(session)
    assert (old.cancelled_at is None, new.replaces_id) == (False, old.id)
    assert new.unusual_day == "29 May 2019 is in the school's half-term holiday."
