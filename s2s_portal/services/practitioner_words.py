"""A practitioner's record in words: what its pages, its history and its differences are made of.

Each function answers pairs of a label and words, so that two states of a part can be compared and
shown side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

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
from s2s_portal.services.terms import written

Pairs = list[list[str]]

LEVELS: dict[Level, str] = {
    Level.WORKING: "Working knowledge",
    Level.EXPERIENCED: "Experienced",
    Level.SPECIALIST: "Specialist",
}
ABSENCES: dict[AbsenceKind, str] = {
    AbsenceKind.AWAY: "Away from work",
    AbsenceKind.LEAVE: "Leave",
    AbsenceKind.TRAINING: "Training",
    AbsenceKind.SCHOOL: "Needed at their own school",
}
CONFLICT_KINDS: dict[ConflictKind, str] = {
    ConflictKind.FORMER_SCHOOL: "Worked there",
    ConflictKind.RELATIVE: "A relative is there",
    ConflictKind.OTHER: "Something else",
}
CONFLICT_WEIGHTS: dict[ConflictWeight, str] = {
    ConflictWeight.EXCLUDED: "Excluded: not to be sent there",
    ConflictWeight.ASK_FIRST: "Ask first",
}
# As the register names them; a middle or all-through school is covered by who works in its parts.
PHASES = {
    "1": "Nursery",
    "2": "Primary",
    "3": "Middle, deemed primary",
    "4": "Secondary",
    "5": "Middle, deemed secondary",
    "6": "16 plus",
    "7": "All-through",
}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
PARTS = {
    "record": "Record",
    "details": "Name, email and leaving date",
    "cover": "Phases, areas and open cases",
    "needs": "Needs",
    "release": "Release from school",
    "absences": "Absences",
    "conflicts": "Conflicts of interest",
    "state": "Whether active",
}
UNKNOWN = "Not given"


def hours(minutes: int) -> str:
    """Minutes as hours: `3.5 hours`, `1 hour`, at most two places."""
    number = f"{minutes / 60:.2f}".rstrip("0").rstrip(".")
    return f"{number} hour" if number == "1" else f"{number} hours"


def details(row: Practitioner) -> Pairs:
    """Name, address and leaving date."""
    return [
        ["Name", row.name],
        ["Email", row.email or UNKNOWN],
        ["Leaving date", written(row.leaving_on) if row.leaving_on else "None"],
    ]


def cover(row: Practitioner) -> Pairs:
    """Phases, areas and how many open cases."""
    return [
        ["Phases", ", ".join(PHASES.get(code, code) for code in sorted(row.phases)) or "None"],
        ["Areas", ", ".join(sorted(row.areas)) or "The whole county"],
        ["Open cases at once", str(row.capacity)],
    ]


def needs(skills: Iterable[Skill], labels: Mapping[str, str]) -> Pairs:
    """Each need with the level, and until when."""
    return [
        [
            f"{labels.get(skill.code, skill.code)} ({skill.code})",
            LEVELS[skill.level]
            + (f", until {written(skill.expires_on)}" if skill.expires_on else ""),
        ]
        for skill in sorted(skills, key=lambda one: one.code)
    ]


def release(row: Release | None) -> Pairs:
    """The days and hours of one release pattern."""
    if row is None:
        return []
    return [
        ["From", written(row.valid_from)],
        ["Until", written(row.until) if row.until else "No end date"],
        ["Days", release_days(row)],
        ["In a week", hours(sum(row.minutes))],
    ]


def release_days(row: Release) -> str:
    """The days somebody is released on: `Tuesday 3.5 hours, Thursday 7 hours`."""
    worked = [
        f"{day} {hours(minutes)}" for day, minutes in zip(DAYS, row.minutes, strict=True) if minutes
    ]
    return ", ".join(worked) or "None"


def absence(row: Absence) -> list[str]:
    """One absence: its days, and the kind."""
    return [days_between(row.starts, row.ends), ABSENCES[row.kind]]


def conflict(row: Conflict, school: str) -> list[str]:
    """One conflict: the establishment, and what follows, why and when."""
    when = days_between(row.starts, row.ends)
    said = f"{CONFLICT_WEIGHTS[row.weight]}. {CONFLICT_KINDS[row.kind]}: {row.reason}"
    return [school, f"{said} ({when})" if when else said]


def days_between(starts: date | None, ends: date | None) -> str:
    """`3 June 2019 to 7 June 2019`, one day alone, or an open end; empty without any."""
    if starts and ends:
        return written(starts) if starts == ends else f"{written(starts)} to {written(ends)}"
    if starts:
        return f"from {written(starts)}"
    return f"until {written(ends)}" if ends else ""


def state(row: Practitioner) -> Pairs:
    """Whether somebody is active."""
    return [["State", "Active" if row.active else "No longer active"]]
