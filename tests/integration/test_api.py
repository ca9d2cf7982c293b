"""The API of other systems: what it answers, and to whom; a browser's sign-on opens nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from contextvars import Context
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_wtf import CSRFProtect
from joserfc.jwk import OctKey
from openapi_spec_validator import validate
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from s2s_portal import clock
from s2s_portal.blueprints.api import document
from s2s_portal.claims import bearer
from s2s_portal.database import UnitOfWork
from s2s_portal.errors import NotMounted
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.finance_files import ApiUse, PullDownload
from s2s_portal.models.ledger import Pull
from s2s_portal.services import pull_downloads, pulls
from s2s_portal.state import state
from tests import fees, token_server
from tests.host import make_host
from tests.integration.test_access import methods, ours
from tests.token_server import AUDIENCE, CLIENT, EC, ISSUER, OTHER, RSA, KeyServer, token
from tests.world import ACADEMY, ACTORS, SCHOOL

SETTINGS: dict[str, Any] = {
    "S2S_API_ISSUER": ISSUER,
    "S2S_API_AUDIENCE": AUDIENCE,
    "S2S_API_CLIENTS": {CLIENT: "Finance’s system", "other": "Another"},
    "S2S_API_REQUESTS_A_MINUTE": 1_000_000,
    "S2S_DOWNLOADS_A_MINUTE": 1_000_000,
}
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def server() -> Iterator[KeyServer]:
    """The key server of the council's identity provider."""
    made = KeyServer()
    yield made
    made.stop()


def outside(ask: Callable[[], TestResponse]) -> TestResponse:
    """Make a request as a server would: outside the app context and the actor of the test."""
    instant = clock.now() if clock.is_frozen() else None

    def then() -> TestResponse:
        with clock.frozen(instant) if instant else nullcontext():
            return ask()

    return Context().run(then)


