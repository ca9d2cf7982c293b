"""The form in which a school says how it gets on with each recommendation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wtforms import RadioField
from wtforms.fields import SelectChoice

from s2s_portal.blueprints.forms import Paragraphs, S2SForm, Seen
from s2s_portal.blueprints.widgets import GovRadioInput
from s2s_portal.models.follow_up import Progress
from s2s_portal.services.follow_ups import SAID, STATE_WORDS, Line, Said


class FollowUpForm(S2SForm):
    """Three fields for each recommendation: how it goes, a word about it, what had been said."""

    lines: tuple[Line, ...] = ()

    def said(self) -> dict[int, Said]:
        """What was chosen and typed, by the recommendation's number; nonsense counts as nothing."""
        return {
            line.number: Said(
                _state(self[f"state_{line.number}"].data),
                self[f"words_{line.number}"].data or "",
                self[f"seen_{line.number}"].version,
            )
            for line in self.lines
        }

    def renew(self, lines: Sequence[Line]) -> None:
        """Show as read what has been said by now: the person has been told."""
        for line in lines:
            self[f"seen_{line.number}"].data = str(line.seen)


def _state(chosen: str | None) -> Progress | None:
    return Progress(chosen) if chosen in {state.value for state in SAID} else None


def follow_up_form(lines: Sequence[Line]) -> Any:
    """The form for these recommendations, as sent or as things stand."""

    class OfThese(FollowUpForm):
        """The form with fields for each of them."""

    OfThese.lines = tuple(lines)
    for line in lines:
        setattr(
            OfThese,
            f"state_{line.number}",
            RadioField(
                f"How do you get on with recommendation {line.position} of visit {line.visit}?",
                choices=[SelectChoice(state.value, STATE_WORDS[state]) for state in SAID],
                widget=GovRadioInput(),
                validate_choice=False,
            ),
        )
        setattr(
            OfThese,
            f"words_{line.number}",
            Paragraphs(
                f"A word about recommendation {line.position} of visit {line.visit}"
                " (needed if you have stopped)"
            ),
        )
        setattr(OfThese, f"seen_{line.number}", Seen())
    said = {f"state_{line.number}": line.state.value for line in lines if line.said}
    seen = {f"seen_{line.number}": str(line.seen) for line in lines}
    return OfThese(data={**said, **seen})
