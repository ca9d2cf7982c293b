"""Signing on by OpenID Connect, with Authlib: authorisation code, PKCE, state and nonce.

Authlib speaks the protocol. This module holds it to what the council configured: the issuer, the
audience, a short list of algorithms, addresses that people may be sent to, and the time that a
page may take. Nothing is asked of a provider before somebody wants to sign on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.integrations.flask_client import FlaskOAuth2App, OAuth
from flask import Flask, current_app, request, session, url_for

from s2s_portal.reference_portal.failures import SignOnFailed, told_plainly
from s2s_portal.reference_portal.patience import PatientSession
from s2s_portal.reference_portal.providers import EXTENSION as PROVIDERS
from s2s_portal.reference_portal.providers import Provider, origin

EXTENSION = "portal_openid"
# Signed with a key that only the provider has: never "none", never HS256 with a key of everybody's.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
LEEWAY = 60  # seconds that a provider's clock may be ahead of ours, or a token past its end
OLDEST = 600  # seconds since a token was issued: Entra ID dates its tokens back by five minutes
KEEP_DESCRIPTION = 3600  # seconds until a provider is asked again how it describes itself
LONGEST_SUBJECT = 255  # characters (OpenID Connect Core 1.0, section 2)
UNFINISHED = 1800  # seconds that somebody may take to sign on at the provider

REQUIRED = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
# Of all that a provider says of itself only this is used. Authlib would take settings of its own
# out of the rest: PKCE off, or certificates unchecked.
KEPT = (*REQUIRED, "userinfo_endpoint", "end_session_endpoint")
ENDPOINTS = KEPT[1:]
SENT_THERE = ("authorization_endpoint", "end_session_endpoint")  # with the person's browser
SIGNED_WITH = "id_token_signing_alg_values_supported"  # Authlib's list; ours goes in its place


@dataclass(frozen=True)
class Verified:
    """What came of a sign-on that passed every check: who it is, and what proved it."""

    claims: dict[str, Any]
    id_token: str


class PinnedClient(FlaskOAuth2App):
    """Authlib's client, believing of a provider only what `provider` allows."""

    client_cls = PatientSession
    provider: Provider
    read_at = float("-inf")

    def load_server_metadata(self) -> dict[str, Any]:
        """How the provider describes itself, asked for when needed and kept for an hour.

        Raises SignOnFailed when that is not as configured.
        """
        if time.monotonic() - self.read_at > KEEP_DESCRIPTION:
            self.server_metadata = checked(self.provider, self._read(self._server_metadata_url))
            self.read_at = time.monotonic()
        return self.server_metadata

    def fetch_jwk_set(self, force: bool = False) -> dict[str, Any]:
        """The provider's keys. Authlib asks once more, with `force`, for a key it does not know."""
        metadata = self.load_server_metadata()
        if force or "jwks" not in metadata:
            metadata["jwks"] = self._read(metadata["jwks_uri"])
        return metadata["jwks"]  # type: ignore[no-any-return]

    def _read(self, address: str) -> dict[str, Any]:
        with self._get_session() as http:
            answer = http.request("GET", address, withhold_token=True)
        answer.raise_for_status()
        found = answer.json()
        if not isinstance(found, dict):
            raise SignOnFailed("answer", self.provider.name, "not an object")
        return found


def init_app(app: Flask) -> None:
    """Make a client for each configured provider. Asks none of them anything."""
    oauth = OAuth(app)
    clients = {}
    for key, provider in app.extensions[PROVIDERS].items():
        client = oauth.register(
            key,
            client_cls=PinnedClient,
            client_id=provider.client_id,
            client_secret=provider.client_secret,
            server_metadata_url=f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={"scope": provider.kind.scope, "code_challenge_method": "S256"},
        )
        client.provider = provider
        clients[key] = client
    app.extensions[EXTENSION] = clients


def start(provider: Provider, target: str | None) -> str:
    """Begin a sign-on that is to lead to the path `target`; the address to send the person to.

    What must come back is kept in the session. Raises SignOnFailed.
    """
    client = _client(provider)
    back = here("sign_on.callback", provider=provider.key)
    with told_plainly(provider.name):
        begun = client.create_authorization_url(back)
        client.save_authorize_data(redirect_uri=back, next=target, at=int(time.time()), **begun)
    return str(begun["url"])


def wanted(provider: Provider) -> str | None:
    """The path that the sign-on which is being finished was to lead to."""
    return _begun(provider).get("next")


