"""The forms with which an officer decides, closes and reopens."""

from __future__ import annotations

from wtforms.fields import SelectChoice

from s2s_portal.blueprints.forms import DecidingForm, Needed, Paragraphs, PickOne
from s2s_portal.services.closing import CLOSURE_WORDS
from s2s_portal.services.triage import DECLINE_WORDS


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
