"""Asking DfE Sign-in for role codes: the bearer, what is remembered, and doing without the API."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from s2s_portal import SignOnRefused
from s2s_portal.claims import configuration, dfe, dfe_roles
from s2s_portal.claims.dfe_roles import PublicApi
from s2s_portal.errors import NotMounted
from s2s_portal.state import state
from tests.role_api import CLIENT, SECRET, SERVICE, RoleApi

FRESH, STALE = 60, 3600


@pytest.fixture
def api() -> Iterator[RoleApi]:
    """The API with one person in it."""
    server = RoleApi()
    server.codes["U1", "O1"] = ["S2S_SENCO", "S2S_HEAD"]
    yield server
    server.stop()


class Ticks:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    """The client's clock."""
    return Ticks()


def client(api: RoleApi, ticks: Ticks, **changes: Any) -> PublicApi:
    """A client of `api`."""
    asked = {
        "secret": SECRET,
        "client_id": CLIENT,
        "service_id": SERVICE,
        "timeout": 2,
        "fresh": FRESH,
        "stale": STALE,
        "ticks": ticks,
    } | changes
    return PublicApi(api.url, **asked)


def refused(ask: PublicApi, user: str = "U1") -> bool:
    """Whether a question ends in the sentence for an API that is away."""
    try:
        ask(user, "O1")
    except SignOnRefused as error:
        assert (error.code, error.status) == ("roles-unknown", 503)
        assert "Try again in a few minutes" in str(error)
        return True
    return False


pytestmark = pytest.mark.usefixtures("app")


def test_the_bearer_is_what_dfe_sign_in_asks_for(api: RoleApi, ticks: Ticks) -> None:
    assert client(api, ticks)("U1", "O1") == {"S2S_SENCO", "S2S_HEAD"}
    assert api.asked == [f"/services/{SERVICE}/organisations/O1/users/U1"]


@pytest.mark.parametrize(
    "wrong",
    [{"secret": "another-api-secret-for-tests-0002"}, {"client_id": "Somebody"}],
    ids=["secret", "client"],
)
def test_a_bearer_that_is_not_ours_gets_nothing(
    api: RoleApi, ticks: Ticks, wrong: dict[str, str]
) -> None:
    """Holds the server of this test to account too: it must refuse."""
    assert refused(client(api, ticks, **wrong))


def test_no_access_is_no_role(api: RoleApi, ticks: Ticks) -> None:
    assert client(api, ticks)("U2", "O1") == frozenset()
    assert client(api, ticks, service_id="another")("U1", "O1") == frozenset()


def test_only_active_roles_with_a_code_count(api: RoleApi, ticks: Ticks) -> None:
    api.codes["U1", "O1"] = [
        {"code": "S2S_LEAD", "status": {"id": "1"}},
        {"code": "S2S_SENCO", "status": {"id": 0}},
        {"code": "S2S_HEAD", "status": {"id": None}},
        {"code": "S2S_PRACTITIONER"},
        {"code": None},
        {"code": ["S2S_HEAD"]},
        {},
    ]
    assert client(api, ticks)("U1", "O1") == {"S2S_LEAD", "S2S_PRACTITIONER"}


def test_an_identifier_cannot_lead_elsewhere(api: RoleApi, ticks: Ticks) -> None:
    client(api, ticks)("a/../../b?x=1#y", "O%2F1")
    assert api.asked == [
        f"/services/{SERVICE}/organisations/O%252F1/users/a%2F..%2F..%2Fb%3Fx%3D1%23y"
    ]


def test_an_answer_is_used_until_it_is_no_longer_fresh(api: RoleApi, ticks: Ticks) -> None:
    ask = client(api, ticks)
    ask("U1", "O1")
    api.codes["U1", "O1"] = []
    ticks.now += FRESH - 1
    assert ask("U1", "O1") == {"S2S_SENCO", "S2S_HEAD"}
    assert len(api.asked) == 1
    ticks.now += 1
    assert ask("U1", "O1") == frozenset()
    assert len(api.asked) == 2


def test_each_person_and_organisation_apart(api: RoleApi, ticks: Ticks) -> None:
    ask = client(api, ticks)
    api.codes["U1", "O2"] = ["S2S_LEAD"]
    api.codes["U2", "O1"] = ["S2S_PRACTITIONER"]
    found = [ask(*key) for key in [("U1", "O1"), ("U1", "O2"), ("U2", "O1"), ("U1", "O1")]]
    assert found == [
        {"S2S_SENCO", "S2S_HEAD"},
        {"S2S_LEAD"},
        {"S2S_PRACTITIONER"},
        {"S2S_SENCO", "S2S_HEAD"},
    ]
    assert len(api.asked) == 3


