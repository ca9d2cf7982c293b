"""School to School (S2S) Support: a Flask plugin for a council services portal.

What a host imports: `S2SPortal` to mount it, `Actor`, `Role` and `IdentityAdapter` to say who its
users are, `EntraClaims` and `DfESignInClaims` to make an `Actor` of a provider's claims (or raise
`SignOnRefused`), `s2s_nav_items` for its menu.
"""

from typing import TYPE_CHECKING

from s2s_portal.identity import Actor, IdentityAdapter, Role

if TYPE_CHECKING:
    from s2s_portal.blueprints.pages import nav_items as s2s_nav_items
    from s2s_portal.claims import DfESignInClaims, EntraClaims, SignOnRefused
    from s2s_portal.mount import S2SPortal

__all__ = [
    "Actor",
    "DfESignInClaims",
    "EntraClaims",
    "IdentityAdapter",
    "Role",
    "S2SPortal",
    "SignOnRefused",
    "s2s_nav_items",
]


def __getattr__(name: str) -> object:
    # Loaded when asked for: every module of ours imports this package, `mount` imports them all.
    if name == "S2SPortal":
        from s2s_portal.mount import S2SPortal

        return S2SPortal
    if name == "s2s_nav_items":
        from s2s_portal.blueprints.pages import nav_items

        return nav_items
    if name in {"DfESignInClaims", "EntraClaims", "SignOnRefused"}:
        from s2s_portal import claims

        return getattr(claims, name)
    raise AttributeError(name)
