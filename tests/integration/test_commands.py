"""`flask s2s ...`: status 0 only when all is well, and one line on standard error when not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from click.testing import Result
from flask import Flask

from s2s_portal import migrations
from tests import world
from tests.conftest import fresh_database
from tests.host import make_host


@pytest.fixture
def fresh(server_url: str, worker_id: str) -> Iterator[Flask]:
    """A host on an empty database of its own."""
    url = fresh_database(server_url, f"s2s_commands_{worker_id}")
    yield make_host(url, dict(world.ACTORS))


def run(app: Flask, *arguments: str) -> Result:
    """Run `flask s2s ...`."""
    return app.test_cli_runner().invoke(args=["s2s", *arguments])


def test_the_schema_goes_up_and_down(fresh: Flask) -> None:
    assert run(fresh, "db", "current").exit_code == 1
    up = run(fresh, "db", "upgrade")
    assert (up.exit_code, up.stdout) == (0, f"The schema is at {migrations.head()}.\n")
    assert run(fresh, "db", "current").exit_code == 0
    down = run(fresh, "db", "downgrade", "base", "--yes")
    assert (down.exit_code, down.stdout) == (0, "The schema is at base.\n")


def test_going_down_asks_first(fresh: Flask) -> None:
    run(fresh, "db", "upgrade")
    refused = run(fresh, "db", "downgrade", "base")
    assert refused.exit_code == 1
    assert run(fresh, "db", "current").exit_code == 0


def test_the_statements_are_printed(fresh: Flask) -> None:
    printed = run(fresh, "db", "sql")
    assert printed.exit_code == 0
    assert "CREATE POLICY referral_read" in printed.stdout


def test_routes_name_their_rule(fresh: Flask) -> None:
    lines = run(fresh, "routes").stdout.splitlines()
    assert any("/s2s/triage/<reference>/accept" in line and "officer" in line for line in lines)
    assert any("/s2s/health/live" in line and "public" in line for line in lines)


def test_a_pull_with_nothing_due_is_refused_in_one_line(fresh: Flask) -> None:
    run(fresh, "db", "upgrade")
    refused = run(fresh, "pull")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("s2s: ")
    assert refused.stderr.count("\n") == 1


def test_an_empty_ledger_verifies_and_readiness_says_so(fresh: Flask) -> None:
    run(fresh, "db", "upgrade")
    assert run(fresh, "ledger", "verify").exit_code == 0
    parts = fresh.test_client().get("/s2s/health/ready").get_json()["parts"]
    assert (parts["ledger"], parts["migrations"]) == ("ok", "ok")


def test_every_command_says_in_one_line_that_the_database_is_away() -> None:
    away = make_host(
        "postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=2", dict(world.ACTORS)
    )
    for arguments in (("db", "current"), ("ledger", "verify"), ("pull",), ("worker", "--once")):
        result = run(away, *arguments)
        assert result.exit_code == 1, arguments
        assert "Traceback" not in result.stderr, arguments
        assert result.stderr.strip().count("\n") == 0, (arguments, result.stderr)


def test_ready_before_the_schema_is_there(fresh: Flask) -> None:
    answer = fresh.test_client().get("/s2s/health/ready")
    assert answer.status_code == 503
    assert answer.get_json()["parts"]["migrations"].startswith("at nothing")
