"""A proxy before a certified provider that changes what it says: the provider itself never lies."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})

DISCOVERY, TOKEN, KEYS, USERINFO = "openid-configuration", "/token", "/jwks", "/me"


@dataclass
class Answer:
    """An answer on its way to the portal."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    drip: float = field(default=0.0)  # seconds between one byte and the next

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    @json.setter
    def json(self, value: Any) -> None:
        self.body = json.dumps(value).encode()


Lie = Callable[[Answer], Answer | None]


class Liar:
    """Passes requests for `port` of this machine on to `behind`, and tells the lies it is given.

    `lies` maps the end of a path to what is done to the answer; a lie that returns None closes the
    connection without one. `asked` counts requests by the end of their path.
    """

    def __init__(self, port: int, behind: int) -> None:
        self.port, self.behind = port, behind
        self.url = f"http://127.0.0.1:{port}"
        self.lies: dict[str, Lie] = {}
        self.asked: Counter[str] = Counter()
        self.sent: list[tuple[str, bytes]] = []
        self.woken = threading.Event()
        self.start()

    def start(self) -> None:
        """Take connections."""
        liar = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                liar._pass(self)

            do_POST = do_GET

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        self.woken.set()
        self.server.shutdown()
        self.server.server_close()

    def be_honest(self) -> None:
        """Tell no more lies, and count anew."""
        self.woken.set()
        self.woken = threading.Event()
        self.lies.clear()
        self.asked.clear()
        self.sent.clear()

    def hang(self, _answer: Answer) -> None:
        """A lie: say nothing for half a minute, or until the test is over."""
        self.woken.wait(30)

    def _pass(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        end = next((e for e in (DISCOVERY, TOKEN, KEYS, USERINFO) if _ends(handler.path, e)), "")
        self.asked[end] += 1
        self.sent.append((handler.path, body))
        answer: Answer | None = self._real(handler, body)
        if answer is not None and end in self.lies:
            answer = self.lies[end](answer)
        handler.close_connection = True
        if answer is not None:
            with suppress(OSError):
                _write(handler, answer)

    def _real(self, handler: BaseHTTPRequestHandler, body: bytes) -> Answer:
        behind = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=20)
        behind.request(handler.command, handler.path, body, dict(handler.headers.items()))
        answer = behind.getresponse()
        found = Answer(answer.status, answer.getheaders(), answer.read())
        behind.close()
        return found


def _ends(path: str, end: str) -> bool:
    return path.partition("?")[0].endswith(end)


def _write(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    handler.send_response(answer.status)
    for name, value in answer.headers:
        if name.lower() not in HOP:
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(answer.body)))
    handler.send_header("Connection", "close")
    handler.end_headers()
    if not answer.drip:
        handler.wfile.write(answer.body)
        return
    for byte in answer.body:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(answer.drip)
