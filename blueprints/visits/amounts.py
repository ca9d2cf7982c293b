"""Boxes for lengths of time, miles and numbers of people; what was typed always comes back."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from wtforms import Field

from s2s_portal.blueprints.forms import tidy
from s2s_portal.blueprints.widgets import GovTextInput
from s2s_portal.services.record_answers import LONGEST_DAY, MOST_MILES, MOST_PEOPLE

DURATION = re.compile(
    r"(?:(?P<hours>\d{1,2}(?:\.\d{1,2})?)\s*(?:hours?|hrs?|h)\.?)?\s*(?:and\s*)?"
    r"(?:(?P<minutes>\d{1,4})\s*(?:minutes?|mins?|m)?\.?)?",
    re.ASCII,
)


def read_minutes(text: str) -> int:
    """Minutes as people type them: `90`, `90 min`, `1:30`, `1h 30`, `1.5 hours`.

    Raises ValueError for anything else, and for more than a day has.
    """
    tidied = text.strip().lower()
    wrong = "must be minutes, or hours and minutes: for example 90, 1:30 or 1h 30m"
    found = re.fullmatch(r"(\d{1,2}):([0-5]\d)", tidied, re.ASCII)
    if found:
        total = int(found[1]) * 60 + int(found[2])
    else:
        said = DURATION.fullmatch(tidied)
        if said is None or not (said["hours"] or said["minutes"]):
            raise ValueError(wrong)
        total = round(float(said["hours"] or 0) * 60) + int(said["minutes"] or 0)
    if total > LONGEST_DAY:
        raise ValueError("must be no more than the 24 hours of a day")
    return total


class MinutesField(Field):
    """A length of time in one box; `data` is minutes or None, and what was typed comes back."""

    widget = GovTextInput()
    raw_text = ""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the one value; an empty box is None."""
        self.raw_text = tidy(valuelist[0])[:30] if valuelist else ""
        self.data = None
        if self.raw_text:
            try:
                self.data = read_minutes(self.raw_text)
            except ValueError as error:
                raise ValueError(f"{self.label.text} {error}") from error

    def _value(self) -> str:
        return self.raw_text or ("" if self.data is None else str(self.data))


class MilesField(Field):
    """Miles with at most one decimal; `data` is a Decimal or None."""

    widget = GovTextInput()
    raw_text = ""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the one value; an empty box is None."""
        self.raw_text = tidy(valuelist[0])[:20] if valuelist else ""
        self.data = None
        if not self.raw_text:
            return
        try:
            miles = Decimal(re.sub(r"\s*miles?$", "", self.raw_text.lower()))
            if not 0 <= miles <= MOST_MILES:
                raise InvalidOperation
        except InvalidOperation as error:
            message = f"{self.label.text} must be a number from 0 to {MOST_MILES}, for example 12.5"
            raise ValueError(message) from error
        self.data = round(miles, 1)

    def _value(self) -> str:
        return self.raw_text or ("" if self.data is None else f"{self.data:g}")


class PeopleField(Field):
    """How many people; `data` is a number or None."""

    widget = GovTextInput()
    raw_text = ""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the one value; an empty box is None."""
        self.raw_text = tidy(valuelist[0])[:20] if valuelist else ""
        self.data = None
        if self.raw_text:
            known = re.fullmatch(r"\d{1,3}", self.raw_text, re.ASCII)
            if known is None or not int(self.raw_text):
                raise ValueError(f"{self.label.text} must be a number from 1 to {MOST_PEOPLE}")
            self.data = int(self.raw_text)

    def _value(self) -> str:
        return self.raw_text or ("" if self.data is None else str(self.data))
