"""Training that several schools share: each reads its own part, and says what it thought of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import session as current_session
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import acting_as
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.visit import (
    Attendance,
    Attendee,
    RecordDocument,
    TrainingEvaluation,
    TrainingSchool,
    Visit,
    VisitKind,
    VisitRecord,
)
from s2s_portal.services import records, training, visits
from s2s_portal.services.record_answers import Answers, Attending
from tests import rows, world
from tests.client import Client, Page

HOST, JOINS, OTHER_JOINS, NOT_THEIRS = "S2S-19-7K4P", "S2S-19-3334", "S2S-19-3336", "S2S-19-3337"
HERE = {"reference": HOST, "number": 1}
THERE = {"reference": JOINS, "number": 1}
TODAY = date(2019, 5, 14)
SECRET = "Only for the host: a worry about Year 9"

pytestmark = pytest.mark.usefixtures("may_2019")


@pytest.fixture
def visit(session: Session) -> Visit:
    """A training given this morning; two other schools have a referral with its practitioner."""
    made = {}
    for reference, urn, who in (
        (HOST, world.SCHOOL, "practitioner"),
        (JOINS, world.OTHER_SCHOOL, "practitioner"),
        (OTHER_JOINS, world.ACADEMY, "practitioner"),
        (NOT_THEIRS, world.NURSERY, "colleague"),
    ):
        row = rows.referral(session, reference, urn=urn, status=Status.ALLOCATED)
        row.school_name = {
            world.OTHER_SCHOOL: "Otherham Invented High",
            world.ACADEMY: "Acle Invented Academy",
        }.get(urn, row.school_name)
        made[reference] = rows.allocation(session, row, who)
    host = made[HOST]
    booked = Visit(
        referral_id=host.referral_id,
        number=1,
        allocation_id=host.id,
        practitioner_id=host.practitioner_id,
        kind=VisitKind.TRAINING,
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


def join(reference: str = JOINS) -> int:
    with act(), unit_of_work() as work:
        by = world.ACTORS["practitioner"]
        return training.join(work, visits.get(HOST, 1), reference, by=by).id


def answers(*attendees: Attending) -> Answers:
    return Answers(
        VisitKind.TRAINING,
        TODAY,
        time(9, 30),
        time(11),
        covered="Signs <b> =1+1",
        discussed=SECRET,
        next_visit=SECRET,
        resources_given="A sheet",
        attendees=attendees or (Attending("teachers", 12),),
        write_up_minutes=30,
    )


def issue(given: Answers) -> None:
    by = world.ACTORS["practitioner"]
    with act(), unit_of_work() as work:
        draft = records.of_visit(visits.get(HOST, 1))
        seen = draft.version if draft else 0
        seen = records.save(work, visits.get(HOST, 1), answers=given, seen=seen, by=by).version
    with act(), unit_of_work() as work:
        records.issue(work, visits.get(HOST, 1), seen=seen, by=by)


@pytest.fixture
def shared(visit: Visit) -> int:
    """The training with two other schools, recorded; the row of the first of them."""
    first, second = join(JOINS), join(OTHER_JOINS)
    issue(
        answers(
            Attending("teachers", 12),
            Attending("teaching assistants", 4, joined=first),
            Attending("SENCo", None, "Ada O'Brien-Łukasz", joined=second),
        )
    )
    return first


def events(session: Session, reference: str) -> list[Action]:
    session.commit()
    asked = (
        select(ReferralEvent.action)
        .join(Referral, Referral.id == ReferralEvent.referral_id)
        .where(Referral.reference == reference)
        .order_by(ReferralEvent.id)
    )
    return list(session.scalars(asked))


def mails(session: Session) -> list[tuple[str, str]]:
    session.commit()
    found = session.execute(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id"))
    return [(row.args["notice"], row.args["reference"]) for row in found]


# Joining ----------------------------------------------------------------------------------------
def test_a_school_joins_is_told_and_is_taken_off_again(
    client: Client, session: Session, visit: Visit
) -> None:
    session.commit()
    session.get_one(Visit, visit.id).starts_at = clock.from_local(date(2019, 5, 20), 9)
    session.get_one(Visit, visit.id).ends_at = clock.from_local(date(2019, 5, 20), 11)
    session.commit()
    page = client.sign_on("practitioner").get("visits.training_schools", **HERE)
    assert "No other school has joined." in page.words
    assert page.document.xpath("//main//form//button/@name")[0] == "join"  # what Enter presses
    offered = page.document.xpath("//input[@name='reference']/@value")
    assert offered == [OTHER_JOINS, JOINS]  # of other schools, open, and theirs
    page = client.post("visits.training_schools", {}, status=422, **HERE)
    assert page.errors == ["Select a school"]
    page = client.follow(client.post("visits.training_schools", {"reference": JOINS}, **HERE))
    assert "The school joins. It has been told when and where." in page.words
    assert page.document.xpath("//input[@name='reference']/@value") == [OTHER_JOINS]
    assert mails(session) == [("training_joined", JOINS)]
    page = client.sign_on("other-senco").get("referrals.show", reference=JOINS)
    assert "Your school takes part in a training for staff" in page.words
    assert "Little Snoring Invented Primary" in page.words
    assert HOST not in page.text
    client.sign_on("practitioner")
    session.commit()
    [row] = session.scalars(select(TrainingSchool)).all()
    client.post("visits.training_schools", {"leave": "99"}, status=404, **HERE)
    page = client.follow(client.post("visits.training_schools", {"leave": str(row.id)}, **HERE))
    assert "The school no longer takes part." in page.words
    assert mails(session)[-1] == ("training_left", JOINS)
    assert events(session, JOINS)[-2:] == [Action.TRAINING_JOINED, Action.TRAINING_LEFT]


def test_a_school_that_joins_twice_joins_once(session: Session, visit: Visit) -> None:
    assert join() == join()
    assert events(session, JOINS).count(Action.TRAINING_JOINED) == 1
    assert mails(session) == []  # it is over: nothing to tell anybody in advance


@pytest.mark.parametrize("reference", [NOT_THEIRS, HOST, "S2S-19-9999", ""])
def test_only_an_open_referral_of_their_own_joins(
    client: Client, session: Session, visit: Visit, reference: str
) -> None:
    with pytest.raises(Refused, match="Select a school from the list"):
        join(reference)
    client.sign_on("practitioner")
    client.post("visits.training_schools", {"reference": reference}, status=422, **HERE)
    session.commit()
    assert session.scalars(select(TrainingSchool)).all() == []


def test_who_shadows_in_a_case_lets_its_school_join_nothing(session: Session, visit: Visit) -> None:
    session.commit()
    theirs = session.scalars(select(Referral).where(Referral.reference == NOT_THEIRS)).one()
    given = session.scalars(select(Allocation).where(Allocation.referral_id == theirs.id)).one()
    rows.beside(session, theirs, given, "practitioner")
    session.commit()
    with pytest.raises(Refused, match="Select a school from the list"):
        join(NOT_THEIRS)


def test_a_referral_that_came_later_does_not_join(session: Session, visit: Visit) -> None:
    session.commit()
    theirs = session.scalars(select(Referral).where(Referral.reference == JOINS)).one()
    theirs.received_on = date(2019, 5, 15)
    session.commit()
    with pytest.raises(Refused, match="Select a school from the list"):
        join()


def test_only_a_training_is_shared(client: Client, session: Session, visit: Visit) -> None:
    session.commit()
    session.get_one(Visit, visit.id).kind = VisitKind.ADVICE
    session.commit()
    page = client.sign_on("practitioner").get("visits.training_schools", status=409, **HERE)
    assert "Other schools can join a training only." in page.words
    client.post("visits.training_schools", {"reference": JOINS}, status=409, **HERE)


@pytest.mark.parametrize(
    ("key", "status"), [("colleague", 404), ("lead", 403), ("officer", 403), ("senco", 403)]
)
def test_only_who_gives_the_training_says_who_joins(
    client: Client, visit: Visit, key: str, status: int
) -> None:
    client.sign_on(key).get("visits.training_schools", status=status, **HERE)
    client.post("visits.training_schools", {"reference": JOINS}, status=status, **HERE)


def test_a_school_whose_people_are_listed_is_not_taken_off(
    client: Client, session: Session, visit: Visit
) -> None:
    row = join()
    with act(), unit_of_work() as work:
        by = world.ACTORS["practitioner"]
        given = answers(Attending("teachers", 3, joined=row))
        records.save(work, visits.get(HOST, 1), answers=given, by=by)
    client.sign_on("practitioner")
    page = client.post("visits.training_schools", {"leave": str(row)}, status=422, **HERE)
    assert "lists people of Otherham Invented High" in page.errors[0]
    session.commit()
    assert len(session.scalars(select(Attendee)).all()) == 1


def test_a_training_that_moves_takes_its_schools_along(session: Session, visit: Visit) -> None:
    row = join()
    session.commit()
    other = Visit(
        referral_id=visit.referral_id,
        number=2,
        allocation_id=visit.allocation_id,
        practitioner_id=visit.practitioner_id,
        kind=VisitKind.TRAINING,
        starts_at=clock.from_local(date(2019, 5, 21), 9),
        ends_at=clock.from_local(date(2019, 5, 21), 10),
        booked_by_id="practitioner",
        booked_by_name="Pat Practitioner",
    )
    session.add(other)
    session.commit()
    by = world.ACTORS["practitioner"]
    with act(), unit_of_work() as work:
        training.follow(work, visits.get(HOST, 1), visits.get(HOST, 2), by=by)
    session.commit()
    session.expire_all()
    kept = session.get_one(TrainingSchool, row)
    assert (kept.visit_id, kept.starts_at) == (other.id, other.starts_at)
    assert mails(session) == [("training_joined", JOINS)]
    with act(), unit_of_work() as work:
        training.follow(work, visits.get(HOST, 2), None, by=by)
    assert session.scalars(select(TrainingSchool)).all() == []
    assert events(session, JOINS)[-1] is Action.TRAINING_LEFT


# The record -------------------------------------------------------------------------------------
def test_who_took_part_is_asked_of_each_school(client: Client, visit: Visit) -> None:
    row = join()
    client.sign_on("practitioner")
    form = {
        "seen": "0",
        "kind": "TRN",
        "visited_on": ["14", "5", "2019"],
        "started_at": "9:30",
        "finished_at": "11am",
        "covered": "Signs",
        "attendees-0-role": "teachers",
        "attendees-0-people": "12",
        "attendees-0-joined": "",
        "attendees-1-role": "",
        "attendees-1-people": "",
        "attendees-1-name": "Ada O'Brien-Łukasz",
        "attendees-1-joined": str(row),
    }
    page = client.post("visits.record", form | {"check": "1"}, status=422, **HERE)
    assert page.errors == ["Enter the role in row 2"]
    assert page.value("attendees-1-name") == "Ada O'Brien-Łukasz"
    assert page.document.xpath("//select[@name='attendees-1-joined']/option[@selected]/@value") == [
        str(row)
    ]
    page = client.post("visits.record", form | {"rows": "attendees-add"}, status=200, **HERE)
    assert page.value("attendees-2-role") == ""
    for row in (0, 1, 2):  # the new one too
        offered = page.document.xpath(f"//select[@name='attendees-{row}-joined']/option/text()")
        assert offered == ["Little Snoring Invented Primary", "Otherham Invented High"]
    page = client.post("visits.record", form | {"rows": "attendees-remove-0"}, status=200, **HERE)
    assert page.value("attendees-0-name") == "Ada O'Brien-Łukasz"
    for typed in ("0", "1000", "many", "²"):
        page = client.post(
            "visits.record", form | {"attendees-0-people": typed}, status=422, **HERE
        )
        assert "How many people must be a number from 1 to 999" in page.errors[0]
        assert page.value("attendees-0-people") == typed
    form |= {"attendees-1-role": "SENCo", "check": "1", "seen": "1"}
    page = client.follow(client.post("visits.record", form, **HERE))
    assert "Teachers: 12 people" in page.words
    assert "Otherham Invented High: Ada O'Brien-Łukasz, SENCo" in page.words


def test_each_school_gets_its_own_part_and_no_other(
    client: Client, session: Session, shared: int
) -> None:
    page = client.sign_on("other-senco").get("visits.read", **THERE)
    assert "Signs <b> =1+1" in page.words
    assert "A sheet" in page.words
    assert "Teaching assistants: 4 people" in page.words
    assert "Little Snoring Invented Primary, with other schools" in page.words
    for kept_back in (SECRET, "12 people", "Ada O'Brien", HOST, OTHER_JOINS, "Acle"):
        assert kept_back not in page.text
    pdf = client.open(client.url("visits.document", **THERE))
    assert pdf.data.startswith(b"%PDF-")
    client.follow(client.post("visits.acknowledge", **THERE))
    client.get("visits.read", status=404, **HERE)
    page = client.sign_on("senco").get("visits.read", **HERE)
    assert SECRET in page.words
    assert "Teachers: 12 people" in page.words
    for kept_back in ("4 people", "Ada O'Brien", "Otherham", "Acle"):
        assert kept_back not in page.text
    client.get("visits.read", status=404, **THERE)
    session.commit()
    assert len(session.scalars(select(RecordDocument)).all()) == 3
    assert sorted(mails(session)) == sorted(
        [
            *(("record_issued", reference) for reference in (HOST, JOINS, OTHER_JOINS)),
            ("record_acknowledged", JOINS),
        ]
    )
    assert events(session, JOINS)[-3:] == [
        Action.VISIT_BOOKED,
        Action.RECORD_ISSUED,
        Action.RECORD_ACKNOWLEDGED,
    ]


@pytest.mark.parametrize(
    ("key", "records_seen", "people"),
    [
        ("senco", 1, 1),
        ("other-senco", 1, 1),
        ("academy-senco", 1, 1),
        ("nursery-senco", 0, 0),
        ("practitioner", 3, 3),
        ("officer", 3, 3),
        ("colleague", 0, 0),
        ("other-practitioner", 0, 0),
        ("finance", 0, 0),
    ],
)
def test_the_database_gives_each_school_its_rows_alone(
    session: Session, shared: int, key: str, records_seen: int, people: int
) -> None:
    with act(key):
        assert len(session.execute(text("SELECT id FROM s2s.visit_record")).all()) == records_seen
        assert len(session.execute(text("SELECT id FROM s2s.training_attendee")).all()) == people
        joined = session.execute(text("SELECT id FROM s2s.training_school")).all()
        assert len(joined) == {3: 2, 0: 0}.get(records_seen, 0 if key == "senco" else 1)


def test_the_time_of_a_training_counts_once(session: Session, shared: int) -> None:
    with act("officer"):
        found = session.execute(
            text(
                "SELECT contact_minutes + write_up_minutes + travel_minutes"
                " FROM s2s.activity_time ORDER BY record_id"
            )
        ).scalars()
        assert list(found) == [120, 0, 0]


def test_nobody_of_a_school_is_no_school_that_took_part(session: Session, visit: Visit) -> None:
    join()
    with pytest.raises(Refused, match="Enter who took part of Otherham Invented High"):
        issue(answers())
    session.commit()
    assert session.scalars(select(VisitRecord.issued_at)).all() == [None]
    assert session.scalars(select(Visit.number)).all() == [1]


def test_nobody_of_the_host_is_refused_too(session: Session, visit: Visit) -> None:
    row = join()
    with pytest.raises(Refused, match="of the school that hosts it"):
        issue(answers(Attending("teachers", 2, joined=row)))


def test_a_referral_that_went_to_somebody_else_gets_no_record(
    session: Session, visit: Visit
) -> None:
    row = join()
    session.commit()
    theirs = session.scalars(select(Referral).where(Referral.reference == JOINS)).one()
    theirs.status = Status.CLOSED
    session.commit()
    with pytest.raises(Refused, match="no longer open with you"):
        issue(answers(Attending("teachers", 2), Attending("TAs", 2, joined=row)))
    session.commit()
    assert session.scalars(select(VisitRecord.issued_at)).all() == [None]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"attendance": Attendance.WEATHER, "reason": "Snow", "attendees": ()}, "not take place"),
        ({"kind": VisitKind.ADVICE, "people_met": "SENCo"}, "is no training"),
    ],
)
def test_schools_come_off_what_turned_out_to_be_no_training(
    session: Session, visit: Visit, changes: dict[str, Any], said: str
) -> None:
    join()
    with pytest.raises(Refused, match=said):
        issue(replace(answers(), **changes))
    session.commit()
    assert session.scalars(select(VisitRecord.issued_at)).all() == [None]


def test_a_school_that_is_of_no_training_is_refused(session: Session, visit: Visit) -> None:
    with pytest.raises(Refused, match="Say of which school each row is"):
        issue(answers(Attending("teachers", 2, joined=99)))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE s2s.training_attendee SET position = 9",
        "DELETE FROM s2s.training_attendee",
        "INSERT INTO s2s.training_attendee (referral_id, record_id, position, role)"
        " SELECT referral_id, id, 9, 'late' FROM s2s.visit_record",
        "UPDATE s2s.training_school SET place = 'x'",
        "DELETE FROM s2s.training_school",
    ],
)
def test_the_database_keeps_who_took_part(
    connection: Connection, session: Session, shared: int, statement: str
) -> None:
    session.commit()
    connection.execute(text("SET LOCAL ROLE NONE"))
    with pytest.raises(DBAPIError, match=r"refused"), connection.begin_nested():
        connection.execute(text(statement))


# What a school thought of it --------------------------------------------------------------------
def evaluate(client: Client, where: dict[str, object], **form: object) -> Page:
    said: dict[str, object] = {"useful": "4", "confident": "2", "words": "More, please 🙂"}
    return client.post("visits.evaluation", said | form, **where)  # type: ignore[arg-type]


def test_each_school_says_once_what_it_thought_and_may_change_it(
    client: Client, session: Session, shared: int
) -> None:
    page = client.sign_on("other-senco").get("visits.read", **THERE)
    assert "Say what you thought of the training: two questions" in page.words
    page = client.follow(evaluate(client, THERE))
    assert "Thank you. The practitioner and the council can read your answers." in page.words
    assert "Change what you said about the training" in page.words
    page = client.get("visits.evaluation", **THERE)
    assert page.document.xpath("//input[@checked]/@value") == ["4", "2"]
    evaluate(client, THERE, useful="5")
    session.commit()
    [kept] = session.scalars(select(TrainingEvaluation)).all()
    assert (kept.useful, kept.confident, kept.words) == (5, 2, "More, please 🙂")
    assert events(session, JOINS).count(Action.TRAINING_EVALUATED) == 1
    assert [notice for notice, _of in mails(session)].count("training_evaluated") == 1
    for key in ("practitioner", "officer"):
        page = client.sign_on(key).get("visits.read", **THERE)
        assert "5, very" in page.words
        assert "More, please" in page.words
    assert "5, very" not in client.sign_on("senco").get("visits.read", **HERE).words


def test_what_is_not_answered_is_asked_again(client: Client, shared: int) -> None:
    client.sign_on("other-senco")
    page = client.post("visits.evaluation", {"words": "Kept"}, status=422, **THERE)
    assert page.errors == ["Select how useful it was", "Select how confident staff are"]
    assert page.value("words") == "Kept"
    page = client.post("visits.evaluation", {"useful": "6", "confident": "0"}, status=422, **THERE)
    assert len(page.errors) == 2
    with act("other-senco"), unit_of_work() as work:
        record = records.get(JOINS, 1)
        by = world.ACTORS["other-senco"]
        with pytest.raises(Refused, match="from 1 to 5"):
            training.evaluate(work, record, useful=6, confident=1, words="", by=by)


def test_after_closing_nothing_is_changed(client: Client, session: Session, shared: int) -> None:
    evaluate(client.sign_on("other-senco"), THERE)
    session.commit()
    row = session.scalars(select(Referral).where(Referral.reference == JOINS)).one()
    row.status = Status.CLOSED
    session.commit()
    client.get("visits.evaluation", status=404, **THERE)
    evaluate(client, THERE | {"status": 404}, useful="1")
    with act("other-senco"), unit_of_work() as work, pytest.raises(OutOfOrder):
        by = world.ACTORS["other-senco"]
        training.evaluate(work, records.get(JOINS, 1), useful=1, confident=1, words="", by=by)
    late = text("UPDATE s2s.training_evaluation SET useful = 1, by_id = 'other-senco'")
    with act("other-senco"), pytest.raises(DBAPIError, match="row-level security"):
        session.execute(late)
    session.rollback()
    assert session.scalars(select(TrainingEvaluation.useful)).all() == [4]
    assert "4, quite" in client.get("visits.read", **THERE).words


def test_only_a_training_is_evaluated_by_its_own_school(
    client: Client, session: Session, shared: int
) -> None:
    client.sign_on("senco").get("visits.evaluation", status=404, **THERE)
    client.sign_on("officer").get("visits.evaluation", status=403, **THERE)
    client.sign_on("practitioner").get("visits.evaluation", status=403, **THERE)
    with act("officer"), unit_of_work() as work, pytest.raises(NotFound):
        by = world.ACTORS["officer"]
        training.evaluate(work, records.get(JOINS, 1), useful=1, confident=1, words="", by=by)
    session.commit()
    row = session.scalars(select(Referral).where(Referral.reference == JOINS)).one()
    given = session.scalars(select(Allocation).where(Allocation.referral_id == row.id)).one()
    rows.visit(session, row, given, 2, issued=True)
    session.commit()
    other = THERE | {"number": 2}
    client.sign_on("other-senco").get("visits.evaluation", status=404, **other)
    assert "thought of the training" not in client.get("visits.read", **other).words


def test_the_database_lets_no_other_school_evaluate(session: Session, shared: int) -> None:
    session.commit()
    theirs = session.execute(
        text(
            "SELECT v.id, v.referral_id FROM s2s.visit_record v"
            " JOIN s2s.referral r ON r.id = v.referral_id WHERE r.reference = :it"
        ),
        {"it": JOINS},
    ).one()
    add = text(
        "INSERT INTO s2s.training_evaluation (record_id, referral_id, useful, confident, at,"
        " by_id, by_name) VALUES (:id, :referral, 5, 5, now(), :by, 'x')"
    )
    for key in ("senco", "officer", "practitioner", "finance"):
        with act(key), pytest.raises(DBAPIError, match="row-level security"):
            session.execute(add, {"id": theirs.id, "referral": theirs.referral_id, "by": key})
        session.rollback()
