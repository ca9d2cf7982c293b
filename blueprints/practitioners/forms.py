"""The forms in which a practitioner's record is kept, each for one part of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wtforms import Field
from wtforms.fields import SelectChoice

from s2s_portal.blueprints.forms import DayField, Line, Needed, Paragraphs, PickOne, S2SForm, Seen
from s2s_portal.blueprints.practitioners.fields import (
    LONGEST_ADDRESS,
    Address,
    FromList,
    Hours,
    Several,
    ShortDay,
    Typed,
    Whole,
    choices,
)
from s2s_portal.models.practitioner import (
    AbsenceKind,
    ConflictKind,
    ConflictWeight,
    Level,
    Practitioner,
    Release,
)
from s2s_portal.services import (
    practitioner_choices,
    practitioner_words,
    practitioners,
)
from s2s_portal.services.practitioners import MOST_CASES, SkillGiven


class PartForm(S2SForm):
    """A form of one part, and the version of the record that it was drawn from."""

    seen = Seen()

    def given(self) -> dict[str, Any]:
        """The answers, by the names that the `save_` function of the part takes."""
        return {
            name: field.data
            for name, field in self._fields.items()
            if name not in {"seen", self.meta.csrf_field_name}
        }


def _name() -> Line:
    return Line("Name", [Needed("Enter their name")])


def _email() -> Line:
    return Line(
        "Email address",
        [Needed("Enter their email address"), Address()],
        longest=LONGEST_ADDRESS,
        description="Mail about referrals goes there",
    )


class AddForm(S2SForm):
    """A new practitioner."""

    name = _name()
    email = _email()
    provider = FromList("Complex Needs School", "Choose the school that they work at", choices=[])


class DetailsForm(PartForm):
    """Name, address, leaving date."""

    name = _name()
    email = _email()
    leaving_on = DayField(
        "Leaving date (optional)",
        description="After this day they are offered no referral",
    )


class CoverForm(PartForm):
    """Phases, areas, and how many open cases."""

    phases = Several("Phases they work in", choices=choices(practitioner_words.PHASES))
    areas = Several(
        "Areas they go to",
        description="Choose none if they go anywhere in the county",
        choices=[],
    )
    capacity = Whole(
        "Open cases at once",
        most=MOST_CASES,
        description="From this number on officers see that they are full",
    )


class ReleaseForm(PartForm):
    """Hours of release on each day, from a day on."""

    valid_from = DayField(
        "First day",
        [Needed("Enter the first day on which this applies")],
        description="What applied before this day stays in the record",
    )
    until = DayField(
        "Last day (optional)",
        description="If the school has agreed to it only until then",
    )
    monday = Hours("Monday")
    tuesday = Hours("Tuesday")
    wednesday = Hours("Wednesday")
    thursday = Hours("Thursday")
    friday = Hours("Friday")

    def week(self) -> list[Field]:
        """The five boxes."""
        return [self[day.lower()] for day in practitioner_words.DAYS]

    def given(self) -> dict[str, Any]:
        """The answers, by the names that `practitioners.save_release` takes."""
        return {
            "valid_from": self.valid_from.data,
            "until": self.until.data,
            "minutes": [box.data or 0 for box in self.week()],
        }


class NeedsForm(PartForm):
    """A level and an expiry date for each need; `needs_form` makes the fields."""

    codes: tuple[str, ...] = ()

    def lines(self) -> list[tuple[Field, Field]]:
        """The level and the date of each need."""
        return [(self[f"level_{code}"], self[f"expires_{code}"]) for code in self.codes]

    def given(self) -> dict[str, Any]:
        """The answers, by the name that `practitioners.save_needs` takes."""
        return {
            "needs": [
                SkillGiven(code, Level(level.data), expires.data)
                for code, (level, expires) in zip(self.codes, self.lines(), strict=True)
                if level.data
            ]
        }


def needs_form(labels: Mapping[str, str]) -> type[NeedsForm]:
    """A form with a line for each need that can be chosen."""
    levels = [SelectChoice("", "Not covered"), *choices(practitioner_words.LEVELS)]
    fields: dict[str, Any] = {"codes": tuple(labels)}
    for code, label in labels.items():
        fields[f"level_{code}"] = FromList(f"{label}: level", "", choices=levels)
        fields[f"expires_{code}"] = ShortDay(f"{label}: valid until")
    return type("NeedsForm", (NeedsForm,), fields)


class AbsenceForm(S2SForm):
    """An absence to add."""

    starts = DayField("First day", [Needed("Enter the first day")])
    ends = DayField("Last day (optional)", description="Leave it empty for one day")
    kind = PickOne("Kind", "Choose the kind", choices=choices(practitioner_words.ABSENCES))

    def given(self) -> dict[str, Any]:
        """The answers, by the names that `practitioner_limits.add_absence` takes."""
        return {
            "starts": self.starts.data,
            "ends": self.ends.data,
            "kind": AbsenceKind(self.kind.data),
        }


class URN(Typed):
    """An establishment's number in the register."""

    def read(self, typed: str) -> int:
        """Six digits."""
        if not (typed.isascii() and typed.isdecimal() and len(typed) == 6):
            raise ValueError("Enter the URN of the establishment: six digits")
        return int(typed)

    def show(self) -> str:
        """Digits."""
        return str(self.data)


