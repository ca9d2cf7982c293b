"""How sure staff feel: asked by mail with a link, answered with it or signed on; did it last."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder, Refused, Stale
from s2s_portal.models.impact import (
    AskLink,
    ConfidenceAnswer,
    OutcomeScore,
    SchoolAsk,
    Stage,
    StillUsing,
)
from s2s_portal.models.referral import Referral
from s2s_portal.services import calendar, confidence, ending, referrals, school_asks
from tests import endings, rows
from tests.client import Client
from tests.deciding import YES
from tests.endings import REF, act, all_done, as_system, fresh, given, link, reopen
from tests.world import ACTORS, SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
MINUTE = {"confidence": "2", "seen": "0"}
LATER = {"confidence": "4", "still_using": "most", "later_1": "6", "seen": "0"}
TOKEN = "t" * 43


@pytest.fixture
def before(session: Session) -> Referral:
    """A referral with its practitioner, of which the school is asked how sure staff feel."""
    row = given(session, visits=1)
    with as_system(), unit_of_work() as work:
        held = referrals.get(REF)
        school_asks.follow(work, held, referrals.Action.ALLOCATED)
        work.audited = True
    return row


@pytest.fixture
def closed(before: Referral, session: Session) -> Referral:
    """The same, closed: the school is asked how it is now, and later."""
    all_done()
    return fresh(session)


def mails(connection: Connection) -> list[dict[str, Any]]:
    query = "SELECT args FROM s2s.procrastinate_jobs WHERE task_name = 's2s.send_ask' ORDER BY id"
    return list(connection.scalars(text(query)))


def asks(session: Session) -> dict[str, SchoolAsk]:
    session.expire_all()
    found = session.scalars(select(SchoolAsk).order_by(SchoolAsk.id))
    return {ask.stage.value: ask for ask in found}


def answer(
    stage: Stage = Stage.BEFORE, key: str = "senco", value: int = 2, seen: int = 0, **more: Any
) -> None:
    with act(key), unit_of_work() as work:
        confidence.answer(work, REF, stage, confidence=value, seen=seen, by=ACTORS[key], **more)


def later_day() -> date:
    """Twelve school weeks after 14 May 2019, by the county's terms."""
    with as_system():
        return calendar.add_school_days(date(2019, 5, 14), 60, SCHOOL)


def upkeep(day: date) -> dict[str, int]:
    with as_system(), clock.frozen(day):
        return {what: count for what, count in school_asks.upkeep().items() if count}


# When it is asked -------------------------------------------------------------------------------


def test_it_is_asked_as_a_practitioner_is_allocated_once(
    client: Client, session: Session, connection: Connection
) -> None:
    rows.referral(session, REF)
    session.commit()
    officer = client.sign_on("officer")
    officer.post("triage.accept", {**YES, "seen": "1"}, reference=REF)
    page = officer.get("allocation.allocate", reference=REF)
    first = page.document.xpath("//input[@name='practitioner']/@value")[0]
    form = {"seen": page.value("seen"), "practitioner": first, "reason": "Near"}
    officer.post("allocation.allocate", form, reference=REF)
    assert [mail["notice"] for mail in mails(connection)] == ["confidence_asked"]
    assert list(asks(session)) == ["before"]
    assert (
        "How sure staff feel" in client.sign_on("senco").get("referrals.show", reference=REF).words
    )


def test_closing_asks_after_now_and_later_and_what_they_thought(
    session: Session, connection: Connection, closed: Referral
) -> None:
    found = asks(session)
    assert {stage: ask.ended_at is None for stage, ask in found.items()} == {
        "before": False,
        "after": True,
        "later": True,
        "evaluation": True,
    }
    assert found["later"].due_on == later_day()
    assert found["later"].asked_at is None
    assert len(mails(connection)) == 2


def test_nothing_is_asked_after_what_never_started(session: Session) -> None:
    given(session, visits=0)
    endings.close()
    assert asks(session) == {}


def test_later_is_asked_twelve_school_weeks_on_and_reminded_once(
    session: Session, connection: Connection, closed: Referral
) -> None:
    due = later_day()
    assert due > date(2019, 8, 6), "the summer does not count"
    assert "asked" not in upkeep(due - timedelta(days=1))
    assert upkeep(due)["asked"] == 1
    assert "asked" not in upkeep(due)
    found = asks(session)
    assert found["after"].ended_at is not None
    with as_system():
        reminder = calendar.add_school_days(due, 10, SCHOOL)
        over = calendar.add_school_days(due, 41, SCHOOL)
    before = len(mails(connection))
    assert "reminded" not in upkeep(reminder - timedelta(days=1))
    assert upkeep(reminder)["reminded"] >= 1
    assert "reminded" not in upkeep(reminder + timedelta(days=1))
    assert [mail["notice"] for mail in mails(connection)[before:]] == ["confidence_due"]
    assert upkeep(over)["ended"] == 1


