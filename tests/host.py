"""The small host that most tests mount the service in: Flask-Login, -SQLAlchemy, -Mail, no more."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_login import LoginManager, UserMixin
from flask_mail import Mail
from flask_sqlalchemy import SQLAlchemy

from s2s_portal import Actor, S2SPortal


class User(UserMixin):
    """A host's user: all it keeps is a key into `ACTORS`."""

    def __init__(self, key: str) -> None:
        self.id = key


class Identity:
    """Hands out the actor that a test has put under the user's key."""

    def __init__(self, actors: dict[str, Actor]) -> None:
        self.actors = actors

    def actor(self, user: Any) -> Actor:
        return self.actors[user.id]


def make_host(database_url: str, actors: dict[str, Actor], **config: Any) -> Flask:
    """A host app with the service mounted, on the database at `database_url`."""
    app = Flask("host")
    app.config.update(
        TESTING=True,
        SECRET_KEY="a key for tests only",
        SQLALCHEMY_DATABASE_URI=database_url,
        MAIL_DEFAULT_SENDER="s2s@council.example",
        MAIL_SUPPRESS_SEND=True,
        SERVER_NAME="portal.example",
        # Tests travel in time; those about these limits set them.
        S2S_IDLE_MINUTES=0,
        S2S_SIGN_ON_HOURS=0,
    )
    app.config.update(config)
    db = SQLAlchemy()
    db.init_app(app)
    login = LoginManager(app)
    login.user_loader(lambda key: User(key) if key in actors else None)
    Mail(app)
    S2SPortal().init_app(app, identity=Identity(actors))
    return app
