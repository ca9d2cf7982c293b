"""A small council portal to look around in: `make run`, or `flask --app
s2s_portal.reference_portal`.

It stands in for the council's own portal and shows, in `create_app`, what a host does to mount the
service. It is for looking around and for tests, not for real children: unless an OpenID provider is
configured (`docs/sign-on.md`), anybody who can reach it can sign on as anybody.
"""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask_mail import Mail
from flask_wtf import CSRFProtect
from sqlalchemy import make_url

from s2s_portal import settings
from s2s_portal.errors import NotMounted
from s2s_portal.mount import S2SPortal
from s2s_portal.reference_portal import (
    account_commands,
    accounts,
    folder,
    mailbox,
    openid,
    pages,
    providers,
    sessions,
    sign_on,
)
from s2s_portal.reference_portal.postgres import EmbeddedPostgres

SMTP_PORT = 2525  # where mail goes until `make run` has chosen a port

# Keys of the portal's own, from the environment or `config`; `docs/sign-on.md` tells of them.
PORTAL_KEYS = (
    "PORTAL_SMTP_PORT",
    "PORTAL_OIDC_ISSUER",  # of the past: refused, lest an upgrade let people in as personas
    *(f"PORTAL_{kind.key.upper()}_{part}" for kind in providers.KINDS for part in providers.PARTS),
)

__all__ = ["create_app"]


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """The portal with the service mounted. `config` goes before the environment.

    Understands `DATABASE_URL`, `S2S_DATA_DIR`, the `PORTAL_...` keys below, and every `S2S_...`
    setting. Without `DATABASE_URL` the embedded PostgreSQL of the folder is started, or used where
    it runs already.
    """
    app = Flask(__name__)
    app.config.from_mapping(_defaults())
    app.config.from_mapping(config or {})
    place = folder.place(app.config["S2S_DATA_DIR"])
    app.config["S2S_DATA_DIR"] = str(place)
    app.config.setdefault("S2S_STORAGE_FOLDER", str(place / "files"))
    app.config["SECRET_KEY"] = app.config["SECRET_KEY"] or folder.secret_key(place)
    app.config.setdefault("S2S_MATCH_KEY", folder.match_key(place))
    app.config["MAIL_PORT"] = int(app.config["PORTAL_SMTP_PORT"] or _smtp_port(place))
    app.config["SQLALCHEMY_DATABASE_URI"] = for_sqlalchemy(
        app.config["DATABASE_URL"] or _embedded(place)
    )
    settings.fill_in(app.config)
    app.config["S2S_DFE_CLIENT_ID"] = (
        app.config["S2S_DFE_CLIENT_ID"] or app.config["PORTAL_DFE_CLIENT_ID"]
    )
    _secure_the_cookie(app)
    accounts.init_app(app)
    sessions.init_app(app)
    providers.init_app(app)
    openid.init_app(app)
    Mail(app)
    CSRFProtect(app)
    S2SPortal().init_app(app, identity=accounts.Identity())
    pages.init_app(app)
    for blueprint in (pages.bp, sign_on.bp, mailbox.bp):
        app.register_blueprint(blueprint)
    app.cli.add_command(account_commands.commands)
    for issuer in sorted(name for name in PORTAL_KEYS if name.endswith("_ISSUER")):
        if app.config[issuer]:
            app.logger.warning("Personas are off, because %s is set.", issuer)
    return app


def _secure_the_cookie(app: Flask) -> None:
    """Behind https the cookie goes by https alone, and no other host can set it for us."""
    if pages.is_secure(app):
        app.config["SESSION_COOKIE_SECURE"] = app.config["REMEMBER_COOKIE_SECURE"] = True
        app.config["SESSION_COOKIE_NAME"] = f"__Host-{app.config['SESSION_COOKIE_NAME']}"


def _from_environment() -> dict[str, Any]:
    """What the environment sets of our keys; JSON for what is not text. Raises NotMounted."""
    names = (*PORTAL_KEYS, "DATABASE_URL", "S2S_DATA_DIR")
    given: dict[str, Any] = {name: os.environ.get(name) for name in names}
    for setting in settings.SETTINGS:
        if text := os.environ.get(setting.name):
            given[setting.name] = _read(setting, text)
    return given


def _read(setting: settings.Setting, text: str) -> Any:
    if setting.kind is str:
        return text
    try:
        return setting.kind(json.loads(text))
    except (ValueError, TypeError) as error:
        kind = setting.kind.__name__
        raise NotMounted(f"{setting.name} must be JSON ({kind}): {error}.") from error


def _defaults() -> dict[str, Any]:
    given = _from_environment()
    return {
        "S2S_BASE_TEMPLATE": "portal/base.html",
        # With what the provider itself may take this keeps the page within three seconds.
        "S2S_DFE_API_TIMEOUT": 0.9,
        "SECRET_KEY": None,
        "SESSION_COOKIE_NAME": "portal_session",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "REMEMBER_COOKIE_SAMESITE": "Lax",  # nothing here remembers anybody; should that change
        # An hour more than the service's own limit (S2S_SIGN_ON_HOURS), which says why it ended.
        "PERMANENT_SESSION_LIFETIME": timedelta(hours=13),
        # Twice the largest file, so that one somewhat too large is refused on its own page.
        "MAX_CONTENT_LENGTH": 21 * 1024 * 1024,
        "MAIL_SERVER": "127.0.0.1",
        "MAIL_DEFAULT_SENDER": "School to School Support <s2s@portal.example>",
        # A token lasts as long as its session: a long referral is not lost to an hour's limit.
        "WTF_CSRF_TIME_LIMIT": None,
        # A connection that PostgreSQL dropped (a restart) is replaced, not handed out; and nobody
        # waits for one long, whether the server is away or all of them are in use.
        "SQLALCHEMY_ENGINE_OPTIONS": {
            "pool_pre_ping": True,
            "pool_timeout": 3,
            "connect_args": {"connect_timeout": 3},
        },
        **given,
    }


def for_sqlalchemy(url: str) -> str:
    """`url` as SQLAlchemy wants it: `postgres://` and `postgresql://` mean psycopg 3 here.

    Raises NotMounted for any other database.
    """
    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):
            return f"postgresql+psycopg://{url.removeprefix(scheme)}"
    kind = make_url(url).drivername
    if kind != "postgresql+psycopg":
        raise NotMounted(f"DATABASE_URL must be the address of a PostgreSQL, not of {kind}.")
    return url


def _smtp_port(place: Path) -> int:
    chosen = place / "smtp-port"
    return int(chosen.read_text()) if chosen.exists() else SMTP_PORT


def _embedded(place: Path) -> str:
    server = EmbeddedPostgres(place / "postgres")
    atexit.register(server.stop)  # stops nothing that somebody else started
    return server.start()
