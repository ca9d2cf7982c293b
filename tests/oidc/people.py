"""The invented people whom the providers of the tests know (shapes: domain.md section 7)."""

from __future__ import annotations

from typing import Any

from s2s_portal.reference_portal.demonstration_schools import PRIMARY, PROVIDER, name_of
from tests.oidc.provider import TENANT

SCHOOL_ID = "D1000000-0000-4000-8000-000000000001"
PROVIDER_ID = "D1000000-0000-4000-8000-000000000002"


def staff(oid: str, name: str, *roles: str, **more: Any) -> dict[str, Any]:
    """The claims of a council account."""
    return {
        "tid": TENANT,
        "oid": oid,
        "acct": 0,
        "ver": "2.0",
        "name": name,
        "email": f"{oid}@council.example",
        "preferred_username": f"{oid}@council.example",
        "roles": list(roles),
        **more,
    }


def organisation(identifier: str, urn: int, **more: Any) -> dict[str, Any]:
    """A school as DfE Sign-in describes it."""
    return {
        "id": identifier,
        "name": name_of(urn),
        "category": {"id": "001", "name": "Establishment"},
        "type": {"id": "01", "name": "Community School"},
        "urn": str(urn),
        "uid": None,
        "ukprn": "10000001",
        "establishmentNumber": f"{urn % 10_000:04d}",
        "status": {"id": 1, "name": "Open"},
        "closedOn": None,
        "localAuthority": {"id": "L1", "name": "Norfolk", "code": "926"},
        **more,
    }


def teacher(given: str, family: str, where: dict[str, Any]) -> dict[str, Any]:
    """The claims of a DfE Sign-in account."""
    return {
        "given_name": given,
        "family_name": family,
        "email": f"{given.lower()}@school.example",
        "organisation": where,
    }


def accounts() -> dict[str, dict[str, Any]]:
    """Everybody, by provider and subject, new for each test: tests change them."""
    school, complex_needs = organisation(SCHOOL_ID, PRIMARY), organisation(PROVIDER_ID, PROVIDER)
    return {
        "entra": {
            "jo": staff("3f2a0001", "Jo Bloggs", "S2S.Officer"),
            "fay": staff("3f2a0002", "Fay Ledger", "S2S.Finance"),
            "guy": staff("3f2a0003", "Guy Guest", "S2S.Officer", acct=1),
            "nell": staff("3f2a0004", "Nell Nobody"),
        },
        "dfe": {
            "sam": teacher("Sam", "Reed", school),
            "pat": teacher("Pat", "Marsh", complex_needs),
            "cleo": teacher(
                "Cleo", "Closed", {**school, "status": {"id": 2, "name": "Closed"}, "urn": "900399"}
            ),
            "norma": teacher("Norma", "Nowhere", {}),
        },
    }


# Which role codes the public API of DfE Sign-in knows, by user and organisation.
CODES = {
    ("sam", SCHOOL_ID): ["S2S_SENCO"],
    ("pat", PROVIDER_ID): ["S2S_PRACTITIONER"],
    ("cleo", SCHOOL_ID): ["S2S_SENCO"],
}
