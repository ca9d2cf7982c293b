"""The plan of visits: proposed, answered, counted, never silently smaller (F50)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.visit import Attendance, Visit, VisitRecord
from s2s_portal.models.visit_plan import PlanAnswer, PlanSays, VisitPlan
from s2s_portal.services import visit_plans
from tests import rows, world
from tests.client import Client, Page

REFERENCE = "S2S-19-7K4P"
PAT, SENCO = world.ACTORS["practitioner"], world.ACTORS["senco"]
WORDS = "O'Brien-Łukasz: <b>bardzo</b>, =1+1 🙂"

pytestmark = pytest.mark.usefixtures("may_2019")


@pytest.fixture
def case(session: Session) -> Referral:
    """A referral that the practitioner has."""
    row = rows.referral(session, REFERENCE, status=Status.ALLOCATED)
    rows.allocation(session, row, "practitioner")
    session.commit()
    return row


def typed(*numbers: int | str, seen: int = 0, **more: Any) -> dict[str, Any]:
    """A plan as its form sends it: so many visits in each row, one month after another."""
    form: dict[str, Any] = {"seen": str(seen), "why": ""}
    for row, number in enumerate(numbers):
        form |= {
            f"rows-{row}-kind": "OBS" if row == 0 else "FUP",
            f"rows-{row}-number": str(number),
            f"rows-{row}-month": f"2019-{6 + row:02d}-01",
        }
    return form | more


def propose(client: Client, *numbers: int, seen: int = 0, **more: Any) -> Page:
    return client.sign_on("practitioner").post(
        "visits.plan", typed(*numbers, seen=seen, **more), reference=REFERENCE
    )


def answer(client: Client, says: str, version: int, words: str = "", **more: Any) -> Page:
    form = {"says": says, "words": words, "seen": str(version)}
    return client.sign_on("senco").post("visits.answer_plan", form, reference=REFERENCE, **more)


def plans(session: Session) -> list[VisitPlan]:
    session.commit()
    return list(session.scalars(select(VisitPlan).order_by(VisitPlan.version)))


def notices(session: Session) -> list[dict[str, Any]]:
    session.commit()
    found = session.execute(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id"))
    return [row.args for row in found]


def shown(client: Client) -> dict[str, str]:
    """What each reader of the case reads."""
    pages = (
        ("practitioner", "visits.show"),
        ("lead", "visits.show"),
        ("officer", "triage.show"),
        ("senco", "referrals.show"),
    )
    return {key: client.sign_on(key).get(page, reference=REFERENCE).words for key, page in pages}


def test_a_plan_goes_to_the_school_and_its_answer_comes_back(
    client: Client, session: Session, case: Referral
) -> None:
    page = client.sign_on("practitioner").get("visits.show", reference=REFERENCE)
    assert "There is no plan yet" in page.words
    assert "sent" in client.follow(propose(client, 2, 1)).words
    (plan,) = plans(session)
    assert (plan.version, plan.total, plan.by_name) == (1, 3, PAT.name)
    (mail,) = notices(session)
    assert (mail["notice"], mail["address"]) == ("plan_proposed", "senco@school.example")
    assert mail["link"].endswith(f"/visits/{REFERENCE}/plan/answer")
    page = client.sign_on("senco").get("visits.answer_plan", reference=REFERENCE)
    assert "June 2019" in page.words
    assert "Follow-up visit" in page.words
    page = client.follow(answer(client, "agreed", 1))
    assert "Thank you. The practitioner has been told." in page.words
    assert notices(session)[-1]["notice"] == "plan_agreed"
    assert set(notices(session)[-1]) >= {"practitioner_id"}
    for key, words in shown(client).items():
        assert "0 of 3 visits made" in words, key
        assert "Sam O'Brien-Łukasz of the school agreed to it on 14 May 2019" in words, key
        assert ("Change the plan" in words) == (key == "practitioner")
        assert "Answer the plan" not in words
    happened = session.scalars(select(ReferralEvent.action).order_by(ReferralEvent.id)).all()
    assert happened[-2:] == [Action.PLAN_PROPOSED, Action.PLAN_AGREED]


def test_a_school_asks_for_a_change_in_words(
    client: Client, session: Session, case: Referral
) -> None:
    propose(client, 2)
    page = answer(client, "change", 1, status=422)
    assert page.errors == ["Say what should change"]
    page = answer(client, "", 1, WORDS, status=422)
    assert page.errors == ["Select whether you agree to this plan"]
    assert page.value("words") == WORDS
    answer(client, "change", 1, WORDS)
    assert notices(session)[-1]["notice"] == "plan_change_asked"
    assert WORDS not in str(notices(session))
    for key, words in shown(client).items():
        assert WORDS in words, key
        assert "visits made" not in words, "no version counts"


def made_on(session: Session, case: Referral, *days: int, **more: Any) -> list[Visit]:
    """Visits on days of May 2019, from 9:30am to 11am."""
    given = rows.allocation_of(session, case)
    found = []
    for number, day in enumerate(days, 1):
        starts = clock.from_local(date(2019, 5, day), 9, 30)
        times = {"starts_at": starts, "ends_at": starts + timedelta(minutes=90)}
        found.append(rows.coming(session, case, given, number, **times | more))
    session.commit()
    return found


def test_what_counts_as_made(client: Client, session: Session, case: Referral) -> None:
    """Over, not cancelled, and no issued record says that it did not happen."""
    made_on(session, case, 1, 2, 3, 20)
    first, second, third, _ = session.scalars(select(Visit).order_by(Visit.number)).all()
    first.cancelled_at = clock.now()
    for visit, issued in ((second, True), (third, False)):
        session.add(
            VisitRecord(
                referral_id=case.id,
                visit_id=visit.id,
                kind=visit.kind,
                visited_on=date(2019, 5, 2),
                attendance=Attendance.PUPIL_ABSENT,
                author_id=PAT.id,
                author_name=PAT.name,
                issued_at=clock.now() if issued else None,
            )
        )
    session.commit()
    propose(client, 4)
    for key, words in shown(client).items():
        assert "1 of 4 visits made" in words, key


def test_more_visits_count_at_once(client: Client, session: Session, case: Referral) -> None:
    propose(client, 2)
    answer(client, "agreed", 1)
    propose(client, 2, 2, seen=1)
    for key, words in shown(client).items():
        assert "0 of 4 visits made" in words, key
        assert "The school has not answered it yet." in words, key
        assert ("Answer the plan" in words) == (key == "senco")
    answer(client, "change", 2, "Too many")
    assert "0 of 2 visits made" in shown(client)["senco"]


def test_fewer_visits_need_a_reason_and_the_school_s_word(
    client: Client, session: Session, case: Referral
) -> None:
    propose(client, 2, 2)
    answer(client, "agreed", 1)
    client.sign_on("practitioner")
    page = client.post("visits.plan", typed(3, seen=1), status=422, reference=REFERENCE)
    assert page.errors == ["The plan had 4 visits and now has 3: say why there are fewer."]
    assert page.value("rows-0-number") == "3"
    propose(client, 3, seen=1, why=WORDS)
    for key, words in shown(client).items():
        assert "0 of 4 visits made" in words, key
        assert "Until the school agrees, version 1 counts: 4 visits." in words, key
        assert "Fewer than before: it was 4 visits." in words, key
        assert WORDS in words, key
    answer(client, "agreed", 2)
    assert all("0 of 3 visits made" in words for words in shown(client).values())
    assert [(plan.total, plan.fewer_than) for plan in plans(session)] == [(4, None), (3, 4)]


def test_no_plan_has_fewer_visits_than_have_been_made(
    client: Client, session: Session, case: Referral
) -> None:
    made_on(session, case, 1, 2)
    client.sign_on("practitioner")
    page = client.post("visits.plan", typed(1), status=422, reference=REFERENCE)
    assert page.errors == ["2 visits have been made already: plan at least as many."]
    propose(client, 2)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (typed(""), "Enter how many visits there are to be"),
        (typed("0"), "How many must be a number from 1 to 20"),
        (typed("21"), "How many must be a number from 1 to 20"),
        (typed("²"), "How many must be a number from 1 to 20"),
        (typed("1") | {"rows-0-month": "2019-06-02"}, "Select a month of the list"),
        (typed("1") | {"rows-0-kind": "PARTY"}, "Not a valid choice."),
        (typed(20, 20, 20, 20, 20), "A plan has from 1 to 99 visits."),
    ],
)
def test_a_plan_that_cannot_be_comes_back(
    client: Client, session: Session, case: Referral, form: dict[str, Any], said: str
) -> None:
    page = client.sign_on("practitioner").post(
        "visits.plan", form | {"why": WORDS}, status=422, reference=REFERENCE
    )
    assert said in page.errors
    assert page.value("why") == WORDS
    assert plans(session) == []


def test_rows_come_and_go_without_javascript(client: Client, case: Referral) -> None:
    client.sign_on("practitioner")
    page = client.post("visits.plan", typed(2) | {"rows": "add"}, status=200, reference=REFERENCE)
    assert (page.value("rows-0-number"), page.value("rows-1-number")) == ("2", "")
    page = client.post(
        "visits.plan", typed(2, 3) | {"rows": "remove-0"}, status=200, reference=REFERENCE
    )
    assert "rows-1-number" not in page.text or page.value("rows-1-number") == "3"


def test_the_form_begins_with_the_last_version(
    client: Client, session: Session, case: Referral
) -> None:
    propose(client, 2, 1)
    page = client.get("visits.plan", reference=REFERENCE)
    assert [page.value(f"rows-{row}-number") for row in (0, 1)] == ["2", "1"]
    assert page.all("//select[@name='rows-1-month']/option[@selected]") == ["July 2019"]
    assert page.value("seen") == "1"


def test_sent_twice_it_is_one_version_and_a_stale_page_is_told(
    client: Client, session: Session, case: Referral
) -> None:
    for _ in range(2):
        propose(client, 2)
    assert len(plans(session)) == 1
    page = client.post("visits.plan", typed(5, seen=0), status=422, reference=REFERENCE)
    assert "This plan has changed since you opened this page" in page.errors[0]
    assert (page.value("rows-0-number"), page.value("seen")) == ("5", "1")
    client.post("visits.plan", typed(5, seen=1), reference=REFERENCE)
    assert len(plans(session)) == 2


def test_an_answer_is_of_the_version_that_was_read(
    client: Client, session: Session, case: Referral
) -> None:
    propose(client, 2)
    propose(client, 4, seen=1)
    page = answer(client, "agreed", 1, status=422)
    assert "another plan meanwhile" in page.errors[0]
    assert page.value("seen") == "2"
    assert "4 visits" in page.words
    answer(client, "agreed", 2)
    page = answer(client, "change", 2, "No", status=422)
    assert page.errors == ["Sam O'Brien-Łukasz has answered this plan already."]
    assert [one.says for one in session.scalars(select(PlanAnswer))] == [PlanSays.AGREED]


@pytest.mark.parametrize(
    ("key", "status"), [("lead", 403), ("colleague", 404), ("officer", 403), ("senco", 403)]
)
def test_only_whoever_leads_the_case_proposes(
    client: Client, session: Session, case: Referral, key: str, status: int
) -> None:
    client.sign_on(key).get("visits.plan", status=status, reference=REFERENCE)
    client.post("visits.plan", typed(2), status=status, reference=REFERENCE)
    assert plans(session) == []


def test_only_its_own_school_answers(client: Client, session: Session, case: Referral) -> None:
    propose(client, 2)
    form = {"says": "agreed", "seen": "1"}
    for key, status in (("other-senco", 404), ("practitioner", 403), ("officer", 403)):
        client.sign_on(key).post("visits.answer_plan", form, status=status, reference=REFERENCE)
    assert session.scalars(select(PlanAnswer)).all() == []


def test_of_a_case_that_is_over_nothing_is_planned(
    client: Client, session: Session, case: Referral
) -> None:
    propose(client, 2)
    case.status = Status.CLOSED
    session.commit()
    client.sign_on("practitioner").get("visits.plan", status=409, reference=REFERENCE)
    assert (
        "nothing to answer"
        in client.sign_on("senco").get("visits.answer_plan", reference=REFERENCE).words
    )
    assert "not open" in answer(client, "agreed", 1, status=422).errors[0]
    assert "0 of 2 visits made" in shown(client)["senco"]


def test_no_version_and_no_answer_ever_changes(session: Session, case: Referral) -> None:
    made = rows.allocation_of(session, case)
    rows.planned(session, case, made)
    session.commit()
    for table in ("visit_plan", "planned_visits", "plan_answer"):
        with session.begin_nested() as savepoint:
            session.connection().execute(text("RESET ROLE"))
            with pytest.raises(DBAPIError, match="only ever added"):
                session.connection().execute(text(f"DELETE FROM s2s.{table}"))
            savepoint.rollback()


def test_a_plan_of_the_rows_alone_says_which_counts() -> None:
    def plan(version: int, total: int, says: PlanSays | None = None) -> VisitPlan:
        answered = PlanAnswer(says=says) if says else None
        return VisitPlan(version=version, total=total, answer=answered)

    agreed, change = PlanSays.AGREED, PlanSays.CHANGE
    for listed, counts in (
        ([], None),
        ([plan(1, 2)], 1),
        ([plan(1, 2, change)], None),
        ([plan(1, 2, agreed), plan(2, 1)], 1),
        ([plan(1, 2, agreed), plan(2, 2)], 2),
        ([plan(1, 2, agreed), plan(2, 1, agreed), plan(3, 2)], 3),
        ([plan(1, 2, agreed), plan(2, 3, change)], 1),
        ([plan(1, 4, agreed), plan(2, 1), plan(3, 2)], 1),
    ):
        found = visit_plans.counts(listed)
        assert (found.version if found else None) == counts, listed
