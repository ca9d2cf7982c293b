"""The invented practitioners and leads of the demonstration's Complex Needs Schools."""

from __future__ import annotations

from datetime import date, timedelta

from s2s_portal import Actor, Role
from s2s_portal.database import Base
from s2s_portal.models.practitioner import (
    Absence,
    AbsenceKind,
    Conflict,
    ConflictKind,
    ConflictWeight,
    Level,
    Practitioner,
    Release,
    Skill,
)
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
            skills=_skills(needs),
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


def _skills(needs: str) -> list[Skill]:
    """The first need is a speciality, the second well known, the rest so far."""
    levels = [Level.SPECIALIST, Level.EXPERIENCED]
    return [
        Skill(code=code, level=levels.pop(0) if levels else Level.WORKING) for code in needs.split()
    ]


# Minutes of release from Monday to Friday.
_RELEASE = {
    "practitioner": [0, 210, 420, 0, 0],
    "demo-marlowe": [210, 0, 0, 210, 0],
    "other-practitioner": [420, 0, 0, 0, 210],
    "demo-idowu": [0, 0, 210, 210, 0],
    "demo-larsson": [0, 210, 0, 0, 0],
    "demo-kaur": [0, 0, 420, 0, 0],
    "demo-rees": [0, 0, 0, 210, 0],
}


def records(numbers: dict[str, int], a_school: int, today: date) -> list[Base]:
    """When each is released, from a year before `today`; one absence, a need to check, a conflict.

    `numbers` are the practitioners' numbers by account, `a_school` a URN of a mainstream school.
    """
    by = {"by_id": "lead", "by_name": PERSONAS["lead"].name}
    since = today - timedelta(days=365)
    found: list[Base] = [
        Release(practitioner_id=numbers[key], valid_from=since, minutes=minutes, **by)
        for key, minutes in _RELEASE.items()
        if key in numbers
    ]
    if "demo-marlowe" in numbers:
        found += [
            Absence(
                practitioner_id=numbers["demo-marlowe"],
                starts=today + timedelta(days=3),
                ends=today + timedelta(days=5),
                kind=AbsenceKind.TRAINING,
                **by,
            ),
            Conflict(
                practitioner_id=numbers["demo-marlowe"],
                urn=a_school,
                kind=ConflictKind.FORMER_SCHOOL,
                weight=ConflictWeight.ASK_FIRST,
                reason="Taught there until last summer",
                ends=today + timedelta(days=365),
                **by,
            ),
        ]
    return found


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