def test_a_reminder_goes_to_nobody_who_has_answered(session: Session, before: Referral) -> None:
    answer()
    with as_system():
        day = calendar.add_school_days(date(2019, 5, 14), 10, SCHOOL)
    assert "reminded" not in upkeep(day)


def test_nothing_is_mailed_in_a_holiday(session: Session, connection: Connection) -> None:
    """What is asked in a holiday waits for the next day of school."""
    holiday = date(2019, 5, 28)  # half-term
    given(session)
    with clock.frozen(holiday), as_system(), unit_of_work() as work:
        school_asks.follow(work, referrals.get(REF), referrals.Action.ALLOCATED)
        work.audited = True
    assert mails(connection) == []
    assert upkeep(date(2019, 5, 31)) == {}
    assert upkeep(date(2019, 6, 8)) == {}, "nobody ran the worker on Monday: today is Saturday"
    assert mails(connection) == []
    assert upkeep(date(2019, 6, 10)) == {"asked": 1}
    assert len(mails(connection)) == 1


def test_reopening_puts_off_what_follows(
    session: Session, connection: Connection, closed: Referral
) -> None:
    reopen()
    assert all(ask.ended_at is not None for ask in asks(session).values())
    assert upkeep(later_day()) == {}
    with clock.frozen(date(2019, 6, 11)):
        endings.close()
        assert asks(session)["later"].due_on > later_day()


def test_a_changed_calendar_moves_it(session: Session, closed: Referral) -> None:
    """The day is worked out once more before anything is mailed."""
    with as_system(), unit_of_work() as work:
        ask = session.scalars(select(SchoolAsk).where(SchoolAsk.stage == Stage.LATER)).one()
        ask.due_on = date(2019, 6, 3)
        work.flush()
        work.audited = True
    assert "asked" not in upkeep(date(2019, 6, 4))
    assert asks(session)["later"].due_on == later_day()


# The mail and its link --------------------------------------------------------------------------


@pytest.fixture
def sent(app: Any, before: Referral, connection: Connection) -> Iterator[str]:
    """The mail that asks before, as the worker sends it; its text."""
    from s2s_portal.state import state

    kept: list[Any] = []
    mail = state().mail
    original, mail.send = mail.send, kept.append
    try:
        for args in mails(connection):
            with as_system():
                school_asks.send(**args)
        (one,) = kept
        yield f"{one.subject}\n{one.body}"
    finally:
        mail.send = original


def test_the_mail_names_no_child_and_its_token_is_kept_nowhere(
    session: Session, connection: Connection, sent: str
) -> None:
    assert REF in sent
    assert "Canary" not in sent
    assert "Zosia" not in sent
    assert "Stays in class" not in sent
    token = sent.split("/asked/")[1].split(maxsplit=1)[0]
    connection.execute(text("RESET ROLE"))
    (row,) = session.scalars(select(AskLink)).all() or [None]
    assert row is None or token not in row.digest
    kept = connection.scalars(text("SELECT digest FROM s2s.ask_link")).one()
    assert kept != token
    assert len(kept) == 64
    everything = connection.scalar(
        text("SELECT string_agg(args::text, '') FROM s2s.procrastinate_jobs")
    )
    assert token not in str(everything)


def test_the_link_opens_the_form_without_signing_on_and_once(
    client: Client, session: Session, before: Referral
) -> None:
    link(session, Stage.BEFORE, TOKEN)
    anybody = Client(client.app)
    page = anybody.get("asked.answer", token=TOKEN)
    assert REF in page.words
    assert "Little Snoring Invented Primary" in page.words
    for word in ("Canary", "Zosia", "Stays in class", "Outcome 1"):
        assert word not in page.text
    anybody.get("asked.answer", token=TOKEN)  # a look consumes nothing
    form = {"seen": page.value("seen")}
    anybody.remember_token()
    refused = anybody.post("asked.answer", form, status=422, token=TOKEN)
    assert refused.errors == ["Choose from 1 to 5 how sure staff feel"]
    done = anybody.post("asked.answer", form | {"confidence": "2"}, token=TOKEN)
    assert "Thank you" in anybody.follow(done).words
    anybody.get("asked.answer", status=404, token=TOKEN)
    anybody.post("asked.answer", form | {"confidence": "5"}, status=404, token=TOKEN)
    session.expire_all()
    kept = session.scalars(select(ConfidenceAnswer)).one()
    assert (kept.confidence, kept.by_link, kept.by_id) == (2, True, "link")
    case = client.sign_on("practitioner").get("visits.show", reference=REF)
    assert "2, a little sure" in case.words


