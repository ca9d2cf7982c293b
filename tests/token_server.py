"""The council's identity provider as far as the API needs one: a key set over HTTP, and tokens.

A real HTTP server on loopback with real keys. It can rotate its keys, be away, or talk nonsense.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from s2s_portal import clock

ISSUER, AUDIENCE, CLIENT = "https://login.council.example/v2.0", "api://s2s", "finance-system"
RSA, OTHER = RSAKey.generate_key(2048, {"kid": "one"}), RSAKey.generate_key(2048, {"kid": "two"})
EC = ECKey.generate_key("P-256", {"kid": "three"})


class KeyServer:
    """The server. `keys` are what it publishes; `asked` counts how often; the rest are moods."""

    def __init__(self) -> None:
        self.keys: list[Any] = [RSA, EC]
        self.asked = 0
        self.status = 200
        self.body: bytes | None = None
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/keys"
        self.thread = Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Be gone: the port refuses from now on."""
        self.server.shutdown()
        self.server.server_close()

    def published(self) -> bytes:
        """The key set as it is published."""
        keys = [{**key.as_dict(private=False), "use": "sig"} for key in self.keys]
        return json.dumps({"keys": keys}).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked += 1
                body = server.published() if server.body is None else server.body
                with suppress(OSError):
                    self.send_response(server.status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def claims(**changed: Any) -> dict[str, Any]:
    """What a good token says, with changes; None takes a claim away."""
    now = int(clock.now().timestamp())
    said = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "sub": CLIENT,
        "client_id": CLIENT,
        "scope": "ledger.read ledger.pull",
    }
    return {name: value for name, value in (said | changed).items() if value is not None}


def token(key: Any = RSA, alg: str = "RS256", kid: str | None = "", **changed: Any) -> str:
    """A token signed with `key`."""
    header = {"alg": alg, "typ": "at+jwt", "kid": key.kid if kid == "" else kid}
    header = {name: value for name, value in header.items() if value is not None}
    return jwt.encode(header, claims(**changed), key, algorithms=[alg])


def _part(content: Any) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(alg: str = "none") -> str:
    """A token that nobody has signed, saying so."""
    return f"{_part({'alg': alg, 'kid': 'one'})}.{_part(claims())}."


def signed_with_the_public_key() -> str:
    """A token signed by HMAC with the published key: the classic confusion."""
    head = f"{_part({'alg': 'HS256', 'kid': 'one'})}.{_part(claims())}"
    secret = RSA.as_pem(private=False)
    return f"{head}.{_part(hmac.new(secret, head.encode(), hashlib.sha256).digest())}"