def finish(provider: Provider) -> Verified:
    """Who came back from the provider with this request. Raises SignOnFailed."""
    client = _client(provider)
    with told_plainly(provider.name):
        _check_way_back(provider)
        token = client.authorize_access_token(
            claims_options={
                "iss": {"essential": True, "value": provider.issuer},
                "aud": {"essential": True, "value": provider.client_id},
            },
            leeway=LEEWAY,
        )
        claims = dict(token.get("userinfo") or {})
        if not claims:
            raise SignOnFailed("incomplete", provider.name, "no ID token")
        if claims["iat"] < time.time() - OLDEST:
            raise SignOnFailed("expired", provider.name, "issued long ago")
        if provider.kind.reads_userinfo:
            claims = _with_userinfo(client, token, claims)
        _check_can_be_kept(provider, claims)
    return Verified(claims=claims, id_token=str(token["id_token"]))


def sign_out_address(provider: Provider, id_token: str) -> str | None:
    """Where to send somebody to sign out of the provider too, or None when it has no such place.

    Raises SignOnFailed while the provider cannot be asked.
    """
    client = _client(provider)
    with told_plainly(provider.name):
        if "end_session_endpoint" not in client.load_server_metadata():
            return None
        made = client.create_logout_url(
            post_logout_redirect_uri=here("sign_on.signed_out"), id_token_hint=id_token
        )
    return str(made["url"])


def checked(provider: Provider, description: Mapping[str, Any]) -> dict[str, Any]:
    """What we use of how a provider describes itself. Raises SignOnFailed if it is not as told."""
    kept: dict[str, Any] = {name: description[name] for name in KEPT if description.get(name)}
    wrong = [name for name in REQUIRED if name not in kept]
    if provider.kind.reads_userinfo and "userinfo_endpoint" not in kept:
        wrong.append("userinfo_endpoint")
    if kept.get("issuer") != provider.issuer:
        wrong.append("issuer")
    wrong += [name for name in ENDPOINTS if name in kept and not _allowed(provider, name, kept)]
    if wrong:
        raise SignOnFailed("discovery", provider.name, ", ".join(wrong))
    return {**kept, SIGNED_WITH: list(ALGORITHMS)}


def _allowed(provider: Provider, name: str, kept: Mapping[str, Any]) -> bool:
    """Whether an endpoint is as well protected as the issuer, and people are sent to no stranger's.

    The page's own policy (form-action) would stop a browser there too, but without a word.
    """
    try:
        found = origin(kept[name])
    except (ValueError, TypeError, AttributeError):
        return False
    if found.partition(":")[0] != provider.issuer.partition(":")[0]:
        return False
    return name not in SENT_THERE or found in provider.origins


def _begun(provider: Provider) -> dict[str, Any]:
    """What this browser's session remembers of the sign-on that is being finished, if anything."""
    framework = _client(provider).framework
    return framework.get_state_data(session, request.args.get("state")) or {}


def _check_way_back(provider: Provider) -> None:
    """What Authlib leaves to us: who says that they sent the person back, and how long it took."""
    stated = request.args.get("iss")  # RFC 9207
    if stated is not None and stated != provider.issuer:
        raise SignOnFailed("issuer", provider.name, "of the answer")
    if _begun(provider).get("at", time.time()) < time.time() - UNFINISHED:
        raise SignOnFailed("state", provider.name, "too long ago")


def _with_userinfo(
    client: PinnedClient, token: Mapping[str, Any], claims: dict[str, Any]
) -> dict[str, Any]:
    """The claims with those of the userinfo endpoint; what the signed ID token says goes first."""
    more = dict(client.userinfo(token=token))
    if more.get("sub") != claims["sub"]:
        raise SignOnFailed("people", client.provider.name)
    return {**more, **claims}


def _check_can_be_kept(provider: Provider, claims: dict[str, Any]) -> None:
    """No letter or number that PostgreSQL cannot hold, and a subject no longer than its standard.

    Lone surrogates and NaN raise ValueError.
    """
    written = json.dumps(claims, allow_nan=False, ensure_ascii=False).encode()
    if b"\\u0000" in written or len(claims["sub"]) > LONGEST_SUBJECT:
        raise SignOnFailed("answer", provider.name, "claims that cannot be kept")


def here(endpoint: str, **values: Any) -> str:
    """The full address of one of our pages, as people see it (`S2S_EXTERNAL_URL`)."""
    address = current_app.config["S2S_EXTERNAL_URL"]
    if not address:
        return url_for(endpoint, _external=True, **values)
    return f"{address.rstrip('/')}{url_for(endpoint, **values)}"


def _client(provider: Provider) -> PinnedClient:
    return current_app.extensions[EXTENSION][provider.key]  # type: ignore[no-any-return]
