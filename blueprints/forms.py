"""Form parts that every journey shares: GOV.UK widgets, tidy text, dates in three boxes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from flask import current_app, request
from flask_wtf import FlaskForm
from wtforms import Field, FieldList, HiddenField, RadioField, StringField, TextAreaField
from wtforms.validators import Length, StopValidation

from s2s_portal.blueprints.widgets import GovDateInput, GovTextArea, GovTextInput

LONGEST = 10_000  # characters of one answer in free text


class S2SForm(FlaskForm):
    """Base of our forms. Every form carries its own token, whatever the host protects.

    It reads what a browser's form sends and no more: Flask-WTF would let files and JSON in as
    well, and a list where text is expected.
    """

    out_of_order = False

    class Meta(FlaskForm.Meta):
        """How WTForms reads the request."""

        @property
        def csrf(self) -> bool:
            """A host that has switched its tokens off has not switched off ours, but in tests."""
            return current_app.config.get("WTF_CSRF_ENABLED", True) or not current_app.testing

        def wrap_formdata(self, form: Any, formdata: Any) -> Any:
            """The posted fields and no others."""
            return request.form if request.method == "POST" else None


class ButtonForm(S2SForm):
    """A form that is only a button: its token is all it carries."""


def tidy(value: Any) -> Any:
    """Text without surrounding space or control characters that a database refuses (W25)."""
    if not isinstance(value, str):
        return value
    return value.replace("\x00", "").replace("\r\n", "\n").strip()


def _too_long(label: str, longest: int) -> str:
    return f"{label.removesuffix(' (optional)')} must be {longest:,} characters or fewer"


class Line(StringField):
    """One line of text, tidied, at most 200 characters."""

    widget = GovTextInput()

    def __init__(self, label: str, validators: Any = (), *, longest: int = 200, **kwargs: Any):
        checks = [
            *validators,
            Length(max=longest, message=_too_long(label, longest)),
        ]
        super().__init__(label, checks, filters=(tidy,), **kwargs)


class Paragraphs(TextAreaField):
    """Free text in paragraphs, tidied, at most 10,000 characters."""

    widget = GovTextArea()

    def __init__(self, label: str, validators: Any = (), **kwargs: Any):
        checks = [
            *validators,
            Length(max=LONGEST, message=_too_long(label, LONGEST)),
        ]
        super().__init__(label, checks, filters=(tidy,), **kwargs)


class Needed:
    """Refuse an empty answer with a message that says what to do."""

    field_flags: dict[str, Any] = {}

    def __init__(self, message: str) -> None:
        self.message = message

    def __call__(self, _form: Any, field: Field) -> None:
        if field.data in (None, "", [], ()) and not getattr(field, "raw_text", ""):
            raise StopValidation(self.message)


class DayField(Field):
    """A date in three boxes of one name (day, month, year); what was typed comes back.

    `data` is a `date`, or None when the boxes are empty or hold no real date; `raw_text` is what
    was typed, so that `Needed` can tell empty from wrong.
    """

    widget = GovDateInput()
    raw_text = ""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read `[day, month, year]`, or one value `YYYY-MM-DD` as a script may send it."""
        parts = [value.strip()[:10] for value in valuelist[:3]]
        if len(parts) == 1 and parts[0].count("-") == 2:
            parts = parts[0].split("-")[::-1]
        self.raw_data = [*parts, "", "", ""][:3]
        self.raw_text = " ".join(part for part in self.raw_data if part)
        self.data = None
        if self.raw_text:
            self.data = self._read(self.raw_data)

    def _read(self, parts: list[str]) -> date:
        try:
            day, month, year = (int(part) for part in parts)
            if not 1900 <= year <= 2200:
                raise ValueError
            return date(year, month, day)
        except ValueError as error:
            message = f"{self.label.text} must be a real date, for example 27 3 2019"
            raise ValueError(message) from error

    def _value(self) -> str:
        return ""


class Rows(FieldList):
    """Rows that can be added to. Names with an index that is no plain number are not ours."""

    def _extract_indices(self, prefix: str, formdata: Iterable[str]) -> Iterator[int]:
        # WTForms takes "²" for a digit and then fails to read it; so does a number of 5,000 digits.
        known = [str(index) for index in range(self.max_entries * 10)]
        for name in formdata:
            head, _, rest = name.partition("-")
            if head == prefix and rest.split("-", 1)[0] in known:
                yield int(rest.split("-", 1)[0])


class Seen(HiddenField):
    """Which state of the thing the page was drawn from: tells a stale form from a fresh one."""

    @property
    def version(self) -> int:
        """The version it names; 0, which nothing has, for nonsense."""
        text = str(self.data or "")
        return int(text) if text.isdecimal() and len(text) < 10 else 0


class PickOne(RadioField):
    """Radio buttons of which one must be picked; `message` says what to do when none is.

    Drawn by the macro `radios` of `s2s/triage/parts.html`, or in the rows of a table.
    """

    def __init__(self, label: str, message: str, **kwargs: Any) -> None:
        super().__init__(label, validate_choice=False, **kwargs)
        self.message = message

    def pre_validate(self, _form: Any) -> None:
        """Refuse nothing picked, and what is not offered, with the same words."""
        if self.data not in {choice.value for choice in self.choices}:
            raise StopValidation(self.message)


class DecidingForm(S2SForm):
    """A form that decides something about a referral, and knows which version it was drawn from."""

    seen = Seen()

    @property
    def version(self) -> int:
        """The referral's version when the page was drawn; 0, which none has, for nonsense."""
        return self.seen.version

    def renew(self, version: int) -> None:
        """Show this version from now on: the person has been told what changed."""
        self.seen.data = version
