"""A file of a pull on its way out: to a browser, or to another system through the API."""

from __future__ import annotations

from datetime import UTC
from urllib.parse import quote

from flask import Response

from s2s_portal.services.pull_downloads import Taken


def answer(taken: Taken) -> Response:
    """The file, under the name that says which copy it is; headers say so too, with whom and when.

    `S2S-Copy` has the name percent-encoded, as a header holds no Łukasz.
    """
    response = Response(taken.content, mimetype=taken.media_type)
    response.headers.set("Content-Disposition", "attachment", filename=taken.saved_as)
    who = quote(taken.by_name, safe=" ")
    response.headers["S2S-Copy"] = (
        f"copy {taken.copy}; downloaded by {who} on {taken.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    )
    return response
