"""What the doctor sees of the host: its sign-on, its sessions, its headers, its layout, its mail.

It stands above the service, where the app is known; `services.doctor` looks at the rest.
"""

from __future__ import annotations

from flask import Flask

from s2s_portal.host_checks import (
    answers,
    forms,
    mail,
    match_key,
    pages,
    sessions,
    sign_on,
    templates,
)
from s2s_portal.services import doctor
from s2s_portal.services.doctor import Finding, Look

__all__ = ["examine", "looks"]


def looks(app: Flask) -> list[Look]:
    """Every look at the host, in the order in which to put things right."""
    return [
        look
        for theme in (sign_on, sessions, match_key, forms, pages, answers, templates, mail)
        for look in theme.looks(app)
    ]


def examine(app: Flask) -> list[Finding]:
    """Every finding about the host and the service."""
    found = [finding for look in looks(app) for finding in look.findings()]
    return found + doctor.examine()
