"""The doctor on the service's own parts: each that can be wrong is made wrong, and is found."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import Connection, func, select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal import planning as planner
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.codes import Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.referral import Referral
from s2s_portal.services import doctor, health
from s2s_portal.services.doctor import Finding, guards, planning, server
from tests import rows, world
from tests.host import make_host

WELL = {"database": "ok", "migrations": "ok", "worker": "ok", "ledger": "ok"}
TABLE = Path(__file__).resolve().parents[2] / "docs" / "check.md"


def examined(part: str) -> list[tuple[str, str]]:
    """What is found about one part."""
    return [(found.state, found.says) for found in doctor.examine() if found.part == part]


def says(part: str) -> str:
    """All that is found about one part, in one line."""
    return "; ".join(f"{state} {words}" for state, words in examined(part))


def as_owner(session: Session, connection: Connection, *statements: str) -> None:
    """Run statements with every right, then begin a transaction of the service's own."""
    connection.execute(text("RESET ROLE"))
    for statement in statements:
        connection.execute(text(statement))
    session.commit()


@pytest.fixture(autouse=True)
def sound_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' PostgreSQL forgets on purpose; here it says that it does not."""
    usual = server.configured
    monkeypatch.setattr(
        server, "configured", lambda name: "on" if name in server.KEEPS else usual(name)
    )


