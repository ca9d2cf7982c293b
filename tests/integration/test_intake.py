"""Windows in which requests are taken: kept by dated rows, counted, the last place given once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import IntakeClosed, NotFound, Refused
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.codes import Status, Way
from s2s_portal.models.establishment import SettingKind
from s2s_portal.models.referral import Referral
from s2s_portal.services import drafting, intake, referrals, returning, triage
from tests import answers, rows, world
from tests.client import Client

MAINSTREAM, EARLY = SettingKind.MAINSTREAM, SettingKind.EARLY_YEARS
ADMINISTRATOR = world.ACTORS["administrator"]


@pytest.fixture
def today(may_2019: None) -> date:
    return clock.today()


def limited(quota: int | None, opens: date, closes: date | None) -> int:
    """Close the first window of mainstream schools, and open one with a limit; its id."""
    with unit_of_work() as work:
        first = next(line for line in intake.windows() if line.window.setting_kind is MAINSTREAM)
        end = date.fromordinal(opens.toordinal() - 1)
        with clock.frozen(end):
            intake.close_window(work, first.window.id, closes=end, reason="Limit", by=SYSTEM)
            made = intake.open_window(
                work, MAINSTREAM, opens=opens, closes=closes, quota=quota, source="Test", by=SYSTEM
            )
        return made.id


def counted(session: Session, window: int, reference: str, status: Status) -> Referral:
    row = rows.referral(session, reference, status=status)
    row.intake_window_id = window
    session.flush()
    return row


def test_at_first_there_is_no_limit(session: Session, today: date) -> None:
    for kind in SettingKind:
        assert intake.standing(kind, today).words.startswith("There is no limit")
    assert intake.standing(MAINSTREAM, date(2015, 3, 31)).window_id is None


def test_what_counts(session: Session, today: date) -> None:
    window = limited(10, date(2019, 5, 1), None)
    for number, status in enumerate((Status.SUBMITTED, Status.RETURNED, Status.ALLOCATED), 2):
        counted(session, window, f"S2S-19-CCC{number}", status)
    assert intake.standing(MAINSTREAM, today).used == 3
    counted(session, window, "S2S-19-CCC9", Status.DECLINED)
    assert intake.standing(MAINSTREAM, today).used == 3
    session.execute(
        text(
            "INSERT INTO s2s.referral_event (referral_id, action, at, by_id, by_name)"
            " SELECT id, 'accepted', now(), 'o', 'O' FROM s2s.referral WHERE reference = :one"
        ),
        {"one": "S2S-19-CCC9"},
    )
    assert intake.standing(MAINSTREAM, today).used == 4, "accepted before it was withdrawn"


def test_a_school_knows_the_number_and_not_the_referrals(
    session: Session, client: Client, today: date
) -> None:
    window = limited(10, date(2019, 5, 1), date(2019, 12, 13))
    counted(session, window, "S2S-19-CCC2", Status.SUBMITTED)
    session.commit()
    page = client.sign_on("other-senco").get("referrals.start")
    assert "1 of 10 requests are used, so 9 are left" in page.words
    assert "Requests are taken until 13 December 2019" in page.words
    assert "It is too early to say" in page.words
    assert "A request counts from the day it is sent" in page.words


def test_after_the_close_nothing_is_sent_and_the_draft_is_kept(
    session: Session, client: Client, today: date
) -> None:
    limited(10, date(2019, 5, 1), date(2019, 5, 20))
    session.commit()
    reference = answers.complete(client.sign_on("senco"))
    with clock.frozen(date(2019, 5, 20)):
        token = answers.token(client, reference)
    with clock.frozen(date(2019, 5, 21)):
        page = client.post("referrals.submit", {"token": token}, reference=reference, status=422)
        assert "not taking requests" in page.errors[0]
        assert "Nothing has been sent, and your draft is kept" in page.errors[0]
        assert "ask the SEND programme team" in page.errors[0]
        page = client.get("referrals.start")
        assert page.h1 == "No requests are taken at the moment"
        assert not page.document.xpath("//main//button")
        assert "Drafts that you have begun are kept" in page.words
        answers.save(client, reference, "practicalities", preferred_days="Mondays")
        with pytest.raises(IntakeClosed), unit_of_work() as work:
            drafting.start(work, world.SCHOOL, by=world.ACTORS["senco"])
    assert referrals.get(reference).status is Status.DRAFT


def test_the_last_place_and_how_it_comes_free(
    session: Session, client: Client, today: date
) -> None:
    window = limited(1, date(2019, 5, 1), None)
    session.commit()
    first = answers.complete(client.sign_on("senco"))
    second = answers.complete(client.sign_on("other-senco"))
    seconds = answers.token(client, second)
    client.sign_on("senco")
    token = answers.token(client, first)
    client.post("referrals.submit", {"token": token}, reference=first)
    assert referrals.get(first).intake_window_id == window
    client.sign_on("other-senco")
    page = client.post("referrals.submit", {"token": seconds}, reference=second, status=422)
    assert "All 1 requests" in page.errors[0]
    assert "look again later" in page.errors[0]
    assert client.get("referrals.start").h1 == "No requests are taken at the moment"
    session.commit()
    officer = world.ACTORS["officer"]
    with acting_as(officer), unit_of_work() as work:
        version = referrals.get(first).version
        triage.decide(
            work, first, way=Way.DECLINE, code="DECLINE_CRITERIA", seen=version, by=officer
        )
    token = answers.token(client, second)
    client.post("referrals.submit", {"token": token}, reference=second)


def test_sending_again_takes_no_second_place(session: Session, client: Client, today: date) -> None:
    limited(1, date(2019, 5, 1), None)
    session.commit()
    reference = answers.submitted(client.sign_on("senco"))
    officer = world.ACTORS["officer"]
    session.commit()
    with acting_as(officer), unit_of_work() as work:
        version = referrals.get(reference).version
        returning.return_for_information(
            work, reference, seen=version, questions={"support": "More"}, by=officer
        )
    token = answers.token(client, reference)
    client.post("referrals.submit", {"token": token}, reference=reference)
    session.commit()
    assert referrals.get(reference).status is Status.SUBMITTED


# The database itself -----------------------------------------------------------------------------


def refused(connection: Connection, sql: str) -> str:
    """The constraint, or the words, with which the database refuses its own owner a statement."""
    connection.execute(text("RESET ROLE"))
    savepoint = connection.begin_nested()
    try:
        connection.execute(text(sql))
    except DBAPIError as error:
        assert isinstance(error.orig, psycopg.Error)
        return error.orig.diag.constraint_name or error.orig.diag.message_primary or ""
    finally:
        savepoint.rollback()
    return ""


def test_a_window_is_never_edited(session: Session, connection: Connection, today: date) -> None:
    window = limited(10, date(2019, 5, 1), date(2019, 12, 13))
    session.commit()
    for sql in (
        f"UPDATE s2s.intake_window SET quota = 99 WHERE id = {window}",
        f"UPDATE s2s.intake_window SET open_during = '[2019-05-01,)' WHERE id = {window}",
        f"UPDATE s2s.intake_window SET open_during = '[2019-05-01,2019-06-01)' WHERE id = {window}",
        f"DELETE FROM s2s.intake_window WHERE id = {window}",
    ):
        assert "never edited" in refused(connection, sql), sql
    assert "only ever added" in refused(connection, "DELETE FROM s2s.intake_closing")
    assert refused(connection, "TRUNCATE s2s.intake_closing")


def test_two_windows_of_a_kind_never_overlap(
    session: Session, connection: Connection, today: date
) -> None:
    added = (
        "INSERT INTO s2s.intake_window (setting_kind, opens, source, at, by_id, by_name)"
        " VALUES ('{}', '2019-06-01', 'x', now(), 'a', 'A')"
    )
    assert refused(connection, added.format("mainstream")) == "ex_intake_window_mainstream"
    assert refused(connection, added.format("early_years")) == "ex_intake_window_early_years"
    with pytest.raises(Refused, match="Another window for mainstream"), unit_of_work() as work:
        intake.open_window(
            work, MAINSTREAM, opens=today, closes=None, quota=None, source="x", by=SYSTEM
        )


def test_the_trigger_holds_what_the_code_might_forget(
    session: Session, connection: Connection, today: date
) -> None:
    window = limited(1, date(2019, 5, 1), date(2019, 5, 20))
    draft = rows.referral(session, "S2S-19-CCC2", status=Status.DRAFT)
    session.commit()
    sending = (
        "UPDATE s2s.referral SET status = 'submitted', submitted_at = now(), terms_id = 1,"
        f" fee_pence = 0, received_on = '{{}}', intake_window_id = {{}} WHERE id = {draft.id}"
    )
    assert not refused(connection, sending.format("2019-05-20", window))
    assert refused(connection, sending.format("2019-05-21", window)) == "ck_referral_intake_open"
    assert refused(connection, sending.format("2019-05-20", "NULL")) == "ck_referral_intake_open"
    counted(session, window, "S2S-19-CCC3", Status.SUBMITTED)
    session.commit()
    assert refused(connection, sending.format("2019-05-20", window)) == "ck_referral_intake_quota"


@pytest.fixture
def two_at_once(host: Flask, database_url: str) -> Iterator[str]:
    """The test database, with one place left and two drafts in it: committed, and put back."""
    engine_url = database_url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(engine_url, autocommit=True) as one:
        one.execute("ALTER TABLE s2s.intake_window DISABLE TRIGGER USER")
        one.execute("UPDATE s2s.intake_window SET quota = 1 WHERE setting_kind = 'mainstream'")
        one.execute("ALTER TABLE s2s.intake_window ENABLE TRIGGER USER")
        one.execute(
            "INSERT INTO s2s.referral (reference, urn, status, version, created_at, created_by_id,"
            " created_by_name, answered, support) SELECT name, 900101, 'draft', 1, now(), 'a', 'A',"
            " '{}', '{}' FROM unnest(ARRAY['S2S-19-XXX2', 'S2S-19-XXX3']) AS name"
        )
        try:
            yield engine_url
        finally:
            ours = "SELECT id FROM s2s.referral WHERE reference LIKE 'S2S-19-XXX%'"
            for part in ("worklist_entry", "referral_clock"):
                one.execute(f"DELETE FROM s2s.{part} WHERE referral_id IN ({ours})")
            one.execute("DELETE FROM s2s.referral WHERE reference LIKE 'S2S-19-XXX%'")
            one.execute("ALTER TABLE s2s.intake_window DISABLE TRIGGER USER")
            one.execute("UPDATE s2s.intake_window SET quota = NULL")
            one.execute("ALTER TABLE s2s.intake_window ENABLE TRIGGER USER")


def test_two_schools_at_once_cannot_both_have_the_last_place(two_at_once: str) -> None:
    sent: list[str] = []
    both_in = threading.Barrier(2, timeout=20)

    def send(reference: str) -> None:
        with psycopg.connect(two_at_once) as connection:
            connection.execute("SELECT 1")
            both_in.wait()
            try:
                connection.execute(
                    "UPDATE s2s.referral SET status = 'submitted', submitted_at = now(),"
                    " terms_id = 1, fee_pence = 0, received_on = '2019-05-14',"
                    " intake_window_id = (SELECT id FROM s2s.intake_window"
                    " WHERE setting_kind = 'mainstream') WHERE reference = %s",
                    [reference],
                )
                connection.execute("SELECT pg_sleep(0.3)")  # the other one asks meanwhile
                connection.commit()
                sent.append(reference)
            except psycopg.errors.CheckViolation as error:
                assert error.diag.constraint_name == "ck_referral_intake_quota"

    threads = [threading.Thread(target=send, args=[f"S2S-19-XXX{n}"]) for n in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(sent) == 1


# Kept by the administrator -----------------------------------------------------------------------


def test_an_administrator_closes_one_early_and_adds_another(
    session: Session, client: Client, today: date
) -> None:
    client.sign_on("administrator")
    page = client.get("administration.intake_windows")
    assert page.words.count("Open-ended") == 2
    number = int(page.document.xpath("//a[contains(., 'mainstream')]/@href")[0].split("/")[-2])
    where = {"number": number}
    client.get("administration.close_intake", **where)
    form = {"closes": ["31", "5", "2019"], "reason": "A limit from June"}
    client.post("administration.close_intake", form, **where)
    page = client.post(
        "administration.intake_windows",
        {
            "kind": "mainstream",
            "opens": ["1", "6", "2019"],
            "closes": ["13", "12", "2019"],
            "quota": "85",
            "source": "MI Sheet 1/19",
        },
    )
    page = client.follow(page)
    assert "Closed early by Adi Administrator: A limit from June" in page.words
    assert "13 December 2019" in page.words
    assert "Not open yet" in page.words
    assert intake.standing(MAINSTREAM, date(2019, 6, 1)).quota == 85
    assert intake.standing(MAINSTREAM, date(2019, 5, 31)).quota is None
    audited = session.scalars(
        text("SELECT action FROM s2s.audit_entry WHERE entity = 'intake window' ORDER BY id")
    ).all()
    assert audited == ["closed early", "opened"]


def test_a_window_that_has_not_opened_can_be_called_off(
    session: Session, client: Client, today: date
) -> None:
    window = limited(5, date(2019, 6, 3), date(2019, 6, 30))
    with unit_of_work() as work:
        intake.close_window(work, window, closes=date(2019, 6, 2), reason="Typo", by=SYSTEM)
    assert next(iter(intake.windows())).state == "Called off"
    with unit_of_work() as work:
        intake.open_window(
            work, MAINSTREAM, opens=date(2019, 6, 3), closes=None, quota=6, source="x", by=SYSTEM
        )
    session.commit()
    assert (
        "Called off" in client.sign_on("administrator").get("administration.intake_windows").words
    )


GOOD = {"kind": "mainstream", "opens": ["1", "6", "2030"], "source": "MI Sheet 1/19"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kind": ""}, "Choose who can make requests"),
        ({"opens": ["", "", ""]}, "Enter the first day"),
        ({"opens": ["31", "6", "2019"]}, "First day must be a real date"),
        ({"opens": ["1", "5", "2019"]}, "The first day must be today or later"),
        ({"closes": ["1", "6", "2029"]}, "The last day must not be before the first"),
        ({"quota": "0"}, "must be a number from 1"),
        ({"quota": "-5"}, "must be a number from 1"),
        ({"quota": "many"}, "must be a number from 1"),
        ({"quota": "²"}, "must be a number from 1"),
        ({"quota": "9" * 5000}, "must be a number from 1"),
        ({"source": " "}, "Enter where this was decided"),
        ({}, "Another window for mainstream schools is open"),
    ],
)
def test_what_a_window_may_not_be(
    client: Client, session: Session, today: date, changes: dict[str, object], says: str
) -> None:
    client.sign_on("administrator")
    form = {**GOOD, "quota": "85", **changes}
    page = client.post("administration.intake_windows", form, status=422)
    assert says in page.errors[0]
    assert page.value("source") == str(form["source"]).strip()
    assert page.value("quota") == str(form["quota"])[:20]
    assert len(intake.windows()) == 2


@pytest.mark.parametrize(
    ("closes", "says"),
    [
        (["13", "5", "2019"], "must be 14 May 2019 or later"),
        (["", "", ""], "Enter the last day"),
        (["x", "5", "2019"], "must be a real date"),
    ],
)
def test_when_a_window_may_not_close(
    client: Client, session: Session, today: date, closes: list[str], says: str
) -> None:
    client.sign_on("administrator")
    form = {"closes": closes, "reason": "Because"}
    number = intake.windows()[0].window.id
    page = client.post("administration.close_intake", form, number=number, status=422)
    assert says in page.errors[0]
    assert page.value("reason") == "Because"


def test_a_window_cannot_be_moved_back(session: Session, today: date) -> None:
    window = limited(5, date(2019, 5, 10), date(2019, 6, 30))
    for closes in (date(2019, 6, 30), date(2019, 7, 1)):
        with pytest.raises(Refused, match="must be before 30 June"), unit_of_work() as work:
            intake.close_window(work, window, closes=closes, reason="x", by=SYSTEM)
    with pytest.raises(NotFound):
        intake.get(99_999)
    with pytest.raises(IntegrityError):
        session.execute(
            text(
                "INSERT INTO s2s.intake_closing (window_id, closes, at, by_id,"
                " by_name) VALUES (99999, now(), now(), 'a', 'A')"
            )
        )
