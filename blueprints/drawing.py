"""Fields drawn in GOV.UK markup without a template for each: the same document, much faster.

govuk-frontend-wtf renders a template of macros for every field, and a page has up to thirty.
These widgets write the same markup straight down (a test compares every field of every form of the
referral), and leave whatever they do not know to the widget they are made from.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup, escape

from s2s_portal.blueprints.widgets import (
    GovCheckboxesInput,
    GovCheckboxInput,
    GovDateInput,
    GovRadioInput,
    GovSelect,
    GovTextArea,
    GovTextInput,
)

LEGEND = "govuk-fieldset__legend--s"
ROWS = "5"  # of a box for paragraphs, as GOV.UK Frontend has it


class Drawn:
    """Draws a field when no more is asked for than the number of its rows; else the original."""

    def __call__(self, field: Any, **kwargs: Any) -> Markup:
        params = kwargs.get("params", {})
        if kwargs.keys() - {"params"} or params.keys() - {"rows"}:
            drawn: Markup = super().__call__(field, **kwargs)  # type: ignore[misc]
            return drawn
        return Markup(self.draw(field, str(params.get("rows", ROWS))))  # noqa: S704 (escaped below)

    def draw(self, field: Any, rows: str) -> str:
        """The markup of the field."""
        raise NotImplementedError


def _group(field: Any, inner: str) -> str:
    error = " govuk-form-group--error" if field.errors else ""
    return f'<div class="govuk-form-group{error}">{inner}</div>'


def _label(field: Any) -> str:
    return f'<label class="govuk-label" for="{field.id}">{escape(field.label.text)}</label>'


def _hint_and_error(field: Any) -> str:
    hint = error = ""
    if field.description:
        hint = f'<div id="{field.id}-hint" class="govuk-hint">{escape(field.description)}</div>'
    if field.errors:
        error = (
            f'<p id="{field.id}-error" class="govuk-error-message"><span'
            f' class="govuk-visually-hidden">Error:</span> {escape(field.errors[0])}</p>'
        )
    return hint + error


def _described(field: Any) -> str:
    names = [f"{field.id}-hint"] if field.description else []
    if field.errors:
        names.append(f"{field.id}-error")
    return f' aria-describedby="{" ".join(names)}"' if names else ""


def _class(field: Any, name: str) -> str:
    return f'class="{name}{f" {name}--error" if field.errors else ""}"'


class TextInput(Drawn, GovTextInput):
    """One line of text."""

    def draw(self, field: Any, rows: str) -> str:
        """Label, hint, error and box."""
        box = (
            f'<input {_class(field, "govuk-input")} id="{field.id}" name="{field.name}" type="text"'
            f' value="{escape(field._value())}"{_described(field)}>'
        )
        return _group(field, _label(field) + _hint_and_error(field) + box)


class TextArea(Drawn, GovTextArea):
    """Paragraphs."""

    def draw(self, field: Any, rows: str) -> str:
        """Label, hint, error and box; a line break first, as a browser drops one there."""
        box = (
            f'<textarea {_class(field, "govuk-textarea")} id="{field.id}" name="{field.name}"'
            f' rows="{rows}"{_described(field)}>\n{escape(field._value())}</textarea>'
        )
        return _group(field, _label(field) + _hint_and_error(field) + box)


class Select(Drawn, GovSelect):
    """A list that drops down."""

    def draw(self, field: Any, rows: str) -> str:
        """Label, hint, error and list."""
        options = "".join(
            f'<option value="{escape(choice.value)}"{" selected" if choice.selected else ""}>'
            f"{escape(choice.label)}</option>"
            for choice in field.iter_choices()
        )
        box = (
            f'<select {_class(field, "govuk-select")} id="{field.id}" name="{field.name}"'
            f"{_described(field)}>{options}</select>"
        )
        return _group(field, _label(field) + _hint_and_error(field) + box)


class DateInput(Drawn, GovDateInput):
    """A date in three boxes."""

    def draw(self, field: Any, rows: str) -> str:
        """A group with its legend, hint, error and boxes."""
        typed = field.raw_data
        if typed is None:
            typed = field.data.strftime("%d %m %Y").split(" ") if field.data else ("", "", "")
        boxes = "".join(
            self._box(field, part, width, value)
            for (part, width), value in zip(
                (("day", 2), ("month", 2), ("year", 4)), typed, strict=True
            )
        )
        return _group(
            field,
            f'<fieldset class="govuk-fieldset" role="group"{_described(field)}>'
            f'<legend class="govuk-fieldset__legend">{escape(field.label.text)}</legend>'
            f"{_hint_and_error(field)}"
            f'<div class="govuk-date-input" id="{field.id}">{boxes}</div></fieldset>',
        )

    @staticmethod
    def _box(field: Any, part: str, width: int, value: str) -> str:
        error = " govuk-input--error" if field.errors else ""
        filled = f' value="{escape(value)}"' if value else ""
        return (
            '<div class="govuk-date-input__item"><div class="govuk-form-group">'
            f'<label class="govuk-label govuk-date-input__label" for="{field.name}-{part}">'
            f"{part.capitalize()}</label>"
            f'<input class="govuk-input govuk-date-input__input govuk-input--width-{width}{error}"'
            f' id="{field.name}-{part}" name="{field.name}" type="text"{filled}'
            ' inputmode="numeric"></div></div>'
        )


class _Choices(Drawn):
    """Radio buttons or boxes to tick, each with the questions that choosing it opens."""

    kind = "radio"
    block = "govuk-radios"

    def draw(self, field: Any, rows: str) -> str:
        """A group with its legend, hint, error and choices."""
        return _group(
            field,
            f'<fieldset class="govuk-fieldset"{_described(field)}>'
            f'<legend class="govuk-fieldset__legend {LEGEND}">{escape(field.label.text)}</legend>'
            f"{_hint_and_error(field)}{self.items(field, field.iter_choices())}</fieldset>",
        )

    def items(self, field: Any, choices: Iterable[Any]) -> str:
        """The choices themselves."""
        drawn = "".join(
            self.item(field, number, str(choice.value), choice.label, choice.selected)
            for number, choice in enumerate(choices, start=1)
        )
        return f'<div class="{self.block}" data-module="{self.block}">{drawn}</div>'

    def item(
        self, field: Any, number: int, value: str, label: str, chosen: bool, more: str = ""
    ) -> str:
        """One choice, and below it what it opens; `more` are further attributes."""
        block = self.block
        id_ = field.id if number == 1 else f"{field.id}-{number}"
        below = getattr(field, "revealed", {}).get(value, ())
        opens = f' data-aria-controls="conditional-{id_}"' if below else ""
        checked = " checked" if chosen else ""
        drawn = (
            f'<div class="{block}__item"><input class="{block}__input" id="{id_}"'
            f' name="{field.name}" type="{self.kind}" value="{escape(value)}"'
            f"{checked}{opens}{more}>"
            f'<label class="govuk-label {block}__label" for="{id_}">{escape(label)}</label></div>'
        )
        if not below:
            return drawn
        hidden = "" if chosen else f" {block}__conditional--hidden"
        inner = "".join(str(field_()) for field_ in below)
        return (
            f'{drawn}<div class="{block}__conditional{hidden}" id="conditional-{id_}">{inner}</div>'
        )


class Radios(_Choices, GovRadioInput):
    """One choice of several."""


class Checkboxes(_Choices, GovCheckboxesInput):
    """Any number of choices."""

    kind = "checkbox"
    block = "govuk-checkboxes"


class Tick(_Choices, GovCheckboxInput):
    """One box to tick."""

    kind = "checkbox"
    block = "govuk-checkboxes"

    def draw(self, field: Any, rows: str) -> str:
        """The box, with its hint and error before it."""
        value, chosen = field._value(), bool(field.data)
        item = self.item(field, 1, value, field.label.text, chosen, _described(field))
        box = f'<div class="{self.block}" data-module="{self.block}">{item}</div>'
        return _group(field, _hint_and_error(field) + box)
