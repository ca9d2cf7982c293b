"""The people and establishments that tests are about: all invented."""

from __future__ import annotations

from s2s_portal import Actor, Role
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import Practitioner

SCHOOL, OTHER_SCHOOL, ACADEMY, NURSERY = 900101, 900102, 900103, 900104
SPECIAL, CLOSED_SCHOOL, SUFFOLK_SCHOOL = 900105, 900106, 900107
PROVIDER, OTHER_PROVIDER = 900201, 900202


def _actor(
    key: str,
    name: str,
    *roles: Role,
    school: int = 0,
    schools: tuple[int, ...] = (),
    provider: int | None = None,
) -> Actor:
    return Actor(
        id=key,
        name=name,
        email=f"{key}@school.example",
        roles=frozenset(roles),
        establishments=(school,) if school else schools,
        provider=provider,
    )


ACTORS: dict[str, Actor] = {
    actor.id: actor
    for actor in (
        _actor("senco", "Sam O'Brien-Łukasz", Role.REFERRER, school=SCHOOL),
        _actor("head", "Hana Head", Role.HEAD, school=SCHOOL),
        _actor("other-senco", "Olu Other", Role.REFERRER, school=OTHER_SCHOOL),
        _actor("academy-senco", "Ada Academy", Role.REFERRER, school=ACADEMY),
        _actor("nursery-senco", "Nia Nursery", Role.REFERRER, school=NURSERY),
        _actor("special-senco", "Sid Special", Role.REFERRER, school=SPECIAL),
        _actor("closed-senco", "Cleo Closed", Role.REFERRER, school=CLOSED_SCHOOL),
        _actor("suffolk-senco", "Sue Suffolk", Role.REFERRER, school=SUFFOLK_SCHOOL),
        _actor("officer", "Ola Officer", Role.OFFICER),
        _actor("other-officer", "Ravi Officer", Role.OFFICER),
        _actor("practitioner", "Pat Practitioner", Role.PRACTITIONER, provider=PROVIDER),
        _actor("colleague", "Cam Colleague", Role.PRACTITIONER, provider=PROVIDER),
        _actor(
            "other-practitioner", "Quin Practitioner", Role.PRACTITIONER, provider=OTHER_PROVIDER
        ),
        _actor("lead", "Lena Lead", Role.LEAD, provider=PROVIDER),
        _actor("other-lead", "Luca Lead", Role.LEAD, provider=OTHER_PROVIDER),
        # Has both roles at PROVIDER and no row there: nobody has said which practitioner this is.
        _actor("newcomer", "Nat Newcomer", Role.PRACTITIONER, Role.LEAD, provider=PROVIDER),
        _actor("finance", "Fay Finance", Role.FINANCE),
        _actor("finance-approver", "Abe Approver", Role.FINANCE, Role.FINANCE_APPROVER),
        _actor("manager", "Mo Manager", Role.MANAGER),
        _actor("auditor", "Aud Auditor", Role.AUDITOR),
        _actor("administrator", "Adi Administrator", Role.ADMINISTRATOR),
        # Of SCHOOL too, so that what a trust sees of it can be held against what SCHOOL sees.
        _actor("trust-viewer", "Tia Trust", Role.TRUST_VIEWER, schools=(SCHOOL, ACADEMY)),
        _actor("outsider", "Oz Outsider"),
        # Has no role either, but may be asked to fill in one section of a draft of SCHOOL.
        _actor("teacher", "Tess Teacher"),
    )
}


def establishments() -> list[Establishment]:
    """Schools of each kind that rules tell apart, and two Complex Needs Schools."""
    return [
        _school(SCHOOL, "Little Snoring Invented Primary", 1, 2, east=595000, north=332000),
        _school(OTHER_SCHOOL, "Otherham Invented High", 1, 4, east=620000, north=310000),
        _school(
            ACADEMY,
            "Acle Invented Academy",
            34,
            4,
            east=640000,
            north=310000,
            trust_uid=99001,
            trust_name="Invented Learning Trust",
        ),
        _school(NURSERY, "Nar Invented Nursery", 15, 1, east=600000, north=310000),
        _school(SPECIAL, "Special Invented School", 7, 0, east=600000, north=310000),
        _school(CLOSED_SCHOOL, "Closed Invented Primary", 1, 2, status_code=2),
        _school(SUFFOLK_SCHOOL, "Suffolk Invented Primary", 1, 2, local_authority=935),
        _school(PROVIDER, "Fen View Complex Needs School", 7, 0, east=596000, north=333000),
        _school(OTHER_PROVIDER, "Broad Oak Complex Needs School", 12, 0, east=640000, north=300000),
    ]


def _school(urn: int, name: str, type_code: int, phase: int, **more: object) -> Establishment:
    east, north = more.pop("east", None), more.pop("north", None)
    fields: dict[str, object] = {
        "local_authority": 926,
        "establishment_number": urn % 10000,
        "status_code": 1,
        "phase_name": {0: "Not applicable", 1: "Nursery", 2: "Primary", 4: "Secondary"}[phase],
        "low_age": {1: 2, 4: 11}.get(phase, 4),
        "high_age": {1: 5, 4: 18}.get(phase, 11),
        "town": "Inventon",
        "postcode": "NR0 0AA",
    }
    return Establishment(
        urn=urn,
        name=name,
        type_code=type_code,
        phase_code=phase,
        easting=east,
        northing=north,
        **(fields | more),
    )


def practitioners() -> list[Practitioner]:
    """Two practitioners and a lead at one provider, one practitioner and a lead at the other."""
    return [
        _practitioner("practitioner", PROVIDER, ["2"], ["SEMH", "ASD"], 4),
        _practitioner("colleague", PROVIDER, ["2", "4"], ["SLCN"], 2),
        _practitioner("lead", PROVIDER, [], [], 0, is_lead=True),
        _practitioner("other-practitioner", OTHER_PROVIDER, ["4"], ["SEMH", "MLD"], 3),
        _practitioner("other-lead", OTHER_PROVIDER, [], [], 0, is_lead=True),
    ]


def _practitioner(
    key: str, provider: int, phases: list[str], needs: list[str], capacity: int, **more: object
) -> Practitioner:
    return Practitioner(
        name=ACTORS[key].name,
        email=ACTORS[key].email,
        account_id=key,
        provider_urn=provider,
        phases=phases,
        needs=needs,
        capacity=capacity,
        **more,
    )
