"""Fields of the practitioners' forms: each reads one line as what it stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from email_validator import EmailNotValidError, validate_email
from wtforms import Field, SelectField, SelectMultipleField
from wtforms.fields import SelectChoice
from wtforms.validators import StopValidation

from s2s_portal.blueprints import drawing
from s2s_portal.services import (
    practitioners,
)

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
