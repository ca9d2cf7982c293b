"""A provider that is down, slow or lying: nobody is signed on, and a page says why in time.

`Traveller.in_time` insists on three seconds for every page.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc.jwk import OctKey
from sqlalchemy import select

from s2s_portal.reference_portal.failures import SENTENCES, SignOnFailed, told_plainly
from s2s_portal.reference_portal.tables import PortalAccount, db
from tests.client import Page
from tests.oidc.forging import (
    forged,
    parts,
    shifted,
    signed_with_what_everybody_knows,
    unsigned,
)
from tests.oidc.liar import DISCOVERY, KEYS, TOKEN, USERINFO, Answer, Liar, Lie
from tests.oidc.provider import CLIENTS, Providers, new_key
from tests.oidc.traveller import Traveller

NAMES = {"entra": "the council’s sign-in", "dfe": "DfE Sign-in"}
STRANGERS = new_key("strangers")


def says(page: Page, code: str, name: str = "entra") -> None:
    """The page for `code`, in the words that belong to it."""
    _, problem, advice = SENTENCES[code]
    called = NAMES[name]
    assert page.h1 == "You have not been signed in"
    assert problem.format(name=called, Name=called[0].upper() + called[1:]) in page.words
    assert advice in page.words
    assert f"Code: {code}" in page.words


def refused(visitor: Traveller, path: str, code: str, name: str = "entra") -> None:
    """Coming back to `path` leads to the page for `code`, and nobody is signed on."""
    before = visitor.cookie
    page = visitor.come_back(path, status=SENTENCES[code][0])
    says(page, code, name)
    assert not visitor.is_signed_on()
    assert visitor.cookie == before
    visitor.fetch("GET", "/s2s/", status=302)


def changed(**fields: Any) -> Lie:
    """A lie: other fields in a JSON answer (None takes one away)."""

    def lie(answer: Answer) -> Answer:
        answer.json = {k: v for k, v in {**answer.json, **fields}.items() if v is not None}
        return answer

    return lie


def instead(body: bytes, status: int = 200) -> Lie:
    """A lie: this in place of the answer."""

    def lie(answer: Answer) -> Answer:
        answer.body, answer.status = body, status
        return answer

    return lie


def redirected(answer: Answer) -> Answer:
    """A lie: look elsewhere."""
    answer.status = 307
    answer.headers.append(("Location", "http://127.0.0.1:1/"))
    return answer


def dripping(answer: Answer) -> Answer:
    """A lie: a byte now and then, so that no time-out of a single read is ever reached."""
    answer.drip = 0.3
    return answer


def endless(answer: Answer) -> Answer:
    """A lie: more than any answer has."""
    answer.body = b'{"x": "' + b"x" * 3_000_000 + b'"}'
    return answer


def _ours() -> str:
    return CLIENTS["entra"]


def _of_two(key: Any) -> Lie:
    return forged(key, aud=[_ours(), "another-service"], azp="another-service")


def _renamed(key: Any) -> Any:
    return type(STRANGERS).import_key({**STRANGERS.as_dict(private=True), "kid": key.kid})


def _with_a_slash(key: Any) -> Lie:
    def lie(answer: Answer) -> Answer | None:
        return forged(key, iss=parts(answer.json["id_token"])[1]["iss"] + "/")(answer)

    return lie


def told(error: str, status: int) -> Lie:
    """A lie: an OAuth error."""
    return instead(json.dumps({"error": error}).encode(), status)


Forger = Callable[[Any], Lie]

TOKENS: list[tuple[str, str, Forger]] = [
    ("another key under the same name", "key", lambda key: forged(_renamed(key))),
    ("a key that is in no set", "key", lambda key: forged(STRANGERS, {"kid": "strangers"})),
    ("another audience", "audience", lambda key: forged(key, aud="another-service")),
    ("another audience, ours as azp", "audience", lambda key: forged(key, aud="x", azp=_ours())),
    ("two audiences and the other's azp", "audience", _of_two),
    ("no audience", "incomplete", lambda key: forged(key, aud=None)),
    ("another issuer", "issuer", lambda key: forged(key, iss="https://evil.example")),
    ("an issuer that differs by a slash", "issuer", _with_a_slash),
    ("alg none", "algorithm", lambda key: unsigned),
    ("HS256 with the public key", "algorithm", signed_with_what_everybody_knows),
    ("expired", "expired", lambda key: shifted(key, -3700)),
    ("issued eleven minutes ago", "expired", lambda key: shifted(key, -660)),
    ("a clock five minutes ahead", "clock", lambda key: shifted(key, 300)),
    ("no end", "incomplete", lambda key: forged(key, exp=None)),
    ("an end that is no number", "answer", lambda key: forged(key, exp="tomorrow")),
    ("another nonce", "nonce", lambda key: forged(key, nonce="somebody-elses")),
    ("no nonce", "nonce", lambda key: forged(key, nonce=None)),
    ("nobody", "incomplete", lambda key: forged(key, sub=None)),
    ("a subject that is a list", "answer", lambda key: forged(key, sub=["jo"])),
    ("a subject with a NUL", "answer", lambda key: forged(key, sub="jo\x00")),
    ("a subject without end", "answer", lambda key: forged(key, sub="j" * 256)),
    ("a name with a NUL", "answer", lambda key: forged(key, name="Jo\x00")),
    ("a claim that is no number", "answer", lambda key: forged(key, tall=float("nan"))),
    ("the hash of another access token", "answer", lambda key: forged(key, at_hash="AAAA")),
    ("no ID token", "incomplete", lambda key: changed(id_token=None)),
    ("an ID token that is a number", "answer", lambda key: changed(id_token=7)),
    ("an ID token that is nonsense", "answer", lambda key: changed(id_token="a.b.c")),
    ("a list for a token", "answer", lambda key: instead(b"[]")),
    ("HTML for a token", "answer", lambda key: instead(b"<h1>Hello</h1>")),
    ("a token endpoint that fails", "unwell", lambda key: told("server_error", 500)),
    ("a wrong client secret", "client", lambda key: told("invalid_client", 401)),
    ("a token endpoint that redirects", "answer", lambda key: redirected),
]  # fmt: skip


@pytest.mark.parametrize(("what", "code", "forger"), TOKENS, ids=[row[0] for row in TOKENS])
def test_an_id_token_that_is_not_right(
    visitor: Traveller, providers: Providers, what: str, code: str, forger: Forger
) -> None:
    path = visitor.go_there("entra", "jo")
    providers.liars["entra"].lies[TOKEN] = forger(providers.keys["entra"])
    refused(visitor, path, code)


def test_an_honest_forgery_passes(visitor: Traveller, providers: Providers) -> None:
    """The liar's own tokens are good when nothing in them is wrong: the lie is what is caught."""
    path = visitor.go_there("entra", "jo")
    providers.liars["entra"].lies[TOKEN] = forged(providers.keys["entra"], name="Jo Forged")
    visitor.come_back(path)
    assert "Signed in as Jo Forged" in visitor.fetch("GET", "/s2s/").words


