"""An allocated referral goes to somebody else, or back: nothing lost, nobody sees what went."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import session as current_session
from s2s_portal.database import unit_of_work
from s2s_portal.errors import AlreadyAllocated, NotAllowed, NotFound, OutOfOrder, Refused, Stale
from s2s_portal.identity import acting_as
from s2s_portal.models.clocks import ClockState
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.practitioner import (
    Allocation,
    Conflict,
    ConflictKind,
    ConflictWeight,
    Practitioner,
)
from s2s_portal.models.reallocation import (
    AllocationEnding,
    HandOverNote,
    Supporter,
    SupportRole,
    Why,
)
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.terms import Step
from s2s_portal.models.visit import Visit, VisitKind, VisitRecord
from s2s_portal.models.workload import Cap, CapScope
from s2s_portal.services import (
    allocation,
    allocation_history,
    caseload,
    clocks,
    reallocating,
    records,
    referrals,
    undoing,
    visits,
)
from s2s_portal.services.handing import Fate, Handing
from s2s_portal.services.record_answers import Advice, Answers
from tests import rows
from tests.client import Client, Page
from tests.world import ACTORS, SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"
OFFICER, OTHER_OFFICER = ACTORS["officer"], ACTORS["other-officer"]
LEFT = Handing(why=Why.LEFT, hand_over="The class teacher is new.")


@pytest.fixture
def case(session: Session) -> str:
    """A referral that was allocated to Pat as it is in life."""
    rows.referral(session, REF, status=Status.ACCEPTED)
    session.commit()
    with acting_as(OFFICER), unit_of_work() as work:
        allocation.allocate(
            work, REF, practitioner_id=number(session), reason="Near", seen=1, by=OFFICER
        )
    session.commit()
    return REF


def number(session: Session, key: str = "practitioner") -> int:
    return session.scalars(select(Practitioner.id).where(Practitioner.account_id == key)).one()


def row(session: Session) -> Referral:
    session.commit()  # never back: pages are fetched within the transaction of the test
    return session.scalars(select(Referral).where(Referral.reference == REF)).one()


def give(session: Session, key: str = "colleague", handing: Handing = LEFT, **more: Any) -> None:
    """Reallocate to somebody, as an officer, by the service."""
    who = more.pop("by", OFFICER)
    given = {"reason": "Knows them", "seen": row(session).version} | more
    to = number(session, key)
    session.commit()
    with acting_as(who), unit_of_work() as work:
        reallocating.reallocate(work, REF, practitioner_id=to, handing=handing, by=who, **given)


def book(day: int, key: str = "practitioner", reference: str = REF, **more: Any) -> None:
    who = ACTORS[key]
    times = {"starts": time(9), "ends": time(10)} | more
    current_session().commit()
    with acting_as(who), unit_of_work() as work:
        visits.book(work, reference, kind=VisitKind.VISIT, day=date(2019, 5, day), by=who, **times)


def all_of(session: Session, kind: Any) -> list[Any]:
    session.commit()
    return list(session.scalars(select(kind).order_by(*kind.__table__.primary_key)))


def mails(connection: Connection) -> list[str]:
    return list(
        connection.scalars(text("SELECT args->>'notice' FROM s2s.procrastinate_jobs ORDER BY id"))
    )


def sees(key: str) -> bool:
    with acting_as(ACTORS[key]):
        current_session().commit()
        try:
            referrals.get(REF)
        except NotFound:
            return False
        finally:
            current_session().commit()
        return True


# The rule -----------------------------------------------------------------------------------------


def test_it_goes_to_somebody_else_in_one_step(
    session: Session, connection: Connection, case: str
) -> None:
    before = len(mails(connection))
    give(session)
    first, second = all_of(session, Allocation)
    assert (first.ended_reason, second.ended_at) == ("They have left", None)
    assert first.ended_at == second.at == clock.now()
    assert (second.practitioner_name, second.reason) == ("Cam Colleague", "Knows them")
    [ending] = all_of(session, AllocationEnding)
    assert (ending.allocation_id, ending.next_id) == (first.id, second.id)
    assert (ending.why, ending.hand_over) == (Why.LEFT, "The class teacher is new.")
    event = all_of(session, ReferralEvent)[-1]
    assert event.action is Action.REALLOCATED
    assert event.message == (
        "Cam Colleague of Fen View Complex Needs School supports you from now on."
    )
    assert "class teacher" not in event.message + event.note
    assert mails(connection)[before:] == [
        "referral_reallocated",
        "no_longer_yours",
        "allocated_to_you",
        "allocated_to_your_staff",
    ]
    assert row(session).status is Status.ALLOCATED


def test_who_had_it_sees_it_no_more_and_who_has_it_does(session: Session, case: str) -> None:
    assert (sees("practitioner"), sees("other-practitioner"), sees("lead")) == (True, False, True)
    give(session, "other-practitioner")
    assert (sees("practitioner"), sees("other-practitioner"), sees("lead")) == (False, True, False)
    assert sees("other-lead")


def test_the_promise_of_contact_begins_anew_and_a_broken_one_stays(
    session: Session, case: str
) -> None:
    def contact() -> list[Any]:
        with acting_as(OFFICER):
            session.commit()
            found = [one for one in clocks.of(referrals.get(REF)) if one.step is Step.CONTACT]
            session.expunge_all()
            return found

    [first] = contact()
    with clock.frozen(date(2019, 6, 10)):
        give(session)
        old, new = contact()
        assert (old.state, new.state) == (ClockState.STOPPED, ClockState.RUNNING)
        assert old.due_on == first.due_on and old.breach is not None
        assert new.day_zero == date(2019, 6, 10)
        assert row(session).due_on == new.due_on


def test_a_visit_that_goes_over_keeps_the_promise_of_contact(session: Session, case: str) -> None:
    book(20)
    give(session, handing=Handing(why=Why.LEFT, visits={1: Fate.HAND}))
    with acting_as(OFFICER):
        states = [(one.step, one.state) for one in clocks.of(referrals.get(REF))]
    assert (Step.CONTACT, ClockState.RUNNING) not in states
    assert (Step.FIRST_VISIT, ClockState.RUNNING) in states
    assert row(session).due_on is None


def test_planned_visits_are_handed_over_or_cancelled(session: Session, case: str) -> None:
    book(20)
    book(21)
    give(session, handing=Handing(why=Why.ABSENT, visits={1: Fate.HAND, 2: Fate.CANCEL}))
    first, second = all_of(session, Visit)
    now = all_of(session, Allocation)[-1]
    assert (first.allocation_id, first.practitioner_id, first.cancelled_at) == (
        now.id,
        now.practitioner_id,
        None,
    )
    assert (second.cancelled_by_name, second.practitioner_id) == ("Ola Officer", number(session))
    message = all_of(session, ReferralEvent)[-1].message
    assert (
        "Visit 1, Visit to the school on 20 May 2019, 9:00am to 10:00am: Cam Colleague comes."
        in (message)
    )
    assert (
        "Visit 2, Visit to the school on 21 May 2019, 9:00am to 10:00am, does not take place."
        in (message)
    )
    book(21, "colleague")  # the hour is free again, of whoever it was
    with acting_as(ACTORS["colleague"]):
        mine = caseload.of_practitioner(ACTORS["colleague"])
    assert [one.visit.number for one in mine.coming] == [1, 3]
    assert not mine.new


def test_a_visit_is_not_handed_to_who_is_elsewhere(session: Session, case: str) -> None:
    book(20)
    other = rows.referral(session, "S2S-19-9CDF", status=Status.ALLOCATED)
    rows.allocation(session, other, "colleague")
    session.commit()
    book(20, "colleague", other.reference)
    with pytest.raises(Refused, match="Cam Colleague has another visit on 20 May 2019") as refused:
        give(session, handing=Handing(why=Why.LEFT, visits={1: Fate.HAND}))
    assert refused.value.field == "visit_1"
    assert len(all_of(session, Allocation)) == 2, "nothing was done"
    give(session, handing=Handing(why=Why.LEFT, visits={1: Fate.CANCEL}))


def test_a_visit_booked_meanwhile_is_asked_about(session: Session, case: str) -> None:
    book(20)
    with pytest.raises(Stale, match="Visit 1 has been booked since you opened this page"):
        give(session)
    assert len(all_of(session, Allocation)) == 1


def test_two_officers_and_neither_loses_what_they_typed(
    client: Client, session: Session, case: str
) -> None:
    page = client.sign_on("officer").get("allocation.reallocate", reference=REF)
    typed = form(session, page, "other-practitioner", hand_over="Ring the SENCo first")
    give(session, by=OTHER_OFFICER)
    shown = client.post("allocation.reallocate", typed, reference=REF, status=422)
    assert (
        "reallocated this referral from Pat Practitioner to Cam Colleague of Fen View Complex Needs"
        " School on"
    ) in shown.words
    assert shown.value("hand_over") == "Ring the SENCo first"
    assert shown.value("reason") == "Knows the need"
    assert shown.value("seen") == str(row(session).version)
    assert len(all_of(session, Allocation)) == 2
    again = form(session, shown, "other-practitioner")
    client.post("allocation.reallocate", again, reference=REF)
    assert len(all_of(session, Allocation)) == 3


def form(session: Session, page: Page, key: str, **more: str) -> dict[str, str]:
    """The form of `page` filled in for one practitioner."""
    return {
        "seen": page.value("seen"),
        "why": "left",
        "practitioner": str(number(session, key)),
        "reason": "Knows the need",
        "hand_over": "",
    } | more


def test_a_double_click_is_one_reallocation(session: Session, case: str) -> None:
    seen = row(session).version
    give(session, seen=seen)
    give(session, seen=seen)
    assert len(all_of(session, Allocation)) == 2
    with pytest.raises(AlreadyAllocated, match="You reallocated this referral"):
        give(session, "other-practitioner", seen=seen)


def test_what_stands_against_it_is_said(session: Session, case: str) -> None:
    for match, more in (
        ("Enter why you chose", {"reason": " "}),
        ("has this referral already", {"key": "practitioner"}),
        ("Enter the reason", {"handing": Handing(why=Why.OTHER, words=" ")}),
        ("no longer takes referrals", {"key": "lead"}),
    ):
        with pytest.raises(Refused, match=match):
            give(session, **more)  # type: ignore[arg-type]
    session.add(
        Conflict(
            practitioner_id=number(session, "colleague"),
            urn=SCHOOL,
            kind=ConflictKind.RELATIVE,
            weight=ConflictWeight.EXCLUDED,
            reason="A child there",
            by_id="lead",
            by_name="Lee Lead",
        )
    )
    session.commit()
    with pytest.raises(Refused, match="A child there"):
        give(session)
    assert len(all_of(session, Allocation)) == 1
    give(session, override=True)
    assert "A child there" in all_of(session, Allocation)[-1].overridden


def test_a_cap_holds_but_a_school_does_not_grow_by_a_colleague(session: Session, case: str) -> None:
    for scope in (CapScope.PROVIDER, CapScope.TERM):
        session.add(cap(scope, 1))
    session.commit()
    give(session)  # within the school
    session.add(cap(CapScope.PRACTITIONER, 0))
    session.commit()
    with pytest.raises(Refused, match="Limit reached: their open referrals"):
        give(session, "practitioner")


def cap(scope: CapScope, most: int) -> Cap:
    return Cap(
        scope=scope,
        valid_from=date(2019, 5, 1),
        most=most,
        source="Board",
        by_id="administrator",
        by_name="Adi Administrator",
    )


# Records that are owed ----------------------------------------------------------------------------

ANSWERS = Answers(
    kind=VisitKind.VISIT,
    visited_on=date(2019, 5, 14),
    started_at=time(1),
    finished_at=time(2),
    people_met="SENCo",
    pupil_seen=True,
    observed="Calm with a friend near.",
    discussed="What to try.",
    recommendations=(Advice("Now and next board", "Class teacher", date(2019, 6, 14)),),
)


def owe(session: Session) -> None:
    """A visit by Pat that is over, with a draft of its record."""
    book(14, starts=time(1), ends=time(2))
    save("practitioner")


def save(key: str, seen: int = 0) -> int:
    current_session().commit()
    with acting_as(ACTORS[key]), unit_of_work() as work:
        return records.save(
            work, visits.get(REF, 1), answers=ANSWERS, seen=seen, by=ACTORS[key]
        ).version


def issue(key: str, seen: int) -> None:
    current_session().commit()
    with acting_as(ACTORS[key]), unit_of_work() as work:
        records.issue(work, visits.get(REF, 1), seen=seen, by=ACTORS[key])


def test_whoever_made_the_visit_finishes_the_record_and_sees_the_case_until_then(
    session: Session, connection: Connection, case: str
) -> None:
    owe(session)
    give(session)
    [beside] = all_of(session, Supporter)
    assert (beside.practitioner_name, beside.role) == ("Pat Practitioner", SupportRole.WRITING)
    assert "records_to_finish" in mails(connection)
    assert sees("practitioner")
    with pytest.raises(NotAllowed):
        book(22)
    with pytest.raises(NotAllowed, match="Another practitioner made this visit"):
        save("colleague", seen=1)
    issue("practitioner", save("practitioner", seen=1))
    [beside] = all_of(session, Supporter)
    assert beside.ended_reason == "The last record has been issued"
    assert not sees("practitioner")
    assert all_of(session, VisitRecord)[0].author_name == "Pat Practitioner"


def test_a_record_that_is_handed_over_is_written_by_whoever_comes_next(
    session: Session, case: str
) -> None:
    owe(session)
    give(session, handing=Handing(why=Why.LEFT, records_stay=False))
    assert not sees("practitioner")
    assert not all_of(session, Supporter)
    with acting_as(ACTORS["colleague"]):
        mine = caseload.of_practitioner(ACTORS["colleague"])
    assert [one.visit.number for one in mine.due] == [1]
    assert [one.reference for one in mine.new] == [REF], "they have not been there themselves"
    issue("colleague", save("colleague", seen=1))
    [record] = all_of(session, VisitRecord)
    assert record.author_name == "Cam Colleague"
    assert all_of(session, Visit)[0].practitioner_id == number(session), "who was there stays"


def test_who_is_no_longer_active_finishes_no_record(session: Session, case: str) -> None:
    owe(session)
    session.get_one(Practitioner, number(session)).active = False
    session.commit()
    with pytest.raises(Refused, match="no longer active, so they cannot finish") as refused:
        give(session)
    assert refused.value.field == "records"
    assert len(all_of(session, Allocation)) == 1


# Taking it back -----------------------------------------------------------------------------------


def take_back(session: Session, **more: Any) -> None:
    seen = more.pop("seen", None) or row(session).version
    session.commit()
    with acting_as(OFFICER), unit_of_work() as work:
        reallocating.take_back(work, REF, handing=LEFT, seen=seen, by=OFFICER, **more)


def test_taken_back_it_waits_for_somebody_again(
    session: Session, connection: Connection, case: str
) -> None:
    book(20)
    take_back(session)
    assert row(session).status is Status.ACCEPTED
    assert not sees("practitioner")
    assert all_of(session, Visit)[0].cancelled_at is not None
    [ending] = all_of(session, AllocationEnding)
    assert ending.next_id is None
    assert {"referral_taken_back", "no_longer_yours"} <= set(mails(connection))
    with acting_as(OFFICER):
        running = {one.step for one in clocks.of(referrals.get(REF)) if one.ended_at is None}
        assert running == {Step.ALLOCATION}
        assert "has been with a practitioner" in undoing.why_not(
            referrals.get(REF), None, was_given=True
        )
    session.commit()
    with pytest.raises(OutOfOrder):
        take_back(session)
    with acting_as(OFFICER), unit_of_work() as work:
        allocation.allocate(
            work,
            REF,
            practitioner_id=number(session, "colleague"),
            reason="Next",
            seen=row(session).version,
            by=OFFICER,
        )
    assert sees("colleague")


def test_while_a_record_is_owed_it_is_not_taken_back(
    client: Client, session: Session, case: str
) -> None:
    owe(session)
    with pytest.raises(OutOfOrder, match="no record of this visit has been issued"):
        take_back(session)
    client.sign_on("officer").get("allocation.take_back", reference=REF, status=409)


def test_a_record_stays_to_read_for_its_school_when_nobody_has_the_referral(
    client: Client, session: Session, case: str
) -> None:
    owe(session)
    issue("practitioner", save("practitioner", seen=1))
    take_back(session)
    page = client.sign_on("senco").get("referrals.show", reference=REF)
    assert "Read and acknowledge the record of visit 1" in page.words
    officers = client.sign_on("officer").get("triage.show", reference=REF)
    assert "Read the record of visit 1" in officers.words
    assert "Ola Officer took it back on" in officers.words


# Hand-over notes ---------------------------------------------------------------------------------


def test_a_note_is_asked_for_written_and_read_by_whoever_comes_next(
    client: Client,
    session: Session,
    connection: Connection,
    case: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(client.app.config, "S2S_OFFICER_MAILBOX", "send@council.example")
    page = client.sign_on("officer").get("allocation.reallocate", reference=REF)
    client.post("allocation.ask_hand_over", {"seen": "0"}, reference=REF, status=409)
    for _twice in range(2):
        client.post("allocation.ask_hand_over", {"seen": page.value("seen")}, reference=REF)
    assert mails(connection).count("hand_over_asked") == 1
    client.sign_on("practitioner").get("visits.hand_over", reference=REF)
    refused = client.post("visits.hand_over", {"text": " "}, reference=REF, status=422)
    assert "Enter what whoever comes next should know" in refused.words
    for _twice in range(2):
        client.post("visits.hand_over", {"text": "Mind the <stairs>"}, reference=REF)
    assert [note.text for note in all_of(session, HandOverNote)] == ["Mind the <stairs>"]
    assert "hand_over_written" in mails(connection)
    give(session)
    theirs = client.sign_on("colleague").get("visits.show", reference=REF)
    assert "Mind the <stairs>" in theirs.words
    assert "The class teacher is new." in theirs.words
    assert "They have left" in theirs.words
    schools = client.sign_on("senco").get("referrals.show", reference=REF)
    for inside in ("stairs", "class teacher is new", "They have left"):
        assert inside not in schools.words
    assert "Another practitioner has the referral" in schools.words
    client.sign_on("practitioner").get("visits.hand_over", reference=REF, status=404)
    client.sign_on("lead").get("visits.hand_over", reference=REF, status=403)


def test_officers_read_who_has_had_it(client: Client, session: Session, case: str) -> None:
    give(session)
    give(session, "practitioner", handing=Handing(why=Why.OTHER, words="Back again"))
    page = client.sign_on("officer").get("triage.show", reference=REF)
    assert "Who has had it" in page.words
    assert "Another reason: Back again" in page.words
    with acting_as(OFFICER):
        turns = allocation_history.of(referrals.get(REF))
    assert [turn.allocation.practitioner_name for turn in turns] == [
        "Pat Practitioner",
        "Cam Colleague",
        "Pat Practitioner",
    ]


def test_an_officer_does_it_on_the_page(client: Client, session: Session, case: str) -> None:
    owe(session)
    book(20)
    page = client.sign_on("officer").get("allocation.reallocate", reference=REF)
    assert (
        "Visit 2: Visit to the school on 20 May" in page.words
        and "Records that are owed" in page.words
    )
    empty = client.post("allocation.reallocate", {"seen": "1"}, reference=REF, status=422)
    for problem in (
        "Choose why it goes to somebody else",
        "Choose a practitioner",
        "Enter why you chose this practitioner",
        "Choose what becomes of visit 2",
        "Choose who writes these records",
    ):
        assert problem in empty.words
    typed = form(session, page, "colleague", visit_2="cancel", records="stay")
    done = client.post("allocation.reallocate", typed, reference=REF)
    shown = client.follow(done)
    assert "Cam Colleague has the referral now." in shown.words
    assert "Cancelled on 14 May 2019" in shown.words
    assert "Joins in" in shown.words


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        (
            "UPDATE s2s.allocation SET reason = 'x' WHERE ended_at IS NULL",
            "nothing is changed but ended_at",
        ),
        ("UPDATE s2s.visit SET starts_at = starts_at - interval '1 day'", "nothing is changed but"),
        ("UPDATE s2s.allocation SET ended_at = now() WHERE ended_at IS NOT NULL", "stays so"),
        ("UPDATE s2s.supporter SET ended_reason = 'x' WHERE ended_at IS NOT NULL", "stays so"),
        ("UPDATE s2s.allocation_ending SET hand_over = ''", "permission denied"),
        ("DELETE FROM s2s.hand_over_note", "permission denied"),
    ],
)
def test_what_has_been_said_and_has_ended_stays(
    session: Session, case: str, statement: str, refused: str
) -> None:
    owe(session)
    give(session)
    issue("practitioner", save("practitioner", seen=1))
    session.commit()
    with acting_as(OFFICER):
        with pytest.raises(DBAPIError, match=refused):
            session.execute(text(statement))
        session.rollback()
