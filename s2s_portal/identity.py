"""From the host's user to an `Actor`: who is asking, in what role, for which schools.

The host owns accounts and sign-on. It gives us an `IdentityAdapter`, whose one method turns its
user object into an `Actor`; everything below goes by the `Actor` alone, so nothing in this service
depends on the columns of the host's user table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from flask import g, has_request_context


class Role(StrEnum):
    """What a person does in this service (`domain.md` 7.3)."""

    REFERRER = "school_referrer"
    HEAD = "school_head"
    OFFICER = "send_officer"
    PRACTITIONER = "practitioner"
    LEAD = "provider_lead"
    FINANCE = "finance"
    FINANCE_APPROVER = "finance_approver"
    MANAGER = "manager"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    TRUST_VIEWER = "trust_viewer"
    SYSTEM = "system"


@dataclass(frozen=True)
class Actor:
    """Somebody who acts, as the host vouches for them.

    `id` is the host's stable account key (never an e-mail address); `establishments` the URNs a
    school user acts for, or a trust's viewer looks at: who is given both roles has each for all of
    them; `Role.HEAD` brings `Role.REFERRER` with it. `provider` is the URN of the Complex Needs
    School a practitioner or lead works for, or None.
    """

    id: str
    name: str
    email: str = ""
    roles: frozenset[Role] = field(default_factory=frozenset)
    establishments: tuple[int, ...] = ()
    provider: int | None = None

    def __post_init__(self) -> None:
        """Say at once, at the host's own line, what a database would say in riddles later."""
        if not isinstance(self.id, str):
            raise TypeError(f"Actor.id must be text, so write str(...): it is {self.id!r}.")
        unknown = [role for role in self.roles if role not in set(Role)]
        if unknown:
            raise ValueError(f"Actor.roles has {unknown[0]!r}: use s2s_portal.Role.")
        # A user table may have no name for somebody, but every audit row has one.
        object.__setattr__(self, "name", self.name or self.id)
        object.__setattr__(self, "email", self.email or "")
        # Read as they mostly come: a list, or text as in a claim.
        roles = {Role(role) for role in self.roles}
        if Role.HEAD in roles:  # a head does all that the school's other people do
            roles.add(Role.REFERRER)
        object.__setattr__(self, "roles", frozenset(roles))
        object.__setattr__(self, "establishments", tuple(int(urn) for urn in self.establishments))
        object.__setattr__(self, "provider", int(self.provider) if self.provider else None)

    def has(self, *roles: Role) -> bool:
        """Whether this person has at least one of `roles`."""
        return any(role in self.roles for role in roles)


NOBODY = Actor(id="", name="Nobody")
SYSTEM = Actor(id="system", name="The service", roles=frozenset({Role.SYSTEM}))


class IdentityAdapter(Protocol):
    """What a host supplies: its own user object in, an `Actor` out."""

    def actor(self, user: Any) -> Actor:
        """The actor for `user`; an `Actor` without roles for somebody who has none here."""
        ...


_acting: ContextVar[Actor | None] = ContextVar("s2s_acting", default=None)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Act as `actor` within this context: for commands, jobs and tests.

    The actor reaches the database at the start of a transaction, so begin a new one inside.
    """
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def current_actor() -> Actor:
    """Who is acting now: whom `acting_as` named, else the request's person, else nobody."""
    acting = _acting.get()
    if acting is not None:
        return acting
    if has_request_context():
        return g.get("s2s_actor", NOBODY)  # type: ignore[no-any-return]
    return NOBODY
