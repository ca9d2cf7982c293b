"""From a provider's word for a role to ours: the maps that a host may set."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from s2s_portal.errors import NotMounted
from s2s_portal.identity import Role


def role_map(named: Mapping[str, Any], setting: str) -> dict[str, Role]:
    """`named` with each value as a `Role`.

    Raises NotMounted, naming the `setting`, for a word that is no role a person can have: `system`
    is the service itself.
    """
    found: dict[str, Role] = {}
    for word, role in named.items():
        try:
            found[word] = Role(role)
        except ValueError:
            found[word] = Role.SYSTEM
        if found[word] is Role.SYSTEM:
            known = ", ".join(sorted(set(Role) - {Role.SYSTEM}))
            raise NotMounted(f"{setting} maps {word!r} to {role!r}, which is not one of: {known}.")
    return found


def roles_of(words: Collection[str], named: Mapping[str, Role]) -> frozenset[Role]:
    """The roles that `words` stand for; a word that nobody mapped stands for none."""
    return frozenset(named[word] for word in words if word in named)
