"""The role codes of a DfE Sign-in user, from its public API: they are not in the token.

`GET /services/{service}/organisations/{organisation}/users/{user}` with a bearer that we sign with
HS256 and the API secret (README of DFE-Digital/login.dfe.public-api). Needs the extra [sign-on].
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
from cachetools import LRUCache
from flask import current_app
from joserfc import jwt
from joserfc.jwk import OctKey

from s2s_portal.claims import reading
from s2s_portal.claims.refusals import refused
from s2s_portal.state import setting

AUDIENCE = "signin.education.gov.uk"
EXTENSION = "s2s-dfe-roles"
REMEMBERED = 4096  # people and organisations; the one asked for longest ago is forgotten first
PAUSE = 10.0  # seconds in which an API that has just failed is not asked again, for anybody
ACTIVE = 1  # status.id of a role


@dataclass(frozen=True)
class Answer:
    """What the API said, and when by the client's own ticks."""

    codes: frozenset[str]
    at: float


class ApiAway(Exception):
    """The API gave no answer that can be used; the message is for the log and names nobody."""


class PublicApi:
    """Asks for role codes, remembers them, and does without the API for a while.

    An answer is used for `fresh` seconds without asking. While the API is away it is used until it
    is `stale` seconds old, then the person is refused. One wait lasts at most `timeout` seconds.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: str,
        client_id: str,
        service_id: str,
        timeout: float,
        fresh: float,
        stale: float,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = f"{url.rstrip('/')}/services/{quote(service_id, safe='')}"
        self._key = OctKey.import_key(secret)
        self._issuer = client_id
        self._timeout = timeout
        self._fresh = fresh
        self._stale = stale
        self._ticks = ticks
        self._answers: LRUCache[tuple[str, str], Answer] = LRUCache(REMEMBERED)
        self._lock = threading.Lock()
        self._ask_again_at = float("-inf")

    def __call__(self, user: str, organisation: str) -> frozenset[str]:
        """The codes of the active roles of `user` at `organisation`; none without access (404).

        Raises SignOnRefused "roles-unknown" when the API is away and no answer is recent enough.
        """
        known = self._remembered(user, organisation)
        age = self._ticks() - known.at if known else float("inf")
        if known and age < self._fresh:
            return known.codes
        try:
            return self._remember(user, organisation, self._ask(user, organisation))
        except ApiAway as error:
            current_app.logger.warning("S2S: DfE Sign-in gave no roles: %s", error)
        if known and age < self._stale:
            return known.codes
        raise refused(
            "roles-unknown",
            "DfE Sign-in does not answer at the moment, so we cannot find out what you may do here."
            " Nothing is wrong with your account. Try again in a few minutes.",
            status=503,
        )

    def _remembered(self, user: str, organisation: str) -> Answer | None:
        with self._lock:
            return self._answers.get((user, organisation))

    def _remember(self, user: str, organisation: str, codes: frozenset[str]) -> frozenset[str]:
        with self._lock:
            self._answers[(user, organisation)] = Answer(codes, self._ticks())
        return codes

    def _ask(self, user: str, organisation: str) -> frozenset[str]:
        if self._ticks() < self._ask_again_at:
            raise ApiAway("not asked, as it has just failed")
        where = f"organisations/{quote(organisation, safe='')}/users/{quote(user, safe='')}"
        try:
            response = requests.get(
                f"{self._service}/{where}",
                auth=self._sign,
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise self._pausing(type(error).__name__) from error
        if response.status_code == 404:
            return frozenset()
        if response.status_code >= 500:
            raise self._pausing(f"status {response.status_code}")
        if response.status_code != 200:
            raise ApiAway(f"status {response.status_code}")
        return _codes(response)

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As `auth`, not as a header: a .netrc of the machine would replace a header.
        claims = {"iss": self._issuer, "aud": AUDIENCE}
        request.headers["Authorization"] = (
            f"bearer {jwt.encode({'alg': 'HS256'}, claims, self._key)}"
        )
        return request

    def _pausing(self, reason: str) -> ApiAway:
        self._ask_again_at = self._ticks() + PAUSE
        return ApiAway(reason)


def _codes(response: requests.Response) -> frozenset[str]:
    try:
        answer = reading.mapping(response.json())
    except (ValueError, RecursionError) as error:
        raise ApiAway("an answer that is not JSON") from error
    if not isinstance(answer.get("roles"), list):
        raise ApiAway("an answer without roles")
    roles = [reading.mapping(role) for role in answer["roles"]]
    return reading.names([role.get("code") for role in roles if _is_active(role)])


def _is_active(role: Any) -> bool:
    status = reading.mapping(role.get("status"))
    return "id" not in status or reading.number(status["id"]) == ACTIVE


def of_this_app() -> PublicApi:
    """The client of the current app, made at first use from its settings."""
    made = current_app.extensions.get(EXTENSION)
    if made is None:
        made = PublicApi(
            setting("S2S_DFE_API_URL"),
            secret=setting("S2S_DFE_API_SECRET"),
            client_id=setting("S2S_DFE_CLIENT_ID"),
            service_id=setting("S2S_DFE_SERVICE_ID"),
            timeout=float(setting("S2S_DFE_API_TIMEOUT")),
            fresh=float(setting("S2S_DFE_ROLES_CACHE_SECONDS")),
            stale=float(setting("S2S_DFE_ROLES_STALE_SECONDS")),
        )
        made = current_app.extensions.setdefault(EXTENSION, made)
    return made  # type: ignore[no-any-return]
