"""Our connections are our own: the host's are neither waited for nor disturbed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from s2s_portal.database import close_session, session, unit_of_work
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.terms import NeedType
from s2s_portal.state import state
from tests import world
from tests.client import Client
from tests.host import make_host

PLANNED_ONCE = "SELECT count(*) FROM pg_prepared_statements WHERE generic_plans > 1"


@pytest.fixture
def portal(database_url: str) -> Iterator[Flask]:
    """A host with one connection and no more."""
    options = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 1}
    yield make_host(database_url, dict(world.ACTORS), SQLALCHEMY_ENGINE_OPTIONS=options)
    # A look at the worklist is committed here: that the officer has come, and the audit of it.
    url = database_url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url, autocommit=True) as put_back:
        put_back.execute("SET session_replication_role = replica")  # past what never changes
        put_back.execute("DELETE FROM s2s.officer")
        put_back.execute("DELETE FROM s2s.audit_entry")


def test_a_host_that_holds_its_only_connection_does_not_hold_us_up(portal: Flask) -> None:
    with portal.app_context():
        hosts = portal.extensions["sqlalchemy"].engine
    with hosts.connect() as held:
        held.execute(text("SELECT 1"))
        Client(portal).sign_on("officer").get("triage.index")


def test_statements_are_planned_once_whatever_the_host_rolls_back(portal: Flask) -> None:
    """psycopg forgets what it has prepared on a connection at each ROLLBACK there."""
    client = Client(portal).sign_on("officer")
    with portal.app_context():
        hosts, ours = portal.extensions["sqlalchemy"].engine, state().engine
    for _ in range(8):
        client.get("triage.index")
        with hosts.connect() as connection:
            connection.execute(text("SELECT 1"))
            connection.rollback()
    with ours.connect() as connection:
        assert connection.scalar(text(PLANNED_ONCE)) >= 3


def test_closing_writes_nothing_that_no_unit_of_work_has_committed(portal: Flask) -> None:
    def labels() -> list[str]:
        return list(session().scalars(text("SELECT label FROM s2s.need_type ORDER BY code")))

    rest = {"broad_area": "", "position": 0, "valid_from": date(2019, 1, 1)}
    with portal.app_context(), acting_as(SYSTEM):
        before = labels()
        changed = session().get_one(NeedType, "SEMH")
        changed.label = "changed, and never flushed"
        close_session()
        session().add(NeedType(code="ZZ", label="added, flushed", **rest))
        session().flush()
        close_session()
        session().execute(text("INSERT INTO s2s.need_type VALUES ('ZY', 'sent', '', 0, now())"))
        close_session()
        assert labels() == before


def test_the_control_a_unit_of_work_does_write(session: Session) -> None:
    assert session.has_written is False  # type: ignore[attr-defined]
    with unit_of_work() as work:
        work.audited = True
        work.session.execute(text("UPDATE s2s.practitioner SET capacity = capacity"))
        assert session.has_written is True  # type: ignore[attr-defined]
    assert session.has_written is False  # type: ignore[attr-defined]
