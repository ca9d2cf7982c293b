"""Two certified providers in a process, and the reference portal that is told to use them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.reference_portal import accounts, create_app
from s2s_portal.reference_portal.demonstration_schools import establishments
from s2s_portal.state import state
from tests import role_api
from tests.conftest import migrated_database
from tests.oidc.people import CODES
from tests.oidc.people import accounts as people
from tests.oidc.provider import Providers
from tests.oidc.traveller import PORTAL, Traveller


@pytest.fixture(scope="session")
def running() -> Iterator[Providers]:
    """The providers' process."""
    found = Providers(people(), PORTAL)
    yield found
    found.stop()


@pytest.fixture
def providers(running: Providers) -> Iterator[Providers]:
    """The providers, honest and with everybody's usual account."""
    yield running
    running.restore(people())


@pytest.fixture(scope="session")
def api() -> Iterator[role_api.RoleApi]:
    """The public API of DfE Sign-in, which tells role codes."""
    found = role_api.RoleApi()
    yield found
    found.stop()


@pytest.fixture(autouse=True)
def usual_roles(api: role_api.RoleApi) -> None:
    """Everybody has their usual roles at DfE Sign-in."""
    api.codes = dict(CODES)
    api.status, api.seconds_late = 200, 0.0


@pytest.fixture(scope="session")
def database(server_url: str, worker_id: str) -> Iterator[str]:
    """A migrated database with the invented schools and the portal's own tables."""
    name = f"s2s_oidc_{os.getpid()}_{worker_id}"
    url = migrated_database(server_url, name)
    engine = create_engine(url)
    engine.dispose()
    yield url
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    server.dispose()


@pytest.fixture(scope="session")
def config(
    running: Providers,
    api: role_api.RoleApi,
    database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What the portal is told."""
    return {
        "DATABASE_URL": database,
        "S2S_DATA_DIR": str(tmp_path_factory.mktemp("instance")),
        "TESTING": True,
        "S2S_DFE_API_URL": api.url,
        "S2S_DFE_API_SECRET": role_api.SECRET,
        "S2S_DFE_SERVICE_ID": role_api.SERVICE,
        "S2S_DFE_ROLES_CACHE_SECONDS": 0,
        **running.config("entra", "dfe"),
    }


@pytest.fixture(scope="session")
def filled(config: dict[str, Any]) -> Iterator[Flask]:
    """A portal whose tables are there, with schools in them."""
    app = create_app(config)
    with app.app_context():
        accounts.prepare()
        with acting_as(SYSTEM):
            session = state().session()
            session.add_all(establishments())
            session.commit()
    yield app
    with app.app_context():
        state().engine.dispose()
        accounts.db.engine.dispose()


@pytest.fixture
def portal(filled: Flask, config: dict[str, Any]) -> Iterator[Flask]:
    """A portal that has just started: it has asked no provider anything."""
    app = create_app(config)
    yield app
    with app.app_context():
        state().engine.dispose()
        accounts.db.engine.dispose()


@pytest.fixture
def visitor(portal: Flask, providers: Providers) -> Traveller:
    """Somebody at the portal, not signed on."""
    return Traveller(portal)
