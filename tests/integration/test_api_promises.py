"""What the API's document promises is what the API does: schemathesis, against the real app.

It makes requests of its own from the document, good and bad, and checks each answer against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from contextvars import Context
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.claims import bearer
from s2s_portal.database import UnitOfWork
from s2s_portal.state import state
from tests import fees
from tests.integration.test_api import SETTINGS
from tests.token_server import KeyServer, token
from tests.world import ACADEMY

EXAMPLES = 12  # requests of each kind for each operation
# Text that is not a response file is refused though it is text, and OpenAPI cannot say CSV.
NOT_ALL_TEXT = "respond"
THERE = {"number": 1, "name": "s2s-pull-0001-ledger.csv", "urn": ACADEMY}


class Outside:
    """The app as a server has it: outside the app context and the actor of the test."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        instant = clock.now()

        def ask() -> list[bytes]:
            with clock.frozen(instant) if instant else nullcontext():
                return list(self.app.wsgi_app(environ, start))

        return Context().run(ask)


@pytest.fixture
def promises(
    app: Flask, session: Session, may_2019: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """The document, fetched from the app, which has a pull and something due."""
    server = KeyServer()
    for name, value in (SETTINGS | {"S2S_API_KEYS": server.url, "SERVER_NAME": None}).items():
        monkeypatch.setitem(app.config, name, value)
    monkeypatch.setattr(state(), "bearer", bearer.actor)
    app.extensions.pop(bearer.EXTENSION, None)
    work = UnitOfWork(session)
    for position in range(3):
        fees.charge_alone(work, position, urn=ACADEMY)
        fees.pulled(session, str(position))
    fees.charge_alone(work, 3)
    session.commit()
    yield schemathesis.openapi.from_wsgi("/s2s/api/v1/openapi.json", Outside(app))
    app.extensions.pop(bearer.EXTENSION, None)
    server.stop()


POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE


def test_schemathesis_finds_no_fault(promises: Any) -> None:
    statuses: dict[str, set[int]] = {}
    for result in promises.get_all_operations():
        operation = result.ok()
        name = operation.definition.raw["operationId"]
        statuses[name] = attempt(operation, POSITIVE, real=True)
        statuses[name] |= attempt(operation, POSITIVE)
        if name != "openapi":  # it takes nothing, so nothing can be wrong with what it is given
            statuses[name] |= attempt(operation, NEGATIVE)
    # Each was really reached and really refused, or nothing has been shown.
    reached = {name for name, found in statuses.items() if found & {200, 201}}
    assert reached == statuses.keys() - {NOT_ALL_TEXT}
    assert {name for name, found in statuses.items() if found & {400, 404, 405, 415, 422}} == (
        statuses.keys() - {"openapi"}
    )


def attempt(operation: Any, mode: Any, *, real: bool = False) -> set[int]:
    """Make requests of an operation and check each answer; the statuses that came. With `real`
    they are about a pull, a file and a school that are there."""
    found: set[int] = set()
    headers = {"Authorization": f"Bearer {token()}"}
    excluded = (
        [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")]
        if operation.definition.raw["operationId"] == NOT_ALL_TEXT
        else []
    )

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        if real:
            case.path_parameters = {name: THERE[name] for name in case.path_parameters or {}}
        response = case.call(headers=headers)
        found.add(response.status_code)
        case.validate_response(response, headers=headers, excluded_checks=excluded)

    one()
    return found
