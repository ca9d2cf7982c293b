"""Claim maps: what an identity provider says of a person in, an `Actor` out (domain.md 7).

For a host whose sign-on has already verified the token: signature, issuer, audience, expiry and
nonce are its work, and a map must never be given claims that did not pass it. A map then decides
which account this is and what it may do here, by stable identifiers and roles alone: never by
e-mail address, by the name somebody signs on with, or by the name of a school.

`EntraClaims` is for council staff (Microsoft Entra ID), `DfESignInClaims` for schools, trusts and
Complex Needs Schools (DfE Sign-in). Whatever JSON arrives, `actor` gives an `Actor`, perhaps
without roles, or raises `SignOnRefused` with a sentence for the person. Both ask the settings (and
DfE Sign-in the register) each time, so they need the app's context and may be made once, anywhere.
"""

from s2s_portal.claims.dfe import DfESignInClaims
from s2s_portal.claims.entra import EntraClaims
from s2s_portal.errors import SignOnRefused

__all__ = ["DfESignInClaims", "EntraClaims", "SignOnRefused"]
