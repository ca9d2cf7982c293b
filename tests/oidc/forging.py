"""ID tokens that a provider would never issue, made from one that it did."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.oidc.liar import Answer, Lie


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims of a token, unchecked."""
    header, claims, _ = token.split(".")
    return json.loads(_decoded(header)), json.loads(_decoded(claims))


def forged(key: RSAKey, header: dict[str, Any] | None = None, **claims: Any) -> Lie:
    """A lie: the ID token with other claims (None takes one away), signed with `key`."""

    def lie(answer: Answer) -> Answer:
        told = answer.json
        real_header, real = parts(told["id_token"])
        made = {k: v for k, v in {**real, **claims}.items() if v is not None}
        told["id_token"] = jwt.encode({**real_header, **(header or {})}, made, key)
        answer.json = told
        return answer

    return lie


def shifted(key: RSAKey, seconds: int) -> Lie:
    """A lie: the ID token as a provider whose clock is `seconds` ahead would have issued it."""

    def lie(answer: Answer) -> Answer:
        now = int(time.time()) + seconds
        return forged(key, iat=now, nbf=now, exp=now + 3600)(answer) or answer

    return lie


def unsigned(answer: Answer) -> Answer:
    """A lie: `alg: none` and no signature."""
    told = answer.json
    header, claims = parts(told["id_token"])
    told["id_token"] = f"{_encoded({**header, 'alg': 'none'})}.{_encoded(claims)}."
    answer.json = told
    return answer


def signed_with_what_everybody_knows(key: RSAKey) -> Lie:
    """A lie: HS256, with the provider's public key as the secret."""

    def lie(answer: Answer) -> Answer:
        told = answer.json
        header, claims = parts(told["id_token"])
        text = f"{_encoded({**header, 'alg': 'HS256'})}.{_encoded(claims)}"
        secret = key.as_pem(private=False)
        signature = hmac.new(secret, text.encode(), hashlib.sha256).digest()
        told["id_token"] = f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
        answer.json = told
        return answer

    return lie


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