def test_a_clock_five_minutes_behind_is_let_pass(visitor: Traveller, providers: Providers) -> None:
    """Entra ID dates its tokens back by five minutes on purpose."""
    path = visitor.go_there("entra", "jo")
    providers.liars["entra"].lies[TOKEN] = shifted(providers.keys["entra"], -300)
    visitor.come_back(path)
    assert visitor.is_signed_on()


def test_an_unknown_key_is_looked_for_once_more_and_no_more(
    visitor: Traveller, providers: Providers
) -> None:
    path = visitor.go_there("entra", "jo")
    providers.liars["entra"].lies[TOKEN] = forged(STRANGERS, {"kid": "strangers"})
    refused(visitor, path, "key")
    assert providers.liars["entra"].asked[KEYS] == 2


def test_a_secret_in_the_key_set_is_not_a_key(visitor: Traveller, providers: Providers) -> None:
    """A provider that publishes an HMAC secret, and signs with it, is not believed."""
    oct_key = OctKey.import_key("0" * 64, {"kid": "secret", "alg": "HS256"})
    path = visitor.go_there("entra", "jo")
    liar = providers.liars["entra"]
    liar.lies[KEYS] = instead(json.dumps({"keys": [oct_key.as_dict()]}).encode())
    liar.lies[TOKEN] = forged(oct_key, {"kid": "secret", "alg": "HS256"})  # type: ignore[arg-type]
    refused(visitor, path, "algorithm")