class Api:
    """Another system: no cookies, a token."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.token: str | None = token()

    def __call__(self, method: str, path: str, status: int = 200, **more: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token is not None else {}
        headers |= more.pop("headers", {})
        answer = outside(
            lambda: self.app.test_client(use_cookies=False).open(
                f"/s2s/api/v1{path}",
                method=method,
                base_url="https://portal.example",
                headers=headers,
                **more,
            )
        )
        assert answer.status_code == status, answer.text
        assert "Set-Cookie" not in answer.headers
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
        if status >= 400 and method != "HEAD":
            assert answer.mimetype == PROBLEM
            assert {"type", "title", "status", "detail"} <= answer.get_json(force=True).keys()
        return answer

    def post(self, path: str, key: str, status: int = 201, **more: Any) -> TestResponse:
        """A POST with an Idempotency-Key."""
        return self("POST", path, status, headers={"Idempotency-Key": key}, **more)


@pytest.fixture
def api(
    app: Flask, server: KeyServer, monkeypatch: pytest.MonkeyPatch, may_2019: None
) -> Iterator[Api]:
    """The API switched on, and a system that uses it; on 14 May 2019."""
    server.keys, server.status, server.body, server.asked = [RSA, EC], 200, None, 0
    for name, value in (SETTINGS | {"S2S_API_KEYS": server.url}).items():
        monkeypatch.setitem(app.config, name, value)
    monkeypatch.setattr(state(), "bearer", bearer.actor)
    app.extensions.pop(bearer.EXTENSION, None)
    yield Api(app)
    app.extensions.pop(bearer.EXTENSION, None)


@pytest.fixture
def filled(session: Session, api: Api) -> UnitOfWork:
    """Pull 1 with entries 1 and 2; entry 3 is due."""
    work = UnitOfWork(session)
    fees.charge_alone(work, 1)
    fees.charge_alone(work, 2, urn=ACADEMY)
    fees.pulled(session, "one")
    fees.charge_alone(work, 3)
    session.commit()
    return work


# What it answers


def test_entries_by_cursor(api: Api, filled: UnitOfWork) -> None:
    first = api("GET", "/entries?limit=2").get_json()
    assert [one["number"] for one in first["entries"]] == [1, 2]
    assert first["next"] == 2
    rest = api("GET", f"/entries?after={first['next']}").get_json()
    assert ([one["number"] for one in rest["entries"]], rest["next"]) == ([3], None)
    assert api("GET", "/entries?after=3").get_json() == {"entries": [], "next": None}
    entry = first["entries"][1]
    assert (entry["payer_name"], entry["amount_pence"], entry["pull_number"]) == (
        "Invented Learning Trust",
        10_000,
        1,
    )
    assert rest["entries"][0]["pull_number"] is None


@pytest.mark.parametrize(
    "query",
    [
        *("after=-1", "after=x", "after=1.0", "limit=0", "limit=501", "after=1&after=2"),
        *("after=" + "9" * 19, "after=٣", "limit="),
    ],
)
def test_a_cursor_that_is_none_is_told(api: Api, filled: UnitOfWork, query: str) -> None:
    answer = api("GET", f"/entries?{query}", 400).get_json(force=True)
    assert "must be a whole number from" in answer["detail"]


def test_a_parameter_that_nobody_takes_is_refused(api: Api, filled: UnitOfWork) -> None:
    for path in ("/entries?aftr=2", "/pulls?after=1", "/pulls/1?x", "/openapi.json?x=1"):
        api("GET", path, 400)


def test_a_pull_made_once_however_often_it_is_asked_for(
    api: Api, filled: UnitOfWork, session: Session
) -> None:
    made = api.post("/pulls", "k1")
    assert made.headers["Location"] == "/s2s/api/v1/pulls/2"
    assert made.get_json()["entry_count"] == 1
    again = api.post("/pulls", "k1")
    assert (again.data, again.headers["Idempotent-Replayed"]) == (made.data, "true")
    assert "Idempotent-Replayed" not in made.headers
    assert "Nothing is due" in api.post("/pulls", "k2", 409).get_json(force=True)["detail"]
    fees.charge_alone(filled, 4)
    session.commit()
    api.post("/pulls", "k2")  # a refusal is not kept
    session.commit()
    assert (
        session.scalars(select(Pull.by_name).order_by(Pull.number)).all()[1:]
        == ["Finance’s system"] * 2
    )
    listed = api("GET", "/pulls?limit=2").get_json()
    assert ([one["number"] for one in listed["pulls"]], listed["next"]) == ([3, 2], 2)
    assert [one["number"] for one in api("GET", "/pulls?before=2").get_json()["pulls"]] == [1]


def test_a_key_is_for_one_request_and_needed(api: Api, filled: UnitOfWork) -> None:
    api.post("/pulls", "k1")
    said = api.post("/pulls", "k1", 409, json={"cutoff": "2019-05-14"}).get_json(force=True)
    assert said["detail"] == "This Idempotency-Key has been used for another request."
    api("POST", "/pulls", 400)
    for key in ("", "a b", "x" * 201, "é"):
        api.post("/pulls", key, 400)
    api.token = token(client_id="other")
    api.post("/pulls", "k1", 409)  # another client's keys are its own: nothing is due


def test_a_pull_up_to_a_day(api: Api, filled: UnitOfWork, session: Session) -> None:
    with clock.frozen(datetime.fromisoformat("2019-05-16T12:00:00+01:00")):
        api.token = token()
        fees.charge_alone(filled, 4)
        session.commit()
        made = api.post("/pulls", "k1", json={"cutoff": "2019-05-14"}).get_json()
        assert (made["last_entry"], made["cutoff"]) == (3, "2019-05-14T22:59:59.999999Z")
        made = api.post("/pulls", "k2", json={"cutoff": "9999-12-31"}).get_json()
        assert (made["last_entry"], made["cutoff"]) == (4, "2019-05-16T11:00:00.000000Z")
    api.token = token()
    for wrong in (
        {"cutoff": 1},
        {"cutoff": "20190514"},
        {"other": 1},
        [],
        {"cutoff": "2019-02-30"},
    ):
        api.post("/pulls", "k3", 400, json=wrong)
    api.post("/pulls", "k3", 400, data="{", content_type="application/json")
    api.post("/pulls", "k3", 415, data="cutoff=2019-05-14")


def test_the_files_of_a_pull(api: Api, filled: UnitOfWork, session: Session) -> None:
    pull = api("GET", "/pulls/1").get_json()
    assert (pull["total_pence"], pull["digest"]) == (20_000, pulls.get(1).digest)
    names = [file["name"] for file in pull["files"]]
    assert "s2s-pull-0001-manifest.json" in names
    first = api("GET", pull["files"][0]["href"].removeprefix("/s2s/api/v1"))
    second = api("GET", pull["files"][0]["href"].removeprefix("/s2s/api/v1"))
    assert first.data == second.data
    assert second.headers["S2S-Copy"].startswith("copy 2; downloaded by Finance%E2%80%99s system")
    session.commit()
    assert session.scalars(select(PullDownload.by_id)).all() == [f"api:{CLIENT}"] * 2
    api("GET", "/pulls/1/files/absent.csv", 404)
    api("GET", "/pulls/9", 404)
    api("GET", f"/pulls/{10**15}", 404)


RESPONSE = "entry_number,outcome,date,amount_pounds,finance_reference,reason\n"


def test_a_response(api: Api, filled: UnitOfWork) -> None:
    good = RESPONSE + "1,collected,2019-05-14,100.00,J1,\n2,query,2019-05-14,100.00,,Which?\n"
    applied = api.post("/pulls/1/responses", "r1", data=good, content_type="text/csv")
    assert applied.get_json() == {
        "collected": 1,
        "collected_pence": 10_000,
        "rejected": 0,
        "queried": 1,
        "already_applied": False,
    }
    assert api.post("/pulls/1/responses", "r1", data=good, content_type="text/csv").get_json() == (
        applied.get_json()
    )
    again = api.post("/pulls/1/responses", "r2", 200, data=good, content_type="text/csv")
    assert again.get_json()["already_applied"] is True
    bad = RESPONSE + "9,collected,2019-05-14,100.00,J1,\n1,query,2019-05-14,100.00,,x\n"
    told = api.post("/pulls/1/responses", "r3", 422, data=bad, content_type="text/csv")
    assert told.get_json(force=True)["rows"] == [
        "Line 2: there is no entry 9.",
        "Line 3: entry 1 was collected on 14 May 2019 with reference J1.",
    ]
    api.post("/pulls/1/responses", "r4", 415, data=good, content_type="application/json")
    api.post("/pulls/9/responses", "r5", 404, data=good, content_type="text/csv")
    assert api("GET", "/pulls/1").get_json()["collected"] == 1


def test_a_statement(api: Api, filled: UnitOfWork) -> None:
    said = api("GET", f"/statements/{SCHOOL}").get_json()
    assert (said["balance_pence"], [line["number"] for line in said["entries"]]) == (20_000, [1, 3])
    api("GET", "/statements/1", 404)


# To whom


def test_each_scope_opens_its_own_and_no_more(api: Api, app: Flask, filled: UnitOfWork) -> None:
    reads = ["/entries", "/pulls", "/pulls/1", f"/statements/{SCHOOL}"]
    api.token = token(scope="ledger.read")
    for path in reads:
        api("GET", path)
    said = api.post("/pulls", "k", 403)
    assert said.headers["WWW-Authenticate"] == 'Bearer realm="s2s", error="insufficient_scope"'
    api.token = token(scope="ledger.pull")
    for path in reads:
        api("GET", path, 403)
    api.post("/pulls", "k")
    for scope in (None, "", "ledger.reader", "ledger.readledger.pull", 7, ["x", 1], {}):
        api.token = token(scope=scope)
        api("GET", "/entries", 403)
        api("GET", "/absent", 403)
    api.token = token(scope=None, roles=["ledger.read"])  # Entra ID
    api("GET", "/entries")
    for persons in ({"scp": "ledger.read"}, {"scp": "x", "roles": ["ledger.read"]}):  # Entra ID
        api.token = token(scope=None, **persons)
        api("GET", "/entries", 403)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: "",
        lambda: "nonsense",
        lambda: "a.b.c",
        lambda: "x" * 9000,
        token_server.unsigned,
        lambda: token_server.unsigned("None"),
        lambda: token_server.unsigned("RS256"),
        token_server.signed_with_the_public_key,
        lambda: token(OTHER, kid="one"),
        lambda: token(OTHER),
        lambda: token(RSA, alg="RS512"),
        lambda: token(OctKey.import_key("x" * 32, {"kid": "one"}), alg="HS256"),
        lambda: token(RSA, kid=None),
        lambda: token(iss="https://login.council.example"),
        lambda: token(iss=None),
        lambda: token(aud="api://other"),
        lambda: token(aud=None),
        lambda: token(aud=[]),
        lambda: token(exp=int(clock.now().timestamp()) - 61),
        lambda: token(exp=None),
        lambda: token(exp="tomorrow"),
        lambda: token(nbf=int(clock.now().timestamp()) + 61),
        lambda: token(client_id="stranger"),
        lambda: token(client_id=None),
        lambda: token(client_id={"x": 1}),
        lambda: token()[:-4] + "AAAA",
    ],
)
def test_a_token_that_is_not_good(api: Api, filled: UnitOfWork, bad: Any) -> None:
    api.token = bad()
    said = api("GET", "/entries", 401)
    assert said.headers["WWW-Authenticate"] == 'Bearer realm="s2s", error="invalid_token"'
    assert said.get_json(force=True)["detail"] == "The token is not good."


def test_tokens_that_are_good(api: Api, filled: UnitOfWork) -> None:
    now = int(clock.now().timestamp())
    for good in (
        token(EC, alg="ES256"),
        token(RSA, alg="PS256"),
        token(aud=["api://other", AUDIENCE]),
        token(exp=now - 30),
        token(nbf=now + 30),
        token(client_id=None, azp=CLIENT),
        token(client_id=None, appid=CLIENT),
    ):
        api.token = good
        api("GET", "/entries")


def test_no_token_and_other_ways_of_sending_one(api: Api, filled: UnitOfWork) -> None:
    good, api.token = api.token, None
    said = api("GET", "/entries", 401)
    assert said.headers["WWW-Authenticate"] == 'Bearer realm="s2s"'
    for headers in (
        {"Authorization": f"Basic {good}"},
        {"Authorization": good},
        {"Cookie": f"access_token={good}"},
    ):
        api("GET", "/entries", 401, headers=headers)
    api("GET", f"/entries?access_token={good}", 401)
    api("GET", "/entries", headers={"Authorization": f"bearer {good}"})


def test_whoever_is_signed_on_in_a_browser_gets_nothing(
    api: Api, app: Flask, filled: UnitOfWork
) -> None:
    browser = app.test_client()
    for key in ACTORS:
        with browser.session_transaction(base_url="https://portal.example") as kept:
            kept["_user_id"], kept["_fresh"] = key, True
        for rule in ours(app):
            if not rule.endpoint.startswith("s2s.api.") or rule.endpoint == "s2s.api.openapi":
                continue
            path = rule.rule.replace("<path:filename>", "x").replace("<name>", "x.csv")
            path = path.replace("<int:number>", "1").replace("<int:urn>", str(SCHOOL))
            for method in methods(rule):
                answer = browser.open(path, method=method, base_url="https://portal.example")
                assert answer.status_code == 401, (key, method, path)


def test_a_host_with_form_tokens_everywhere_asks_none_of_the_api(
    database_url: str, server: KeyServer, tmp_path: Path
) -> None:
    """Whether the host makes its CSRFProtect before us or after; its own views keep it."""
    keys = tmp_path / "keys.json"
    keys.write_bytes(server.published())
    app = make_host(database_url, dict(ACTORS), **SETTINGS, S2S_API_KEYS=str(keys))
    CSRFProtect(app)
    app.add_url_rule("/own", "own", lambda: "", methods=["POST"])
    assert app.test_client().post("/own", base_url="https://portal.example").status_code == 400
    stranger = Api(app)
    stranger.token = None
    stranger.post("/pulls", "k", 401)  # and not 400: nobody asked for a form's token
    with app.app_context():
        state().engine.dispose()


def test_where_there_is_no_api_there_is_nothing(
    api: Api, filled: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state(), "bearer", None)
    assert "not switched on" in api("GET", "/entries", 404).get_json(force=True)["detail"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"S2S_API_AUDIENCE": None}, "S2S_API_AUDIENCE must be set too"),
        ({"S2S_API_KEYS": ""}, "S2S_API_KEYS must be set too"),
        ({"S2S_API_KEYS": "http://login.council.example/keys"}, "must begin with https"),
        ({"S2S_API_ALGORITHMS": ("RS256", "HS256")}, "S2S_API_ALGORITHMS may have only"),
        ({"S2S_API_ALGORITHMS": ("none",)}, "S2S_API_ALGORITHMS may have only"),
        ({"S2S_API_ALGORITHMS": ()}, "S2S_API_ALGORITHMS may have only"),
    ],
)
def test_settings_that_could_not_be_trusted_stop_the_app(
    database_url: str, change: dict[str, Any], says: str
) -> None:
    settings = SETTINGS | {"S2S_API_KEYS": "https://login.council.example/keys"} | change
    with pytest.raises(NotMounted, match=says):
        make_host(database_url, dict(ACTORS), **settings)


# Keys


def test_keys_are_asked_for_once_and_again_when_they_have_rotated(
    api: Api, server: KeyServer, filled: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    keys = bearer.Keys(server.url, ticks=lambda: now[0])
    monkeypatch.setitem(api.app.extensions, bearer.EXTENSION, keys)
    for _ in range(3):
        api("GET", "/entries")
    assert server.asked == 1
    server.keys = [OTHER]
    api.token = token(OTHER)
    api("GET", "/entries", 401)  # asked a moment ago: strangers cannot make us ask again and again
    assert server.asked == 1
    now[0] = bearer.PAUSE
    api("GET", "/entries")
    assert server.asked == 2
    api.token = token(RSA)
    api("GET", "/entries", 401)  # a key that was withdrawn
    now[0] += bearer.KEPT + 1
    server.keys = [RSA]
    api("GET", "/entries")
    assert server.asked == 3


@pytest.mark.parametrize(
    "mood",
    [
        *({"status": 500}, {"status": 302}, {"body": b"<html>"}, {"body": b'{"keys": []}'}),
        *({"body": b'{"keys": 7}'}, {"body": b"[]"}),
        {"body": b'{"keys": [{"kty": "oct", "k": "eA"}]}'},
    ],
)
def test_without_keys_nobody_comes_in_and_with_old_ones_they_do(
    api: Api,
    server: KeyServer,
    filled: UnitOfWork,
    monkeypatch: pytest.MonkeyPatch,
    mood: dict[str, Any],
) -> None:
    for name, value in mood.items():
        setattr(server, name, value)
    assert "cannot check tokens" in api("GET", "/entries", 503).get_json(force=True)["detail"]
    server.status, server.body = 200, None
    now = [0.0]
    keys = bearer.Keys(server.url, ticks=lambda: now[0])
    monkeypatch.setitem(api.app.extensions, bearer.EXTENSION, keys)
    api("GET", "/entries")
    for name, value in mood.items():
        setattr(server, name, value)
    now[0] = bearer.KEPT + 1
    api("GET", "/entries")


# Errors and limits


def test_what_is_not_there_and_what_is_not_done(api: Api, filled: UnitOfWork) -> None:
    for path in ("/", "/absent", "/pulls/x", "/pulls/-1", "/entries/"):
        api("GET", path, 404)
    for method, path, allowed in (
        ("DELETE", "/pulls/1", "GET, HEAD"),
        ("PUT", "/pulls", "GET, HEAD, POST"),
        ("POST", "/entries", "GET, HEAD"),
        ("GET", "/pulls/1/responses", "POST"),
        ("PATCH", "/openapi.json", "GET, HEAD"),
    ):
        assert api(method, path, 405).headers["Allow"] == allowed
    api.token = None
    api("GET", "/absent", 401)
    api("DELETE", "/pulls/1", 401)


def test_too_many_requests_in_a_minute(
    api: Api, filled: UnitOfWork, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(api.app.config, "S2S_API_REQUESTS_A_MINUTE", 2)
    mine, others = token(), token(client_id="other")
    for _ in range(2):
        api("GET", "/entries")
    assert api("GET", "/entries", 429).headers["Retry-After"] == "60"
    api.token = others
    api("GET", "/entries")
    api.token = mine
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        api("GET", "/entries")
    with clock.frozen(clock.now() + timedelta(hours=2)):
        api.token = token()
        api("GET", "/entries")
    session.commit()
    kept = session.execute(
        select(ApiUse.minute, ApiUse.count).where(ApiUse.by_id == f"api:{CLIENT}")
    ).all()
    assert [count for _, count in kept] == [1], kept  # what is old is forgotten


def test_a_fault_of_ours_is_a_problem_too(
    api: Api, filled: UnitOfWork, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr("s2s_portal.services.ledger_feed.after", fail)
    monkeypatch.setattr(api.app, "testing", False)
    monkeypatch.setitem(api.app.config, "PROPAGATE_EXCEPTIONS", False)
    said = api("GET", "/entries", 500)
    assert "inside" not in said.text
    assert "RuntimeError: inside" in caplog.text


def test_what_was_denied_is_audited(api: Api, filled: UnitOfWork, session: Session) -> None:
    api.token = token(scope="ledger.read")
    api.post("/pulls", "k", 403)
    session.commit()
    session.execute(text("SELECT 1"))
    found = session.scalars(select(AuditEntry.entity_key).where(AuditEntry.action == "was denied"))
    assert found.all() == ["/s2s/api/v1/pulls"]


# The document


def test_the_document_is_openapi_and_of_these_routes(api: Api, app: Flask) -> None:
    api.token = None
    found = api("GET", "/openapi.json").get_json()
    validate(found)
    assert found["servers"] == [{"url": "/s2s/api/v1"}]
    promised = {
        (path, method.upper())
        for path, item in found["paths"].items()
        for method in item
        if method != "parameters"
    }
    there = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule.removeprefix("/s2s/api/v1")), method)
        for rule in ours(app)
        if rule.endpoint.startswith("s2s.api.") and rule.endpoint != "s2s.api.absent"
        for method in methods(rule)
    }
    assert promised == there
    assert document.whole("/x")["servers"] == [{"url": "/x"}]


def test_nothing_it_says_is_about_a_child(api: Api, session: Session) -> None:
    for position in range(2):
        fees.charged(session, position, urn=(SCHOOL, ACADEMY)[position])
    session.commit()
    api.post("/pulls", "k")
    paths = ["/entries", "/pulls", "/pulls/1", f"/statements/{SCHOOL}", f"/statements/{ACADEMY}"]
    paths += [
        f"/pulls/1/files/{one.name}"
        for one in pull_downloads.listed(1)
        if not one.name.endswith("xlsx")
    ]
    for path in paths:
        said = api("GET", path).text
        assert not re.search("canary|zosia|semh|now and next|parent", said, re.IGNORECASE), path
