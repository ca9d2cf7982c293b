"""`make run` on top of what an older release left behind brings it up to this one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from s2s_portal import migrations
from s2s_portal.reference_portal import __main__ as make_run
from s2s_portal.reference_portal import create_app, demonstration
from tests.conftest import fresh_database


@pytest.fixture
def older(server_url: str, worker_id: str) -> Iterator[Engine]:
    """A database as a release before the guards would have left it, with a row in it."""
    engine = create_engine(fresh_database(server_url, f"s2s_older_{worker_id}"))
    migrations.upgrade(engine, "0002")
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO s2s.audit_entry (at, by_id, by_name, action, entity, outcome)"
                " VALUES (now(), 'a', 'A', 'looked at', 'referral', 200)"
            )
        )
    yield engine
    engine.dispose()


def test_the_schema_is_brought_up_and_what_is_there_is_kept(
    older: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S2S_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", older.url.render_as_string(hide_password=False))
    # What an older instance holds already is not seeded again; here there is nothing to show.
    monkeypatch.setattr(demonstration, "seed", lambda _address: "")
    make_run._prepare(create_app(), 5000)
    assert migrations.current(older) == migrations.head()
    with older.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM s2s.audit_entry")) == 1
        assert connection.scalar(text("SELECT count(*) FROM public.portal_user")) == 13
