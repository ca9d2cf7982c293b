"""HTTP to a provider that may be slow, endless or gone: a page waits two seconds in all, no more.

A time-out of the requests library starts anew with every byte, so that a provider which drips them
could hold a page for ever. Here each call runs on a thread of its own, and is left when the time
of the page is up.
"""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import Any

import requests
from authlib.integrations.requests_client import OAuth2Session
from flask import g
from requests.adapters import HTTPAdapter

PATIENCE = 2.0  # seconds for all calls of one page together; what the page does besides takes less
LARGEST = 1024 * 1024  # bytes of one answer
CHUNK = 16 * 1024


class PatientSession(OAuth2Session):
    """Authlib's HTTP session within the time of the page; it follows no redirects."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.max_redirects = 0  # a redirected question would take our secret along
        for scheme in ("https://", "http://"):
            self.mount(scheme, PatientAdapter())


class PatientAdapter(HTTPAdapter):
    """Sends one request and reads the whole answer, or raises requests.Timeout in time."""

    def send(
        self, request: Any, stream: bool = False, timeout: Any = None, *rest: Any, **more: Any
    ) -> requests.Response:
        """The answer, read whole. The deadline is the page's, set by its first call."""
        if "portal_provider_deadline" not in g:
            g.portal_provider_deadline = time.monotonic() + PATIENCE
        left = max(0.01, g.portal_provider_deadline - time.monotonic())
        outcome: SimpleQueue[requests.Response | Exception] = SimpleQueue()

        def ask() -> None:
            try:
                outcome.put(_whole(HTTPAdapter.send(self, request, True, left, *rest, **more)))
            except Exception as error:
                outcome.put(error)

        threading.Thread(target=ask, name="ask-provider", daemon=True).start()
        try:
            answer = outcome.get(timeout=left)
        except Empty:
            raise requests.ReadTimeout("the time of the page is up") from None
        if isinstance(answer, Exception):
            raise answer
        return answer


def _whole(answer: requests.Response) -> requests.Response:
    body = bytearray()
    for chunk in answer.iter_content(CHUNK):
        body += chunk
        if len(body) > LARGEST:
            answer.close()
            raise requests.exceptions.ContentDecodingError("the answer has no end")
    answer._content = bytes(body)
    return answer
