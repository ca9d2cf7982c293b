"""What the settings of the claim maps must hold: found out when the service is mounted."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from s2s_portal.claims.role_maps import role_map
from s2s_portal.errors import NotMounted

NEEDED = ("requests", "joserfc", "cachetools")
# Signatures that only the holder of a private key can make.
SIGNED_BY_ONE = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def check(config: Mapping[str, Any]) -> None:
    """Raise NotMounted, saying what to change, when a claim map could not work or be trusted."""
    for name in ("S2S_ENTRA_ROLES", "S2S_DFE_ROLES"):
        role_map(config[name], name)
    _check_api(config)
    if not config["S2S_DFE_API_SECRET"]:
        return
    address = urlsplit(config["S2S_DFE_API_URL"])
    if address.scheme != "https" and address.hostname not in LOOPBACK:
        raise NotMounted("S2S_DFE_API_URL must begin with https: our questions name people.")
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise NotMounted(
            f"S2S_DFE_API_SECRET is set, but {', '.join(missing)} is not installed:"
            " pip install 's2s-portal[sign-on]'."
        )


def _check_api(config: Mapping[str, Any]) -> None:
    if not config["S2S_API_ISSUER"]:
        return
    for name in ("S2S_API_AUDIENCE", "S2S_API_KEYS"):
        if not config[name]:
            raise NotMounted(f"S2S_API_ISSUER is set, so {name} must be set too.")
    address = urlsplit(config["S2S_API_KEYS"])
    if address.scheme == "http" and address.hostname not in LOOPBACK:
        raise NotMounted("S2S_API_KEYS must begin with https, or be the path of a file.")
    shared = [name for name in config["S2S_API_ALGORITHMS"] if name not in SIGNED_BY_ONE]
    if shared or not config["S2S_API_ALGORITHMS"]:
        raise NotMounted(f"S2S_API_ALGORITHMS may have only {', '.join(sorted(SIGNED_BY_ONE))}.")
    missing = [name for name in NEEDED[:2] if find_spec(name) is None]
    if missing:
        raise NotMounted(
            f"S2S_API_ISSUER is set, but {', '.join(missing)} is not installed:"
            " pip install 's2s-portal[api]'."
        )
