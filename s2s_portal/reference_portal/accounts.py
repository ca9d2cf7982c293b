"""The portal's own accounts, and how they become the service's actors.

This is the part that every council writes for itself: its own table, its own Flask-Login, and an
adapter of one method.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app, g
from flask_login import LoginManager, UserMixin
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Integer, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal import Actor, Role
from s2s_portal.reference_portal.personas import PERSONAS, Persona

db = SQLAlchemy()


class PortalUser(db.Model):  # type: ignore[name-defined]
    """One account of the portal, in its own table outside the service's schema."""

    __tablename__ = "portal_user"
    # Said outright: PostgreSQL looks first in a schema of the login's name, and ours is "s2s" too.
    __table_args__ = {"schema": "public"}

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    establishments: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    provider: Mapped[int | None]

    def actor(self, urn: int | None = None) -> Actor:
        """This account as the service knows it, acting for the school `urn` if one is given."""
        return Actor(
            id=self.key,
            name=self.name,
            email=self.email,
            roles=frozenset(Role(role) for role in self.roles),
            establishments=(urn,) if urn else tuple(self.establishments),
            provider=self.provider,
        )


class SignedOn(UserMixin):
    """Whoever is signed on: an account, and perhaps another school than its own."""

    def __init__(self, account: PortalUser, urn: int | None = None) -> None:
        self.id = f"{account.key}@{urn}" if urn else account.key
        self.other_school = urn
        self.actor = account.actor(urn)


class Identity:
    """What the portal passes to `S2SPortal.init_app`."""

    def actor(self, user: Any) -> Actor:
        """The actor that the signed-on user carries."""
        return user.actor  # type: ignore[no-any-return]


def init_app(app: Flask) -> None:
    """Give `app` its database and its sign-on."""
    db.init_app(app)
    login = LoginManager(app)
    login.login_view = "sign_on.sign_in"
    login.login_message = None
    login.user_loader(load)


def personas_allowed() -> bool:
    """Whether people may sign on as personas: never beside a real OpenID provider."""
    return not current_app.config["PORTAL_OIDC_ISSUER"]


def load(identifier: str) -> SignedOn | None:
    """The signed-on user that a session names, or None when there is none (any more)."""
    key, _, urn = identifier.partition("@")
    if not personas_allowed() or not (urn == "" or urn.isdecimal()):
        return None
    account = _account_of(key)
    return SignedOn(account, int(urn) if urn else None) if account else None


def _account_of(key: str) -> PortalUser | None:
    """The account; while the database is away that is an error once, and nobody after that.

    For the page that tells of the error asks again who is signed on.
    """
    if g.get("portal_database_is_away"):
        return None
    try:
        return db.session.get(PortalUser, key)
    except OperationalError:
        g.portal_database_is_away = True
        raise


def prepare() -> None:
    """Make the portal's own table, and bring the personas' accounts up to date."""
    db.create_all()
    for persona in PERSONAS.values():
        db.session.merge(_account(persona))
    db.session.commit()


def _account(persona: Persona) -> PortalUser:
    return PortalUser(
        key=persona.key,
        name=persona.name,
        email=persona.email,
        roles=[role.value for role in persona.roles],
        establishments=[persona.establishment] if persona.establishment else [],
        provider=persona.provider,
    )
