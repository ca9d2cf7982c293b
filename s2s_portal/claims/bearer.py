"""Which system asks: a bearer token (JWT) checked against the council's own key set (RFC 9068).

OAuth 2.0 client credentials: the council's identity provider gives a system a token, which says who
issued it, for whom, until when, which client it is and what it may do. Only asymmetric signatures
are taken, so nobody can sign with a public key. Needs the extra [api].
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import requests
from flask import current_app, request
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from s2s_portal import clock
from s2s_portal.claims import reading
from s2s_portal.errors import BearerRefused, KeysAway
from s2s_portal.identity import Actor, Role
from s2s_portal.state import setting

EXTENSION = "s2s-api-keys"
KEPT = 3600.0  # seconds that keys are used without asking again
PAUSE = 30.0  # seconds in which an unknown key id makes nobody ask again
TIMEOUT = (3.0, 5.0)  # seconds to connect, to answer
LEEWAY = 60  # seconds that clocks may differ
LONGEST = 8_192  # characters of a token
LARGEST = 1_000_000  # bytes of a key set
SCOPES = ("ledger.read", "ledger.pull")


class Keys:
    """The council's key set, from a URL or a file: kept for an hour, asked for once more when a
    token names a key that is not in it."""

    def __init__(self, source: str, ticks: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._ticks = ticks
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._asked_at = float("-inf")

    def decode(self, token: str, algorithms: Iterable[str]) -> jwt.Token:
        """The token, once its signature is found good. Raises JoseError, ValueError, KeysAway."""
        keys, asked_at = self._known()
        try:
            return jwt.decode(token, keys, algorithms=list(algorithms))
        except InvalidKeyIdError:
            newer = self._after(asked_at)
            if newer is None:
                raise
            return jwt.decode(token, newer, algorithms=list(algorithms))

    def _known(self) -> tuple[KeySet, float]:
        with self._lock:
            if self._keys is None or self._ticks() - self._asked_at > KEPT:
                self._renew()
            assert self._keys is not None
            return self._keys, self._asked_at

    def _after(self, asked_at: float) -> KeySet | None:
        """Keys newer than those of `asked_at`; None when nobody may ask again yet."""
        with self._lock:
            if self._asked_at == asked_at:
                if self._ticks() - asked_at < PAUSE:
                    return None
                self._renew()
            return self._keys

    def _renew(self) -> None:
        """Ask for the keys; while they cannot be had, those that are known stay good."""
        try:
            found = self._fetch()
        except (OSError, ValueError, KeyError, TypeError, JoseError) as error:
            current_app.logger.warning("S2S: no keys for the API: %s", type(error).__name__)
            if self._keys is None:
                raise KeysAway() from error
        else:
            self._keys = found
        self._asked_at = self._ticks()

    def _fetch(self) -> KeySet:
        if not self._source.startswith(("https://", "http://")):
            content = Path(self._source).read_bytes()
        else:
            # A key set that is elsewhere today is not the council's.
            response = requests.get(
                self._source, timeout=TIMEOUT, allow_redirects=False, headers={"Accept": "*/*"}
            )
            if response.status_code != 200:
                raise ValueError(f"status {response.status_code}")
            content = response.content
        if len(content) > LARGEST:
            raise ValueError("too large")
        listed = json.loads(content)["keys"]
        # What is not public has no place in a key set, and a shared secret least of all.
        public = [one for one in listed if one.get("kty") != "oct" and one.get("use") != "enc"]
        return KeySet.import_key_set({"keys": public})


def actor(scope: str) -> Actor:
    """The system whose token the request brings, as an Actor of Finance's.

    Raises BearerRefused: 401 without a token, or with one that is not good; 403 when it does not
    bring `scope` (empty: any of ours). Why exactly is for the log.
    """
    claims = _claims(_token())
    client = reading.identifier(_client(claims))
    names: Mapping[str, str] = setting("S2S_API_CLIENTS")
    if client is None or client not in names:
        raise _refused("a client that S2S_API_CLIENTS does not name")
    held = _scopes(claims) & set(SCOPES)
    if not held or (scope and scope not in held):
        raise BearerRefused(
            f"The token does not have the scope {scope or SCOPES[0]}.",
            error="insufficient_scope",
            status=403,
        )
    return Actor(id=f"api:{client}", name=names[client], roles=frozenset({Role.FINANCE}))


def _token() -> str:
    found = request.headers.getlist("Authorization")
    scheme, _, token = (found[0] if len(found) == 1 else "").partition(" ")
    if scheme.lower() != "bearer":
        raise BearerRefused("Send a bearer token of the council's identity provider.", error="")
    if len(token) > LONGEST or not token.strip():
        raise _refused("no token, or one too long")
    return token.strip()


def _claims(token: str) -> Mapping[str, Any]:
    try:
        decoded = _keys().decode(token, setting("S2S_API_ALGORITHMS"))
        registry = jwt.JWTClaimsRegistry(
            now=int(clock.now().timestamp()),
            leeway=LEEWAY,
            iss={"essential": True, "value": setting("S2S_API_ISSUER")},
            aud={"essential": True, "value": setting("S2S_API_AUDIENCE")},
            exp={"essential": True},
        )
        registry.validate(decoded.claims)
    except (JoseError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _refused(type(error).__name__) from error
    return decoded.claims


def _keys() -> Keys:
    """The keys of the current app, made at first use from its settings."""
    made = current_app.extensions.get(EXTENSION)
    if made is None:
        made = current_app.extensions.setdefault(EXTENSION, Keys(setting("S2S_API_KEYS")))
    return made  # type: ignore[no-any-return]


def _refused(why: str) -> BearerRefused:
    current_app.logger.info("S2S: a token for the API was refused: %s", why)
    return BearerRefused("The token is not good.", error="invalid_token")


def _client(claims: Mapping[str, Any]) -> Any:
    """Which client the token was given to: RFC 9068 says `client_id`, Entra ID `azp` or `appid`."""
    return next((claims[name] for name in ("client_id", "azp", "appid") if name in claims), None)


def _scopes(claims: Mapping[str, Any]) -> set[str]:
    """What the token allows. A system's own rights are in `scope` (RFC 9068) or `roles` (Entra ID,
    which has a person's in `scp`: those are never a system's)."""
    if "scp" in claims:
        return set()
    found: set[str] = set()
    for name in ("scope", "roles"):
        value = claims.get(name, ())
        found |= set(value.split() if isinstance(value, str) else reading.names(value))
    return found
