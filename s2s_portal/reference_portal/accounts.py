"""The portal's own accounts, and how they become the service's actors.

This is the part that every council writes for itself: its own tables, its own Flask-Login, and an
adapter of one method.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from flask import Flask, g
from flask_login import LoginManager, UserMixin
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from s2s_portal import Actor, clock
from s2s_portal.claims import SignOnRefused
from s2s_portal.reference_portal import sessions
from s2s_portal.reference_portal.personas import PERSONAS, Persona
from s2s_portal.reference_portal.providers import Provider, configured
from s2s_portal.reference_portal.tables import PortalAccount, PortalUser, db

ACCOUNT = (
    "account:"  # begins the name by which Flask-Login knows somebody with a provider's account
)
# About one sign-on, not about the person: not kept.
PROTOCOL_CLAIMS = frozenset(
    {
        *("aud", "azp", "exp", "nbf", "iat", "auth_time", "nonce", "at_hash", "c_hash", "s_hash"),
        *("jti", "sid", "uti", "rh", "aio", "amr", "acr"),
    }
)


class SignedOn(UserMixin):
    """Whoever is signed on: who they act as, perhaps for another school than their own."""

    def __init__(self, identifier: str, actor: Actor, other_school: int | None = None) -> None:
        self.id = identifier
        self.actor = actor
        self.other_school = other_school


class Identity:
    """What the portal passes to `S2SPortal.init_app`."""

    def actor(self, user: Any) -> Actor:
        """The actor that the signed-on user carries."""
        return user.actor  # type: ignore[no-any-return]


class SwitchedOff(SignOnRefused):
    """The portal itself has switched this account off."""


def init_app(app: Flask) -> None:
    """Give `app` its database and its sign-on."""
    db.init_app(app)
    login = LoginManager(app)
    login.login_view = "sign_on.sign_in"
    login.login_message = None
    login.user_loader(load)


def personas_allowed() -> bool:
    """Whether people may sign on as personas: never beside a real OpenID provider."""
    return not configured()


def load(identifier: str) -> SignedOn | None:
    """The signed-on user that a session names, or None when there is none (any more).

    While the database is away that is an error once, and nobody after that: the page that tells of
    the error asks again who is signed on.
    """
    if g.get("portal_database_is_away"):
        return None
    try:
        if identifier.startswith(ACCOUNT):
            return _with_account(identifier.removeprefix(ACCOUNT))
        return _with_persona(identifier)
    except sessions.AWAY:
        g.portal_database_is_away = True
        raise


def persona(account: PortalUser, urn: int | None = None) -> SignedOn:
    """The persona with that account, acting for the school `urn` if one is given."""
    identifier = f"{account.key}@{urn}" if urn else account.key
    return SignedOn(identifier, account.actor(urn), urn)


def _with_persona(identifier: str) -> SignedOn | None:
    key, _, urn = identifier.partition("@")
    if not personas_allowed() or not (urn == "" or urn.isdecimal()):
        return None
    account = db.session.get(PortalUser, key)
    return persona(account, int(urn) if urn else None) if account else None


def _with_account(key: str) -> SignedOn | None:
    """Somebody with a provider's account, as it stands at this request.

    The actor is made anew each time: who lost their school or role is out at once. Why is kept in
    `g.portal_refusal` for the sign-in page.
    """
    account = db.session.get(PortalAccount, key)
    provider = configured().get(account.provider) if account else None
    if account is None or provider is None or provider.issuer != account.issuer:
        return None
    try:
        return signed_on(provider, account)
    except SignOnRefused as refusal:
        g.portal_refusal = refusal
        return None


def signed_on(provider: Provider, account: PortalAccount) -> SignedOn:
    """The person with that account. Raises SignOnRefused when they may not come in."""
    if account.switched_off_at is not None:
        raise SwitchedOff(
            "Your account has been switched off in this portal. If you think that is a mistake,"
            " ask whoever looks after the portal.",
            "switched-off",
        )
    return SignedOn(f"{ACCOUNT}{account.key}", provider.actor(account.claims))


def remember(provider: Provider, claims: Mapping[str, Any]) -> PortalAccount:
    """The account of this issuer and subject, made if need be, with what is now said of it."""
    values = {
        "provider": provider.key,
        "claims": {name: claims[name] for name in claims if name not in PROTOCOL_CLAIMS},
        "signed_on_at": clock.now(),
    }
    whose = {"issuer": provider.issuer, "subject": claims["sub"]}
    db.session.execute(
        insert(PortalAccount)
        .values(key=uuid4().hex, first_seen_at=values["signed_on_at"], **whose, **values)
        .on_conflict_do_update(index_elements=list(whose), set_=values)
    )
    db.session.commit()
    return db.session.execute(select(PortalAccount).filter_by(**whose)).scalar_one()


def prepare() -> None:
    """Make the portal's own tables, and bring the personas' accounts up to date."""
    db.create_all()
    for one in PERSONAS.values():
        db.session.merge(_account(one))
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
