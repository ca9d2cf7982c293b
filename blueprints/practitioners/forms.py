"""The forms in which a practitioner's record is kept, each for one part of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from email_validator import EmailNotValidError, validate_email
from wtforms import Field, SelectField, SelectMultipleField
from wtforms.fields import SelectChoice
from wtforms.validators import StopValidation

from s2s_portal.blueprints import drawing
from s2s_portal.blueprints.forms import DayField, Line, Needed, Paragraphs, PickOne, S2SForm, Seen
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

DAY = re.compile(r"(\d{1,2})[/. -](\d{1,2})[/. -](\d{4})|(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
LONGEST_ADDRESS = 200


def choices(labels: Mapping[Any, str]) -> list[SelectChoice]:
    """Codes and labels as a field takes them."""
    return [SelectChoice(str(code), label) for code, label in labels.items()]


class Several(SelectMultipleField):
    """Any number of boxes; what was not offered is refused."""

    widget = drawing.Checkboxes()

    def __init__(self, label: str, **kwargs: Any) -> None:
        super().__init__(label, validate_choice=False, **kwargs)

    def pre_validate(self, _form: Any) -> None:
        """Refuse what was not offered."""
        if not {choice.value for choice in self.iter_choices()}.issuperset(self.data or ()):
            raise StopValidation("Choose from the list")


class FromList(SelectField):
    """One choice from a list that drops down; the first line of it chooses nothing."""

    widget = drawing.Select()

    def __init__(self, label: str, message: str, **kwargs: Any) -> None:
        super().__init__(label, validate_choice=False, **kwargs)
        self.message = message

    def pre_validate(self, _form: Any) -> None:
        """Refuse what was not offered, and nothing where there must be something."""
        self.data: str = self.data or ""
        offered = {choice.value for choice in self.iter_choices()}
        if self.data not in offered or (not self.data and self.message):
            raise StopValidation(self.message or "Choose from the list")


class Typed(Field):
    """One line that stands for something else; what was typed comes back."""

    widget = drawing.TextInput()
    typed = ""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read what was typed; an empty box is nothing."""
        self.typed = (valuelist[0] if valuelist else "").strip()[:30]
        self.data = self.read(self.typed) if self.typed else None

    def read(self, typed: str) -> Any:
        """What `typed` stands for. Raises ValueError."""
        raise NotImplementedError

    def show(self) -> str:
        """The data as one would type it."""
        raise NotImplementedError

    def _value(self) -> str:
        return self.typed or ("" if self.data is None else self.show())


class Hours(Typed):
    """Hours on one day, `3.5`; `data` is minutes, 0 for an empty box."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read hours; an empty box is none."""
        super().process_formdata(valuelist)
        self.data = self.data or 0

    def read(self, typed: str) -> int:
        """Minutes."""
        try:
            minutes = Decimal(typed) * 60 if typed.isascii() else Decimal("NaN")
            if minutes.is_finite() and 0 <= minutes <= practitioners.LONGEST_DAY:
                return round(minutes)
        except InvalidOperation:
            pass
        raise ValueError(f"{self.label.text} must be hours from 0 to 10, for example 3.5")

    def show(self) -> str:
        """Hours, empty for none."""
        return f"{self.data / 60:.2f}".rstrip("0").rstrip(".") if self.data else ""


class ShortDay(Typed):
    """A date on one line, for a table of dates: `31/8/2027`."""

    def read(self, typed: str) -> date:
        """The date."""
        found = DAY.fullmatch(typed)
        if found:
            day, month, year = found.group(1, 2, 3) if found[1] else found.group(6, 5, 4)
            if 1900 <= int(year) <= 2200:
                try:
                    return date(int(year), int(month), int(day))
                except ValueError:
                    pass
        raise ValueError(f"{self.label.text} must be a real date, for example 31/8/2027")

    def show(self) -> str:
        """Day, month, year."""
        return f"{self.data:%-d/%-m/%Y}"


class Whole(Typed):
    """A whole number from 0 to `most`."""

    def __init__(self, label: str, *, most: int, **kwargs: Any) -> None:
        self.most = most
        super().__init__(label, **kwargs)

    def read(self, typed: str) -> int:
        """The number."""
        number = int(typed) if typed.isascii() and typed.isdecimal() else -1
        if not 0 <= number <= self.most:
            raise ValueError(f"{self.label.text} must be a number from 0 to {self.most}")
        return number

    def pre_validate(self, _form: Any) -> None:
        """Refuse an empty box."""
        if self.data is None and not self.errors and not self.process_errors:
            raise StopValidation(f"Enter a number from 0 to {self.most}")

    def show(self) -> str:
        """Digits."""
        return str(self.data)


class Address:
    """Refuse what is no mail address."""

    field_flags: dict[str, Any] = {}

    def __call__(self, _form: Any, field: Field) -> None:
        try:
            validate_email(field.data or "", check_deliverability=False, test_environment=True)
        except EmailNotValidError as error:
            raise StopValidation("Enter an email address, like name@school.example") from error


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
