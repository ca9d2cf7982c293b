"""The scale of 0 to 10 on which it is said how things are with an outcome, as a field of a form."""

from __future__ import annotations

from typing import Any

from wtforms import SelectField
from wtforms.fields import SelectChoice
from wtforms.validators import StopValidation

from s2s_portal.blueprints import drawing

SCORES = [str(score) for score in range(11)]
NAMED = {"0": "0, not at all", "10": "10, all the time"}


class ScoreField(SelectField):
    """A number from 0 to 10, which must be chosen; `score` is what was chosen."""

    widget = drawing.Select()

    def __init__(self, label: str, outcome: int, now: int | None = None, **kwargs: Any) -> None:
        choices = [SelectChoice("", "Choose a number")]
        choices += [SelectChoice(score, NAMED.get(score, score)) for score in SCORES]
        super().__init__(
            label,
            choices=choices,
            validate_choice=False,
            default="" if now is None else str(now),
            **kwargs,
        )
        self.outcome = outcome

    def pre_validate(self, _form: Any) -> None:
        """Refuse nothing chosen, and what is not on the scale."""
        if self.data not in SCORES:
            raise StopValidation(f"Choose from 0 to 10 for outcome {self.outcome}")

    @property
    def score(self) -> int:
        """What was chosen; only after the form has been validated."""
        return int(self.data)
