"""What the settings of the claim maps must hold: found out when the service is mounted."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from s2s_portal.claims.role_maps import role_map
from s2s_portal.errors import NotMounted

NEEDED = ("requests", "joserfc", "cachetools")
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def check(config: Mapping[str, Any]) -> None:
    """Raise NotMounted, saying what to change, when a claim map could not work or be trusted."""
    for name in ("S2S_ENTRA_ROLES", "S2S_DFE_ROLES"):
        role_map(config[name], name)
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
