"""The host's mail: from whom, by which server, and whether that answers."""

from __future__ import annotations

import ipaddress
import smtplib
from collections.abc import Iterator
from functools import partial
from typing import Any

from flask import Flask

from s2s_portal.services.doctor.findings import Look, Said, fail, warn

PATIENCE = 3  # seconds for the server to answer


def looks(app: Flask) -> list[Look]:
    """Whether our notices arrive."""
    return [
        Look("mail", partial(_sender, app), "There is a sender, and an address for its links."),
        Look("mail server", partial(_server, app), "It answers."),
    ]


def _sender(app: Flask) -> Iterator[Said]:
    if not (app.config["S2S_MAIL_SENDER"] or app.config.get("MAIL_DEFAULT_SENDER")):
        yield fail("No sender: set S2S_MAIL_SENDER or the host's MAIL_DEFAULT_SENDER.")
    if not app.config["S2S_EXTERNAL_URL"]:
        yield warn(
            "S2S_EXTERNAL_URL is not set, so links in mail go by the address of each request."
        )


def _server(app: Flask) -> Iterator[Said]:
    found = app.extensions["s2s"].mail
    settings = getattr(found, "state", None) or found
    if getattr(settings, "suppress", False):
        yield warn("MAIL_SUPPRESS_SEND is on, so no mail leaves.")
        return
    server, port = getattr(settings, "server", None), getattr(settings, "port", None) or 25
    if not server:
        return
    try:
        _greet(settings, server, port)
    except (OSError, smtplib.SMTPException) as error:
        yield warn(
            f"{server}:{port} does not answer within {PATIENCE} seconds ({_why(error)})."
            " Mail waits, and is tried again for about six hours. See MAIL_SERVER and MAIL_PORT."
        )
    safe = getattr(settings, "use_tls", False) or getattr(settings, "use_ssl", False)
    if not safe and not _is_this_machine(server):
        yield warn(
            f"Mail goes to {server} in the clear, with who is told of which referral. Set"
            " MAIL_USE_TLS = True."
        )


def _why(error: Exception) -> str:
    """What the machine says of it, in a few words."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _greet(settings: Any, server: str, port: int) -> None:
    kind = smtplib.SMTP_SSL if getattr(settings, "use_ssl", False) else smtplib.SMTP
    with kind(server, port, timeout=PATIENCE) as connection:
        connection.noop()


def _is_this_machine(server: str) -> bool:
    try:
        return ipaddress.ip_address(server).is_loopback
    except ValueError:
        return server == "localhost"
