"""The host's sessions: the key they are signed with, and the flags of their cookies."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from flask import Flask

from s2s_portal.services.doctor.findings import Look, Said, fail, warn

SHORT, TOO_SHORT = 32, 16  # characters of a key
GUESSED = {"dev", "secret", "change", "changeme", "key", "test", "default", "password", "example"}
MAKE_ONE = 'python -c "import secrets; print(secrets.token_hex(32))"'


def looks(app: Flask) -> list[Look]:
    """What a session is worth."""
    return [
        Look("secret key", partial(_secret, app), "SECRET_KEY is set, and long."),
        Look("debug", partial(_debug, app), "DEBUG is off."),
        Look(
            "cookies",
            partial(_cookies, app),
            "The session cookie is kept from scripts, other sites and plain HTTP.",
        ),
    ]


def _secret(app: Flask) -> Iterator[Said]:
    key = app.secret_key
    if not key:
        yield fail(f"SECRET_KEY is not set, so nobody can sign on. Make one: {MAKE_ONE}")
        return
    words = key.decode(errors="replace") if isinstance(key, bytes) else key
    if len(words) < TOO_SHORT or any(words.lower().startswith(guess) for guess in GUESSED):
        yield fail(
            "SECRET_KEY can be guessed, and who knows it can sign on as anybody. Make one:"
            f" {MAKE_ONE}"
        )
    elif len(words) < SHORT:
        yield warn(f"SECRET_KEY is shorter than {SHORT} characters. Make one: {MAKE_ONE}")


def _debug(app: Flask) -> Iterator[Said]:
    if app.debug:
        yield fail(
            "DEBUG is on: an error shows the code, and who sees it can run programs. Run without"
            " --debug, and unset FLASK_DEBUG."
        )


def _cookies(app: Flask) -> Iterator[Said]:
    """The remembered sign-on is a cookie too, if the host uses it."""
    over_https = (app.config.get("S2S_EXTERNAL_URL") or "").startswith("https://")
    for prefix, what, default in (
        ("SESSION_COOKIE", "The session cookie", True),
        ("REMEMBER_COOKIE", "The cookie that remembers a sign-on", True),
    ):
        if not app.config.get(f"{prefix}_SECURE", False):
            says = f"{what} also goes over plain HTTP. Set {prefix}_SECURE = True"
            yield (
                fail(f"{says}.")
                if over_https and prefix == "SESSION_COOKIE"
                else warn(f"{says} wherever the portal is reached by HTTPS.")
            )
        if not app.config.get(f"{prefix}_HTTPONLY", default):
            yield fail(f"{what} can be read by scripts. Set {prefix}_HTTPONLY = True.")
        same_site = app.config.get(f"{prefix}_SAMESITE")
        if str(same_site) == "None" and same_site is not None:
            yield fail(f"{what} goes with every site's requests. Set {prefix}_SAMESITE = 'Lax'.")
        elif not same_site:
            yield warn(
                f"{what} leaves it to the browser whether it goes with another site's requests. Set"
                f" {prefix}_SAMESITE = 'Lax'."
            )
