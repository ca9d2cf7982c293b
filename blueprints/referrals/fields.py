"""Fields of the referral form: choices in GOV.UK markup with messages that say what to do, rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

from markupsafe import Markup
from wtforms import (
    BooleanField,
    Field,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import StopValidation

from s2s_portal import clock
from s2s_portal.blueprints import drawing
from s2s_portal.blueprints.forms import DayField, S2SForm, Seen


class SectionForm(S2SForm):
    """A form for one section: its answers, and the state of the section it was drawn from.

    A field that another one `reveals` is drawn below the choice it belongs to, asked only when that
    is chosen, and empty when it is not. Without JavaScript all of them show.
    """

    seen = Seen()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.below: set[str] = set()
        for field in self:
            for value, names in getattr(field, "reveals", {}).items():
                field.revealed[value] = [self[name] for name in names]
                self.below.update(names)

    def shown(self) -> list[Field]:
        """The fields to draw: neither hidden nor below a choice of another."""
        return [
            field
            for field in self
            if field.short_name not in self.below
            and getattr(field.widget, "input_type", "") != "hidden"
        ]

    def unasked(self) -> set[str]:
        """The names of the fields below choices that are not chosen."""
        return {
            name
            for field in self
            for value, names in getattr(field, "reveals", {}).items()
            for name in names
            if value not in (field.data if isinstance(field.data, list) else [field.data])
        }

    def validate(self, extra_validators: Any = None) -> bool:
        """As the fields say, but for those that are not asked."""
        super().validate(extra_validators)
        for name in self.unasked():
            self[name].errors = []
        return not self.errors

    def adjust(self) -> bool:
        """Do what a button other than "Save" asks, if one was pressed; whether it was."""
        return False

    def given(self) -> dict[str, Any]:
        """The answers, by the names that the `save_` function of the section takes."""
        unasked = self.unasked()
        return {
            name: _empty(field) if name in unasked else field.data
            for name, field in self._fields.items()
            if name not in {"seen", self.meta.csrf_field_name}
        }


def _empty(field: Field) -> Any:
    """What a field that was not asked holds."""
    if isinstance(field, DayField):
        return None
    return [] if isinstance(field, AnyOf) else ""


class _Legend:
    """The legend in bold, and no empty hint: what the two group widgets below share."""

    def map_gov_params(self, field: Any, **kwargs: Any) -> dict[str, Any]:
        params: dict[str, Any] = super().map_gov_params(field, **kwargs)  # type: ignore[misc]
        params["fieldset"] = {"legend": {"text": field.label.text, "classes": drawing.LEGEND}}
        if not field.description:
            params.pop("hint", None)
        for item in params["items"]:
            below = field.revealed.get(item["value"])
            if below:
                item["conditional"] = {"html": Markup("").join(inner() for inner in below)}
        return params


class _Radios(_Legend, drawing.Radios):
    pass


class _Checkboxes(_Legend, drawing.Checkboxes):
    pass


class _Tick(drawing.Tick):
    def map_gov_params(self, field: Any, **kwargs: Any) -> dict[str, Any]:
        params: dict[str, Any] = super().map_gov_params(field, **kwargs)
        if not field.description:
            params.pop("hint", None)
        return params


class OneOf(RadioField):
    """One choice of several; `message` is said when none, or none of these, is chosen.

    `reveals` maps a choice to the names of the fields that are asked when it is chosen.
    """

    widget = _Radios()

    def __init__(
        self,
        label: str,
        *,
        message: str,
        choices: Any = (),
        reveals: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        **kwargs: Any,
    ) -> None:
        self.message, self.reveals = message, reveals
        self.revealed: dict[str, list[Field]] = {}
        super().__init__(label, choices=choices, validate_choice=False, **kwargs)

    def pre_validate(self, form: Any) -> None:
        """Refuse no choice, two choices, and one that was not offered."""
        offered = {choice.value for choice in self.iter_choices()}
        if self.data not in offered or len(self.raw_data or ()) > 1:
            raise StopValidation(self.message)


class OneOfList(SelectField):
    """One choice from a list that drops down; the first line of it chooses nothing."""

    widget = drawing.Select()

    def __init__(self, label: str, *, message: str, choices: Any = (), **kwargs: Any) -> None:
        self.message = message
        offered = [SelectChoice("", "Choose one"), *choices]
        super().__init__(label, choices=offered, validate_choice=False, **kwargs)

    def pre_validate(self, form: Any) -> None:
        """Refuse no choice and one that was not offered."""
        if not self.data or self.data not in {choice.value for choice in self.iter_choices()}:
            raise StopValidation(self.message)


class OneOrNone(SelectField):
    """One choice from a list that drops down, or none: the first line says what that means."""

    widget = drawing.Select()

    def __init__(self, label: str, *, none: str, message: str, **kwargs: Any) -> None:
        self.message = message
        super().__init__(label, choices=[SelectChoice("", none)], validate_choice=False, **kwargs)

    def pre_validate(self, form: Any) -> None:
        """Refuse what was not offered."""
        if (self.data or "") not in {choice.value for choice in self.iter_choices()}:
            raise StopValidation(self.message)


class AnyOf(SelectMultipleField):
    """Any number of choices; `message` is said when one was not offered; `reveals` as in OneOf."""

    widget = _Checkboxes()

    def __init__(
        self,
        label: str,
        *,
        message: str,
        choices: Any = (),
        reveals: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        **kwargs: Any,
    ) -> None:
        self.message, self.reveals = message, reveals
        self.revealed: dict[str, list[Field]] = {}
        super().__init__(label, choices=choices, validate_choice=False, **kwargs)

    def pre_validate(self, form: Any) -> None:
        """Refuse what was not offered."""
        if not {choice.value for choice in self.iter_choices()}.issuperset(self.data or ()):
            raise StopValidation(self.message)


class Tick(BooleanField):
    """One box to tick."""

    widget = _Tick()


class Ticked:
    """Refuse a box that is not ticked, with a message that says what to do."""

    field_flags: dict[str, Any] = {}

    def __init__(self, message: str) -> None:
        self.message = message

    def __call__(self, _form: Any, field: Field) -> None:
        if not field.data:
            raise StopValidation(self.message)


class WholeNumber(IntegerField):
    """A whole number between `least` and `most`; what was typed comes back."""

    widget = drawing.TextInput()

    def __init__(self, label: str, *, least: int, most: int, message: str, **kwargs: Any) -> None:
        self.least, self.most, self.message = least, most, message
        super().__init__(label, invalid_value_message=message, **kwargs)

    def pre_validate(self, form: Any) -> None:
        """Refuse nothing, no number, and one out of bounds."""
        if self.data is None or not self.least <= self.data <= self.most:
            raise StopValidation(self.message)


class NotFuture:
    """Refuse a day that has not come yet; an empty or unreadable one is for others to refuse."""

    field_flags: dict[str, Any] = {}

    def __init__(self, message: str) -> None:
        self.message = message

    def __call__(self, _form: Any, field: Field) -> None:
        if isinstance(field.data, date) and field.data > clock.today():
            raise StopValidation(self.message)


def choices(labels: Mapping[Any, str]) -> list[SelectChoice]:
    """Codes and labels as a field takes them."""
    return [SelectChoice(str(code), label) for code, label in labels.items()]
