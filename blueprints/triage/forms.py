"""The forms with which an officer decides, closes and reopens."""

from __future__ import annotations

from typing import Any

from wtforms import RadioField
from wtforms.fields import SelectChoice
from wtforms.validators import StopValidation

from s2s_portal.blueprints.forms import Needed, Paragraphs, S2SForm, Seen
from s2s_portal.services.closing import CLOSURE_WORDS
from s2s_portal.services.triage import DECLINE_WORDS


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
        text = str(self.seen.data or "")
        return int(text) if text.isdecimal() and len(text) < 10 else 0

    def renew(self, version: int) -> None:
        """Show this version from now on: the person has been told what changed."""
        self.seen.data = version


class AcceptForm(DecidingForm):
    """Accept, with a note that stays inside the service."""

    note = Paragraphs("Note for officers (optional)")


class DeclineForm(DecidingForm):
    """Decline, with the reason and what the school is told."""

    reason = PickOne(
        "Why are you declining it?",
        "Choose why you are declining the referral",
        choices=[SelectChoice(reason.value, words) for reason, words in DECLINE_WORDS.items()],
    )
    message = Paragraphs(
        "What do you want to tell the school?", [Needed("Enter what you want to tell the school")]
    )
    note = Paragraphs("Note for officers (optional)")


class ReturnForm(DecidingForm):
    """Send back to the school, with what is asked for."""

    message = Paragraphs(
        "What information do you need?", [Needed("Enter what information you need")]
    )


class CloseForm(DecidingForm):
    """Close, with the reason and what the school is told."""

    closure = PickOne(
        "Why are you closing it?",
        "Choose why you are closing the referral",
        choices=[SelectChoice(closure.value, words) for closure, words in CLOSURE_WORDS.items()],
    )
    message = Paragraphs(
        "What do you want to tell the school?", [Needed("Enter what you want to tell the school")]
    )


class ReopenForm(DecidingForm):
    """Open a closed referral again."""

    reason = Paragraphs(
        "Why is it being reopened?", [Needed("Enter why the referral is being reopened")]
    )
