"""The portal's own tables, outside the service's schema: personas, accounts, sessions.

They grow by addition alone: `accounts.prepare` makes what is missing and changes nothing else.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, Integer, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal import Actor, Role

db = SQLAlchemy()

# Said outright: PostgreSQL looks first in a schema of the login's name, and ours is "s2s" too.
SCHEMA = "public"


class PortalUser(db.Model):  # type: ignore[name-defined]
    """The account of one persona."""

    __tablename__ = "portal_user"
    __table_args__ = {"schema": SCHEMA}

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


class PortalAccount(db.Model):  # type: ignore[name-defined]
    """Somebody who has signed on at an OpenID provider.

    It is found by issuer and subject alone: a name or an e-mail address can be given to somebody
    else. `claims` is what the provider last said, from which the actor is made at each request.
    """

    __tablename__ = "portal_account"
    __table_args__ = (UniqueConstraint("issuer", "subject"), {"schema": SCHEMA})

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    provider: Mapped[str] = mapped_column(Text)
    issuer: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    claims: Mapped[dict[str, Any]] = mapped_column(JSONB)
    first_seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    signed_on_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    switched_off_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class PortalSession(db.Model):  # type: ignore[name-defined]
    """One browser's session. The cookie itself is not kept, only its SHA-256 digest."""

    __tablename__ = "portal_session"
    __table_args__ = {"schema": SCHEMA}

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    content: Mapped[str] = mapped_column(Text)
    user_id: Mapped[str | None] = mapped_column(Text, index=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
