"""Certified OpenID providers in a process of their own, with a proxy that can lie before each."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey, RSAKey

from tests import role_api
from tests.oidc.liar import Liar

HERE = Path(__file__).parent
TENANT = "3e6a1a52-5f0c-4c0e-9d8e-5b7a1f2c9d10"
CLIENTS = {"entra": "portal-for-staff", "dfe": role_api.CLIENT}
SECRET = "a secret of the tests, of no use to anybody"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def new_key(kid: str, alg: str = "RS256") -> RSAKey | ECKey:
    """A signing key with its private part."""
    about = {"kid": kid, "use": "sig", "alg": alg}
    if alg == "ES256":
        return ECKey.generate_key("P-256", about)
    return RSAKey.generate_key(2048, about)


def private_set(*keys: RSAKey | ECKey) -> dict[str, Any]:
    """Keys as the provider is given them: it signs with the first."""
    return {"keys": [key.as_dict(private=True) for key in keys]}


class Providers:
    """The process, a liar in front of each provider, and the keys they sign with."""

    def __init__(self, accounts: dict[str, dict[str, Any]], *portals: str) -> None:
        self.first_keys = {name: new_key(f"{name}-1") for name in CLIENTS}
        self.keys = dict(self.first_keys)
        ports = {name: free_port() for name in CLIENTS}
        self.liars = {name: Liar(free_port(), ports[name]) for name in CLIENTS}
        self.issuers = {
            "entra": f"{self.liars['entra'].url}/{TENANT}/v2.0",
            "dfe": self.liars["dfe"].url,
        }
        # Node from the wheel: the machine's own may be older than oidc-provider supports.
        node = Path(sys.executable).parent / "node"
        self.process = subprocess.Popen(
            [str(node), str(HERE / "provider.mjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._tell(
            [
                {
                    "name": name,
                    "issuer": self.issuers[name],
                    "port": ports[name],
                    "client_id": CLIENTS[name],
                    "client_secret": SECRET,
                    "redirect_uris": [f"{at}/sign-in/{name}/callback" for at in portals],
                    "post_logout_redirect_uris": [f"{at}/signed-out" for at in portals],
                    "keys": private_set(self.keys[name]),
                    "accounts": accounts[name],
                    # As DfE Sign-in: who is in the ID token, what about them at userinfo.
                    "claims_from_userinfo": name == "dfe",
                }
                for name in CLIENTS
            ]
        )

    def _tell(self, what: Any) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        # oidc-provider prints warnings of its own there too.
        while (said := self.process.stdout.readline()) != "done\n":
            assert said, "the provider stopped: is node_modules there? run `make assets`"

    def change(self, name: str, **what: Any) -> None:
        """Change the `accounts` or `keys` of a provider while it runs."""
        self._tell({"name": name, **what})

    def roll_over(self, name: str, alg: str = "RS256") -> None:
        """Sign with a new key from now on; the old one stays in the set, as providers do."""
        old, new = self.keys[name], new_key(f"{name}-{free_port()}", alg)
        self.keys[name] = new
        self.change(name, keys=private_set(new, old))

    def restore(self, accounts: dict[str, dict[str, Any]]) -> None:
        """Be honest, with these accounts and the first keys again."""
        for name, liar in self.liars.items():
            liar.be_honest()
            self.keys[name] = self.first_keys[name]
            self.change(name, accounts=accounts[name], keys=private_set(self.keys[name]))

    def config(self, *names: str) -> dict[str, str]:
        """What the portal must be told to use the providers `names`."""
        found = {}
        for name in names:
            found[f"PORTAL_{name.upper()}_ISSUER"] = self.issuers[name]
            found[f"PORTAL_{name.upper()}_CLIENT_ID"] = CLIENTS[name]
            found[f"PORTAL_{name.upper()}_CLIENT_SECRET"] = SECRET
        return found

    def stop(self) -> None:
        """End the process and the proxies."""
        for liar in self.liars.values():
            liar.stop()
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)
