"""The doctor: each part that can be wrong is made wrong here, and must be found."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.referral import Status
from s2s_portal.services import doctor, health
from s2s_portal.services.doctor import Finding
from tests import rows, world
from tests.host import make_host

WELL = {
    "status": "ok",
    "parts": {"database": "ok", "migrations": "ok", "worker": "ok", "ledger": "ok"},
}


def examined(what: str) -> Finding:
    """The finding about one part."""
    return next(finding for finding in doctor.examine() if finding.what == what)


def as_owner(connection: Connection, statement: str) -> None:
    """Run a statement with every right."""
    connection.execute(text("RESET ROLE"))
    connection.execute(text(statement))


@pytest.fixture(autouse=True)
def address(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that is set up fully."""
    monkeypatch.setitem(app.config, "S2S_EXTERNAL_URL", "https://portal.example")


def test_all_is_well(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ready", lambda: WELL)
    findings = doctor.examine()
    assert {finding.what for finding in findings if finding.state != "ok"} == {"virus scanner"}
    assert [finding.what for finding in findings] == [
        "mail",
        "access",
        "database",
        "schema",
        "role",
        "row-level security",
        "statuses",
        "virus scanner",
        "stored files",
        "size of files",
        "worker",
        "ledger",
    ]


def test_a_fresh_service_lacks_a_worker_and_a_verification(session: Session) -> None:
    warned = {found.what: found.says for found in doctor.examine() if found.state != "ok"}
    assert warned == {
        "worker": "It was never seen, so no mail goes. Run: flask s2s worker",
        "ledger": "It is not verified yet. Run: flask s2s ledger verify",
        "virus scanner": "S2S_CLAMD is not set, so schools cannot attach files. Set it to clamd's.",
    }


def test_a_broken_ledger_fails(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {**WELL["parts"], "ledger": "does not verify"}
    monkeypatch.setattr(health, "ready", lambda: {"parts": parts})
    assert examined("ledger").state == "fail"


def test_an_older_schema_fails_and_nothing_more_is_tried(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {"database": "ok", "migrations": "at 0001, this release needs 0004"}
    monkeypatch.setattr(health, "ready", lambda: {"parts": parts})
    last = doctor.examine()[-1]
    assert (last.state, last.what) == ("fail", "schema")
    assert "Run: flask s2s db upgrade" in last.says


def test_a_database_that_is_away() -> None:
    app = make_host("postgresql+psycopg://nobody@127.0.0.1:1/none", dict(world.ACTORS))
    with app.app_context(), acting_as(SYSTEM):
        found = examined("database")
    assert (found.state, "cannot be reached" in found.says) == ("fail", True)


def test_a_table_without_row_level_security_is_named(
    session: Session, connection: Connection
) -> None:
    as_owner(connection, "ALTER TABLE s2s.visit DISABLE ROW LEVEL SECURITY")
    found = examined("row-level security")
    assert found.state == "fail"
    assert "ALTER TABLE s2s.visit ENABLE ROW LEVEL SECURITY" in found.says


def test_a_policy_that_lets_everybody_in_is_found(session: Session, connection: Connection) -> None:
    rows.referral(session, "S2S-19-3334", status=Status.DRAFT)
    session.commit()
    assert examined("row-level security").state == "ok"
    as_owner(connection, "CREATE POLICY open ON s2s.referral FOR SELECT USING (true)")
    session.commit()
    found = examined("row-level security")
    assert found.says == "It lets somebody without a role see 1 referrals."


def test_a_role_that_passes_everything_by_is_found(
    session: Session, connection: Connection
) -> None:
    as_owner(connection, "ALTER ROLE s2s_app BYPASSRLS")
    session.commit()
    assert "NOBYPASSRLS" in examined("role").says


def test_a_status_that_its_history_does_not_lead_to(session: Session) -> None:
    rows.referral(session, "S2S-19-3334", status=Status.DRAFT)
    assert examined("statuses").state == "ok"
    rows.referral(session, "S2S-19-3336", status=Status.ACCEPTED)
    assert examined("statuses") == Finding(
        "fail",
        "statuses",
        "The stored status is not what the history says: S2S-19-3336.",
    )


def test_mail_without_a_sender(app: Flask, session: Session, monkeypatch) -> None:
    monkeypatch.setitem(app.config, "MAIL_DEFAULT_SENDER", None)
    assert examined("mail").state == "fail"


def test_the_command_prints_it_and_tells_by_its_status(
    app: Flask, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = app.test_cli_runner()
    good = runner.invoke(args=["s2s", "check"])
    assert good.exit_code == 0
    assert "warn  worker: It was never seen" in good.output
    monkeypatch.setitem(app.config, "MAIL_DEFAULT_SENDER", None)
    bad = runner.invoke(args=["s2s", "check"])
    assert bad.exit_code == 1
    assert "fail  mail: No sender" in bad.output
