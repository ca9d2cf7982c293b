"""The rights that the README asks a DBA for are enough, and no more are used."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError

from s2s_portal import migrations
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.services import doctor
from tests import world
from tests.client import Client
from tests.conftest import fresh_database
from tests.host import make_host

LOGIN = "s2s_plain_login"


@pytest.fixture
def plain_url(server_url: str, worker_id: str) -> Iterator[str]:
    """A database and a login that a DBA has given exactly what the README says."""
    login = f"{LOGIN}_{worker_id}"
    name = f"s2s_rights_{worker_id}"
    url = fresh_database(server_url, name)
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as dba:
        if not dba.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = 's2s_app'")):
            dba.execute(text("CREATE ROLE s2s_app NOLOGIN"))
        dba.execute(text(f"DROP ROLE IF EXISTS {login}"))
        dba.execute(text(f"CREATE ROLE {login} LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB"))
        dba.execute(text(f"GRANT s2s_app TO {login}"))
        dba.execute(text(f"GRANT CREATE ON DATABASE {name} TO {login}"))
    yield make_url(url).set(username=login).render_as_string(hide_password=False)
    with engine.connect() as dba:
        dba.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = :login"),
            {"login": login},
        )
        dba.execute(text(f"DROP OWNED BY {login} CASCADE"))
        dba.execute(text(f"DROP ROLE {login}"))
    engine.dispose()


def test_a_plain_login_makes_the_schema_and_serves_pages(plain_url: str) -> None:
    migrations.upgrade(create_engine(plain_url))
    app = make_host(plain_url, dict(world.ACTORS))
    for key in ("senco", "officer", "finance", "manager", "auditor", "administrator"):
        Client(app).sign_on(key).get("home.index")
    assert Client(app).get("home.ready", status=200)
    migrations.downgrade(create_engine(plain_url), "base")


def test_while_serving_it_owns_nothing_and_may_not_make_anything(plain_url: str) -> None:
    engine = create_engine(plain_url)
    migrations.upgrade(engine)
    with engine.connect() as connection:
        for refused in (
            "CREATE TABLE s2s.mine (x int)",
            "ALTER TABLE s2s.referral DISABLE ROW LEVEL SECURITY",
            "DROP POLICY referral_read ON s2s.referral",
            "DELETE FROM s2s.referral",
            "UPDATE s2s.ledger_entry SET amount_pence = 1",
            "DELETE FROM s2s.audit_entry",
            "TRUNCATE s2s.posting",
            "COPY s2s.referral TO PROGRAM 'cat'",
        ):
            connection.execute(text("SET LOCAL ROLE s2s_app"))
            with pytest.raises(ProgrammingError, match=r"denied|must be owner"):
                connection.execute(text(refused))
            connection.rollback()
    engine.dispose()


def test_the_doctor_is_content_with_a_plain_login(plain_url: str) -> None:
    migrations.upgrade(create_engine(plain_url))
    app = make_host(plain_url, dict(world.ACTORS))
    with app.app_context(), acting_as(SYSTEM):
        found = {finding.part: finding.state for finding in doctor.examine()}
    for part in ("database login", "role", "row-level security", "what never changes"):
        assert found[part] == "ok", part
