"""Council staff: the claims of a Microsoft Entra ID token (domain.md 7.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from s2s_portal.claims import reading
from s2s_portal.claims.refusals import refused
from s2s_portal.claims.role_maps import role_map, roles_of
from s2s_portal.identity import Actor, Role
from s2s_portal.state import setting


class EntraClaims:
    """Maps verified Entra ID claims to an `Actor`.

    `tenant` is the directory id of the council, `roles` the part of an app role after `prefix` with
    the role it stands for, `guests` whether guest accounts may come in. What is None comes from the
    settings S2S_ENTRA_TENANT, S2S_ENTRA_ROLES, S2S_ENTRA_ROLE_PREFIX and S2S_ENTRA_GUESTS.
    """

    def __init__(
        self,
        tenant: str | None = None,
        roles: Mapping[str, Role] | None = None,
        prefix: str | None = None,
        guests: bool | None = None,
    ) -> None:
        self._tenant = tenant
        self._roles = roles
        self._prefix = prefix
        self._guests = guests

    def actor(self, claims: Mapping[str, Any]) -> Actor:
        """The account `entra:<tid>:<oid>` with its app roles; none of ours means none here.

        Raises SignOnRefused: "claims", "tenant-not-set", "tenant", "subject", "guest", "overage".
        """
        if not isinstance(claims, Mapping):
            raise refused("claims", "We could not read what your council account says about you.")
        tenant = self._own_tenant(claims)
        person = reading.identifier(claims.get("oid"))
        if person is None:
            raise refused("subject", "Your council account came without its own identifier.")
        if _is_guest(claims, tenant) and not _given(self._guests, "S2S_ENTRA_GUESTS"):
            raise refused(
                "guest",
                f"You signed in with a guest account of {setting('S2S_COUNCIL_NAME')}, and guest"
                " accounts cannot use this service. Sign in with an account of the council's own.",
            )
        return Actor(
            id=f"entra:{tenant}:{person}",
            name=reading.words(claims.get("name")) or "A member of council staff",
            email=reading.address(claims.get("email")),
            roles=self._app_roles(claims),
        )

    def _own_tenant(self, claims: Mapping[str, Any]) -> str:
        wanted = reading.identifier(_given(self._tenant, "S2S_ENTRA_TENANT"))
        if wanted is None:
            raise refused(
                "tenant-not-set",
                "This portal has not been told which council accounts are its own.",
            )
        given = reading.identifier(claims.get("tid"))
        if given is None or given.lower() != wanted.lower():
            raise refused(
                "tenant",
                f"You signed in with an account that is not one of {setting('S2S_COUNCIL_NAME')}."
                " Sign out of it and sign in with your council account.",
            )
        return given.lower()

    def _app_roles(self, claims: Mapping[str, Any]) -> frozenset[Role]:
        if claims.get("roles") is None and _groups_were_left_out(claims):
            raise refused(
                "overage",
                "Your council account is in so many groups that Microsoft left out what you may do"
                " here. You have done nothing wrong: your access must be given to you as an app"
                " role of this service, not as a group.",
            )
        prefix = str(_given(self._prefix, "S2S_ENTRA_ROLE_PREFIX"))
        named = role_map(_given(self._roles, "S2S_ENTRA_ROLES"), "S2S_ENTRA_ROLES")
        theirs = reading.names(claims.get("roles"))
        return roles_of(
            [name.removeprefix(prefix) for name in theirs if name.startswith(prefix)], named
        )


def _given(argument: Any, name: str) -> Any:
    return setting(name) if argument is None else argument


def _is_guest(claims: Mapping[str, Any], tenant: str) -> bool:
    """By `acct` (0 is a member), or by `idp`, there only when somebody else's directory vouches."""
    if claims.get("acct") not in (None, 0, "0"):
        return True
    other = claims.get("idp")
    return isinstance(other, str) and bool(other) and tenant not in other.lower()


def _groups_were_left_out(claims: Mapping[str, Any]) -> bool:
    """Above 200 groups Entra sends a pointer to them instead (an "overage")."""
    return bool(claims.get("hasgroups")) or "groups" in reading.mapping(claims.get("_claim_names"))
