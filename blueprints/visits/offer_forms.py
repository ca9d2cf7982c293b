"""The forms with which an offer is answered, and a referral asked for."""

from __future__ import annotations

from typing import Any

from wtforms.fields import SelectChoice

from s2s_portal.blueprints.forms import Needed, Paragraphs, PickOne, S2SForm
from s2s_portal.services import offer_words


class WhenNo(PickOne):
    """Asked only of who answers no."""

    def pre_validate(self, form: Any) -> None:
        """Refuse nothing picked where it is asked."""
        if form.answer.data == "no":
            super().pre_validate(form)


class AnswerForm(S2SForm):
    """A practitioner takes what is offered, or says why not."""

    answer = PickOne(
        "Do you take this referral?",
        "Choose whether you take this referral",
        choices=[SelectChoice("yes", "Yes, I take it"), SelectChoice("no", "No")],
    )
    refusal = WhenNo(
        "If not, why?",
        "Choose why you do not take it",
        choices=[SelectChoice(code.value, words) for code, words in offer_words.CHOICES.items()],
    )
    comment = Paragraphs("Anything the officers should know? (optional)")


class ReleaseForm(S2SForm):
    """A lead releases a member of staff for what is offered, or says why not."""

    answer = PickOne(
        "Do you release them for this referral?",
        "Choose whether you release them",
        choices=[SelectChoice("yes", "Yes, they are released for it"), SelectChoice("no", "No")],
    )
    comment = Paragraphs("If not, why?")


class AskForm(S2SForm):
    """A practitioner asks for a referral that is with nobody yet."""

    why = Paragraphs(
        "Why would you like to take it?", [Needed("Enter why you would like to take it")]
    )
