"""The OpenID providers that this portal is told to use: council staff, schools, both or neither.

Each is switched on by its issuer (`PORTAL_ENTRA_ISSUER`, `PORTAL_DFE_ISSUER`) and then needs a
client id and secret. Nothing here touches the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from flask import Flask, current_app

from s2s_portal.claims import DfESignInClaims, EntraClaims
from s2s_portal.errors import NotMounted
from s2s_portal.identity import Actor

EXTENSION = "portal_providers"
PARTS = ("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "ORIGINS")
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class Kind:
    """What sets one sort of provider apart: its words, its scopes, and who reads its claims."""

    key: str
    name: str
    button: str
    hint: str
    scope: str
    reads_userinfo: bool
    claim_map: Callable[[], Any]


KINDS = (
    Kind(
        key="entra",
        name="the council’s sign-in",
        button="Sign in as council staff",
        hint="You work for the council and have a council account.",
        scope="openid profile email",
        reads_userinfo=False,
        claim_map=EntraClaims,
    ),
    Kind(
        key="dfe",
        name="DfE Sign-in",
        button="Sign in as school staff",
        hint="You work for a school or a trust and have a DfE Sign-in account.",
        scope="openid profile email organisation",
        reads_userinfo=True,
        claim_map=DfESignInClaims,
    ),
)


@dataclass(frozen=True)
class Provider:
    """One provider as configured. `origins` are the addresses people may be sent to."""

    kind: Kind
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    origins: frozenset[str]
    claims: Any = field(repr=False, compare=False)

    @property
    def key(self) -> str:
        """`entra` or `dfe`: part of its pages' addresses."""
        return self.kind.key

    @property
    def name(self) -> str:
        """What people call it."""
        return self.kind.name

    def actor(self, claims: Mapping[str, Any]) -> Actor:
        """Whom `claims` speak of. Raises SignOnRefused."""
        return self.claims.actor(claims)  # type: ignore[no-any-return]


def init_app(app: Flask) -> None:
    """Read the configuration. Raises NotMounted, in one sentence, when it is not whole."""
    if app.config["PORTAL_OIDC_ISSUER"]:
        raise NotMounted(
            "PORTAL_OIDC_ISSUER is no longer read: set PORTAL_ENTRA_ISSUER for council staff,"
            " PORTAL_DFE_ISSUER for schools, or both (docs/sign-on.md)."
        )
    found = [_provider(kind, app.config) for kind in KINDS if _part(kind, "ISSUER", app.config)]
    _check_own_address(found, app.config["S2S_EXTERNAL_URL"] or "")
    app.extensions[EXTENSION] = {provider.key: provider for provider in found}


def configured() -> dict[str, Provider]:
    """The providers of the current app by key; empty where people sign on as personas."""
    return current_app.extensions[EXTENSION]  # type: ignore[no-any-return]


def origin(url: str) -> str:
    """Scheme, host and port of `url`. Raises ValueError for what is no web address."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise ValueError(f"not the address of a web server: {url!r}")
    usual = parts.port in (None, {"http": 80, "https": 443}[parts.scheme])
    port = "" if usual else f":{parts.port}"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}"


def _provider(kind: Kind, config: Mapping[str, Any]) -> Provider:
    issuer, client_id, secret, more = (_part(kind, part, config) for part in PARTS)
    for name, value in (("CLIENT_ID", client_id), ("CLIENT_SECRET", secret)):
        if not value:
            raise NotMounted(
                f"{_name(kind, 'ISSUER')} is set, so {_name(kind, name)} must be set too"
                " (docs/sign-on.md)."
            )
    return Provider(
        kind=kind,
        issuer=issuer,
        client_id=client_id,
        client_secret=secret,
        origins=frozenset(_checked(kind, address) for address in (issuer, *more.split())),
        claims=_claim_map(kind, issuer, config),
    )


def _check_own_address(found: list[Provider], own: str) -> None:
    """Beside a real provider the portal must know its own address, and that must be https."""
    if not any(provider.issuer.startswith("https:") for provider in found):
        return
    host = urlsplit(own).hostname
    if not host or (not own.startswith("https://") and host not in LOOPBACK):
        raise NotMounted(
            "Set S2S_EXTERNAL_URL to the address of this portal as people see it, beginning with"
            " https: the providers send people back there (docs/sign-on.md)."
        )


def _claim_map(kind: Kind, issuer: str, config: Mapping[str, Any]) -> Any:
    """The claim map; Entra's goes by the tenant of the issuer unless a setting names one."""
    if kind.claim_map is EntraClaims and not config["S2S_ENTRA_TENANT"]:
        return EntraClaims(tenant=_tenant(issuer))
    return kind.claim_map()


def _tenant(issuer: str) -> str | None:
    """The tenant in an issuer such as `https://login.microsoftonline.com/<tenant>/v2.0`."""
    for part in urlsplit(issuer).path.split("/"):
        try:
            return str(UUID(part))
        except ValueError:
            continue
    raise NotMounted(
        "PORTAL_ENTRA_ISSUER names no tenant: use the issuer of your own tenant"
        " (https://login.microsoftonline.com/<tenant id>/v2.0), or set S2S_ENTRA_TENANT."
    )


def _checked(kind: Kind, address: str) -> str:
    """The origin of `address`, which must be https unless it is on this machine."""
    try:
        found = origin(address)
    except ValueError as error:
        raise NotMounted(f"{_name(kind, 'ISSUER')} or _ORIGINS: {error}.") from error
    if found.startswith("http:") and urlsplit(found).hostname not in LOOPBACK:
        raise NotMounted(f"{_name(kind, 'ISSUER')} or _ORIGINS: {found} must be https.")
    return found


def _name(kind: Kind, part: str) -> str:
    return f"PORTAL_{kind.key.upper()}_{part}"


def _part(kind: Kind, part: str, config: Mapping[str, Any]) -> str:
    return (config[_name(kind, part)] or "").strip()
