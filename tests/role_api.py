"""The public API of DfE Sign-in as far as we ask it: a real HTTP server on loopback.

It checks the bearer as DfE Sign-in does (HS256 with the API secret, issuer, audience), knows who
has which role codes, and can be told to be slow, to fail or to talk nonsense.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote

SECRET = "an-api-secret-for-tests-only-0001"
CLIENT, SERVICE = "NorfolkS2S", "5e7b1ce0-0000-4000-8000-000000000926"


def _part(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def is_ours(authorization: str) -> bool:
    """Whether an Authorization header is the bearer that DfE Sign-in asks for, checked by hand."""
    scheme, _, token = authorization.partition(" ")
    pieces = token.split(".")
    if scheme.lower() != "bearer" or len(pieces) != 3:
        return False
    signed = hmac.new(SECRET.encode(), f"{pieces[0]}.{pieces[1]}".encode(), hashlib.sha256)
    return (
        json.loads(_part(pieces[0]))["alg"] == "HS256"
        and hmac.compare_digest(signed.digest(), _part(pieces[2]))
        and json.loads(_part(pieces[1])) == {"iss": CLIENT, "aud": "signin.education.gov.uk"}
    )


class RoleApi:
    """The server. `codes` by (user, organisation); `asked` counts what came; the rest are moods."""

    def __init__(self) -> None:
        self.codes: dict[tuple[str, str], list[Any]] = {}
        self.asked: list[str] = []
        self.seconds_late = 0.0
        self.status = 200
        self.body: bytes | None = None
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Be gone: the port refuses from now on."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, path: str, authorization: str) -> tuple[int, bytes]:
        """Status and body for one question."""
        self.asked.append(path)
        time.sleep(self.seconds_late)
        if self.status != 200 or self.body is not None:
            return self.status, self.body or b"{}"
        if not is_ours(authorization):
            return 401, b"{}"
        match path.strip("/").split("/"):
            case ["services", service, "organisations", organisation, "users", user]:
                found = self.codes.get((unquote(user), unquote(organisation)))
                if service == SERVICE and found is not None:
                    return 200, self._access(user, organisation, found)
        return 404, b""

    def _access(self, user: str, organisation: str, found: list[Any]) -> bytes:
        roles = [
            role
            if isinstance(role, dict)
            else {
                "id": f"R{role}",
                "name": role,
                "code": role,
                "numericId": "1",
                "status": {"id": 1},
            }
            for role in found
        ]
        whole = {
            "userId": user,
            "serviceId": SERVICE,
            "organisationId": organisation,
            "roles": roles,
            "identifiers": [{"key": "groups", "value": "x"}],
        }
        return json.dumps(whole).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = api.answer(self.path, self.headers.get("Authorization", ""))
                self.send_response(status)
                if status in {301, 302}:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_parts: Any) -> None:
                """Say nothing."""

            def handle(self) -> None:
                # Whoever asked may have stopped waiting.
                with suppress(BrokenPipeError, ConnectionResetError):
                    super().handle()

        return Handler