def test_all_is_well(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ready", lambda: {"parts": WELL})
    findings = doctor.examine()
    wrong = [found.part for found in findings if found.state != "ok"]
    assert wrong == ["database login", "virus scanner"]
    assert [found.part for found in findings] == [
        "database",
        "schema",
        "database login",
        "durability",
        "clock",
        "role",
        "row-level security",
        "what never changes",
        "statuses",
        "marks of repeats",
        "virus scanner",
        "stored files",
        "size of files",
        "plans",
        "worker",
        "ledger",
    ]
    explained = TABLE.read_text(encoding="utf-8")
    assert [found.part for found in findings if f"| {found.part} |" not in explained] == []


def test_what_is_tried_leaves_nothing_behind(session: Session) -> None:
    def count() -> list[int]:
        return [
            session.scalar(select(func.count()).select_from(table)) or 0
            for table in (Referral, Establishment)
        ]

    before = count()
    assert says("row-level security").startswith("ok ")
    assert count() == before
    assert session.scalar(text("SELECT current_setting('s2s.roles')")) == "{system}"


def test_a_fresh_service_lacks_a_worker_and_a_verification(session: Session) -> None:
    assert examined("worker") == [
        ("warn", "It was never seen, so no mail goes. Run: flask s2s worker")
    ]
    assert examined("ledger") == [("warn", "It is not verified yet. Run: flask s2s ledger verify")]


def test_a_broken_ledger_fails(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {**WELL, "ledger": "does not verify"}
    monkeypatch.setattr(health, "ready", lambda: {"parts": parts})
    assert says("ledger").startswith("fail It does not verify")


# The server -------------------------------------------------------------------------------------


def test_an_older_schema_fails_and_nothing_more_is_tried(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {"database": "ok", "migrations": "at 0001, this release needs 0004"}
    monkeypatch.setattr(health, "ready", lambda: {"parts": parts})
    last = doctor.examine()[-1]
    assert (last.state, last.part) == ("fail", "schema")
    assert "Run: flask s2s db upgrade" in last.says


def test_a_database_that_is_away() -> None:
    app = make_host("postgresql+psycopg://nobody@127.0.0.1:1/none", dict(world.ACTORS))
    with app.app_context(), acting_as(SYSTEM):
        assert doctor.examine() == [
            Finding("fail", "database", "It cannot be reached: check the address and the server.")
        ]


def test_an_older_postgresql(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "configured", lambda name: "140011")
    assert says("database") == "fail PostgreSQL 14: 15 or later is needed."


@pytest.mark.parametrize("name", server.KEEPS)
def test_a_server_that_forgets(
    session: Session, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    usual = server.configured
    monkeypatch.setattr(
        server, "configured", lambda asked: "off" if asked == name else usual(asked)
    )
    assert f"fail {name} is off" in says("durability")


def test_the_settings_are_the_servers_own(session: Session, monkeypatch) -> None:
    monkeypatch.undo()
    assert "fail fsync is off" in says("durability")


def test_a_superusers_login_is_warned_of(session: Session) -> None:
    assert "warn s2s has every right" in says("database login")


def test_a_login_that_may_not_become_the_role(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "APPLICATION_ROLE", "s2s_no_such_role")
    assert "fail s2s may not become s2s_no_such_role" in says("database login")


def test_clocks_that_differ(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = server.ask
    ahead = datetime.now(UTC) + timedelta(minutes=5)
    monkeypatch.setattr(
        server,
        "ask",
        lambda statement, **values: (
            [ahead] if "clock_timestamp" in statement else usual(statement, **values)
        ),
    )
    assert "warn This machine and the database differ by" in says("clock")


def test_a_machine_that_does_not_know_summer_time(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "LONDON", ZoneInfo("Etc/UTC"))
    assert "fail Norfolk's summer time is not known here" in says("clock")


# The guards -------------------------------------------------------------------------------------


def test_a_table_without_row_level_security_is_named(
    session: Session, connection: Connection
) -> None:
    as_owner(session, connection, "ALTER TABLE s2s.visit DISABLE ROW LEVEL SECURITY")
    assert "ALTER TABLE s2s.visit ENABLE ROW LEVEL SECURITY" in says("row-level security")


@pytest.mark.parametrize(
    ("policy", "found"),
    [
        ("USING (true)", "somebody without a role see a referral that is not theirs: referral"),
        ("USING (s2s.acts_as('school_referrer'))", "another school see a referral"),
        ("USING (s2s.acts_as('practitioner'))", "a practitioner who does not have it see"),
        ("USING (s2s.acts_as('provider_lead'))", "the lead of another Complex Needs School see"),
        ("USING (s2s.acts_as('finance'))", "Finance see a referral"),
        ("USING (s2s.acts_as('finance_approver'))", "an approver of Finance see a referral"),
        ("USING (s2s.acts_as('manager'))", "a programme manager see a referral"),
        ("USING (s2s.acts_as('auditor'))", "an auditor see a referral"),
        ("USING (s2s.acts_as('administrator'))", "an administrator see a referral"),
    ],
)
def test_a_policy_that_lets_a_stranger_in_is_found_on_an_empty_service(
    session: Session, connection: Connection, policy: str, found: str
) -> None:
    as_owner(session, connection, f"CREATE POLICY open ON s2s.referral FOR SELECT {policy}")
    assert f"fail It lets {found}" in says("row-level security")


@pytest.mark.parametrize("table", guards.OF_A_REFERRAL)
def test_a_part_of_a_referral_that_finance_can_read_is_found(
    session: Session, connection: Connection, table: str
) -> None:
    as_owner(
        session,
        connection,
        f"CREATE POLICY open ON s2s.{table} FOR SELECT USING (s2s.acts_as('finance'))",
    )
    assert f"fail It lets Finance see a referral that is not theirs: {table}." in says(
        "row-level security"
    )


def test_a_rule_that_hides_from_a_school_what_is_its_own(
    session: Session, connection: Connection
) -> None:
    as_owner(session, connection, "DROP POLICY referral_subject_read ON s2s.referral_subject")
    assert says("row-level security") == "fail It hides from a school its own referral_subject."


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("ALTER ROLE s2s_app BYPASSRLS", "NOBYPASSRLS"),
        ("GRANT CREATE ON SCHEMA s2s TO s2s_app", "REVOKE CREATE ON SCHEMA s2s FROM s2s_app"),
    ],
)
def test_a_role_that_may_too_much(
    session: Session, connection: Connection, statement: str, found: str
) -> None:
    assert says("role").startswith("ok ")
    as_owner(session, connection, statement)
    assert found in says("role")


def test_transactions_without_the_role(
    session: Session, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "APPLICATION_ROLE", "another")
    assert says("role") == "fail Transactions run as s2s_app, not as another."


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (f"GRANT {right} ON s2s.{table} TO s2s_app", f"s2s_app may {right} {table}")
        for right, table in guards.TRIED
    ]
    + [
        (f"GRANT DELETE ON s2s.{table} TO s2s_app", f"s2s_app may change {table}")
        for table in ("pull", "referral_event", "record_document")
    ]
    + [
        ("GRANT TRUNCATE ON s2s.fee_rule TO s2s_app", "s2s_app may change fee_rule"),
        (
            "ALTER TABLE s2s.audit_entry DISABLE TRIGGER append_only",
            "Triggers are off or gone: audit_entry (append_only)",
        ),
        ("DROP TRIGGER no_truncate ON s2s.posting", "Triggers are off or gone: posting (no_tr"),
    ],
)
def test_what_never_changes_and_could_is_found(
    session: Session, connection: Connection, statement: str, found: str
) -> None:
    as_owner(session, connection, statement)
    assert f"fail {found}" in says("what never changes")


def test_the_list_of_what_never_changes_is_the_databases_own(
    session: Session, connection: Connection
) -> None:
    connection.execute(text("RESET ROLE"))
    guarded = connection.scalars(
        text("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'append_only'")
    )
    names = sorted(re.sub(r"^s2s\.", "", name) for name in guarded)
    assert names == sorted(guards.NEVER_CHANGED)


# The records ------------------------------------------------------------------------------------


def test_a_status_that_its_history_does_not_lead_to(session: Session) -> None:
    rows.referral(session, "S2S-19-3334", status=Status.DRAFT)
    assert says("statuses").startswith("ok ")
    rows.referral(session, "S2S-19-3336", status=Status.ACCEPTED)
    assert examined("statuses") == [
        ("fail", "The stored status is not what the history says: S2S-19-3336.")
    ]


# The command ------------------------------------------------------------------------------------


def test_the_command_prints_it_and_tells_by_its_status(
    app: Flask, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = app.test_cli_runner()
    good = runner.invoke(args=["s2s", "check"])
    assert good.exit_code == 0, good.output
    assert "warn  worker: It was never seen" in good.output
    monkeypatch.setitem(app.config, "MAIL_DEFAULT_SENDER", None)
    bad = runner.invoke(args=["s2s", "check"])
    assert bad.exit_code == 1
    assert "fail  mail: No sender" in bad.output


def test_plans_are_well_without_the_extra_and_wrong_when_they_are_not_the_best(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> list[tuple[str, str]]:
        return [(one.state, one.says) for look in planning.LOOKS for one in look.findings()]

    assert found() == [("ok", "A plan for the worklist can be made.")]
    monkeypatch.setattr(planner, "make", lambda *_: planner.Plan(chosen={1: 1}, by_hand={}))
    assert found()[0][0] == "fail"
    monkeypatch.setattr(planner, "find_spec", lambda name: None)
    assert found() == [("ok", planning.WITHOUT)]
