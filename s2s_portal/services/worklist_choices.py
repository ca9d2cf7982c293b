"""What the worklist can be narrowed by, as it is offered to an officer (F22)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import Text, any_, cast, func, literal_column, select, union_all
from sqlalchemy.dialects.postgresql import ARRAY

from s2s_portal.database import session
from s2s_portal.models.body import TriageBody
from s2s_portal.models.clocks import CouncilClosure
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.intake import IntakeWindow
from s2s_portal.models.terms import NeedType
from s2s_portal.models.worklist import Officer
from s2s_portal.services import calendar
from s2s_portal.services.calendar import Calendar
from s2s_portal.services.worklist_wanted import NOBODY


@dataclass(frozen=True)
class Offered:
    """What a list can be narrowed by: for each filter its values and their words.

    `teams` are the bodies that the acting officer is in: one, and there is nothing to choose.
    `office` are the days on which the council works, by which the list counts what is late.
    """

    areas: dict[str, str]
    phases: dict[int, str]
    needs: dict[str, str]
    officers: dict[int, str]
    windows: dict[int, str]
    teams: dict[str, str]
    office: Calendar


def offered() -> Offered:
    """What lists can be narrowed by: one statement."""
    found: dict[str, dict[str, str]] = {}
    for name, value, words, _place in session().execute(_choices()):
        found.setdefault(name, {})[value] = words
    return Offered(
        areas=found.get("area", {}),
        phases={int(code): name for code, name in found.get("phase", {}).items()},
        needs=found.get("need", {}),
        officers={
            NOBODY: "Nobody",
            **{int(n): name for n, name in found.get("officer", {}).items()},
        },
        windows={int(number): words for number, words in found.get("window", {}).items()},
        teams=found.get("team", {}),
        office=Calendar(None, (), calendar.days_of(_days(found.get("closed", {})))),
    )


def _days(closed: dict[str, str]) -> list[tuple[date, date]]:
    return [
        (date.fromisoformat(starts), date.fromisoformat(ends)) for starts, ends in closed.items()
    ]


@cache
def _choices() -> Any:
    """Each thing that can be chosen: which filter, its value and words, in order."""

    def rows(name: str, value: Any, words: Any, order: Any) -> Any:
        return select(
            literal_column(f"'{name}'").label("name"),
            cast(value, Text).label("value"),
            cast(words, Text).label("words"),
            cast(order, Text).label("place"),
        )

    school, window, closure = Establishment, IntakeWindow, CouncilClosure
    opened = func.to_char(window.opens, "FMDD FMMonth YYYY")
    kind = func.replace(window.setting_kind, "_", " ")
    return union_all(
        rows("area", school.district, school.district, school.district)
        .where(school.district != "")
        .distinct(),
        rows("phase", school.phase_code, func.min(school.phase_name), school.phase_code).group_by(
            school.phase_code
        ),
        rows("need", NeedType.code, NeedType.label, func.to_char(NeedType.position, "0000")),
        rows("officer", Officer.id, Officer.name, Officer.name),
        rows("team", TriageBody.code, TriageBody.name, TriageBody.position).where(
            TriageBody.code == any_(func.s2s.acting_bodies(type_=ARRAY(Text)))
        ),
        rows("closed", closure.starts, func.max(closure.ends), closure.starts).group_by(
            closure.starts
        ),
        rows("window", window.id, "From " + opened + ", " + kind, window.opens),
    ).order_by(literal_column("name"), literal_column("place"), literal_column("value"))