class ConflictForm(S2SForm):
    """A conflict of interest to add."""

    urn = URN(
        "URN of the establishment",
        [Needed("Enter the URN of the establishment: six digits")],
        description="Its number in the national register",
    )
    kind = PickOne(
        "What ties them to it?",
        "Choose what ties them to it",
        choices=choices(practitioner_words.CONFLICT_KINDS),
    )
    weight = PickOne(
        "What follows?",
        "Choose what follows",
        choices=choices(practitioner_words.CONFLICT_WEIGHTS),
    )
    reason = Paragraphs(
        "Reason",
        [Needed("Enter the reason")],
        description="SEND officers, the lead and administrators read it. Name no child",
    )
    starts = DayField("From (optional)")
    ends = DayField("Until (optional)", description="Leave it empty if it does not end")

    def given(self) -> dict[str, Any]:
        """The answers, by the names that `practitioner_limits.add_conflict` takes."""
        return {
            "urn": self.urn.data,
            "kind": ConflictKind(self.kind.data),
            "weight": ConflictWeight(self.weight.data),
            "reason": self.reason.data,
            "starts": self.starts.data,
            "ends": self.ends.data,
        }


# What each form shows of a record ----------------------------------------------------------------


def details_of(row: Practitioner) -> DetailsForm:
    """The details as they are."""
    return DetailsForm(data={"name": row.name, "email": row.email, "leaving_on": row.leaving_on})


def cover_of(row: Practitioner) -> CoverForm:
    """What is covered, as it is; a district that the register no longer has stays to choose."""
    form = CoverForm(data={"phases": row.phases, "areas": row.areas, "capacity": row.capacity})
    areas = sorted({*practitioner_choices.districts(), *row.areas})
    form.areas.choices = [SelectChoice(area, area) for area in areas]
    return form


def release_of(row: Practitioner) -> ReleaseForm:
    """The latest release pattern."""
    rows: Iterable[Release] = practitioners.releases(row.id)
    for latest in rows:
        week = dict(
            zip((day.lower() for day in practitioner_words.DAYS), latest.minutes, strict=True)
        )
        return ReleaseForm(data={"valid_from": latest.valid_from, "until": latest.until, **week})
    return ReleaseForm()


def needs_of(row: Practitioner) -> NeedsForm:
    """The needs as they are; one that can no longer be chosen stays to choose for who has it."""
    labels = practitioner_choices.need_types()
    had = {skill.code: skill for skill in row.skills}
    labels |= {code: code for code in had.keys() - labels.keys()}
    answers: dict[str, Any] = {}
    for code, skill in had.items():
        answers |= {f"level_{code}": skill.level.value, f"expires_{code}": skill.expires_on}
    return needs_form(labels)(data=answers)
