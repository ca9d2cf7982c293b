"""Each kind of activity has a record of its own; a visit may not have happened; time is counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from decimal import Decimal

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.blueprints.visits.amounts import read_minutes
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.database import session as current_session
from s2s_portal.errors import OutOfOrder, Refused
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.clocks import ClockState, ReferralClock
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import Step
from s2s_portal.models.visit import (
    Attendance,
    ReachedBy,
    TimeCorrection,
    Visit,
    VisitKind,
    VisitRecord,
)
from s2s_portal.services import (
    activity_time,
    caseload,
    clocks,
    closing,
    record_documents,
    record_parts,
    records,
    referrals,
    standing,
    visits,
    withdrawing,
)
from s2s_portal.services.activity_time import Spent
from s2s_portal.services.record_answers import Advice, Answers, Attending, missing
from tests import rows, world
from tests.client import Client, Page

REFERENCE = "S2S-19-7K4P"
HERE = {"reference": REFERENCE, "number": 1}
TODAY = date(2019, 5, 14)
LOST = Answers(
    VisitKind.OBSERVATION,
    TODAY,
    attendance=Attendance.SCHOOL_NOT_READY,
    reason="The hall was let.",
    next_visit="On 21 May instead.",
    travel_minutes=40,
    miles=Decimal("21.5"),
)
WHOLE = Answers(
    VisitKind.OBSERVATION,
    TODAY,
    time(9, 30),
    time(10, 45),
    people_met="Class teacher",
    observed="Calm",
    recommendations=(Advice("A quiet start", "TA", date(2019, 6, 14)),),
)
# Of each kind the least that its record needs, and what it is told without any of it.
LEAST: dict[VisitKind, tuple[dict[str, object], list[str]]] = {
    VisitKind.VISIT: (
        {"people_met": "SENCo", "discussed": "Mornings"},
        ["Enter who you met", "Enter what you observed or what you discussed"],
    ),
    VisitKind.FOLLOW_UP: (
        {"people_met": "SENCo", "observed": "Calm"},
        ["Enter who you met", "Enter what you observed or what you discussed"],
    ),
    VisitKind.OBSERVATION: (
        {"people_met": "SENCo", "observed": "Calm"},
        ["Enter who you met", "Enter what you observed"],
    ),
    VisitKind.ADVICE: (
        {"people_met": "SENCo", "discussed": "Seating"},
        ["Enter who you met", "Enter what you advised on"],
    ),
    VisitKind.MODELLING: (
        {"people_met": "SENCo", "observed": "A song"},
        ["Enter who you met", "Enter what you showed"],
    ),
    VisitKind.TRAINING: (
        {"covered": "Signs", "attendees": (Attending("teachers", 3),)},
        ["Enter what was covered", "Enter who took part"],
    ),
    VisitKind.RESOURCES: (
        {"made": "A board", "intended_for": "Year 3", "how_to_use": "Daily"},
        ["Enter what you made", "Enter for whom you made it", "Enter how it should be used"],
    ),
    VisitKind.PLAN_REVIEW: (
        {"people_met": "SENCo", "discussed": "The plan"},
        ["Enter who you met", "Enter what you reviewed"],
    ),
    VisitKind.MEETING: (
        {"people_met": "SENCo", "discussed": "Moves"},
        ["Enter who you met", "Enter what you discussed"],
    ),
    VisitKind.REVERSE_VISIT: (
        {"people_met": "Two TAs", "observed": "The hall"},
        ["Enter who came", "Enter what they saw"],
    ),
    VisitKind.SIGNPOSTING: (
        {"service": "Speech", "reason": "Sounds", "how_to_reach": "By form"},
        [
            "Enter the name of the service",
            "Enter why you chose it",
            "Enter how to reach it",
        ],
    ),
    VisitKind.REMOTE: (
        {"people_met": "SENCo", "agreed": "A call in June", "reached_by": ReachedBy.PHONE},
        [
            "Select how you reached them",
            "Enter who you talked or wrote with",
            "Enter what was agreed",
        ],
    ),
}

pytestmark = pytest.mark.usefixtures("may_2019")


@pytest.fixture
def visit(session: Session) -> Visit:
    """A visit made this morning, whose record is due."""
    row = rows.referral(session, REFERENCE, status=Status.ALLOCATED)
    made = rows.allocation(session, row, "practitioner")
    booked = Visit(
        referral_id=row.id,
        number=1,
        allocation_id=made.id,
        practitioner_id=made.practitioner_id,
        kind=VisitKind.OBSERVATION,
        starts_at=clock.from_local(TODAY, 9, 30),
        ends_at=clock.from_local(TODAY, 11),
        booked_by_id="practitioner",
        booked_by_name="Pat Practitioner",
    )
    session.add(booked)
    session.commit()
    return booked


def act(key: str = "practitioner") -> acting_as:  # type: ignore[valid-type]
    current_session().commit()
    return acting_as(world.ACTORS[key])


def save(answers: Answers) -> int:
    with act(), unit_of_work() as work:
        by = world.ACTORS["practitioner"]
        return records.save(work, visits.get(REFERENCE, 1), answers=answers, by=by).version


def issue(answers: Answers) -> None:
    seen = save(answers)
    with act(), unit_of_work() as work:
        by = world.ACTORS["practitioner"]
        records.issue(work, visits.get(REFERENCE, 1), seen=seen, by=by)


def the_record(session: Session) -> VisitRecord:
    session.commit()
    session.expire_all()
    return session.scalars(select(VisitRecord)).one()


def write(client: Client, form: dict[str, object], **more: object) -> Page:
    base: dict[str, object] = {"seen": "0", "visited_on": ["14", "5", "2019"], "kind": "OBS"}
    return client.post("visits.record", base | form, **more, **HERE)  # type: ignore[arg-type]


# Kinds ------------------------------------------------------------------------------------------
def test_every_kind_has_a_name_an_outline_and_a_case_here() -> None:
    assert set(VisitKind) == set(visits.KIND_NAMES) == set(record_parts.OUTLINES) == set(LEAST)


@pytest.mark.parametrize("kind", list(VisitKind))
def test_a_kind_asks_its_own_parts_and_says_which_are_missing(kind: VisitKind) -> None:
    least, said = LEAST[kind]
    timed = record_parts.OUTLINES[kind].timed
    times = {"started_at": time(9, 30), "finished_at": time(10)} if timed else {}
    empty = Answers(kind, TODAY, **times)  # type: ignore[arg-type]
    assert [problem.text for problem in missing(empty)] == said
    assert missing(replace(empty, **least)) == []  # type: ignore[arg-type]
    if timed:
        assert "Enter the time the visit started" in [
            problem.text for problem in missing(Answers(kind, TODAY))
        ]


@pytest.mark.parametrize("kind", list(VisitKind))
def test_the_page_asks_what_the_table_says_and_the_record_shows_it(
    client: Client, session: Session, visit: Visit, kind: VisitKind
) -> None:
    client.sign_on("practitioner")
    page = write(client, {"kind": kind.value, "rows": "show"}, status=200)
    outline = record_parts.OUTLINES[kind]
    names = [part.name for part in outline.parts if part.name not in record_parts.LISTS]
    assert page.document.xpath("//main//textarea/@name") == names
    assert bool(page.document.xpath("//*[@name='started_at'][@type='text']")) == outline.timed
    assert bool(page.document.xpath("//*[@name='travel_minutes'][@type='text']")) == outline.travels
    assert bool(page.document.xpath("//*[@name='took_place'][@type='radio']")) == outline.timed
    assert bool(page.document.xpath("//*[@id='recommendations-heading']")) == outline.asks(
        "recommendations"
    )
    least, _said = LEAST[kind]
    empty = {"kind": kind, "people_met": "", "observed": "", "recommendations": ()}
    issue(replace(WHOLE, **(empty | least)))  # type: ignore[arg-type]
    page = client.sign_on("senco").get("visits.read", **HERE)
    headings = page.document.xpath("//main//h2/text()")
    for part in outline.parts:
        if part.needed:
            assert part.heading in headings
    for words in least.values():
        if isinstance(words, str) and not isinstance(words, ReachedBy):
            assert words in page.words


def test_what_another_kind_asked_stays_on_the_page_and_in_the_record(
    client: Client, session: Session, visit: Visit
) -> None:
    client.sign_on("practitioner")
    typed = {
        "observed": "Seen <b>before</b> =1+1",
        "started_at": "9:30",
        "recommendations-0-strategy": "A quiet start",
    }
    page = write(client, typed | {"kind": "RES", "rows": "show"}, status=200)
    assert page.value("observed") == typed["observed"]
    assert "Written before, and not asked now" in page.words
    assert page.value("recommendations-0-strategy") == "A quiet start"
    assert page.value("started_at") == "9:30"  # hidden, for when the kind is changed back
    answers = Answers(
        VisitKind.RESOURCES,
        TODAY,
        made="A board",
        intended_for="Year 3",
        how_to_use="Daily",
        observed="Seen before",
        recommendations=WHOLE.recommendations,
    )
    issue(answers)
    page = client.sign_on("senco").get("visits.read", **HERE)
    for said in ("Seen before", "A quiet start", "A board"):
        assert said in page.words
    assert "9:30am" not in page.words


def test_a_record_of_the_first_edition_shows_what_it_always_did(
    client: Client, connection: Connection, session: Session, visit: Visit
) -> None:
    save(replace(WHOLE, kind=VisitKind.SIGNPOSTING, people_met="", discussed="A service"))
    session.commit()
    connection.execute(text("SET LOCAL ROLE NONE"))
    connection.execute(
        text("UPDATE s2s.visit_record SET edition = 1, issued_at = now(), pupil_seen = true")
    )
    session.commit()
    page = client.sign_on("senco").get("visits.read", **HERE)
    assert page.document.xpath("//main//h2/text()")[:6] == [
        "People met",
        "What was observed",
        "What was discussed",
        "Recommendations",
        "Resources given",
        "What happens next",
    ]
    assert "Pupil or group seen Yes" in page.words
    assert "How to reach it" not in page.words


def test_columns_that_come_from_before_are_of_the_first_edition(connection: Connection) -> None:
    default = connection.execute(
        text(
            "SELECT column_default FROM information_schema.columns"
            " WHERE table_schema = 's2s' AND column_name = 'edition'"
        )
    ).scalar_one()
    assert default.startswith("2") or default.startswith("'2'")


def test_the_pdf_prints_the_parts_of_its_kind(session: Session, visit: Visit) -> None:
    issue(
        Answers(
            VisitKind.REMOTE,
            TODAY,
            time(9, 30),
            time(9, 50),
            people_met="SENCo",
            agreed="Żółw, O'Brien, 🙂 <b>",
            reached_by=ReachedBy.VIDEO,
            preparation_minutes=5,
        )
    )
    with act("practitioner"):
        record = records.of_visit(visits.get(REFERENCE, 1))
        assert record is not None
        made = record_documents.made_by(record.visit)
        document = record_documents._lines(record, record.visit.referral, made, "")
    assert [part.heading for part in document.parts] == [
        "With whom",
        "What was discussed",
        "What was agreed",
        "What happens next",
    ]
    assert document.facts == (("By", "Video call"),)
    assert "5 minutes" not in str(document)


# Whether it happened ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("attendance", "talked", "given"),
    [
        (Attendance.HAPPENED, False, True),
        (Attendance.SCHOOL_NOT_READY, False, False),
        (Attendance.PUPIL_ABSENT, False, False),
        (Attendance.PUPIL_ABSENT, True, True),
        (Attendance.PRACTITIONER_UNAVAILABLE, False, False),
        (Attendance.WEATHER, False, False),
        (Attendance.WEATHER, True, False),
    ],
)
def test_what_counts_as_support(
    session: Session, visit: Visit, attendance: Attendance, talked: bool, given: bool
) -> None:
    answers = replace(WHOLE, attendance=attendance, talked=talked)
    save(answers)
    assert the_record(session).support_given is given  # the database's word
    assert answers.given is given  # and the code's


def test_a_visit_that_did_not_happen_asks_why_and_what_next(
    client: Client, session: Session, visit: Visit
) -> None:
    client.sign_on("practitioner")
    lost = {"took_place": "weather", "check": "1", "travel_minutes": "0:40", "miles": "21.5"}
    page = write(client, lost, status=422)
    assert page.errors == ["Enter what stopped it", "Enter what happens next"]
    assert page.document.xpath("//main//textarea/@name") == ["reason", "next_visit"]
    assert not page.document.xpath("//*[@id='recommendations-heading']")
    page = write(
        client, lost | {"seen": page.value("seen"), "reason": "Snow", "next_visit": "Soon"}
    )
    page = client.follow(page)
    assert page.h1 == "Check the record of visit 1"
    assert "No, because of the weather" in page.words
    assert "Time" not in page.document.xpath("//main//dt/text()")
    client.post("visits.issue", {"seen": page.value("seen")}, **HERE)
    page = client.sign_on("senco").get("referrals.show", reference=REFERENCE)
    assert "this visit did not take place" in page.words
    page = client.get("visits.read", **HERE)
    assert "Snow" in page.words
    assert "I have read this record" in page.words


def test_nothing_is_recommended_when_it_did_not_happen(visit: Visit) -> None:
    [problem] = missing(replace(LOST, recommendations=WHOLE.recommendations))
    assert problem.text.startswith("Remove the recommendations")
    seen = save(replace(LOST, recommendations=WHOLE.recommendations))
    with (
        act(),
        pytest.raises(Refused, match="Remove the recommendations"),
        unit_of_work() as work,
    ):
        by = world.ACTORS["practitioner"]
        records.issue(work, visits.get(REFERENCE, 1), seen=seen, by=by)


def test_the_pupil_was_away_but_staff_were_advised(client: Client, visit: Visit) -> None:
    client.sign_on("practitioner")
    away = {"took_place": "talked", "check": "1", "started_at": "9:30", "finished_at": "10am"}
    page = write(client, away, status=422)
    assert page.errors == ["Enter who you met", "Enter what you discussed"]
    assert page.document.xpath("//input[@name='took_place'][@checked]/@value") == ["talked"]
    told = {"people_met": "SENCo", "discussed": "Seats", "seen": page.value("seen")}
    assert (
        "The pupil was away; staff were advised" in client.follow(write(client, away | told)).words
    )


def test_a_kind_to_which_nobody_comes_is_not_asked_whether_it_happened(
    client: Client, session: Session, visit: Visit
) -> None:
    client.sign_on("practitioner")
    write(client, {"kind": "SGN", "took_place": "weather", "service": "Speech"})
    assert the_record(session).support_given is True


@pytest.fixture
def promised(session: Session, visit: Visit) -> None:
    """A first visit was promised this morning, before the visit was made."""
    row = session.get_one(Referral, visit.referral_id)
    with clock.frozen(clock.from_local(TODAY, 8)):
        referrals.record(UnitOfWork(session), row, Action.ALLOCATED, by=SYSTEM)
    session.commit()


def first_visits(session: Session) -> list[tuple[ClockState, date]]:
    session.commit()
    session.expire_all()
    found = session.scalars(
        select(ReferralClock)
        .where(ReferralClock.step == Step.FIRST_VISIT)
        .order_by(ReferralClock.id)
    )
    return [(one.state, one.due_on) for one in found]


def test_a_first_visit_that_did_not_happen_keeps_no_promise(
    session: Session, visit: Visit, promised: None
) -> None:
    with act("practitioner"):
        clocks.upkeep()
    [(state, due)] = first_visits(session)
    assert state is ClockState.MET  # it was over, and nobody had said otherwise
    issue(LOST)
    assert first_visits(session) == [(ClockState.MET, due), (ClockState.RUNNING, due)]


def test_a_promise_that_was_never_taken_for_kept_stays_open_and_is_kept_by_the_next_visit(
    session: Session, visit: Visit, promised: None
) -> None:
    issue(LOST)
    [(state, due)] = first_visits(session)
    assert state is ClockState.RUNNING
    again(session, visit)
    with act("practitioner"):
        clocks.upkeep()
    assert first_visits(session) == [(ClockState.MET, due)]


def test_advice_without_the_pupil_keeps_the_promise(
    session: Session, visit: Visit, promised: None
) -> None:
    issue(replace(WHOLE, attendance=Attendance.PUPIL_ABSENT, talked=True, discussed="Seats"))
    assert [state for state, _due in first_visits(session)] == [ClockState.MET]


def again(session: Session, visit: Visit) -> None:
    """A second visit, over before noon."""
    session.commit()
    session.add(
        Visit(
            referral_id=visit.referral_id,
            number=2,
            allocation_id=visit.allocation_id,
            practitioner_id=visit.practitioner_id,
            kind=VisitKind.VISIT,
            starts_at=clock.from_local(TODAY, 11),
            ends_at=clock.from_local(TODAY, 11, 30),
            booked_by_id="practitioner",
            booked_by_name="Pat Practitioner",
        )
    )
    session.commit()


@pytest.mark.parametrize(("answers", "broken"), [(LOST, 1), (WHOLE, 0)])
def test_the_database_notes_a_first_visit_as_broken_that_did_not_happen(
    session: Session, visit: Visit, promised: None, answers: Answers, broken: int
) -> None:
    """The daily job asks the database, which asks for a visit in time."""
    save(answers)
    session.commit()
    session.execute(text("SET LOCAL ROLE NONE"))
    session.execute(text("UPDATE s2s.visit_record SET issued_at = now()"))
    session.execute(
        text(
            "UPDATE s2s.referral_clock SET due_on = '2019-05-14', warn_on = '2019-05-14'"
            " WHERE step = 'first_visit'"
        )
    )
    session.commit()
    assert session.scalar(text("SELECT s2s.note_breaches('2019-06-20', NULL)")) >= broken
    noted = session.scalar(text("SELECT count(*) FROM s2s.clock_breach WHERE step = 'first_visit'"))
    assert noted == broken


@pytest.mark.parametrize(("answers", "waits"), [(LOST, True), (WHOLE, False)])
def test_whoever_counts_visits_counts_those_that_happened(
    client: Client, session: Session, visit: Visit, answers: Answers, waits: bool
) -> None:
    """Closing, withdrawing, the practitioner's list, the programme manager's figures."""
    issue(answers)
    with act("practitioner"):
        [case] = caseload.of_practitioner(world.ACTORS["practitioner"]).cases
        assert case.is_new is waits
    with act("officer"):
        referral = referrals.get(REFERENCE, whole=True)
        assert bool(closing.what_is_missing(referral)) is not waits
        stage = withdrawing.stage_of(referral.status, standing.visits(referral))
        assert (stage is withdrawing.Stage.ALLOCATED) is waits
    session.commit()
    with act("manager"):
        first = session.execute(
            text("SELECT first_visit_at FROM s2s.referral_measure")
        ).scalar_one()
    assert (first is None) is waits


def test_waits_are_counted_until_somebody_really_came(session: Session, visit: Visit) -> None:
    """Five visits that did not happen are no wait that ended."""
    for number in range(5):
        row = rows.referral(session, f"S2S-19-33{number + 34}", status=Status.ALLOCATED)
        made = rows.allocation(session, row, "practitioner")
        record = rows.visit(session, row, made, 1, issued=False)
        record.attendance = Attendance.WEATHER
        session.flush()
        record.issued_at = clock.now()
    session.commit()
    session.commit()
    with acting_as(SYSTEM):
        asked = text("SELECT visit_days FROM s2s.recent_waits('2019-01-01')")
        assert session.execute(asked).scalar_one() is None
        session.commit()
    session.execute(text("SET LOCAL ROLE NONE"))
    session.execute(text("ALTER TABLE s2s.visit_record DISABLE TRIGGER issued_is_final"))
    session.execute(text("UPDATE s2s.visit_record SET attendance = 'happened'"))
    with acting_as(SYSTEM):
        assert session.execute(asked).scalar_one() == 10


# Time -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("typed", "minutes"),
    [
        ("90", 90),
        ("0", 0),
        ("90 min", 90),
        ("45 minutes", 45),
        ("1:30", 90),
        ("0:05", 5),
        ("1h", 60),
        ("1h30", 90),
        ("1h 30m", 90),
        ("1 hour 30 minutes", 90),
        ("1 hr and 5 mins", 65),
        ("1.5 hours", 90),
        ("24h", 1440),
    ],
)
def test_minutes_as_people_type_them(typed: str, minutes: int) -> None:
    assert read_minutes(typed) == minutes


@pytest.mark.parametrize(
    "typed", ["1.5", "1:60", "-5", "an hour", "", "٣", "1 2", "25h", "1441", "1.30", "9" * 5_000]
)
def test_what_is_no_length_of_time_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r"must be (minutes|no more)"):
        read_minutes(typed)


def test_a_new_record_guesses_the_journey(client: Client, visit: Visit) -> None:
    """From 596000, 333000 to 595000, 332000: 0.88 miles as the crow flies."""
    page = client.sign_on("practitioner").get("visits.record", **HERE)
    assert page.value("miles") == "2.3"
    assert page.value("travel_minutes") == "5"
    assert page.value("contact_minutes") == ""
    assert "The school does not see this." in page.words


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"contact_minutes": "1.5"}, "Contact time must be minutes, or hours and minutes"),
        ({"travel_minutes": "25h"}, "Travel, there and back must be no more than the 24 hours"),
        ({"preparation_minutes": "13h", "write_up_minutes": "12h"}, "more than the 24 hours"),
        ({"preparation_minutes": "23h", "started_at": "9am", "finished_at": "11am"}, "24 hours"),
        ({"miles": "far"}, "Miles, there and back must be a number from 0 to 999"),
        ({"miles": "NaN"}, "Miles, there and back must be a number from 0 to 999"),
        ({"miles": "1e9"}, "Miles, there and back must be a number from 0 to 999"),
    ],
)
def test_time_that_cannot_be_is_refused_and_what_was_typed_comes_back(
    client: Client, session: Session, visit: Visit, form: dict[str, object], said: str
) -> None:
    client.sign_on("practitioner")
    page = write(client, form | {"observed": "Kept"}, status=422)
    assert said in page.errors[0]
    assert page.value("observed") == "Kept"
    for name, typed in form.items():
        assert page.value(name) == typed
    session.commit()
    assert session.scalars(select(VisitRecord)).all() == []


def test_time_is_kept_counted_and_never_shown_to_the_school(
    client: Client, session: Session, visit: Visit
) -> None:
    spent = {"preparation_minutes": 20, "write_up_minutes": 25, "travel_minutes": 40}
    issue(replace(WHOLE, **spent, miles=Decimal("21.5")))  # type: ignore[arg-type]
    for key, seen in (("practitioner", True), ("lead", True), ("officer", True), ("senco", False)):
        page = client.sign_on(key).get("visits.read", **HERE)
        assert ("2 hours 40 minutes" in page.words) is seen, key  # with 75 minutes of contact
        assert ("21.5" in page.words) is seen
    assert (
        "2 hours 40 minutes"
        in client.sign_on("officer").get("triage.show", reference=REFERENCE).words
    )
    page = client.sign_on("practitioner").get("visits.show", reference=REFERENCE)
    assert "Time so far" in page.words
    assert "2 hours 40 minutes" in page.words
    assert (
        "Time so far"
        not in client.sign_on("senco").get("referrals.show", reference=REFERENCE).words
    )


def test_time_is_corrected_by_a_row_of_its_own(
    client: Client, session: Session, connection: Connection, visit: Visit
) -> None:
    issue(replace(WHOLE, travel_minutes=40))
    client.sign_on("practitioner")
    page = client.get("visits.time", **HERE)
    assert page.value("contact_minutes") == "75"
    form = {"contact_minutes": "1h", "travel_minutes": "30", "miles": "12", "reason": ""}
    page = client.post("visits.time", form, status=422, **HERE)
    assert page.errors == ["Enter why the time was wrong"]
    assert page.value("contact_minutes") == "1h"
    over = form | {"contact_minutes": "20h", "travel_minutes": "20h", "reason": "x"}
    assert "24 hours" in client.post("visits.time", over, status=422, **HERE).errors[0]
    for _ in range(2):  # sent twice it is one
        client.post("visits.time", form | {"reason": "I came home early"}, **HERE)
    page = client.get("visits.read", **HERE)
    assert "1 hour 30 minutes" in page.words
    assert "Pat Practitioner: I came home early" in page.words
    assert "I came home early" in client.sign_on("officer").get("visits.read", **HERE).words
    assert "home early" not in client.sign_on("senco").get("visits.read", **HERE).words
    client.sign_on("practitioner")
    session.commit()
    [kept] = session.scalars(select(TimeCorrection)).all()
    assert (kept.contact_minutes, kept.travel_minutes, kept.miles) == (60, 30, 12)
    assert the_record(session).travel_minutes == 40
    client.post("visits.time", form | {"contact_minutes": "50", "reason": "Again"}, **HERE)
    with act("officer"):
        case = activity_time.of_case(referrals.get(REFERENCE))
        assert (case.records, case.contact_minutes, case.minutes) == (1, 50, 80)
    session.commit()
    connection.execute(text("SET LOCAL ROLE NONE"))
    for statement in (
        "UPDATE s2s.time_correction SET contact_minutes = 1",
        "DELETE FROM s2s.time_correction",
        "TRUNCATE s2s.time_correction",
    ):
        with pytest.raises(DBAPIError, match="only ever added"), connection.begin_nested():
            connection.execute(text(statement))


@pytest.mark.parametrize(
    ("key", "status"), [("colleague", 404), ("lead", 403), ("officer", 403), ("senco", 403)]
)
def test_only_who_wrote_the_record_corrects_its_time(
    client: Client, session: Session, visit: Visit, key: str, status: int
) -> None:
    issue(WHOLE)
    client.sign_on(key).get("visits.time", status=status, **HERE)
    client.post("visits.time", {"reason": "x"}, status=status, **HERE)
    session.commit()
    assert session.scalars(select(TimeCorrection)).all() == []


def test_who_joins_in_corrects_no_time_of_another(
    client: Client, session: Session, visit: Visit
) -> None:
    issue(WHOLE)
    session.commit()
    row = session.get_one(Referral, visit.referral_id)
    rows.beside(session, row, session.get_one(Allocation, visit.allocation_id), "colleague")
    session.commit()
    session.execute(text("SET LOCAL ROLE NONE"))
    session.execute(text("UPDATE s2s.supporter SET role = 'joint'"))
    session.commit()
    page = client.sign_on("colleague").get("visits.time", status=403, **HERE)
    assert "Only the practitioner who wrote this record can correct its time." in page.words


def test_a_draft_has_no_time_to_correct(client: Client, visit: Visit) -> None:
    save(WHOLE)
    client.sign_on("practitioner").get("visits.time", status=404, **HERE)
    with act(), pytest.raises(OutOfOrder, match="not been issued"), unit_of_work() as work:
        record = records.of_visit(visits.get(REFERENCE, 1))
        assert record is not None
        by = world.ACTORS["practitioner"]
        activity_time.correct(work, record, to=Spent(), reason="x", by=by)


def test_a_lost_visit_costs_its_journey_alone(session: Session, visit: Visit) -> None:
    issue(LOST)
    with act("lead"):
        row = session.execute(text("SELECT * FROM s2s.activity_time")).one()
    assert (row.attendance, row.support_given, row.contact_minutes) == (
        "school_not_ready",
        False,
        0,
    )
    assert (row.travel_minutes, row.miles) == (40, Decimal("21.5"))
    assert row.provider_urn == world.PROVIDER
    assert row.visited_on == TODAY


@pytest.mark.parametrize("key", ["senco", "head", "other-senco", "finance", "manager", "outsider"])
def test_nobody_else_reads_the_time(session: Session, visit: Visit, key: str) -> None:
    issue(WHOLE)
    with act(key):
        assert session.execute(text("SELECT * FROM s2s.activity_time")).all() == []


def test_what_visits_take_guides_what_they_weigh(client: Client, session: Session) -> None:
    for number in range(5):
        row = rows.referral(session, f"S2S-19-33{number + 34}", status=Status.ALLOCATED)
        made = rows.allocation(session, row, "practitioner")
        record = rows.visit(session, row, made, 1, issued=False)
        record.travel_minutes, record.write_up_minutes = 30 + number, 15
        session.flush()
        record.issued_at = clock.now()
    session.commit()
    page = client.sign_on("administrator").get("administration.weights")
    assert "In the last year 5 records say" in page.words
    assert "47 minutes of preparation" in page.words
    with acting_as(SYSTEM):
        assert activity_time.measured() == (5, 47)
        assert activity_time.measured(date(2019, 6, 1)) == (0, None)