def test_what_opens_nothing_says_the_same_whatever_the_reason(
    client: Client, session: Session, before: Referral
) -> None:
    """Unknown, expired, answered, ended: nobody learns which, nor what for."""
    anybody = Client(client.app)
    link(session, Stage.BEFORE, "expired", days=0)
    link(session, Stage.BEFORE, "other")
    link(session, Stage.BEFORE, "used")
    pages = [anybody.get("asked.answer", status=404, token="unknown").words]
    pages.append(anybody.get("asked.answer", status=404, token="expired").words)
    anybody.remember_token()
    anybody.post("asked.answer", MINUTE, token="used")
    pages.append(anybody.get("asked.answer", status=404, token="used").words)
    pages.append(anybody.get("asked.answer", status=404, token="other").words)
    all_done()
    link(session, Stage.BEFORE, "ended")
    pages.append(anybody.get("asked.answer", status=404, token="ended").words)
    link(session, Stage.EVALUATION, "foreign")
    pages.append(anybody.get("asked.answer", status=404, token="foreign").words)
    assert set(pages) == {pages[0]}
    assert REF not in pages[0]


def test_a_later_link_asks_for_numbers_without_the_words_of_the_outcomes(
    client: Client, session: Session, closed: Referral
) -> None:
    link(session, Stage.LATER, TOKEN)
    Client(client.app).get("asked.answer", token=TOKEN)
    session.commit()
    with clock.frozen(later_day()):
        anybody = Client(client.app)
        link(session, Stage.LATER, TOKEN + "2")
        page = anybody.get("asked.answer", token=TOKEN + "2")
        assert "Stays in class" not in page.text
        assert "Where are things with outcome 1 now?" in page.words
        anybody.remember_token()
        refused = anybody.post("asked.answer", {"confidence": "4"}, status=422, token=TOKEN + "2")
        assert len(refused.errors) == 2
        anybody.post("asked.answer", LATER, token=TOKEN + "2")
    session.expire_all()
    (row,) = session.scalars(select(OutcomeScore).where(OutcomeScore.kind == "later"))
    assert (row.score, row.rater.value, row.by_id) == (6, "school", "link")
    with act("officer"):
        found = ending.of(referrals.get(REF))
    assert found is not None
    assert found.standings[0].lasted.value == "slipped"


def test_the_holder_of_a_link_reads_no_row(session: Session, before: Referral) -> None:
    session.commit()
    with endings.acting_as(confidence.HOLDER):
        for table in ("referral", "school_ask", "ask_link", "confidence_answer", "outcome_wanted"):
            assert session.scalar(text(f"SELECT count(*) FROM s2s.{table}")) == 0, table
        session.commit()


# Signed on --------------------------------------------------------------------------------------


def test_a_school_answers_signed_on_and_changes_it_until_the_next_stage(
    client: Client, session: Session, before: Referral
) -> None:
    school = client.sign_on("senco")
    page = school.get("closing.confidence_asked", reference=REF, stage="before")
    form = {"seen": page.value("seen"), "confidence": "2"}
    school.post("closing.confidence_asked", form, reference=REF, stage="before")
    page = school.get("closing.confidence_asked", reference=REF, stage="before")
    assert "Sam O'Brien-Łukasz gave it on 14 May 2019" in page.words
    assert page.document.xpath("//input[@name='confidence'][@checked]/@value") == ["2"]
    changed = {"seen": page.value("seen"), "confidence": "3"}
    school.post("closing.confidence_asked", changed, reference=REF, stage="before")
    session.expire_all()
    kept = session.scalars(select(ConfidenceAnswer).order_by(ConfidenceAnswer.id)).all()
    assert [(row.revision, row.confidence) for row in kept] == [(1, 2), (2, 3)]
    session.rollback()
    all_done()
    school.get("closing.confidence_asked", status=409, reference=REF, stage="before")
    with pytest.raises(OutOfOrder, match="no longer asked"):
        answer(seen=2)


