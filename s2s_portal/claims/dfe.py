"""Schools, trusts and Complex Needs Schools: the claims of DfE Sign-in (domain.md 7.1)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from s2s_portal import clock
from s2s_portal.claims import reading
from s2s_portal.claims.refusals import refused
from s2s_portal.claims.role_maps import role_map, roles_of
from s2s_portal.errors import NotMounted, SignOnRefused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.establishment import Establishment
from s2s_portal.services import organisations
from s2s_portal.state import setting

RoleCodes = Callable[[str, str], Collection[str]]

ESTABLISHMENT, TRUSTS = 1, frozenset({10, 13})  # category.id of the provider: 001, 010, 013
CLOSED_STATUSES = frozenset({2, 5})  # closed, dissolved
AT_A_SCHOOL = frozenset({Role.REFERRER, Role.HEAD})
AT_A_PROVIDER = frozenset({Role.PRACTITIONER, Role.LEAD})
MOST_ORGANISATIONS = 20


@dataclass(frozen=True)
class Standing:
    """What one organisation gives a person: see `Actor`."""

    roles: frozenset[Role] = frozenset()
    establishments: tuple[int, ...] = ()
    provider: int | None = None


class DfESignInClaims:
    """Maps verified DfE Sign-in claims to an `Actor`.

    `role_codes` gives the role codes that a user (their `sub`) has for this service at an
    organisation (its `id`); None asks the provider's public API (S2S_DFE_API_URL and the rest).
    `roles` maps such codes to roles (S2S_DFE_ROLES), `local_authority` is the only one whose
    schools come in (S2S_LOCAL_AUTHORITY).
    """

    def __init__(
        self,
        role_codes: RoleCodes | None = None,
        roles: Mapping[str, Role] | None = None,
        local_authority: int | None = None,
    ) -> None:
        self._role_codes = role_codes
        self._roles = roles
        self._local_authority = local_authority

    def actor(self, claims: Mapping[str, Any]) -> Actor:
        """The account `dfe:<sub>`, with what it may do at the organisation chosen at sign-in.

        Raises SignOnRefused: "claims", "subject", "organisation-missing", "organisation-several",
        "organisation-kind", "organisation-closed", "organisation-unknown", "local-authority",
        "roles-unknown", "roles-not-configured".
        """
        if not isinstance(claims, Mapping):
            raise refused("claims", "We could not read what DfE Sign-in says about you.")
        person = reading.identifier(claims.get("sub"))
        if person is None:
            raise refused("subject", "Your DfE Sign-in account came without its own identifier.")
        standing = self._together(person, _organisations(claims))
        given, family = claims.get("given_name"), claims.get("family_name")
        return Actor(
            id=f"dfe:{person}",
            name=reading.words(f"{reading.words(given)} {reading.words(family)}")
            or reading.words(claims.get("name"))
            or "A DfE Sign-in user",
            email=reading.address(claims.get("email")),
            roles=standing.roles,
            establishments=standing.establishments,
            provider=standing.provider,
        )

    def _together(self, person: str, several: list[Mapping[str, Any]]) -> Standing:
        """What all of `several` give; one that is refused takes nothing from the others."""
        found, refusals = [], []
        for organisation in several:
            try:
                found.append(self._standing(person, organisation))
            except SignOnRefused as refusal:
                refusals.append(refusal)
        if not found:
            raise refusals[0]
        roles = frozenset().union(*(one.roles for one in found))
        providers = {one.provider for one in found if one.provider}
        # Establishments are one list for all roles: a trust's viewer would refer for all of them.
        if len(providers) > 1 or (Role.TRUST_VIEWER in roles and len(found) > 1):
            raise refused(
                "organisation-several",
                "Your DfE Sign-in account belongs to several organisations that do different things"
                " here. Sign out, sign in again and choose the one you are working for.",
            )
        urns = {urn for one in found for urn in one.establishments}
        return Standing(roles, tuple(sorted(urns)), next(iter(providers), None))

    def _standing(self, person: str, organisation: Mapping[str, Any]) -> Standing:
        category = _code(organisation, "category")
        if category != ESTABLISHMENT and category not in TRUSTS:
            raise refused(
                "organisation-kind",
                "You signed in for an organisation that is neither a school nor an academy trust."
                " Sign out, sign in again and choose your school. If you work for the council, sign"
                " in with your council account.",
            )
        if _has_closed(organisation):
            raise _closed()
        if category in TRUSTS:
            return self._of_trust(organisation)
        return self._of_school(person, organisation)

    @property
    def _authority(self) -> int:
        if self._local_authority is None:
            return int(setting("S2S_LOCAL_AUTHORITY"))
        return self._local_authority

    def _of_trust(self, organisation: Mapping[str, Any]) -> Standing:
        uid = reading.number(organisation.get("uid"))
        urns = organisations.schools_of_trust(uid, self._authority) if uid else ()
        if not urns:
            raise refused(
                "organisation-unknown",
                f"We know of no school of your trust in the area of {setting('S2S_COUNCIL_NAME')}.",
            )
        return Standing(frozenset({Role.TRUST_VIEWER}), urns)

    def _of_school(self, person: str, organisation: Mapping[str, Any]) -> Standing:
        authority = reading.number(_part(organisation, "localAuthority").get("code"), 999)
        self._check_area(authority or self._authority)
        school = organisations.school(
            reading.number(organisation.get("urn"), 999_999),
            authority,
            reading.number(organisation.get("establishmentNumber"), 9_999),
            clock.today(),
        )
        if school is None:
            raise refused(
                "organisation-unknown",
                "We cannot find your school in the national register of schools that we hold. This"
                " happens for a while when a school is new or has become an academy.",
            )
        self._check_area(school.local_authority)
        if not school.is_open_on(clock.today()):
            raise _closed()
        return self._by_role_codes(person, organisation, school)

    def _check_area(self, authority: int) -> None:
        if authority != self._authority:
            raise refused(
                "local-authority",
                f"Your school is not in the area of {setting('S2S_COUNCIL_NAME')}, and this service"
                " is for schools there.",
            )

    def _by_role_codes(
        self, person: str, organisation: Mapping[str, Any], school: Establishment
    ) -> Standing:
        identifier = reading.identifier(organisation.get("id"))
        if identifier is None:
            raise refused("organisation-unknown", "Your school came without its own identifier.")
        ask = self._role_codes or public_api()
        named = role_map(
            setting("S2S_DFE_ROLES") if self._roles is None else self._roles, "S2S_DFE_ROLES"
        )
        roles = roles_of(reading.names(ask(person, identifier)), named)
        if school.is_provider:
            theirs = roles & AT_A_PROVIDER
            return Standing(theirs, provider=school.urn if theirs else None)
        if school.why_not_refer(self._authority) is None and roles & AT_A_SCHOOL:
            return Standing(roles & AT_A_SCHOOL, (school.urn,))
        return Standing()


def public_api() -> RoleCodes:
    """The client of the provider's public API as the settings have it, one for each app.

    Raises SignOnRefused when they are not set, NotMounted when its libraries are not installed.
    """
    wanted = ("S2S_DFE_API_SECRET", "S2S_DFE_CLIENT_ID", "S2S_DFE_SERVICE_ID")
    if not all(setting(name) for name in wanted):
        raise refused(
            "roles-not-configured",
            "This portal has not been told how to ask DfE Sign-in what you may do here.",
        )
    try:
        from s2s_portal.claims import dfe_roles
    except ImportError as error:
        raise NotMounted(
            f"To ask DfE Sign-in for roles S2S needs {error.name}:"
            " pip install 's2s-portal[sign-on]'."
        ) from error
    return dfe_roles.of_this_app()


def _organisations(claims: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The organisation chosen at sign-in; without one, those of `organisations`."""
    chosen = claims.get("organisation")
    if one := reading.mapping(chosen):
        return [one]
    several = reading.listed(chosen) or reading.listed(claims.get("organisations"))
    found = [one for item in several[:MOST_ORGANISATIONS] if (one := reading.mapping(item))]
    if not found:
        raise refused(
            "organisation-missing",
            "Your DfE Sign-in account is not linked to a school or trust, or you did not choose"
            " one. Sign out, sign in again and choose your school.",
        )
    return found


def _part(organisation: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return reading.mapping(organisation.get(name))


def _code(organisation: Mapping[str, Any], name: str) -> int | None:
    return reading.number(_part(organisation, name).get("id"), 999)


def _has_closed(organisation: Mapping[str, Any]) -> bool:
    if _code(organisation, "status") in CLOSED_STATUSES:
        return True
    last = reading.day(organisation.get("closedOn"))
    return last is not None and last < clock.today()


def _closed() -> SignOnRefused:
    return refused(
        "organisation-closed",
        "The organisation you signed in for has closed. If your school has become an academy, sign"
        " out, sign in again and choose the new one.",
    )