class TestTheWayBack:
    """What arrives at the callback: state, code, and who says that they sent it."""

    def test_a_state_is_good_once(self, visitor: Traveller) -> None:
        path = visitor.go_there("entra", "jo")
        visitor.come_back(path)
        token = visitor.fetch("GET", "/contact").value("csrf_token")
        visitor.fetch("POST", "/sign-out", status=303, data={"csrf_token": token})
        refused(visitor, path, "state")

    def test_the_back_button_after_signing_on_leads_home(
        self, visitor: Traveller, providers: Providers
    ) -> None:
        path = visitor.go_there("entra", "jo")
        visitor.come_back(path)
        assert visitor.come_back(path).location == "/"
        assert visitor.is_signed_on()  # what somebody has is not taken from them by this
        assert providers.liars["entra"].asked[TOKEN] == 1

    def test_after_a_failure_the_next_try_leads_where_somebody_wanted_to_go(
        self, visitor: Traveller, providers: Providers
    ) -> None:
        path = visitor.go_there("entra", "jo", next="/s2s/triage/")
        providers.liars["entra"].lies[TOKEN] = told("temporarily_unavailable", 503)
        page = visitor.come_back(path, status=503)
        (again,) = page.document.xpath("//main//a/@href")
        assert again == "/sign-in?next=/s2s/triage/"

    def test_a_replayed_code_under_a_new_state(self, visitor: Traveller) -> None:
        path = visitor.go_there("entra", "jo")
        visitor.come_back(path)
        thief = Traveller(visitor.app)
        state = parse_qs(urlsplit(thief.press("entra").location).query)["state"][0]
        refused(thief, _with(path, state=state), "code")

    def test_a_code_needs_the_verifier_of_its_own_sign_on(self, visitor: Traveller) -> None:
        """A stolen code that was never used is of no use either: PKCE."""
        path = visitor.go_there("entra", "jo")
        thief = Traveller(visitor.app)
        state = parse_qs(urlsplit(thief.press("entra").location).query)["state"][0]
        refused(thief, _with(path, state=state), "code")

    @pytest.mark.parametrize("state", [None, "", "made-up"])
    def test_without_the_state_of_this_browser(self, visitor: Traveller, state: str | None) -> None:
        refused(visitor, _with(visitor.go_there("entra", "jo"), state=state), "state")

    def test_with_the_state_of_another_session(self, visitor: Traveller) -> None:
        path = visitor.go_there("entra", "jo")
        victim = Traveller(visitor.app)
        victim.press("entra")
        refused(victim, path, "state")

    def test_in_a_browser_without_a_session(self, visitor: Traveller) -> None:
        refused(Traveller(visitor.app), visitor.go_there("entra", "jo"), "state")

    def test_the_state_of_one_provider_is_not_good_at_the_other(self, visitor: Traveller) -> None:
        path = visitor.go_there("entra", "jo").replace("/entra/", "/dfe/")
        refused(visitor, _with(path, iss=None), "state", "dfe")

    def test_an_answer_that_names_another_provider(self, visitor: Traveller) -> None:
        path = visitor.go_there("entra", "jo")
        refused(visitor, _with(path, iss="https://evil.example"), "issuer")

    def test_a_sign_on_left_lying_for_long(
        self, visitor: Traveller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = visitor.go_there("entra", "jo")
        monkeypatch.setattr("s2s_portal.reference_portal.openid.UNFINISHED", -1)
        refused(visitor, path, "state")

    def test_a_made_up_code(self, visitor: Traveller) -> None:
        refused(visitor, _with(visitor.go_there("entra", "jo"), code="made-up"), "code")

    def test_no_code(self, visitor: Traveller) -> None:
        refused(visitor, _with(visitor.go_there("entra", "jo"), code=None), "answer")

    @pytest.mark.parametrize(
        ("error", "code"),
        [("access_denied", "denied"), ("server_error", "unwell"), ("<b>what</b>", "answer")],
    )
    def test_an_error_of_the_providers(self, visitor: Traveller, error: str, code: str) -> None:
        path = (
            f"/sign-in/entra/callback?{urlencode({'error': error, 'error_description': 'Ring 01'})}"
        )
        page = visitor.come_back(path, status=SENTENCES[code][0])
        says(page, code)
        assert "Ring 01" not in page.words  # anybody can write such a link
        assert "what" not in page.all("//main//b")

    def test_two_sign_ons_begun_in_two_tabs_both_come_back(self, visitor: Traveller) -> None:
        first = visitor.press("entra").location
        second = visitor.press("entra").location
        late, early = visitor.be(first, "jo"), visitor.be(second, "jo")
        visitor.come_back(early)
        assert visitor.is_signed_on()
        assert visitor.come_back(late).location == "/"
        assert visitor.is_signed_on()


def _with(path: str, **fields: str | None) -> str:
    parts = urlsplit(path)
    query = {name: value[0] for name, value in parse_qs(parts.query).items()}
    query |= fields  # type: ignore[arg-type]
    return f"{parts.path}?{urlencode({k: v for k, v in query.items() if v is not None})}"


class TestUserinfo:
    """DfE Sign-in says who somebody is in two places, which must agree."""

    @pytest.mark.parametrize(
        ("lie", "code"),
        [
            (changed(sub="pat"), "people"),
            (changed(sub=None), "people"),
            (changed(given_name="Jo \ud83d"), "answer"),
            (instead(b"nonsense"), "answer"),
            (instead(b"[]"), "people"),
            (instead(b"{}", 500), "unwell"),
            (instead(b"{}", 401), "unwell"),
            (redirected, "answer"),
        ],
        ids=[
            "of somebody else",
            "of nobody",
            "half a letter",
            "nonsense",
            "a list",
            "fails",
            "refuses",
            "redirects",
        ],
    )
    def test_what_it_says_is_not_right(
        self, visitor: Traveller, providers: Providers, lie: Lie, code: str
    ) -> None:
        path = visitor.go_there("dfe", "sam")
        providers.liars["dfe"].lies[USERINFO] = lie
        refused(visitor, path, code, "dfe")

    def test_it_cannot_overrule_the_signed_token(
        self, visitor: Traveller, providers: Providers
    ) -> None:
        path = visitor.go_there("dfe", "sam")
        providers.liars["dfe"].lies[USERINFO] = changed(iss="https://evil.example")
        visitor.come_back(path)
        with visitor.app.app_context():
            account = db.session.scalars(
                select(PortalAccount).filter_by(provider="dfe", subject="sam")
            ).one()
            assert account.claims["iss"] == providers.issuers["dfe"]


class TestDescription:
    """What a provider says of itself is held to what the council configured."""

    @pytest.mark.parametrize(
        "lie",
        [
            changed(issuer="https://evil.example"),
            changed(issuer=None),
            changed(token_endpoint=None),
            changed(jwks_uri="file:///etc/passwd"),
            changed(token_endpoint=["http://127.0.0.1/"]),
            changed(authorization_endpoint="http://evil.example/auth"),
            changed(authorization_endpoint="http://127.0.0.1@evil.example/auth"),
            changed(end_session_endpoint="http://evil.example/end"),
            changed(userinfo_endpoint=None),
        ],
    )
    def test_a_description_that_is_not_as_told(
        self, visitor: Traveller, providers: Providers, lie: Lie
    ) -> None:
        providers.liars["dfe"].lies[DISCOVERY] = lie
        says(visitor.press("dfe", status=502), "discovery", "dfe")
        assert not visitor.is_signed_on()

    def test_it_cannot_turn_off_what_keeps_us_safe(
        self, visitor: Traveller, providers: Providers
    ) -> None:
        """Authlib takes its own settings from what a provider says, if one lets it."""
        providers.liars["entra"].lies[DISCOVERY] = changed(
            client_id="evil",
            verify=False,
            code_challenge_method="",
            scope="evil",
            token_endpoint_auth_method="none",
            id_token_signing_alg_values_supported=["none", "HS256"],
            jwks={"keys": []},
        )
        asked = parse_qs(urlsplit(visitor.press("entra").location).query)
        assert asked["client_id"] == [CLIENTS["entra"]]
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["scope"] == ["openid profile email"]
        visitor.sign_on_as("entra", "jo")
        assert visitor.is_signed_on()

    @pytest.mark.parametrize(
        ("lie", "code"),
        [
            (instead(b"{}", 500), "unwell"),
            (instead(b"{}", 404), "unwell"),
            (instead(b"not JSON"), "answer"),
            (instead(b"[]"), "answer"),
            (instead(b'"issuer"'), "answer"),
            (redirected, "answer"),
            (endless, "answer"),
        ],
        ids=["500", "404", "nonsense", "a list", "a word", "redirects", "endless"],
    )
    def test_an_answer_that_is_none(
        self, visitor: Traveller, providers: Providers, lie: Lie, code: str
    ) -> None:
        providers.liars["entra"].lies[DISCOVERY] = lie
        says(visitor.press("entra", status=SENTENCES[code][0]), code)
        providers.liars["entra"].lies.clear()
        visitor.sign_on_as("entra", "jo")  # and it heals by itself
        assert visitor.is_signed_on()

    def test_keys_that_are_none(self, visitor: Traveller, providers: Providers) -> None:
        path = visitor.go_there("entra", "jo")
        providers.liars["entra"].lies[KEYS] = instead(b'{"keys": "none"}')
        refused(visitor, path, "answer")


class TestDownAndSlow:
    """A provider that is away or takes its time: a sentence within three seconds."""

    def test_it_hangs_for_half_a_minute(self, visitor: Traveller, providers: Providers) -> None:
        liar = providers.liars["entra"]
        liar.lies[DISCOVERY] = liar.hang
        says(visitor.press("entra", status=503), "slow")

    def test_it_drips(self, visitor: Traveller, providers: Providers) -> None:
        providers.liars["entra"].lies[DISCOVERY] = dripping
        says(visitor.press("entra", status=503), "slow")

    def test_it_refuses_connections(self, visitor: Traveller, providers: Providers) -> None:
        liar = providers.liars["entra"]
        liar.stop()
        try:
            says(visitor.press("entra", status=503), "unreachable")
        finally:
            liar.start()

    def test_it_closes_connections(self, visitor: Traveller, providers: Providers) -> None:
        providers.liars["entra"].lies[DISCOVERY] = lambda answer: None
        says(visitor.press("entra", status=503), "unreachable")

    def test_each_of_its_answers_is_slow_and_together_they_take_too_long(
        self, visitor: Traveller, providers: Providers
    ) -> None:
        liar = providers.liars["dfe"]
        path = visitor.go_there("dfe", "sam")
        for end in (TOKEN, KEYS, USERINFO):
            liar.lies[end] = lambda answer: None if liar.woken.wait(0.9) else answer
        refused(visitor, path, "slow", "dfe")

    def test_a_header_that_never_ends(self, visitor: Traveller, providers: Providers) -> None:
        liar = providers.liars["entra"]
        liar.stop()
        try:
            with dribbling(liar):
                says(visitor.press("entra", status=503), "slow")
        finally:
            liar.start()

    def test_people_signed_on_work_on_and_the_other_provider_too(
        self, visitor: Traveller, providers: Providers
    ) -> None:
        visitor.sign_on_as("entra", "jo")
        liar = providers.liars["entra"]
        liar.stop()
        try:
            visitor.in_time("GET", "/s2s/triage/")
            visitor.in_time("GET", "/sign-in")
            assert Traveller(visitor.app).sign_on_as("dfe", "sam").status == 303
        finally:
            liar.start()


@contextmanager
def dribbling(liar: Liar) -> Iterator[None]:
    """In place of the liar: a server that sends one byte of a header each tenth of a second."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", liar.port))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=dribble, args=(connection,), daemon=True).start()

    def dribble(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not over.wait(0.1):
                connection.sendall(b"x")

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        over.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.mark.parametrize("code", SENTENCES)
def test_each_sentence_stands_by_itself(code: str) -> None:
    status, _, advice = SENTENCES[code]
    failure = SignOnFailed(code, "DfE Sign-in")
    assert 400 <= status < 600
    assert "{" not in failure.problem
    assert failure.problem.endswith(".")
    assert advice.endswith(".")


def test_nothing_but_a_sentence_comes_of_an_error_nobody_thought_of() -> None:
    with pytest.raises(SignOnFailed) as caught, told_plainly("DfE Sign-in"):
        raise KeyError("surprise")
    assert caught.value.code == "answer"
