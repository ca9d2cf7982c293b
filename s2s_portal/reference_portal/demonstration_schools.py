"""Invented schools of the demonstration, under numbers that the national register does not use."""

from __future__ import annotations

from typing import Any

from s2s_portal.models.establishment import Establishment

PRIMARY, HIGH_SCHOOL, ACADEMY, NURSERY = 900301, 900302, 900303, 900304
CHURCH_PRIMARY, TRUST_PRIMARY, JUNIOR = 900305, 900306, 900307
PROVIDER, OTHER_PROVIDER, THIRD_PROVIDER = 900401, 900402, 900403

# The district that each invented town would be in, by its place on the map.
DISTRICTS = {
    "Marram Staithe": "North Norfolk",
    "Sandling Quay": "North Norfolk",
    "Alderfleet": "Norwich",
    "Thornmere": "Great Yarmouth",
    "Sedgeholt": "Breckland",
    "Holmgate": "Breckland",
    "Curlew Point": "King's Lynn and West Norfolk",
}
TRUST = {"trust_uid": 990301, "trust_name": "Bittern Learning Trust"}

# urn: name, type code, type, phase code, phase, ages, town, pupils, easting, northing, more
_ROWS: tuple[tuple[int, str, int, str, int, str, tuple[int, int], str, int, int, int], ...] = (
    (
        PRIMARY,
        "Marram Staithe Primary School",
        *(1, "Community school", 2, "Primary", (4, 11)),
        *("Marram Staithe", 204, 585400, 343200),
    ),
    (
        HIGH_SCHOOL,
        "Alderfleet High School",
        *(5, "Foundation school", 4, "Secondary", (11, 16)),
        *("Alderfleet", 861, 623900, 309800),
    ),
    (
        ACADEMY,
        "Thornmere Academy",
        *(34, "Academy converter", 4, "Secondary", (11, 18)),
        *("Thornmere", 1_142, 652300, 307500),
    ),
    (
        NURSERY,
        "Teasel Lane Nursery School",
        *(15, "Local authority nursery school", 1, "Nursery", (2, 5)),
        *("Alderfleet", 88, 622800, 310900),
    ),
    (
        CHURCH_PRIMARY,
        "Sedgeholt Church of England Primary School",
        *(3, "Voluntary controlled school", 2, "Primary", (4, 11)),
        *("Sedgeholt", 96, 599100, 300600),
    ),
    (
        TRUST_PRIMARY,
        "Curlew Point Primary Academy",
        *(28, "Academy sponsor led", 2, "Primary", (3, 11)),
        *("Curlew Point", 318, 562200, 319900),
    ),
    (
        JUNIOR,
        "Holmgate Junior School",
        *(1, "Community school", 2, "Primary", (7, 11)),
        *("Holmgate", 241, 586800, 283300),
    ),
    (
        PROVIDER,
        "Saltmarsh View School",
        *(7, "Community special school", 0, "Not applicable", (3, 19)),
        *("Sandling Quay", 112, 611600, 341900),
    ),
    (
        OTHER_PROVIDER,
        "Broadwater Lodge School",
        *(12, "Foundation special school", 0, "Not applicable", (4, 19)),
        *("Alderfleet", 134, 625600, 306300),
    ),
    (
        THIRD_PROVIDER,
        "Harrier Hill Academy",
        *(44, "Academy special converter", 0, "Not applicable", (3, 19)),
        *("Curlew Point", 171, 563900, 317000),
    ),
)

_NAMES = {row[0]: row[1] for row in _ROWS}


def name_of(urn: int) -> str:
    """The name of the invented school `urn`."""
    return _NAMES[urn]


def establishments() -> list[Establishment]:
    """New rows for all of them, each with a place on the map of Norfolk."""
    return [_row(row) for row in _ROWS]


def _row(row: tuple[Any, ...]) -> Establishment:
    urn, name, type_code, type_name, phase_code, phase, ages, town, pupils, east, north = row
    return Establishment(
        urn=urn,
        name=name,
        local_authority=926,
        establishment_number=urn % 10_000,
        type_code=type_code,
        type_name=type_name,
        status_code=1,
        phase_code=phase_code,
        phase_name=phase,
        low_age=ages[0],
        high_age=ages[1],
        street="School Lane",
        town=town,
        postcode="NR0 0AA",
        district=DISTRICTS[town],
        pupils=pupils,
        easting=east,
        northing=north,
        **(TRUST if urn in {ACADEMY, TRUST_PRIMARY} else {}),
    )
