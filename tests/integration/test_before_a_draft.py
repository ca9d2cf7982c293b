"""Before a draft: what the start page says, the questions in their order, one start one draft."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from urllib.parse import urlsplit

import pytest
from flask import Flask
from itsdangerous import URLSafeSerializer
from sqlalchemy import event, func, select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import unit_of_work
from s2s_portal.identity import acting_as
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import drafting, screening
from s2s_portal.state import state
from tests import answers, rows, world
from tests.client import Client, Page

pytestmark = pytest.mark.usefixtures("may_2019")


@pytest.fixture
def senco(client: Client, session: Session) -> Client:
    return client.sign_on("senco")


def begin(client: Client) -> str:
    """Press the button on the start page; the path of the first question."""
    urn = client.get("referrals.start").value("urn")
    return client.post("referrals.start", {"urn": urn}).location


def fetch(client: Client, path: str, status: int = 200) -> Page:
    return client.fetch("GET", path, status=status)


def drafts(session: Session) -> int:
    session.commit()
    return session.scalar(select(func.count()).select_from(Referral)) or 0


# The start page ----------------------------------------------------------------------------------


def test_the_start_page_says_what_a_school_can_ask_for(senco: Client) -> None:
    page = senco.get("referrals.start")
    for words in (
        "Practical advice, and visits",
        "observation of a pupil",
        "training for your staff",
        "making resources",
        "signposting",
        "There is no limit on the number of requests. There is no closing date.",
        "A draft is kept for 90 days",
    ):
        assert words in page.words


def waits(client: Client) -> list[str]:
    """What the start page says about the wait for a decision, and for a visit."""
    rows = client.get("referrals.start")
    return rows.all("//dt[starts-with(., 'Wait for')]/following-sibling::dd")


def decided(session: Session, number: int, days: int) -> None:
    """A referral received on 1 May and decided so many days later."""
    row = rows.referral(session, f"S2S-19-CC{number:02d}".replace("0", "C"))
    row.received_on = date(2019, 5, 1)
    session.add(
        ReferralEvent(
            referral_id=row.id,
            action=Action.ACCEPTED,
            at=clock.from_local(date(2019, 5, 1) + timedelta(days=days), 23, 30),
            by_id="o",
            by_name="O",
        )
    )
    session.flush()


def test_waits_are_the_middle_of_the_last_90_days(senco: Client, session: Session) -> None:
    for number, days in enumerate((1, 2, 4), 11):
        decided(session, number, days)
    decided(session, 15, 9)
    session.commit()
    too_few = "Too few in the last 90 days to say"
    assert waits(senco) == [too_few, too_few]
    decided(session, 16, 12)
    session.commit()
    assert waits(senco) == ["Half of schools waited 4 days or less", too_few]
    with clock.frozen(date(2019, 8, 31)):
        assert waits(senco) == [too_few, too_few]


def test_the_wait_for_a_visit_is_to_the_first_one(senco: Client, session: Session) -> None:
    for number in range(2, 7):
        row = rows.referral(session, f"S2S-19-DDD{number}", status=Status.ALLOCATED)
        made = rows.allocation(session, row, "practitioner")
        rows.visit(session, row, made, 1, issued=True)
        rows.visit(session, row, made, 2, issued=True)
    session.commit()
    with clock.frozen(date(2019, 6, 10)):
        assert waits(senco)[1] == "Half of schools waited 10 days or less"


def test_the_start_page_asks_the_same_of_the_database_however_much_is_in_it(
    senco: Client, session: Session
) -> None:
    asked: list[str] = []
    engine = session.get_bind().engine  # type: ignore[union-attr]

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    senco.get("referrals.start")
    event.listen(engine, "before_cursor_execute", note)
    try:
        senco.get("referrals.start")
        few, asked[:] = len(asked), []
        for number in range(2, 9):
            rows.referral(session, f"S2S-19-EEE{number}")
        session.commit()
        asked.clear()
        senco.get("referrals.start")
        assert len(asked) == few
    finally:
        event.remove(engine, "before_cursor_execute", note)


# The questions -----------------------------------------------------------------------------------


def test_safety_comes_first_and_nothing_of_it_is_kept(senco: Client, session: Session) -> None:
    path = begin(senco)
    assert urlsplit(path).path.endswith("/start/safety")
    page = fetch(senco, path)
    assert page.h1 == "Are you worried that a child is at risk of harm now?"
    audited = session.scalar(select(func.count()).select_from(AuditEntry))
    page = senco.follow(senco.send(path, {"answer": "yes"}))
    assert page.h1 == "Keep the child safe first"
    assert "call 999" in page.words
    assert page.document.xpath("//a[@href='https://www.norfolk.gov.uk/safeguarding']")
    assert drafts(session) == 0
    assert session.scalar(select(func.count()).select_from(AuditEntry)) == audited


def test_the_usual_way_gives_a_draft(senco: Client, session: Session) -> None:
    page = senco.send(begin(senco), {"answer": "no"})
    assert urlsplit(page.location).path.endswith("/start/about")
    page = senco.send(page.location, {"answer": "older"})
    assert "Your referral S2S-19-" in senco.follow(page).h1
    assert drafts(session) == 1


def test_reception_uses_this_form_at_the_school_s_fee(senco: Client, session: Session) -> None:
    page = senco.send(begin(senco), {"answer": "no"})
    page = senco.send(page.location, {"answer": "reception"})
    shown = senco.follow(page)
    assert shown.h1 == "Children in a reception class"
    assert "£100: mainstream school" in shown.words
    assert drafts(session) == 0
    senco.send(page.location, {"answer": "yes"})
    assert drafts(session) == 1


@pytest.mark.parametrize(
    ("answer", "title", "says"),
    [
        ("early-years", "Early years children come through", "the council’s Early Years service"),
        ("special-school", "S2S Support is for mainstream schools", "the SEND programme team"),
        ("elsewhere", "The pupil’s own school makes the referral", "ask its SENCo"),
    ],
)
def test_each_way_out_names_what_to_do_instead(
    senco: Client, session: Session, answer: str, title: str, says: str
) -> None:
    page = senco.send(begin(senco), {"answer": "no"})
    shown = senco.follow(senco.send(page.location, {"answer": answer}))
    assert shown.h1.startswith(title)
    assert says in shown.words
    assert "What to do next" in shown.words
    assert drafts(session) == 0


@pytest.mark.parametrize("question", ["about", "reception"])
def test_skipping_ahead_goes_back_to_the_first_open_question(
    senco: Client, session: Session, question: str
) -> None:
    here = begin(senco)
    ahead = here.replace("/safety", f"/{question}")
    for path in (ahead, urlsplit(ahead).path, f"{urlsplit(ahead).path}?pass=nonsense"):
        for page in (fetch(senco, path, 302), senco.send(path, {"answer": "yes"})):
            assert urlsplit(page.location).path.endswith("/start/safety"), path
    assert drafts(session) == 0


def test_an_answer_cannot_be_written_by_oneself(
    app: Flask, senco: Client, session: Session
) -> None:
    given = {
        "who": "senco",
        "urn": world.SCHOOL,
        "at": int(clock.now().timestamp()),
        "token": "t" * 24,
        "answers": {"safety": "no"},
    }
    for key in ("guessed", f"{app.secret_key}x"):
        forged = URLSafeSerializer(key, salt="s2s-before-a-draft").dumps(given)
        path = senco.url("referrals.screen", question="about", **{"pass": forged})
        page = senco.send(path, {"answer": "older"})
        assert urlsplit(page.location).path.endswith("/start/safety")
    assert drafts(session) == 0
    good = URLSafeSerializer(str(app.secret_key), salt="s2s-before-a-draft").dumps(given)
    path = senco.url("referrals.screen", question="about", **{"pass": good})
    senco.send(path, {"answer": "older"})
    assert drafts(session) == 1


def test_a_pass_is_for_one_person_and_one_day(client: Client, session: Session) -> None:
    page = client.sign_on("senco").send(begin(client), {"answer": "no"})
    with clock.frozen(clock.now() + timedelta(hours=25)):
        late = client.send(page.location, {"answer": "older"})
        assert urlsplit(late.location).path.endswith("/start/safety")
    for other in ("head", "other-senco"):
        taken = client.sign_on(other).send(page.location, {"answer": "older"})
        assert urlsplit(taken.location).path.endswith("/start/safety")
    assert drafts(session) == 0


@pytest.mark.parametrize("answer", ["", "maybe", "reception\x00", "older "])
def test_a_question_without_an_answer_says_what_to_do(
    senco: Client, session: Session, answer: str
) -> None:
    page = senco.send(begin(senco), {"answer": answer}, status=422)
    assert page.errors == [
        "Choose “Yes” if you are worried that a child is at risk, or not sure, and “No” if not"
    ]
    page = senco.send(begin(senco), {"answer": "no"})
    page = senco.send(page.location, {"answer": answer}, status=422)
    assert page.errors == ["Choose whom you want help with"]
    assert drafts(session) == 0


def test_what_the_register_knows_is_not_asked(client: Client, session: Session) -> None:
    page = client.sign_on("nursery-senco").send(begin(client), {"answer": "no"})
    assert "Your referral" in client.follow(page).h1, "a nursery school is not asked about whom"
    high = Establishment(phase_code=4, low_age=11, name="A high school")
    assert list(screening.options(high)) == ["older", "special-school", "elsewhere"]
    junior = Establishment(phase_code=2, low_age=7, name="A junior school")
    assert "reception" not in screening.options(junior)
    primary = Establishment(phase_code=2, low_age=4, name="A primary school")
    assert list(screening.options(primary)) == list(screening.ANSWERS["about"])


@pytest.mark.parametrize(
    ("who", "instead"),
    [
        ("special-senco", "moving to a mainstream school"),
        ("closed-senco", "another school has taken its place"),
        ("suffolk-senco", "SEND team of the council that your school belongs to"),
    ],
)
def test_a_school_that_may_not_refer_is_told_at_once_what_to_do(
    client: Client, session: Session, who: str, instead: str
) -> None:
    client.sign_on(who)
    page = client.get("referrals.start")
    assert instead in page.words
    page = client.get("referrals.screen", question="safety", status=302)
    assert page.location.endswith("/referrals/start")


# One draft for one start -------------------------------------------------------------------------


def test_pressing_twice_or_going_back_gives_one_draft(senco: Client, session: Session) -> None:
    page = senco.send(begin(senco), {"answer": "no"})
    places = {senco.send(page.location, {"answer": "older"}).location for _ in range(3)}
    assert len(places) == 1
    other = senco.send(page.location, {"answer": "reception"})
    again = senco.send(other.location, {"answer": "yes"})
    assert {again.location} == places
    assert drafts(session) == 1
    started = session.scalars(
        select(ReferralEvent).where(ReferralEvent.action == Action.STARTED)
    ).all()
    assert len(started) == 1
    answers.start(senco)
    assert drafts(session) == 2, "another start is another draft"


def test_two_presses_at_the_same_moment_give_one_draft(host: Flask) -> None:
    """Against the database itself, two connections at once: committed, and removed afterwards."""
    found: list[str] = []
    both = threading.Barrier(2, timeout=20)
    senco = world.ACTORS["senco"]

    def press() -> None:
        morning = clock.frozen(date(2019, 5, 14))
        with morning, host.app_context(), acting_as(senco), unit_of_work() as work:
            both.wait()
            begun = drafting.start(work, world.SCHOOL, token="pressed-twice", by=senco)
            found.append(begun.reference)

    presses = [threading.Thread(target=press) for _ in range(2)]
    for thread in presses:
        thread.start()
    for thread in presses:
        thread.join(timeout=30)
    with host.app_context():
        engine = state().engine
    with engine.begin() as connection:
        for table in ("referral_event", "audit_entry"):
            connection.execute(text(f"ALTER TABLE s2s.{table} DISABLE TRIGGER USER"))
        connection.execute(
            text(
                "DELETE FROM s2s.referral_event USING s2s.referral r"
                " WHERE r.id = referral_id AND r.start_token = 'pressed-twice'"
            )
        )
        connection.execute(
            text(
                "DELETE FROM s2s.audit_entry USING s2s.referral r"
                " WHERE r.reference = entity_key AND r.start_token = 'pressed-twice'"
            )
        )
        gone = connection.execute(
            text("DELETE FROM s2s.referral WHERE start_token = 'pressed-twice'")
        ).rowcount
        for table in ("referral_event", "audit_entry"):
            connection.execute(text(f"ALTER TABLE s2s.{table} ENABLE TRIGGER USER"))
    assert len(found) == 2
    assert len(set(found)) == 1
    assert gone == 1
