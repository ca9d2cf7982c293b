"""The invented practitioners and leads of the demonstration's Complex Needs Schools."""

from __future__ import annotations

from s2s_portal import Actor, Role
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.reference_portal.demonstration_schools import (
    OTHER_PROVIDER,
    PROVIDER,
    THIRD_PROVIDER,
)
from s2s_portal.reference_portal.personas import PERSONAS

# account, name, provider, phases, needs, capacity; nobody can sign on with a "demo-" account
_PRACTITIONERS: tuple[tuple[str, str, int, str, str, int], ...] = (
    ("practitioner", PERSONAS["practitioner"].name, PROVIDER, "1 2", "SEMH ASD SLCN", 8),
    ("demo-marlowe", "Jo Marlowe", PROVIDER, "2 4", "SLCN MLD SPLD SLD", 6),
    (
        "other-practitioner",
        PERSONAS["other-practitioner"].name,
        OTHER_PROVIDER,
        "2 4",
        "SEMH MLD",
        8,
    ),
    ("demo-idowu", "Femi Idowu", OTHER_PROVIDER, "4 6", "ASD SLCN SEMH", 5),
    ("demo-larsson", "Astrid Larsson", OTHER_PROVIDER, "1 2", "PD HI VI MSI", 4),
    ("demo-kaur", "Simran Kaur", THIRD_PROVIDER, "2", "ASD SEMH PMLD", 5),
    ("demo-rees", "Gwen Rees", THIRD_PROVIDER, "2 4", "PD MLD SLD", 3),
)
_LEADS = (
    ("lead", PERSONAS["lead"].name, PROVIDER),
    ("demo-lead-broadwater", "Callum Frayne", OTHER_PROVIDER),
    ("demo-lead-harrier", "Nadia Postlethwaite", THIRD_PROVIDER),
)


def practitioners() -> list[Practitioner]:
    """New rows for all of them."""
    working = [
        Practitioner(
            account_id=key,
            name=name,
            email=f"{key}@portal.example",
            provider_urn=provider,
            phases=phases.split(),
            needs=needs.split(),
            capacity=capacity,
        )
        for key, name, provider, phases, needs, capacity in _PRACTITIONERS
    ]
    leading = [
        Practitioner(
            account_id=key,
            name=name,
            email=f"{key}@portal.example",
            provider_urn=provider,
            is_lead=True,
        )
        for key, name, provider in _LEADS
    ]
    return working + leading


def actor(account: str) -> Actor:
    """The practitioner with this account, as the service knows them."""
    key, name, provider = next(row[:3] for row in _PRACTITIONERS if row[0] == account)
    return Actor(
        id=key,
        name=name,
        email=f"{key}@portal.example",
        roles=frozenset({Role.PRACTITIONER}),
        provider=provider,
    )