def test_what_is_remembered_is_bounded(
    api: RoleApi, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dfe_roles, "REMEMBERED", 2)
    ask = client(api, ticks)
    for user in ("U1", "U2", "U3", "U1"):
        ask(user, "O1")
    assert len(api.asked) == 4


MOODS: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "503": {"status": 503},
    "400": {"status": 400},
    "403": {"status": 403},
    "redirect": {"status": 302},
    "not JSON": {"body": b"<html>We are sorry</html>"},
    "JSON of another kind": {"body": b"[]"},
    "without roles": {"body": b'{"userId": "U1"}'},
    "roles of another kind": {"body": b'{"roles": "S2S_SENCO"}'},
    "deeper than any parser": {"body": b"[" * 100_000},
    "not text": {"body": b"\xff\xfe\x00"},
}


@pytest.mark.parametrize("mood", MOODS.values(), ids=MOODS)
def test_while_the_api_fails_the_last_answer_holds_for_a_stated_time(
    api: RoleApi, ticks: Ticks, mood: dict[str, Any]
) -> None:
    ask = client(api, ticks)
    ask("U1", "O1")
    for name, value in mood.items():
        setattr(api, name, value)
    ticks.now += STALE - 1
    assert ask("U1", "O1") == {"S2S_SENCO", "S2S_HEAD"}
    assert refused(ask, "U2")
    ticks.now += 1
    assert refused(ask)


def test_an_api_that_is_gone_and_comes_back(api: RoleApi, ticks: Ticks) -> None:
    ask = client(api, ticks)
    ask("U1", "O1")
    ticks.now += FRESH
    url, api.url = api.url, ""
    api.stop()
    assert ask("U1", "O1") == {"S2S_SENCO", "S2S_HEAD"}
    assert refused(ask, "U2")
    back = RoleApi()
    ask._service = ask._service.replace(url, back.url)
    back.codes["U1", "O1"] = []
    assert ask("U1", "O1") == {"S2S_SENCO", "S2S_HEAD"}, "it has just failed: not asked again yet"
    ticks.now += dfe_roles.PAUSE
    assert ask("U1", "O1") == frozenset()
    back.stop()


def test_a_slow_api_is_waited_for_once_not_by_everybody(api: RoleApi, ticks: Ticks) -> None:
    api.seconds_late = 5
    ask = client(api, ticks, timeout=0.3)
    begun = time.monotonic()
    assert refused(ask)
    assert all(refused(ask, f"U{number}") for number in range(20))
    assert len(api.asked) == 1
    assert time.monotonic() - begun < 2, "0.3 seconds for the first, nothing for the others"


def test_threads_share_what_is_remembered(api: RoleApi, ticks: Ticks) -> None:
    ask = client(api, ticks)
    ask("U1", "O1")
    found: list[frozenset[str]] = []
    threads = [
        threading.Thread(target=lambda: found.append(ask("U1", "O1"))) for _number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{"S2S_SENCO", "S2S_HEAD"}] * 8
    assert len(api.asked) == 1


SET = {
    "S2S_DFE_API_SECRET": SECRET,
    "S2S_DFE_CLIENT_ID": CLIENT,
    "S2S_DFE_SERVICE_ID": SERVICE,
}


def test_the_client_is_made_from_the_settings_once(
    app: Flask, api: RoleApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SignOnRefused) as caught:
        dfe.public_api()
    assert caught.value.code == "roles-not-configured"
    for name, value in {**SET, "S2S_DFE_API_URL": f"{api.url}/"}.items():
        monkeypatch.setitem(state().config, name, value)
    try:
        assert dfe.public_api()("U1", "O1") == {"S2S_SENCO", "S2S_HEAD"}
        assert dfe.public_api() is dfe.public_api()
    finally:
        del app.extensions[dfe_roles.EXTENSION]


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://api.signin.education.gov.uk", True),
        ("http://127.0.0.1:9", True),
        ("http://api.signin.education.gov.uk", False),
        ("api.signin.education.gov.uk", False),
    ],
)
def test_questions_about_people_go_encrypted(app: Flask, url: str, fine: bool) -> None:
    config = dict(app.config) | SET | {"S2S_DFE_API_URL": url}
    if fine:
        configuration.check(config)
    else:
        with pytest.raises(NotMounted, match="https"):
            configuration.check(config)


def test_a_missing_library_is_named_with_what_to_install(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configuration, "NEEDED", ("requests", "no_such_library"))
    configuration.check(app.config)  # a host without DfE Sign-in needs none of them
    with pytest.raises(NotMounted, match=r"no_such_library is not.*s2s-portal\[sign-on\]"):
        configuration.check(dict(app.config) | SET)
