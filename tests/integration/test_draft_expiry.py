"""A draft that nobody saves: a week of notice, then the end, never in a holiday; what is left."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, inspect, select, text
from sqlalchemy.orm import Session

from s2s_portal import access, clock
from s2s_portal.database import Base, unit_of_work
from s2s_portal.errors import Stale
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.referral import Referral
from s2s_portal.services import drafting, drafts, notices, referrals, standing
from tests import answers, rows, world
from tests.client import Client

BEGUN = date(2019, 9, 10)
REMINDED = BEGUN + timedelta(days=83)  # Monday 2 December
GONE = BEGUN + timedelta(days=90)  # Monday 9 December
CANARY = "Canary-Ólafsdóttir"


@pytest.fixture
def reference(client: Client, session: Session) -> str:
    """A draft with every section filled in, last saved on 10 September 2019."""
    with clock.frozen(BEGUN):
        made = answers.complete(client.sign_on("senco"), schooling={"year_group": "4"})
    session.commit()
    return made


def run(session: Session, day: date) -> tuple[int, int]:
    session.commit()
    with clock.frozen(day):
        done = drafts.upkeep()
    session.expire_all()
    return done.reminded, done.expired


def jobs(session: Session) -> list[dict[str, Any]]:
    """The arguments of each notice of the end that waits to be sent."""
    return list(
        session.scalars(
            text(
                "SELECT args FROM s2s.procrastinate_jobs"
                " WHERE args->>'notice' = 'draft_expires' ORDER BY id"
            )
        )
    )


def test_a_week_s_notice_then_the_end(session: Session, reference: str) -> None:
    assert run(session, REMINDED - timedelta(days=1)) == (0, 0)
    assert run(session, REMINDED) == (1, 0)
    assert run(session, REMINDED) == (0, 0), "a second run does nothing more"
    assert run(session, GONE - timedelta(days=1)) == (0, 0)
    assert run(session, GONE) == (0, 1)
    assert run(session, GONE) == (0, 0)
    referral = referrals.get(reference, whole=True)
    assert referral.status is Status.EXPIRED
    assert referral.events[-1].action is Action.EXPIRED
    assert referrals.derived_status(referral.events) is Status.EXPIRED
    assert len(jobs(session)) == 1


def test_nothing_of_a_child_is_left(session: Session, reference: str) -> None:
    """Every text column of every table of ours is searched for what was typed."""
    run(session, REMINDED)
    run(session, GONE)
    session.execute(text("RESET ROLE"))
    typed = [CANARY, "Zosia", "H801200001001", "calm corner", "carpet time", "is <b>hard</b>"]
    for table in inspect(session.connection()).get_table_names(schema="s2s"):
        if table.startswith("procrastinate"):
            continue
        found = session.scalar(
            text(f"SELECT string_agg(t::text, '|') FROM s2s.{table} AS t")  # every row as text
        )
        for words in typed:
            assert words not in (found or ""), (table, words)
    assert session.scalar(select(func.count()).where(Referral.reference == reference)), (
        "that there was a draft stays known"
    )


def test_every_table_and_column_is_either_forgotten_or_kept() -> None:
    """Who adds a part to the form must say here what becomes of it."""
    hanging = {
        table.name
        for table in Base.metadata.tables.values()
        for key in table.foreign_keys
        if key.column.table is Referral.__table__
    }
    forgotten = {part.__tablename__ for part in drafts.FORGOTTEN}
    assert hanging == forgotten | drafts.KEPT_TABLES
    kept = (
        "id reference urn status kind version form_version created_at created_by_id"
        " created_by_name start_token"
        " saved_on reminded_on expires_on submit_token submitted_at received_on school_name"
        " terms_id fee_pence fee_verdict intake_window_id closure due_on withdrawal"
        " answer_by answer_reminded_on held_until copied_from_id body body_rule_id"
    )
    columns = {column.name for column in Referral.__table__.columns}
    assert columns == set(kept.split()) | drafts.BLANKED.keys()


def test_saving_puts_the_end_off(client: Client, session: Session, reference: str) -> None:
    run(session, REMINDED)
    with clock.frozen(GONE - timedelta(days=1)):
        page = client.sign_on("senco").get("referrals.show", reference=reference)
        assert "This draft will be deleted on 9 December 2019" in page.words
        answers.save(client, reference, "practicalities", preferred_days="Mondays")
        page = client.get("referrals.show", reference=reference)
        assert "We keep this draft until 7 March 2020 at least" in page.words
    assert run(session, GONE) == (0, 0)
    assert run(session, GONE + timedelta(days=80)) == (0, 0)
    assert referrals.get(reference).status is Status.DRAFT


@pytest.mark.parametrize(
    ("begun", "reminded", "gone"),
    [
        # 83 and 90 days on are 21 and 28 October: half-term, then a day of term.
        (date(2019, 7, 30), date(2019, 10, 28), date(2019, 11, 4)),
        # The notice in term, the end in the Christmas holiday.
        (date(2019, 9, 25), date(2019, 12, 17), date(2020, 1, 6)),
        # All of it in the summer holiday.
        (date(2019, 5, 14), date(2019, 9, 4), date(2019, 9, 11)),
    ],
)
def test_neither_falls_in_a_holiday(
    session: Session, begun: date, reminded: date, gone: date
) -> None:
    with clock.frozen(begun):
        rows.referral(session, "S2S-19-CCC2", status=Status.DRAFT)
        session.commit()
    seen: dict[str, date] = {}
    for days in range(75, 130):
        day = begun + timedelta(days=days)
        before, after = run(session, day)
        seen |= {"reminded": day} if before else {}
        seen |= {"gone": day} if after else {}
    assert seen == {"reminded": reminded, "gone": gone}


def test_after_months_without_a_worker_there_is_still_a_week(
    session: Session, reference: str
) -> None:
    late = date(2020, 6, 1)
    assert run(session, late) == (1, 0)
    for days in range(1, 7):
        assert run(session, late + timedelta(days=days)) == (0, 0), days
    assert run(session, late + timedelta(days=7)) == (0, 1)


def test_both_are_told_once_each_and_not_a_word_of_a_child(
    app: Flask, client: Client, session: Session
) -> None:
    with clock.frozen(BEGUN):
        reference = answers.start(client.sign_on("senco"))
        answers.save(client, reference, "school", contact_email="head@school.example")
        answers.save(client, reference, "subject")
    run(session, REMINDED)
    told = jobs(session)
    assert {job["address"] for job in told} == {"head@school.example", "senco@school.example"}
    assert {job["day"] for job in told} == {"9 December 2019"}
    assert all(job["link"].endswith(f"/s2s/referrals/{reference}/") for job in told)
    assert CANARY not in str(told)
    mail = app.extensions["mail"]
    with mail.record_messages() as outbox:
        notices.send(**told[0])
    assert outbox[0].subject == f"Draft referral {reference} will soon be deleted"
    assert "deleted on 9 December 2019" in outbox[0].body
    assert "What to do next" in outbox[0].body
    assert CANARY not in outbox[0].body


def test_sent_and_returned_referrals_are_left_alone(session: Session) -> None:
    with clock.frozen(BEGUN):
        for number, status in enumerate((Status.SUBMITTED, Status.RETURNED, Status.CLOSED), 2):
            rows.referral(session, f"S2S-19-CCC{number}", status=status)
        session.commit()
    assert run(session, date(2020, 6, 1)) == (0, 0)
    assert run(session, date(2020, 6, 22)) == (0, 0)


def test_the_school_reads_what_became_of_it(
    client: Client, session: Session, reference: str
) -> None:
    run(session, REMINDED)
    run(session, GONE)
    client.sign_on("head")
    with clock.frozen(GONE):
        page = client.get("referrals.index")
        assert standing.words(Status.EXPIRED) in page.words
        assert "Deleted" in page.words
        page = client.get("referrals.show", reference=reference)
        assert page.h1 == f"Draft {reference} has expired"
        assert "has been deleted" in page.words
        assert page.document.xpath("//a[contains(@href, '/referrals/start')]")
        for endpoint in ("check", "submitted"):
            assert client.get(f"referrals.{endpoint}", reference=reference, status=302)
        page = client.get("referrals.section", reference=reference, section="needs", status=302)
        assert page.location.endswith(f"/{reference}/")
        client.post("referrals.submit", {"token": "t" * 24}, reference=reference)
    with pytest.raises(Stale, match="deleted"), unit_of_work():
        drafting.in_hand(reference, by=world.ACTORS["senco"])
    client.sign_on("officer").get("triage.show", reference=reference, status=404)
    session.commit()
    assert referrals.get(reference).status is Status.EXPIRED


def test_what_is_typed_when_a_draft_has_just_gone_comes_back(
    client: Client, session: Session, reference: str
) -> None:
    with clock.frozen(REMINDED):
        client.sign_on("senco")
        mark = answers.seen(client, reference, "outcomes")
    run(session, REMINDED)
    run(session, GONE)
    with clock.frozen(GONE):
        page = client.post(
            "referrals.section",
            {"outcome_1": "Asks for help", "baseline_1": "2", **mark},
            reference=reference,
            section="outcomes",
            status=422,
        )
        assert "was not sent in time" in page.errors[0]
        assert page.value("outcome_1") == "Asks for help"


def test_the_command(app: Flask, session: Session, reference: str) -> None:
    session.commit()
    with clock.frozen(REMINDED):
        done = app.test_cli_runner().invoke(args=["s2s", "keep-drafts"])
    assert (done.exit_code, done.output) == (0, "Drafts: 1 reminded of, 0 expired.\n")


def test_fewer_days_by_setting(
    app: Flask, session: Session, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "S2S_DRAFT_DAYS", 30)
    assert run(session, BEGUN + timedelta(days=23)) == (1, 0)
    monkeypatch.setitem(app.config, "S2S_DRAFT_DAYS", 1)  # a week is the least there can be
    assert run(session, BEGUN + timedelta(days=24)) == (0, 0)


@pytest.mark.parametrize("status", [Status.DRAFT, Status.EXPIRED])
def test_what_was_never_sent_is_the_school_s_alone(status: Status) -> None:
    """The rule in the code; row-level security says the same behind it."""
    referral = Referral(urn=world.SCHOOL, status=status)
    seen = {key for key, actor in world.ACTORS.items() if access.may_see(actor, referral, None)}
    assert seen == {"senco", "head"}