def test_of_two_colleagues_the_second_sees_the_first_ones_answer(
    client: Client, session: Session, before: Referral
) -> None:
    head = client.sign_on("head")
    page = head.get("closing.confidence_asked", reference=REF, stage="before")
    answer(value=4)
    form = {"seen": page.value("seen"), "confidence": "1"}
    stale = head.post("closing.confidence_asked", form, status=422, reference=REF, stage="before")
    assert "Sam O'Brien-Łukasz answered this on 14 May 2019: 4, sure" in stale.words
    assert stale.document.xpath("//input[@name='confidence'][@checked]/@value") == ["1"]
    again = {"seen": stale.value("seen"), "confidence": "1"}
    head.post("closing.confidence_asked", again, reference=REF, stage="before")
    with act("officer"):
        (said,) = confidence.of(referrals.get(REF))
    assert (said.revision, said.words) == (2, "1, not at all sure")


def test_two_answers_at_once_are_one(session: Session, before: Referral) -> None:
    """What passed the question a moment before is refused by the database, in words."""
    answer()
    number = before.id
    with act("senco"), pytest.raises(Stale, match="just answered"), unit_of_work() as work:
        ask = school_asks.open_ask(referrals.get(REF), Stage.BEFORE)
        assert ask is not None
        work.session.add(
            ConfidenceAnswer(
                referral_id=number,
                ask_id=ask.id,
                stage=Stage.BEFORE,
                revision=1,
                confidence=5,
                by_id="senco",
                by_name="x",
            )
        )
        work.flush()


@pytest.mark.parametrize(
    ("stage", "given_", "field"),
    [
        (Stage.AFTER, {"value": 6}, "confidence"),
        (Stage.AFTER, {"value": 0}, "confidence"),
        (Stage.AFTER, {"scores": {1: 3}}, None),
        (Stage.LATER, {}, "still_using"),
        (Stage.LATER, {"still_using": StillUsing.MOST}, "later_1"),
        (Stage.LATER, {"still_using": StillUsing.MOST, "scores": {1: 11}}, "later_1"),
        (Stage.LATER, {"still_using": StillUsing.MOST, "scores": {1: 1, 2: 1}}, None),
    ],
)
def test_what_is_missing_or_off_the_scale_is_refused(
    session: Session, closed: Referral, stage: Stage, given_: dict[str, Any], field: str | None
) -> None:
    with clock.frozen(later_day()), pytest.raises(Refused) as refused:
        answer(stage, **given_)
    assert refused.value.field == field


def test_it_is_not_answered_before_it_is_asked(session: Session, closed: Referral) -> None:
    with pytest.raises(OutOfOrder, match="not asked yet"):
        answer(Stage.LATER, still_using=StillUsing.MOST, scores={1: 7})


@pytest.mark.parametrize("key", ["other-senco", "officer", "practitioner", "finance"])
def test_nobody_but_the_school_answers(session: Session, before: Referral, key: str) -> None:
    with pytest.raises(NotFound):
        answer(key=key)


def test_whether_it_lasted_is_shown_to_all_three(
    client: Client, session: Session, closed: Referral
) -> None:
    with clock.frozen(later_day()):
        upkeep(later_day())
        school = client.sign_on("senco")
        page = school.get("referrals.show", reference=REF)
        assert "Cannot say" in page.words
        page = school.get("closing.confidence_asked", reference=REF, stage="later")
        assert "Stays in class all morning" in page.words
        form = LATER | {"seen": page.value("seen"), "later_1": "7"}
        school.post("closing.confidence_asked", form, reference=REF, stage="later")
        for key, endpoint in (
            ("senco", "referrals.show"),
            ("officer", "triage.show"),
            ("practitioner", "visits.show"),
        ):
            shown = client.sign_on(key).get(endpoint, reference=REF).words
            assert "Did it last? Kept" in shown.replace("last?Kept", "last? Kept"), key


def test_no_answer_is_ever_changed(
    session: Session, connection: Connection, before: Referral
) -> None:
    answer()
    session.commit()
    connection.execute(text("RESET ROLE"))
    with pytest.raises(DBAPIError, match="confidence_answer"), connection.begin_nested():
        connection.execute(text("UPDATE s2s.confidence_answer SET confidence = 5"))
