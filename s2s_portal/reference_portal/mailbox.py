"""Mail that the portal sent, received by an SMTP server of its own and shown at `/mailbox`.

Nothing leaves this machine: the server listens on it alone and delivers to a folder.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from flask import Blueprint, abort, current_app, render_template, request
from flask.typing import ResponseReturnValue

from s2s_portal import clock
from s2s_portal.reference_portal.accounts import personas_allowed
from s2s_portal.reference_portal.folder import write_whole

bp = Blueprint("mailbox", __name__)

PAGE = 20  # messages shown at once
LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)]")


class Delivery:
    """What the SMTP server does with a message: one file for each, named by when it came."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep the message whole before saying so (the name is aiosmtpd's)."""
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}.eml"
        write_whole(self.folder / name, envelope.content)
        return "250 Message kept"


def sink(folder: Path, port: int) -> Controller:
    """An SMTP server for `port` of this machine that delivers to `folder`; start and stop it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    return Controller(Delivery(folder), hostname="127.0.0.1", port=port)


@dataclass(frozen=True)
class Letter:
    """One message for reading: `parts` is its text, cut where an address can be followed."""

    name: str
    subject: str
    sender: str
    recipients: str
    sent: datetime | None
    parts: list[tuple[str, bool]]


@bp.get("/mailbox")
def index() -> ResponseReturnValue:
    """The newest letters in full, and a way to the older ones."""
    if not personas_allowed():
        abort(404)
    before = request.args.get("before", "")
    folder = Path(current_app.config["S2S_DATA_DIR"]) / "mailbox"
    names = sorted((path.name for path in folder.glob("[0-9]*.eml")), reverse=True)
    wanted = [name for name in names if not before or name < before]
    shown = [read(folder / name) for name in wanted[:PAGE]]
    return render_template(
        "portal/mailbox.html",
        letters=shown,
        total=len(names),
        older=shown[-1].name if len(wanted) > PAGE else None,
        newest=not before,
    )


def read(path: Path) -> Letter:
    """The letter in the file `path`."""
    message: EmailMessage = message_from_bytes(path.read_bytes(), policy=policy.default)
    body = message.get_body(("plain",))
    text = body.get_content() if body is not None else ""
    return Letter(
        name=path.name,
        subject=str(message["Subject"] or "(no subject)"),
        sender=str(message["From"] or ""),
        recipients=str(message["To"] or ""),
        sent=_sent(message),
        parts=_cut(text.replace("\r\n", "\n").strip()),
    )


def _sent(message: EmailMessage) -> datetime | None:
    try:
        return clock.local(parsedate_to_datetime(str(message["Date"])))
    except ValueError:
        return None


def _cut(text: str) -> list[tuple[str, bool]]:
    """`text` in pieces, each with whether it is an address to follow."""
    pieces: list[tuple[str, bool]] = []
    end = 0
    for found in LINK.finditer(text):
        pieces += [(text[end : found.start()], False), (found.group(), True)]
        end = found.end()
    return [*pieces, (text[end:], False)]
